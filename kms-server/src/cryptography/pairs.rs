//! Pairs: made, agreed between, and turned from one form into another.

use kmip::enumeration::RecommendedCurve;
use kms_core::cryptography::{
    AsymmetricForm, AsymmetricKey, Container, CryptographyError, KeyNumbers, MadePair, Number, PairKind,
    Stretching,
};
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::derive::Deriver;
use openssl::dh::Dh;
use openssl::dsa::Dsa;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{HasParams, Id, PKey, Private, Public};
use openssl::rsa::{Rsa, RsaPrivateKeyBuilder};
use openssl::stack::Stack;
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::asymmetric::{private, public};
use super::{digest, failed};

const NOT_MADE: &str = "the pair could not be made";
const NO_NUMBERS: &str = "the key cannot be read as numbers";
const NO_KEY: &str = "the numbers are no key";

/// OpenSSL's curves by KMIP's names.
#[rustfmt::skip]
const CURVES: &[(RecommendedCurve, Nid)] = &[
    (RecommendedCurve::P192,            Nid::X9_62_PRIME192V1),
    (RecommendedCurve::P224,            Nid::SECP224R1),
    (RecommendedCurve::P256,            Nid::X9_62_PRIME256V1),
    (RecommendedCurve::P384,            Nid::SECP384R1),
    (RecommendedCurve::P521,            Nid::SECP521R1),
    (RecommendedCurve::Secp192k1,       Nid::SECP192K1),
    (RecommendedCurve::Secp224k1,       Nid::SECP224K1),
    (RecommendedCurve::Secp256k1,       Nid::SECP256K1),
    (RecommendedCurve::BrainpoolP256r1, Nid::BRAINPOOL_P256R1),
    (RecommendedCurve::BrainpoolP384r1, Nid::BRAINPOOL_P384R1),
    (RecommendedCurve::BrainpoolP512r1, Nid::BRAINPOOL_P512R1),
];

fn group(curve: RecommendedCurve) -> Result<EcGroup, CryptographyError> {
    let unknown =
        || CryptographyError::Unsupported(format!("this server does not compute on the curve {curve}"));
    let (_, nid) = CURVES.iter().find(|(known, _)| *known == curve).ok_or_else(unknown)?;
    EcGroup::from_curve_name(*nid).map_err(|_| unknown())
}

fn curve(key: &openssl::ec::EcGroupRef) -> Result<RecommendedCurve, CryptographyError> {
    let nid = key.curve_name();
    let found = CURVES.iter().find(|(_, known)| Some(*known) == nid).map(|(curve, _)| *curve);
    found.ok_or_else(|| {
        CryptographyError::Unsupported("the key is on a curve that has no name here".to_owned())
    })
}

pub(super) fn make_pair(kind: PairKind) -> Result<MadePair, CryptographyError> {
    let wrong = failed(NOT_MADE);
    match kind {
        PairKind::Rsa { bits } => {
            let rsa = Rsa::generate(bits).map_err(&wrong)?;
            Ok(MadePair {
                private: rsa.private_key_to_der().map_err(&wrong)?.into(),
                public: rsa.public_key_to_der_pkcs1().map_err(wrong)?,
            })
        }
        PairKind::Ec(curve) => {
            let group = group(curve)?;
            let key = EcKey::generate(&group).map_err(&wrong)?;
            let private = key.private_key_to_der().map_err(&wrong)?.into();
            let public = PKey::from_ec_key(key).and_then(|key| key.public_key_to_der()).map_err(wrong)?;
            Ok(MadePair { private, public })
        }
    }
}

pub(super) fn stretch(stretching: &Stretching) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let Stretching { hash, password, salt, iterations, bytes } = stretching;
    let name = digest::md(*hash)?;
    let hash = MessageDigest::from_nid(name.type_())
        .ok_or_else(|| CryptographyError::Unsupported(format!("this server has no PBKDF2 of {hash}")))?;
    let mut made = Zeroizing::new(vec![0; *bytes]);
    let iterations = usize::try_from(*iterations).unwrap_or(usize::MAX);
    pbkdf2_hmac(password, salt, iterations, hash, &mut made)
        .map_err(failed("the password could not be stretched"))?;
    Ok(made)
}

