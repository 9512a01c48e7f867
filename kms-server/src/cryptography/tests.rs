//! Against values that others have published, and there and back.

use kmip::enumeration::{
    BlockCipherMode as Mode, CryptographicAlgorithm as Algorithm, HashingAlgorithm as Hash, PaddingMethod,
};
use kms_core::cryptography::{
    AsymmetricForm, AsymmetricKey, Cipher, Cryptography, CryptographyError, Encrypted, Mac, RsaPadding,
    Signed, Signing,
};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;

use super::OpenSsl;

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

fn cipher<'a>(algorithm: Algorithm, mode: Mode, key: &'a [u8], iv: &'a [u8]) -> Cipher<'a> {
    Cipher {
        algorithm,
        mode: Some(mode),
        padding: PaddingMethod::None,
        key,
        iv,
        additional: &[],
        tag_bytes: 0,
    }
}

/// Encrypts to what is published, and decrypts that.
#[track_caller]
fn agrees(cipher: &Cipher<'_>, plain: &str, data: &str, tag: &str) {
    let encrypted = OpenSsl.encrypt(cipher, &hex(plain)).unwrap();
    assert_eq!(
        (hex::encode(&encrypted.data), hex::encode(&encrypted.tag)),
        (data.to_owned(), tag.to_owned())
    );
    assert_eq!(hex::encode(OpenSsl.decrypt(cipher, &encrypted).unwrap().as_slice()), plain);
}

#[test]
fn aes_is_as_its_standards_say() {
    let key = hex("000102030405060708090a0b0c0d0e0f");
    // FIPS 197, C.1.
    let ecb = cipher(Algorithm::Aes, Mode::Ecb, &key, &[]);
    agrees(&ecb, "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a", "");
    // NIST SP 800-38A, F.2.1 and F.5.1.
    let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
    let iv = hex("000102030405060708090a0b0c0d0e0f");
    let cbc = cipher(Algorithm::Aes, Mode::Cbc, &key, &iv);
    agrees(&cbc, "6bc1bee22e409f96e93d7e117393172a", "7649abac8119b246cee98e9b12e9197d", "");
    let counter = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    let ctr = cipher(Algorithm::Aes, Mode::Ctr, &key, &counter);
    agrees(&ctr, "6bc1bee22e409f96e93d7e117393172a", "874d6191b620e3261bef6864990db6ce", "");
    // The GCM specification's test case 2.
    let (zeros, nonce) = ([0; 16], [0; 12]);
    let gcm = Cipher { tag_bytes: 16, ..cipher(Algorithm::Aes, Mode::Gcm, &zeros, &nonce) };
    agrees(&gcm, &"00".repeat(16), "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf");
    // NIST SP 800-38C, example 1.
    let (key, nonce) = (hex("404142434445464748494a4b4c4d4e4f"), hex("10111213141516"));
    let additional = hex("0001020304050607");
    let ccm =
        Cipher { additional: &additional, tag_bytes: 4, ..cipher(Algorithm::Aes, Mode::Ccm, &key, &nonce) };
    agrees(&ccm, "20212223", "7162015b", "4dac255d");
    // IEEE 1619, vector 2: the two keys must differ.
    let (key, tweak) =
        (hex(&["11".repeat(16), "22".repeat(16)].concat()), hex("33333333330000000000000000000000"));
    let xts = cipher(Algorithm::Aes, Mode::Xts, &key, &tweak);
    agrees(&xts, &"44".repeat(32), "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0", "");
}

#[test]
fn keys_are_wrapped_as_rfc_3394_and_rfc_5649_say() {
    let key = hex("000102030405060708090a0b0c0d0e0f");
    let wrap = cipher(Algorithm::Aes, Mode::NistKeyWrap, &key, &[]);
    agrees(&wrap, "00112233445566778899aabbccddeeff", "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5", "");
    let key = hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8");
    let padded = cipher(Algorithm::Aes, Mode::AesKeyWrapPadding, &key, &[]);
    agrees(
        &padded,
        "c37b7e6492584340bed12207808941155068f738",
        "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        "",
    );
}

