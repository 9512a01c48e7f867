//! Polynomials over GF(2^8) and GF(2^16), piece by piece of the secret.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{OTHER_POLYNOMIAL, Scheme, Share, SharingError};
use crate::Entropy;

/// x^8 + x^4 + x^3 + x^2 + 1 without its highest term. KMIP 1.4 names no polynomial for its method GF(2^8); this is the one
/// that the public test cases TC-SJ-2 and 3 compute with.
const GF8: u8 = 0x1d;

/// x^8 + x^4 + x^3 + x + 1 without its highest term (FIPS 197), on which KMIP 1.4 section 2.2.5 builds GF(2^16).
const FIPS_197: u8 = 0x1b;

/// The m of KMIP 1.4 section 2.2.5.
const M: u8 = 0x3a;

/// A field whose elements are pieces of so many bits.
trait Field {
    const BYTES: usize;
    fn multiply(a: u16, b: u16) -> u16;
    /// The field's order less two: to that power an element is its own inverse.
    const INVERTING: u32;

    /// Of a public element; zero has none and gives zero.
    fn invert(a: u16) -> u16 {
        (0..u32::BITS).rev().fold(1, |power, bit| {
            let square = Self::multiply(power, power);
            if Self::INVERTING >> bit & 1 == 1 { Self::multiply(square, a) } else { square }
        })
    }
}

struct Gf8;

impl Field for Gf8 {
    const BYTES: usize = 1;
    const INVERTING: u32 = 0xfe;

    fn multiply(a: u16, b: u16) -> u16 {
        let [_, a] = a.to_be_bytes();
        let [_, b] = b.to_be_bytes();
        u16::from(multiply_8(a, b, GF8))
    }
}

struct Gf16;

impl Field for Gf16 {
    const BYTES: usize = 2;
    const INVERTING: u32 = 0xfffe;

    /// "(ry + s) (uy + v) = ((r + s)(u + v) + sv)y + (ru + svm)", with the m where the field's own equation y^2 = y + m puts it:
    /// at ru. Departs from KMIP 1.4 2.2.5, whose line has it at sv: that product has no inverses and is not even that of
    /// its own next line, which inverts with d = (u + v)v + mu^2.
    fn multiply(a: u16, b: u16) -> u16 {
        let [r, s] = a.to_be_bytes();
        let [u, v] = b.to_be_bytes();
        let product = |a, b| multiply_8(a, b, FIPS_197);
        let (ru, sv) = (product(r, u), product(s, v));
        u16::from_be_bytes([product(r ^ s, u ^ v) ^ sv, product(ru, M) ^ sv])
    }
}

/// The product in GF(2^8) by this polynomial, in the same steps for all elements.
fn multiply_8(mut a: u8, b: u8, polynomial: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= a & (b >> bit & 1).wrapping_neg();
        let carry = (a >> 7).wrapping_neg();
        a = (a << 1) ^ (polynomial & carry);
    }
    product
}

pub(super) fn split_gf8(scheme: &Scheme, secret: &[u8], entropy: &mut dyn Entropy) -> Vec<Share> {
    split::<Gf8>(scheme, secret, entropy)
}

pub(super) fn join_gf8(scheme: &Scheme, shares: &[&Share]) -> Result<Zeroizing<Vec<u8>>, SharingError> {
    join::<Gf8>(scheme, shares)
}

pub(super) fn split_gf16(
    scheme: &Scheme,
    secret: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Vec<Share>, SharingError> {
    if !secret.len().is_multiple_of(Gf16::BYTES) {
        return Err(SharingError::Scheme("over GF(2^16) a key has whole pieces of 16 bits"));
    }
    Ok(split::<Gf16>(scheme, secret, entropy))
}

pub(super) fn join_gf16(scheme: &Scheme, shares: &[&Share]) -> Result<Zeroizing<Vec<u8>>, SharingError> {
    if shares.iter().any(|share| !share.bytes.len().is_multiple_of(Gf16::BYTES)) {
        return Err(SharingError::Parts("over GF(2^16) a part has whole pieces of 16 bits"));
    }
    join::<Gf16>(scheme, shares)
}

fn piece(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |piece, byte| piece << 8 | u16::from(*byte))
}