pub(super) fn agree(
    ours: &AsymmetricKey<'_>,
    theirs: &AsymmetricKey<'_>,
) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let (ours, theirs) = (private(ours)?, public(theirs)?);
    let agreed = || -> Result<_, ErrorStack> {
        let mut deriver = Deriver::new(&ours)?;
        deriver.set_peer(&theirs)?;
        deriver.derive_to_vec()
    };
    agreed()
        .map(Zeroizing::new)
        .map_err(failed("the two keys agree on nothing: they are not of one curve or group"))
}

/// As many bytes as the number needs, and one for nought.
fn number(value: &BigNumRef) -> Number {
    let mut bytes = value.to_vec();
    if bytes.is_empty() {
        bytes.push(0);
    }
    Zeroizing::new(bytes)
}

fn big(number: &[u8]) -> Result<BigNum, CryptographyError> {
    BigNum::from_slice(number).map_err(failed(NO_KEY))
}

fn big_if(number: Option<&Number>) -> Result<Option<BigNum>, CryptographyError> {
    number.map(|number| big(number)).transpose()
}

pub(super) fn numbers(key: &AsymmetricKey<'_>) -> Result<KeyNumbers, CryptographyError> {
    match key.form {
        AsymmetricForm::Pkcs1Private | AsymmetricForm::Pkcs8 | AsymmetricForm::EcPrivate => {
            private_numbers(&private(key)?)
        }
        AsymmetricForm::Pkcs1Public | AsymmetricForm::SubjectPublicKeyInfo | AsymmetricForm::Certificate => {
            public_numbers(&public(key)?)
        }
    }
}

fn unknown_kind() -> CryptographyError {
    CryptographyError::Unsupported("the key is of an algorithm whose numbers have no form here".to_owned())
}

fn private_numbers(key: &PKey<Private>) -> Result<KeyNumbers, CryptographyError> {
    let wrong = failed(NO_NUMBERS);
    match key.id() {
        Id::RSA => {
            let rsa = key.rsa().map_err(wrong)?;
            Ok(KeyNumbers::RsaPrivate {
                modulus: number(rsa.n()),
                private_exponent: Some(number(rsa.d())),
                public_exponent: Some(number(rsa.e())),
                p: rsa.p().map(number),
                q: rsa.q().map(number),
                prime_exponent_p: rsa.dmp1().map(number),
                prime_exponent_q: rsa.dmq1().map(number),
                crt_coefficient: rsa.iqmp().map(number),
            })
        }
        Id::EC => {
            let ec = key.ec_key().map_err(&wrong)?;
            Ok(KeyNumbers::EcPrivate { curve: curve(ec.group())?, d: number(ec.private_key()) })
        }
        Id::DSA => {
            let dsa = key.dsa().map_err(wrong)?;
            let (p, q, g) = (number(dsa.p()), number(dsa.q()), number(dsa.g()));
            Ok(KeyNumbers::DsaPrivate { p, q, g, x: number(dsa.priv_key()) })
        }
        Id::DH => {
            let dh = key.dh().map_err(wrong)?;
            let (p, q, g) = group_numbers(&dh);
            Ok(KeyNumbers::DhPrivate { p, q, g, x: number(dh.private_key()) })
        }
        _ => Err(unknown_kind()),
    }
}

fn public_numbers(key: &PKey<Public>) -> Result<KeyNumbers, CryptographyError> {
    let wrong = failed(NO_NUMBERS);
    match key.id() {
        Id::RSA => {
            let rsa = key.rsa().map_err(wrong)?;
            Ok(KeyNumbers::RsaPublic { modulus: number(rsa.n()), public_exponent: number(rsa.e()) })
        }
        Id::EC => {
            let ec = key.ec_key().map_err(&wrong)?;
            let curve = curve(ec.group())?;
            let point = BigNumContext::new().and_then(|mut context| {
                ec.public_key().to_bytes(ec.group(), PointConversionForm::UNCOMPRESSED, &mut context)
            });
            Ok(KeyNumbers::EcPublic { curve, q_string: point.map_err(wrong)? })
        }
        Id::DSA => {
            let dsa = key.dsa().map_err(wrong)?;
            let (p, q, g) = (number(dsa.p()), number(dsa.q()), number(dsa.g()));
            Ok(KeyNumbers::DsaPublic { p, q, g, y: number(dsa.pub_key()) })
        }
        Id::DH => {
            let dh = key.dh().map_err(wrong)?;
            let (p, q, g) = group_numbers(&dh);
            Ok(KeyNumbers::DhPublic { p, q, g, y: number(dh.public_key()) })
        }
        _ => Err(unknown_kind()),
    }
}