#[test]
fn every_cipher_that_is_offered_gives_back_what_it_was_given() {
    for (algorithm, bits) in
        [(Algorithm::Aes, 128), (Algorithm::Aes, 192), (Algorithm::Aes, 256), (Algorithm::TripleDes, 192)]
    {
        let key: Vec<u8> = (1..=bits / 8).map(|byte| byte as u8).collect();
        let block = if algorithm == Algorithm::TripleDes { 8 } else { 16 };
        let iv = vec![7; block];
        for mode in [Mode::Ecb, Mode::Cbc, Mode::Cfb, Mode::Ofb] {
            let iv = if mode == Mode::Ecb { &[][..] } else { &iv };
            let plain = Cipher { padding: PaddingMethod::Pkcs5, ..cipher(algorithm, mode, &key, iv) };
            for length in [0, 1, 15, 16, 17, 1000] {
                let data = vec![0x5a; length];
                let encrypted = OpenSsl
                    .encrypt(&plain, &data)
                    .unwrap_or_else(|error| panic!("{algorithm} {mode}: {error:?}"));
                assert_eq!(
                    OpenSsl.decrypt(&plain, &encrypted).unwrap().as_slice(),
                    data,
                    "{algorithm} {mode}"
                );
            }
        }
    }
    for (algorithm, iv, tag_bytes) in [(Algorithm::ChaCha20, 16, 0), (Algorithm::ChaCha20Poly1305, 12, 16)] {
        let (key, iv) = ([3; 32], vec![9; iv]);
        let stream = Cipher { mode: None, tag_bytes, ..cipher(algorithm, Mode::Ecb, &key, &iv) };
        let encrypted = OpenSsl.encrypt(&stream, b"what is kept").unwrap();
        assert_eq!(OpenSsl.decrypt(&stream, &encrypted).unwrap().as_slice(), b"what is kept");
    }
}

