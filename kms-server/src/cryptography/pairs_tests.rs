//! Pairs there and back between their forms, and agreed between.

use kmip::enumeration::{HashingAlgorithm as Hash, RecommendedCurve as Curve};
use kms_core::cryptography::{
    AsymmetricForm as Form, AsymmetricKey, Container, Cryptography, CryptographyError, KeyNumbers, PairKind,
    Signed, Signing, Stretching, Workshop,
};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::dsa::Dsa;
use openssl::hash::MessageDigest;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::OpenSsl;

fn key(form: Form, der: &[u8]) -> AsymmetricKey<'_> {
    AsymmetricKey { form, der }
}

/// The same key through its numbers.
#[track_caller]
fn turned(from: Form, der: &[u8], to: Form) -> Zeroizing<Vec<u8>> {
    OpenSsl.der(&OpenSsl.numbers(&key(from, der)).unwrap(), to).unwrap()
}

#[track_caller]
fn there_and_back(from: Form, der: &[u8], by: Form) {
    let other = turned(from, der, by);
    assert_ne!(other.as_slice(), der);
    assert_eq!(turned(by, &other, from).as_slice(), der, "{from:?} by {by:?}");
}

#[test]
fn rsa_pairs_fit_each_other_and_come_back_the_same_by_every_form() {
    let made = OpenSsl.make_pair(PairKind::Rsa { bits: 1024 }).unwrap();
    there_and_back(Form::Pkcs1Private, &made.private, Form::Pkcs8);
    there_and_back(Form::Pkcs1Public, &made.public, Form::SubjectPublicKeyInfo);
    let signing = Signing::RsaPkcs1V1_5(Hash::Sha256);
    let pkcs8 = turned(Form::Pkcs1Private, &made.private, Form::Pkcs8);
    let signature = OpenSsl.sign(&key(Form::Pkcs8, &pkcs8), &signing, Signed::Data(b"data")).unwrap();
    let public = key(Form::Pkcs1Public, &made.public);
    assert!(OpenSsl.verify(&public, &signing, Signed::Data(b"data"), &signature).unwrap());
    assert!(
        OpenSsl.der(&OpenSsl.numbers(&public).unwrap(), Form::Pkcs8).is_err(),
        "no public key is a private one"
    );
    let other = OpenSsl.make_pair(PairKind::Rsa { bits: 1024 }).unwrap();
    assert_ne!(made.private, other.private);
}

/// "One of the following SHALL be present: Private Exponent, P and Q, or Prime Exponent P and Prime Exponent Q."
#[test]
fn an_rsa_key_of_its_primes_alone_is_the_whole_key() {
    let made = OpenSsl.make_pair(PairKind::Rsa { bits: 1024 }).unwrap();
    let whole = OpenSsl.numbers(&key(Form::Pkcs1Private, &made.private)).unwrap();
    let KeyNumbers::RsaPrivate { modulus, private_exponent, p, q, .. } = whole.clone() else {
        panic!("{whole:?}")
    };
    let bare = |private_exponent, p, q| KeyNumbers::RsaPrivate {
        modulus: modulus.clone(),
        private_exponent,
        public_exponent: None,
        p,
        q,
        prime_exponent_p: None,
        prime_exponent_q: None,
        crt_coefficient: None,
    };
    let made_whole =
        OpenSsl.der(&bare(private_exponent.clone(), p.clone(), q.clone()), Form::Pkcs1Private).unwrap();
    assert_eq!(made_whole, made.private);
    // Without the exponent another one is found that does the same.
    let found = OpenSsl.der(&bare(None, p, q), Form::Pkcs1Private).unwrap();
    let signing = Signing::RsaPkcs1V1_5(Hash::Sha256);
    let signed =
        |der: &[u8]| OpenSsl.sign(&key(Form::Pkcs1Private, der), &signing, Signed::Data(b"data")).unwrap();
    assert_eq!(signed(&found), signed(&made.private));
    let without_primes = OpenSsl.der(&bare(private_exponent, None, None), Form::Pkcs8);
    assert!(matches!(without_primes, Err(CryptographyError::Unsupported(_))));
}

