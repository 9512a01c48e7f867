//! Data in parts come to what they come to as a whole, wherever they are cut.

use kmip::enumeration::CryptographicAlgorithm as Algorithm;
use kms_core::cryptography::Cryptography;

use super::*;
use crate::cryptography::OpenSsl;

const KEY: [u8; 32] = [0x5a; 32];
const IV: [u8; 16] = [0xf0; 16];

/// All of the data through parts of these lengths, again and again, and the last one empty.
fn in_parts(
    stream: &Stream<'_>,
    data: &[u8],
    lengths: &[usize],
    tag: &[u8],
) -> Result<Finished, CryptographyError> {
    let (mut state, mut ready, mut rest) = (Zeroizing::new(Vec::new()), Vec::new(), data);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*length).min(rest.len()));
        let progress = OpenSsl.part(stream, &state, now)?;
        ready.extend_from_slice(&progress.ready);
        (state, rest) = (progress.state, later);
    }
    let last = OpenSsl.last_part(stream, &state, &[], tag)?;
    ready.extend_from_slice(&last.rest);
    Ok(Finished { rest: Zeroizing::new(ready), tag: last.tag })
}

const LENGTHS: [&[usize]; 6] = [&[1], &[7, 9], &[16], &[15, 16, 17], &[64, 1], &[1000]];

#[test]
fn ciphers_make_the_same_of_parts() {
    use BlockCipherMode as M;
    use PaddingMethod as P;
    let data: Vec<u8> = (0..=150).collect();
    for (algorithm, key, mode, padding, iv, bytes) in [
        (Algorithm::Aes, 16, M::Ecb, P::None, 0, 144),
        (Algorithm::Aes, 32, M::Ecb, P::Pkcs5, 0, 144),
        (Algorithm::Aes, 32, M::Cbc, P::Pkcs5, 16, 151),
        (Algorithm::Aes, 24, M::Cbc, P::None, 16, 144),
        (Algorithm::TripleDes, 24, M::Cbc, P::Pkcs5, 8, 150),
        (Algorithm::Aes, 16, M::Cfb, P::None, 16, 151),
        (Algorithm::Aes, 16, M::Ofb, P::None, 16, 151),
        (Algorithm::Aes, 16, M::Ctr, P::None, 16, 151),
        (Algorithm::Aes, 16, M::Gcm, P::None, 12, 151),
        (Algorithm::Aes, 32, M::Gcm, P::None, 8, 144),
        (Algorithm::Aes, 32, M::Ccm, P::None, 12, 150),
    ] {
        let tag_bytes = if matches!(mode, M::Gcm | M::Ccm) { 13 } else { 0 };
        // CCM has tags of even lengths.
        let tag_bytes = if mode == M::Ccm { 12 } else { tag_bytes };
        let additional: &[u8] = if tag_bytes > 0 { b"additional data, and more of it" } else { &[] };
        let cipher = Cipher {
            algorithm,
            mode: Some(mode),
            padding,
            key: &KEY[..key],
            iv: &IV[..iv],
            additional,
            tag_bytes,
        };
        let data = &data[..bytes];
        let whole = OpenSsl.encrypt(&cipher, data).unwrap();
        for lengths in LENGTHS {
            let parts = in_parts(&Stream::Encrypt(cipher), data, lengths, &[]).unwrap();
            assert_eq!((&*parts.rest, &parts.tag), (&whole.data, &whole.tag), "{mode} {lengths:?}");
            let back = in_parts(&Stream::Decrypt(cipher), &whole.data, lengths, &whole.tag).unwrap();
            assert_eq!(&*back.rest, data, "{mode} {lengths:?}");
        }
    }
}