#[test]
fn what_is_wrong_with_a_ciphertext_is_told_in_one_text() {
    let (key, iv) = ([1; 16], [2; 16]);
    let cbc = Cipher { padding: PaddingMethod::Pkcs5, ..cipher(Algorithm::Aes, Mode::Cbc, &key, &iv) };
    let good = OpenSsl.encrypt(&cbc, b"some data").unwrap();
    let gcm = Cipher { tag_bytes: 16, ..cipher(Algorithm::Aes, Mode::Gcm, &key, &iv) };
    let tagged = OpenSsl.encrypt(&gcm, b"some data").unwrap();
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    };
    let mut texts = std::collections::BTreeSet::new();
    for (cipher, wrong) in [
        (&cbc, Encrypted { data: good.data[..5].to_vec(), ..good.clone() }),
        (&cbc, Encrypted { data: vec![0; 16], ..good.clone() }),
        (&gcm, Encrypted { data: flipped(&tagged.data), ..tagged.clone() }),
        (&gcm, Encrypted { tag: flipped(&tagged.tag), ..tagged.clone() }),
    ] {
        match OpenSsl.decrypt(cipher, &wrong) {
            Err(CryptographyError::Failed(text)) => texts.insert(text),
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let key = [1; 16];
    for (cipher, length) in [
        // Not whole blocks, and nothing to fill them up.
        (cipher(Algorithm::Aes, Mode::Ecb, &key, &[]), 15),
        (cipher(Algorithm::Aes, Mode::Cbc, &key, &[2; 8]), 16),
    ] {
        assert!(matches!(OpenSsl.encrypt(&cipher, &vec![0; length]), Err(CryptographyError::Failed(_))));
    }
    for cipher in [
        cipher(Algorithm::Aes, Mode::Ecb, &key[..7], &[]),
        cipher(Algorithm::Aes, Mode::Pcbc, &key, &[2; 16]),
        cipher(Algorithm::Mars, Mode::Ecb, &key, &[]),
        Cipher { padding: PaddingMethod::Ssl3, ..cipher(Algorithm::Aes, Mode::Ecb, &key, &[]) },
    ] {
        assert!(
            matches!(OpenSsl.encrypt(&cipher, &[0; 16]), Err(CryptographyError::Unsupported(_))),
            "{cipher:?}"
        );
    }
}

#[test]
fn digests_and_codes_are_as_their_standards_say() {
    let hash = |algorithm| hex::encode(OpenSsl.hash(algorithm, b"abc").unwrap());
    assert_eq!(hash(Hash::Sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(hash(Hash::Sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(hash(Hash::Sha3_256), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    for algorithm in [Hash::Md5, Hash::Sha224, Hash::Sha384, Hash::Sha512, Hash::Sha512_224, Hash::Sha512_256]
    {
        OpenSsl.hash(algorithm, b"abc").unwrap();
    }
    assert!(matches!(OpenSsl.hash(Hash::Tiger, b""), Err(CryptographyError::Unsupported(_))));
    // RFC 4231, test case 2.
    let code = OpenSsl.mac(Mac::Hmac(Hash::Sha256), b"Jefe", b"what do ya want for nothing?").unwrap();
    assert_eq!(hex::encode(code), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    // RFC 4493, example 2.
    let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
    let code =
        OpenSsl.mac(Mac::Cmac(Algorithm::Aes), &key, &hex("6bc1bee22e409f96e93d7e117393172a")).unwrap();
    assert_eq!(hex::encode(code), "070a16b46b4d4144f79bdd9dd04a287c");
    let short = OpenSsl.mac(Mac::Cmac(Algorithm::Aes), &key[1..], b"");
    assert!(matches!(short, Err(CryptographyError::Unsupported(_))));
}

fn key(form: AsymmetricForm, der: &[u8]) -> AsymmetricKey<'_> {
    AsymmetricKey { form, der }
}

#[test]
fn rsa_encrypts_to_either_half_and_decrypts_with_the_private_one() {
    let rsa = Rsa::generate(2048).unwrap();
    let (private, public) = (rsa.private_key_to_der().unwrap(), rsa.public_key_to_der_pkcs1().unwrap());
    let pkcs8 = PKey::from_rsa(rsa).unwrap().private_key_to_pkcs8().unwrap();
    let private = key(AsymmetricForm::Pkcs1Private, &private);
    let oaep = RsaPadding::Oaep { hash: Hash::Sha256, mask_hash: Hash::Sha1, label: b"label" };
    for padding in [RsaPadding::Pkcs1V1_5, oaep] {
        for to in [private, key(AsymmetricForm::Pkcs1Public, &public)] {
            let encrypted = OpenSsl.encrypt_to(&to, &padding, b"a secret").unwrap();
            for with in [private, key(AsymmetricForm::Pkcs8, &pkcs8)] {
                assert_eq!(
                    OpenSsl.decrypt_with(&with, &padding, &encrypted).unwrap().as_slice(),
                    b"a secret"
                );
            }
        }
    }
    let other = RsaPadding::Oaep { hash: Hash::Sha256, mask_hash: Hash::Sha1, label: b"another" };
    let encrypted = OpenSsl.encrypt_to(&private, &oaep, b"a secret").unwrap();
    assert!(OpenSsl.decrypt_with(&private, &other, &encrypted).is_err());
    assert!(OpenSsl.encrypt_to(&private, &oaep, &[0; 300]).is_err());
    assert!(OpenSsl.decrypt_with(&key(AsymmetricForm::Pkcs1Public, &public), &oaep, &encrypted).is_err());
    assert!(OpenSsl.encrypt_to(&key(AsymmetricForm::Pkcs8, b"no key"), &oaep, b"").is_err());
}

#[test]
fn a_digest_that_nothing_is_said_of_is_signed_as_it_is_and_another_kind_of_signature_is_none() {
    let rsa = Rsa::generate(2048).unwrap();
    let group = EcGroup::from_curve_name(Nid::SECP256K1).unwrap();
    let ec = EcKey::generate(&group).unwrap();
    let (rsa, ec) = (rsa.private_key_to_der().unwrap(), ec.private_key_to_der().unwrap());
    let rsa = key(AsymmetricForm::Pkcs1Private, &rsa);
    let ec = key(AsymmetricForm::EcPrivate, &ec);
    for (private, signing, other) in [
        (&rsa, Signing::RsaPkcs1V1_5Bare, Signing::Ecdsa(Hash::Sha256)),
        (&ec, Signing::EcdsaBare, Signing::RsaPkcs1V1_5(Hash::Sha256)),
    ] {
        let digest = Signed::Digest(b"sixteen bytes of");
        let signature = OpenSsl.sign(private, &signing, digest).unwrap();
        assert!(OpenSsl.verify(private, &signing, digest, &signature).unwrap());
        assert!(!OpenSsl.verify(private, &signing, Signed::Digest(b"sixteen others.."), &signature).unwrap());
        assert!(!OpenSsl.verify(private, &other, Signed::Data(b"data"), &signature).unwrap());
        assert!(OpenSsl.sign(private, &signing, Signed::Data(b"data")).is_err());
    }
}

#[test]
fn signatures_are_good_for_their_data_and_their_digest_alone() {
    let rsa = Rsa::generate(2048).unwrap();
    let (private, public) = (rsa.private_key_to_der().unwrap(), rsa.public_key_to_der_pkcs1().unwrap());
    let rsa = [key(AsymmetricForm::Pkcs1Private, &private), key(AsymmetricForm::Pkcs1Public, &public)];
    let ec = EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap();
    let private = ec.private_key_to_der().unwrap();
    let public = PKey::from_ec_key(ec).unwrap().public_key_to_der().unwrap();
    let ec = [key(AsymmetricForm::EcPrivate, &private), key(AsymmetricForm::SubjectPublicKeyInfo, &public)];
    let pss = |salt_bytes| Signing::RsaPss { hash: Hash::Sha256, mask_hash: Hash::Sha256, salt_bytes };
    for (keys, signing) in [
        (&rsa, Signing::RsaPkcs1V1_5(Hash::Sha256)),
        (&rsa, pss(None)),
        (&rsa, pss(Some(20))),
        (&ec, Signing::Ecdsa(Hash::Sha384)),
    ] {
        let [private, public] = keys;
        let signature = OpenSsl.sign(private, &signing, Signed::Data(b"data")).unwrap();
        let good = |signed, signature: &[u8]| OpenSsl.verify(public, &signing, signed, signature).unwrap();
        let hash = if matches!(signing, Signing::Ecdsa(_)) { Hash::Sha384 } else { Hash::Sha256 };
        let digest = OpenSsl.hash(hash, b"data").unwrap();
        assert!(
            good(Signed::Data(b"data"), &signature) && good(Signed::Digest(&digest), &signature),
            "{signing:?}"
        );
        assert!(
            !good(Signed::Data(b"date"), &signature) && !good(Signed::Data(b"data"), b"none"),
            "{signing:?}"
        );
        let of_digest = OpenSsl.sign(private, &signing, Signed::Digest(&digest)).unwrap();
        assert!(good(Signed::Data(b"data"), &of_digest), "{signing:?}");
        assert!(OpenSsl.sign(private, &signing, Signed::Digest(b"short")).is_err());
        assert!(
            OpenSsl.sign(public, &signing, Signed::Data(b"data")).is_err(),
            "the public half signs nothing"
        );
    }
    assert!(OpenSsl.sign(&ec[0], &Signing::RsaPkcs1V1_5(Hash::Sha256), Signed::Data(b"data")).is_err());
}
