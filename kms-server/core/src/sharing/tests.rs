//! Secrets come back from their parts, whichever, and from nothing less.

use super::*;
use crate::Entropy;

/// splitmix64: the same bytes in every run.
struct Seeded(u64);

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = (z >> 32) as u8;
        }
    }
}

fn scheme(method: SplitKeyMethod, parts: u16, threshold: u16, secret_bytes: usize) -> Scheme {
    let prime = method == SplitKeyMethod::PolynomialSharingPrimeField;
    Scheme { method, parts, threshold, modulus: prime.then(|| modulus_for(secret_bytes).unwrap()) }
}

fn share(identifier: u16, hex: &str) -> Share {
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    Share { identifier, bytes: Zeroizing::new(bytes.collect()) }
}

const POLYNOMIAL: [SplitKeyMethod; 3] = [
    SplitKeyMethod::PolynomialSharingGf2_8,
    SplitKeyMethod::PolynomialSharingGf2_16,
    SplitKeyMethod::PolynomialSharingPrimeField,
];

/// The secret that joined bytes are: over a prime field with zeros in front.
fn is(joined: &[u8], secret: &[u8]) -> bool {
    trimmed(joined) == trimmed(secret)
}

#[test]
fn the_public_test_cases_parts_over_8_bits_make_their_key() {
    let scheme = scheme(SplitKeyMethod::PolynomialSharingGf2_8, 4, 2, 16);
    let parts = [
        "66C46A7754F94DE420C7B1A7FFF5EC56",
        "CF93D1E2A7E593CD5B8D6247F4E5D49C",
        "A855B891F61AD9217240D8EC061E37DA",
        "803DBAD55CDD329FAD19D99AE2C5A415",
    ];
    let shares: Vec<Share> = (1..).zip(parts).map(|(identifier, hex)| share(identifier, hex)).collect();
    let secret: Vec<u8> = (1..=16).collect();
    assert_eq!(*join(&scheme, &shares).unwrap(), secret);
    for one in 0..4 {
        for other in (0..4).filter(|other| *other != one) {
            let two = [share(one as u16 + 1, parts[one]), share(other as u16 + 1, parts[other])];
            assert_eq!(*join(&scheme, &two).unwrap(), secret, "{one} {other}");
        }
    }
}

#[test]
fn the_public_test_cases_parts_by_xor_make_their_key() {
    let scheme = scheme(SplitKeyMethod::Xor, 4, 4, 16);
    let shares = [
        share(4, "d429bd9e23e192aa47c4a497d1e8df3f"),
        share(3, "3478ddd2e1f89f2005011d26d9fff37c"),
        share(2, "35ea4f615686230c7b11538693674e89"),
        share(1, "d4b92c299199298e30dee13b967e6dda"),
    ];
    let secret: Vec<u8> = (1..=16).collect();
    assert_eq!(*join(&scheme, &shares).unwrap(), secret);
}