#[test]
fn a_counter_carries_over_all_of_its_bytes() {
    let cipher = Cipher {
        algorithm: Algorithm::Aes,
        mode: Some(BlockCipherMode::Ctr),
        padding: PaddingMethod::None,
        key: &KEY,
        iv: &[0xff; 16],
        additional: &[],
        tag_bytes: 0,
    };
    let whole = OpenSsl.encrypt(&cipher, &[1; 80]).unwrap();
    assert_eq!(*in_parts(&Stream::Encrypt(cipher), &[1; 80], &[16], &[]).unwrap().rest, whole.data);
}

#[test]
fn no_plaintext_leaves_before_its_tag_is_checked() {
    let cipher = Cipher {
        algorithm: Algorithm::Aes,
        mode: Some(BlockCipherMode::Gcm),
        padding: PaddingMethod::None,
        key: &KEY,
        iv: &IV[..12],
        additional: &[],
        tag_bytes: 16,
    };
    let whole = OpenSsl.encrypt(&cipher, &[7; 64]).unwrap();
    let progress = OpenSsl.part(&Stream::Decrypt(cipher), &[], &whole.data).unwrap();
    assert!(progress.ready.is_empty());
    assert!(OpenSsl.last_part(&Stream::Decrypt(cipher), &progress.state, &[], &[0; 16]).is_err());
}

#[test]
fn digests_and_codes_are_the_same_of_parts() {
    use HashingAlgorithm as H;
    let data: Vec<u8> = (0..=255).cycle().take(700).collect();
    let long_key = [3; 200];
    for hash in [
        H::Md5,
        H::Sha1,
        H::Sha224,
        H::Sha256,
        H::Sha384,
        H::Sha512,
        H::Sha512_224,
        H::Sha512_256,
        H::Sha3_256,
        H::Sha3_512,
    ] {
        for lengths in LENGTHS {
            let parts = in_parts(&Stream::Hash(hash), &data, lengths, &[]).unwrap();
            assert_eq!(*parts.rest, OpenSsl.hash(hash, &data).unwrap(), "{hash} {lengths:?}");
            for key in [&KEY[..], &long_key] {
                let mac = MacKey { algorithm: Mac::Hmac(hash), key };
                let parts = in_parts(&Stream::Mac(mac), &data, lengths, &[]).unwrap();
                assert_eq!(*parts.rest, OpenSsl.mac(mac.algorithm, key, &data).unwrap(), "{hash}");
            }
        }
    }
    let mac = MacKey { algorithm: Mac::Cmac(Algorithm::Aes), key: &KEY };
    let parts = in_parts(&Stream::Mac(mac), &data, &[33], &[]).unwrap();
    assert_eq!(*parts.rest, OpenSsl.mac(mac.algorithm, &KEY, &data).unwrap());
}

#[test]
fn the_state_of_sha_2_does_not_grow_and_what_is_held_has_a_bound() {
    let part = vec![1; HELD_BYTES_MAX];
    let running = OpenSsl.part(&Stream::Hash(HashingAlgorithm::Sha512), &[], &part).unwrap();
    assert!(running.state.len() < 300, "{}", running.state.len());
    let held = OpenSsl.part(&Stream::Hash(HashingAlgorithm::Sha3_256), &[], &part).unwrap();
    let one_more = OpenSsl.part(&Stream::Hash(HashingAlgorithm::Sha3_256), &held.state, &[1]);
    assert!(matches!(one_more, Err(CryptographyError::Unsupported(_))));
}

#[test]
fn a_state_that_is_none_is_refused() {
    for stream in [
        Stream::Hash(HashingAlgorithm::Sha256),
        Stream::Encrypt(Cipher {
            algorithm: Algorithm::Aes,
            mode: Some(BlockCipherMode::Gcm),
            padding: PaddingMethod::None,
            key: &KEY,
            iv: &IV[..12],
            additional: &[],
            tag_bytes: 16,
        }),
    ] {
        assert!(matches!(OpenSsl.part(&stream, &[1, 2, 3], &[]), Err(CryptographyError::Failed(_))));
    }
}