fn group_numbers<T: HasParams>(dh: &Dh<T>) -> (Number, Option<Number>, Number) {
    (number(dh.prime_p()), dh.prime_q().map(number), number(dh.generator()))
}

/// A key of the numbers, either half.
enum Made {
    Private(PKey<Private>),
    Public(PKey<Public>),
}

pub(super) fn der(
    numbers: &KeyNumbers,
    form: AsymmetricForm,
) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let wrong = failed(NO_KEY);
    let bytes = match (made(numbers)?, form) {
        (Made::Private(key), AsymmetricForm::Pkcs8) => key.private_key_to_pkcs8(),
        (Made::Private(key), AsymmetricForm::Pkcs1Private) if key.id() == Id::RSA => {
            key.rsa().and_then(|rsa| rsa.private_key_to_der())
        }
        (Made::Private(key), AsymmetricForm::EcPrivate) if key.id() == Id::EC => {
            key.ec_key().and_then(|ec| ec.private_key_to_der())
        }
        (Made::Public(key), AsymmetricForm::Pkcs1Public) if key.id() == Id::RSA => {
            key.rsa().and_then(|rsa| rsa.public_key_to_der_pkcs1())
        }
        (Made::Public(key), AsymmetricForm::SubjectPublicKeyInfo) => key.public_key_to_der(),
        _ => {
            return Err(CryptographyError::Unsupported(format!(
                "a key of {numbers:?} has no form of {form:?}"
            )));
        }
    };
    bytes.map(Zeroizing::new).map_err(wrong)
}

fn made(numbers: &KeyNumbers) -> Result<Made, CryptographyError> {
    let wrong = failed(NO_KEY);
    let key = match numbers {
        KeyNumbers::RsaPrivate { .. } => return rsa_private(numbers).map(Made::Private),
        KeyNumbers::RsaPublic { modulus, public_exponent } => {
            let (n, e) = (big(modulus)?, big(public_exponent)?);
            return Rsa::from_public_components(n, e)
                .and_then(PKey::from_rsa)
                .map(Made::Public)
                .map_err(wrong);
        }
        KeyNumbers::EcPrivate { curve, d } => {
            let (group, d) = (group(*curve)?, big(d)?);
            let key = || {
                let mut context = BigNumContext::new_secure()?;
                let mut point = EcPoint::new(&group)?;
                point.mul_generator2(&group, &d, &mut context)?;
                let key = EcKey::from_private_components(&group, &d, &point)?;
                key.check_key()?;
                PKey::from_ec_key(key)
            };
            key().map(Made::Private)
        }
        KeyNumbers::EcPublic { curve, q_string } => {
            let group = group(*curve)?;
            let key = || {
                let mut context = BigNumContext::new()?;
                let point = EcPoint::from_bytes(&group, q_string, &mut context)?;
                let key = EcKey::from_public_key(&group, &point)?;
                key.check_key()?;
                PKey::from_ec_key(key)
            };
            key().map(Made::Public)
        }
        KeyNumbers::DsaPrivate { p, q, g, x } => {
            let (p, q, g, x) = (big(p)?, big(q)?, big(g)?, big(x)?);
            let y = power(&g, &x, &p)?;
            Dsa::from_private_components(p, q, g, x, y).and_then(PKey::from_dsa).map(Made::Private)
        }
        KeyNumbers::DsaPublic { p, q, g, y } => {
            let (p, q, g, y) = (big(p)?, big(q)?, big(g)?, big(y)?);
            Dsa::from_public_components(p, q, g, y).and_then(PKey::from_dsa).map(Made::Public)
        }
        KeyNumbers::DhPrivate { p, q, g, x } => {
            let (p, q, g, x) = (big(p)?, big_if(q.as_ref())?, big(g)?, big(x)?);
            let key = Dh::from_pqg(p, q, g).and_then(|group| group.set_private_key(x));
            key.and_then(PKey::from_dh).map(Made::Private)
        }
        KeyNumbers::DhPublic { p, q, g, y } => {
            let (p, q, g, y) = (big(p)?, big_if(q.as_ref())?, big(g)?, big(y)?);
            let key = Dh::from_pqg(p, q, g).and_then(|group| group.set_public_key(y));
            key.and_then(PKey::from_dh).map(Made::Public)
        }
    };
    key.map_err(wrong)
}