fn split<F: Field>(scheme: &Scheme, secret: &[u8], entropy: &mut dyn Entropy) -> Vec<Share> {
    // Of each power but the lowest, which is the secret's own: a random coefficient for each piece.
    let powers = usize::from(scheme.threshold).saturating_sub(1);
    let mut coefficients = Zeroizing::new(vec![0; powers.saturating_mul(secret.len())]);
    entropy.fill(&mut coefficients);
    let place = |identifier: u16| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(secret.len()));
        for (at, lowest) in secret.chunks(F::BYTES).enumerate() {
            let at = at.saturating_mul(F::BYTES);
            let of_power = |power: &[u8]| piece(power.get(at..at + F::BYTES).unwrap_or_default());
            let highest_first = coefficients.chunks(secret.len().max(1)).map(of_power);
            let value =
                highest_first.fold(0, |sum, next| F::multiply(sum ^ next, identifier)) ^ piece(lowest);
            bytes.extend_from_slice(value.to_be_bytes().get(2 - F::BYTES..).unwrap_or_default());
        }
        Share { identifier, bytes }
    };
    (1..=scheme.parts).map(place).collect()
}

fn join<F: Field>(scheme: &Scheme, shares: &[&Share]) -> Result<Zeroizing<Vec<u8>>, SharingError> {
    let (making, others) = shares.split_at(usize::from(scheme.threshold).min(shares.len()));
    for other in others {
        let expected = at::<F>(other.identifier, making);
        if !bool::from(expected.ct_eq(&other.bytes)) {
            return Err(OTHER_POLYNOMIAL);
        }
    }
    Ok(at::<F>(0, making))
}

/// The polynomial through these parts, at a place.
fn at<F: Field>(place: u16, shares: &[&Share]) -> Zeroizing<Vec<u8>> {
    let mut value = Zeroizing::new(vec![0; shares.first().map_or(0, |share| share.bytes.len())]);
    for share in shares {
        let others = shares.iter().map(|other| other.identifier).filter(|other| *other != share.identifier);
        let weight = others.fold(1, |weight, other| {
            let above = F::multiply(weight, place ^ other);
            F::multiply(above, F::invert(share.identifier ^ other))
        });
        for (into, from) in value.chunks_mut(F::BYTES).zip(share.bytes.chunks(F::BYTES)) {
            let product = F::multiply(piece(from), weight).to_be_bytes();
            super::xor(into, product.get(2 - F::BYTES..).unwrap_or_default());
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_but_zero_has_an_inverse() {
        for a in 1..=0xff {
            assert_eq!(Gf8::multiply(a, Gf8::invert(a)), 1, "{a:02x}");
        }
        for a in (1..=0xffff).step_by(61) {
            assert_eq!(Gf16::multiply(a, Gf16::invert(a)), 1, "{a:04x}");
        }
    }

    #[test]
    fn the_product_over_fips_197_is_the_standards_own_example() {
        // FIPS 197, section 4.2: {57} by {83} is {c1}.
        assert_eq!(multiply_8(0x57, 0x83, FIPS_197), 0xc1);
    }

    #[test]
    fn an_inverse_over_16_bits_is_that_of_the_specifications_formula() {
        for a in [0x0001_u16, 0x0100, 0x1234, 0xffff, 0x8001] {
            let [u, v] = a.to_be_bytes();
            let product = |a, b| multiply_8(a, b, FIPS_197);
            let d = product(u ^ v, v) ^ product(M, product(u, u));
            let inverse = (1..=u8::MAX).find(|candidate| product(d, *candidate) == 1).unwrap();
            assert_eq!(Gf16::invert(a).to_be_bytes(), [product(u, inverse), product(u ^ v, inverse)]);
        }
    }
}