#[test]
fn any_parts_as_many_as_the_threshold_make_the_secret_again() {
    let mut entropy = Seeded(7);
    for method in POLYNOMIAL {
        for secret in [vec![0; 16], vec![0xff; 32], (1..=24).collect(), vec![0x80, 0]] {
            let scheme = scheme(method, 6, 3, secret.len());
            let shares = split(&scheme, &secret, &mut entropy).unwrap();
            assert_eq!(shares.iter().map(|share| share.identifier).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
            for mask in 0_u8..64 {
                let chosen: Vec<Share> = shares
                    .iter()
                    .filter(|share| mask >> (share.identifier - 1) & 1 == 1)
                    .map(|share| Share { identifier: share.identifier, bytes: share.bytes.clone() })
                    .collect();
                match join(&scheme, &chosen) {
                    Ok(joined) => {
                        assert!(chosen.len() >= 3 && is(&joined, &secret), "{method} {mask:06b}");
                    }
                    Err(error) => {
                        assert!(
                            chosen.len() < 3 && matches!(error, SharingError::Parts(_)),
                            "{method} {mask:06b}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn most_parts_of_all_make_the_secret_again() {
    let mut entropy = Seeded(9);
    for method in POLYNOMIAL {
        let secret: Vec<u8> = (100..132).collect();
        let scheme = scheme(method, PARTS_MAX, 100, secret.len());
        let mut shares = split(&scheme, &secret, &mut entropy).unwrap();
        let last = shares.split_off(usize::from(PARTS_MAX) - 101);
        assert!(is(&join(&scheme, &last).unwrap(), &secret), "{method}");
    }
}

#[test]
fn a_part_that_is_another_keys_is_noticed_where_there_is_one_too_many() {
    let mut entropy = Seeded(8);
    for method in POLYNOMIAL {
        let scheme = scheme(method, 5, 2, 16);
        let mut shares = split(&scheme, &[7; 16], &mut entropy).unwrap();
        shares.truncate(3);
        assert!(join(&scheme, &shares).is_ok());
        if let Some(last) = shares[2].bytes.last_mut() {
            *last ^= 1;
        }
        assert_eq!(join(&scheme, &shares), Err(OTHER_POLYNOMIAL), "{method}");
    }
}

#[test]
fn fewer_parts_than_the_threshold_say_nothing_of_the_secret() {
    // Of one secret and of another the same coefficients give parts whose difference is the secrets' own: whatever one part is, it
    // is as likely for either.
    let scheme = scheme(SplitKeyMethod::PolynomialSharingGf2_8, 3, 2, 1);
    let mut seen = [[false; 256]; 2];
    for seed in 0..4096 {
        for (secret, seen) in [[0_u8], [0xff]].iter().zip(&mut seen) {
            let shares = split(&scheme, secret, &mut Seeded(seed)).unwrap();
            seen[usize::from(shares[0].bytes[0])] = true;
        }
    }
    assert!(seen.iter().flatten().all(|seen| *seen));
}

#[test]
fn schemes_that_are_none_are_refused() {
    let mut entropy = Seeded(1);
    let wrong = |parts, threshold, method| Scheme { method, parts, threshold, modulus: None };
    for scheme in [
        wrong(3, 1, SplitKeyMethod::PolynomialSharingGf2_8),
        wrong(3, 4, SplitKeyMethod::PolynomialSharingGf2_8),
        wrong(PARTS_MAX + 1, 2, SplitKeyMethod::PolynomialSharingGf2_8),
        wrong(3, 2, SplitKeyMethod::Xor),
        wrong(3, 2, SplitKeyMethod::Unknown(0x8000_0001)),
        wrong(3, 2, SplitKeyMethod::PolynomialSharingPrimeField),
        Scheme { modulus: Some(vec![0xff; 16]), ..wrong(3, 2, SplitKeyMethod::PolynomialSharingPrimeField) },
        Scheme {
            modulus: Some(vec![0xff; MODULUS_BYTES_MAX + 1]),
            ..wrong(3, 2, SplitKeyMethod::PolynomialSharingPrimeField)
        },
    ] {
        let refused = split(&scheme, &[1; 16], &mut entropy).err();
        assert!(matches!(refused, Some(SharingError::Scheme(_))), "{scheme:?}");
    }
    let odd = split(&wrong(3, 2, SplitKeyMethod::PolynomialSharingGf2_16), &[1; 3], &mut entropy).err();
    assert!(matches!(odd, Some(SharingError::Scheme(_))));
}

#[test]
fn parts_that_are_none_are_refused() {
    for method in [SplitKeyMethod::PolynomialSharingGf2_8, SplitKeyMethod::PolynomialSharingGf2_16] {
        let scheme = scheme(method, 3, 2, 2);
        for shares in [
            [share(0, "0001"), share(1, "0001")],
            [share(1, "0001"), share(1, "0002")],
            [share(1, "0001"), share(4, "0001")],
            [share(1, "0001"), share(2, "000102")],
        ] {
            assert!(matches!(join(&scheme, &shares), Err(SharingError::Parts(_))));
        }
    }
}

#[test]
fn a_secret_has_a_prime_of_its_own_size_up_to_the_largest() {
    assert_eq!(modulus_for(15).unwrap().len(), 16);
    assert_eq!(modulus_for(16).unwrap().len(), 66);
    assert_eq!(modulus_for(16).unwrap()[0], 1);
    assert_eq!(modulus_for(552).unwrap().len(), 553);
    assert!(modulus_for(553).is_none());
    assert!(modulus_for(552).unwrap().len() <= MODULUS_BYTES_MAX);
}