#[test]
fn pairs_on_every_curve_agree_and_come_back_the_same_by_every_form() {
    for curve in [
        Curve::P192,
        Curve::P224,
        Curve::P256,
        Curve::P384,
        Curve::P521,
        Curve::Secp256k1,
        Curve::BrainpoolP256r1,
        Curve::BrainpoolP384r1,
        Curve::BrainpoolP512r1,
    ] {
        let [one, two] = [(); 2].map(|()| OpenSsl.make_pair(PairKind::Ec(curve)).unwrap());
        there_and_back(Form::EcPrivate, &one.private, Form::Pkcs8);
        assert_eq!(
            turned(Form::SubjectPublicKeyInfo, &one.public, Form::SubjectPublicKeyInfo).as_slice(),
            one.public
        );
        let agreed = |ours: &[u8], theirs: &[u8]| {
            OpenSsl.agree(&key(Form::EcPrivate, ours), &key(Form::SubjectPublicKeyInfo, theirs)).unwrap()
        };
        assert_eq!(agreed(&one.private, &two.public), agreed(&two.private, &one.public), "{curve}");
        assert_ne!(agreed(&one.private, &two.public), agreed(&one.private, &one.public), "{curve}");
    }
    let on = |curve| OpenSsl.make_pair(PairKind::Ec(curve));
    assert!(matches!(on(Curve::K163), Err(CryptographyError::Unsupported(_))));
    let (small, large) = (on(Curve::P256).unwrap(), on(Curve::P384).unwrap());
    let mixed =
        OpenSsl.agree(&key(Form::EcPrivate, &small.private), &key(Form::SubjectPublicKeyInfo, &large.public));
    assert!(matches!(mixed, Err(CryptographyError::Failed(_))));
}

#[test]
fn a_point_that_is_not_on_its_curve_is_no_key() {
    let mut q_string = vec![4; 65];
    q_string[64] = 1;
    let off = KeyNumbers::EcPublic { curve: Curve::P256, q_string };
    assert!(matches!(OpenSsl.der(&off, Form::SubjectPublicKeyInfo), Err(CryptographyError::Failed(_))));
    let nought = KeyNumbers::EcPrivate { curve: Curve::P256, d: Zeroizing::new(vec![0]) };
    assert!(OpenSsl.der(&nought, Form::Pkcs8).is_err());
}

#[test]
fn dsa_and_dh_keys_come_back_the_same_by_their_numbers() {
    let dsa = PKey::from_dsa(Dsa::generate(1024).unwrap()).unwrap();
    let group = Dh::from_pqg(BigNum::get_rfc3526_prime_2048().unwrap(), None, BigNum::from_u32(2).unwrap());
    let dh = PKey::from_dh(group.unwrap().generate_key().unwrap()).unwrap();
    for pair in [dsa, dh] {
        let (private, public) = (pair.private_key_to_pkcs8().unwrap(), pair.public_key_to_der().unwrap());
        assert_eq!(turned(Form::Pkcs8, &private, Form::Pkcs8).as_slice(), private);
        assert_eq!(
            turned(Form::SubjectPublicKeyInfo, &public, Form::SubjectPublicKeyInfo).as_slice(),
            public
        );
    }
}

#[test]
fn what_the_stretching_is_of_is_not_shown() {
    let stretching = Stretching {
        hash: Hash::Sha256,
        password: Zeroizing::new(b"hunter2".to_vec()),
        salt: b"salt".to_vec(),
        iterations: 1,
        bytes: 16,
    };
    assert_eq!(format!("{stretching:?}"), "Stretching { hash: Sha256, iterations: 1, bytes: 16, .. }");
    let made = OpenSsl.make_pair(PairKind::Ec(Curve::P256)).unwrap();
    assert!(!format!("{made:?}").contains("private"));
}

fn self_signed(key: &PKey<Private>) -> Vec<u8> {
    let mut builder = X509::builder().unwrap();
    let (now, later) = (Asn1Time::days_from_now(0).unwrap(), Asn1Time::days_from_now(1).unwrap());
    builder.set_not_before(&now).unwrap();
    builder.set_not_after(&later).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build().to_der().unwrap()
}

#[test]
fn a_container_opens_with_its_password_and_holds_the_key_and_its_chain() {
    let keys = [(); 2].map(|()| {
        let made = OpenSsl.make_pair(PairKind::Ec(Curve::P256)).unwrap();
        let pkcs8 = turned(Form::EcPrivate, &made.private, Form::Pkcs8);
        let certificate = self_signed(&PKey::private_key_from_pkcs8(&pkcs8).unwrap());
        (pkcs8, certificate)
    });
    let [(pkcs8, own), (_, issuer)] = keys;
    let made = |password, certificates: &[Vec<u8>]| {
        OpenSsl.container(&Container { key: key(Form::Pkcs8, &pkcs8), password, alias: "mine", certificates })
    };
    let der = made(b"password", &[own.clone(), issuer.clone()]).unwrap();
    let container = Pkcs12::from_der(&der).unwrap();
    assert!(container.parse2("another").is_err());
    let opened = container.parse2("password").unwrap();
    assert_eq!(opened.pkey.unwrap().private_key_to_pkcs8().unwrap().as_slice(), pkcs8.as_slice());
    assert_eq!(opened.cert.unwrap().to_der().unwrap(), own);
    assert_eq!(opened.ca.unwrap()[0].to_der().unwrap(), issuer);
    made(b"password", &[]).unwrap();
    assert!(made(b"password", &[issuer]).is_err(), "another key's certificate");
    assert!(made(b"pass\0word", &[]).is_err() && made(&[0xff], &[]).is_err());
}