fn power(base: &BigNumRef, exponent: &BigNumRef, modulus: &BigNumRef) -> Result<BigNum, CryptographyError> {
    let power = || {
        let (mut context, mut power) = (BigNumContext::new_secure()?, BigNum::new()?);
        power.mod_exp(base, exponent, modulus, &mut context)?;
        Ok(power)
    };
    power().map_err(failed(NO_KEY))
}

/// The public exponent where a key does not say it: that of nearly all of them.
const USUAL_PUBLIC_EXPONENT: u32 = 65_537;

/// An RSA key of what is given of it: "One of the following SHALL be present: Private Exponent, P and Q, or Prime Exponent P
/// and Prime Exponent Q". What DER needs and is not there is computed.
fn rsa_private(numbers: &KeyNumbers) -> Result<PKey<Private>, CryptographyError> {
    let KeyNumbers::RsaPrivate {
        modulus,
        private_exponent,
        public_exponent,
        p,
        q,
        prime_exponent_p,
        prime_exponent_q,
        crt_coefficient,
    } = numbers
    else {
        return Err(unknown_kind());
    };
    let (Some(p), Some(q)) = (p, q) else {
        return Err(CryptographyError::Unsupported(
            "a private RSA key without its primes has no other form here".to_owned(),
        ));
    };
    let (n, p, q) = (big(modulus)?, big(p)?, big(q)?);
    let (dp, dq) = (big_if(prime_exponent_p.as_ref())?, big_if(prime_exponent_q.as_ref())?);
    let (d, e) = (big_if(private_exponent.as_ref())?, big_if(public_exponent.as_ref())?);
    let qi = big_if(crt_coefficient.as_ref())?;
    let key = || -> Result<_, ErrorStack> {
        let mut context = BigNumContext::new_secure()?;
        let e = match e {
            Some(e) => e,
            None => BigNum::from_u32(USUAL_PUBLIC_EXPONENT)?,
        };
        let less_one = |prime: &BigNumRef| {
            let mut less = prime.to_owned()?;
            less.sub_word(1)?;
            Ok::<_, ErrorStack>(less)
        };
        let (p1, q1) = (less_one(&p)?, less_one(&q)?);
        let d = match d {
            Some(d) => d,
            None => {
                let (mut product, mut d) = (BigNum::new()?, BigNum::new()?);
                product.checked_mul(&p1, &q1, &mut context)?;
                d.mod_inverse(&e, &product, &mut context)?;
                d
            }
        };
        let mut rest = |given: Option<BigNum>, modulus: &BigNumRef| match given {
            Some(given) => Ok(given),
            None => {
                let mut rest = BigNum::new()?;
                rest.nnmod(&d, modulus, &mut context)?;
                Ok::<_, ErrorStack>(rest)
            }
        };
        let (dp, dq) = (rest(dp, &p1)?, rest(dq, &q1)?);
        let qi = match qi {
            Some(qi) => qi,
            None => {
                let mut inverse = BigNum::new()?;
                inverse.mod_inverse(&q, &p, &mut context)?;
                inverse
            }
        };
        let rsa = RsaPrivateKeyBuilder::new(n, e, d)?.set_factors(p, q)?.set_crt_params(dp, dq, qi)?.build();
        PKey::from_rsa(rsa)
    };
    key().map_err(failed(NO_KEY))
}

const NOT_CONTAINED: &str =
    "the PKCS#12 container could not be made: the certificate that the key is linked to is not its own";

pub(super) fn container(container: &Container<'_>) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let Container { key, password, alias, certificates } = container;
    let no_text =
        || CryptographyError::Failed("a password and an alias of PKCS#12 are text without NUL".to_owned());
    let password = std::str::from_utf8(password).map_err(|_| no_text())?;
    if password.contains('\0') || alias.contains('\0') {
        return Err(no_text());
    }
    let key = private(key)?;
    let made = || -> Result<_, ErrorStack> {
        let mut builder = Pkcs12::builder();
        builder.name(alias).pkey(&key);
        if let Some((own, others)) = certificates.split_first() {
            let own = X509::from_der(own)?;
            builder.cert(&own);
            let mut chain = Stack::new()?;
            for other in others {
                chain.push(X509::from_der(other)?)?;
            }
            builder.ca(chain);
        }
        builder.build2(password)?.to_der()
    };
    made().map(Zeroizing::new).map_err(failed(NOT_CONTAINED))
}
