//! A secret in parts (KMIP 1.4 section 2.2.5): by XOR, where all parts are needed, and by polynomials, where so many of them
//! are, over GF(2^8), GF(2^16) or a prime field.
//!
//! Pure, and in time that depends on lengths and on Key Part Identifiers alone, never on the secret or its parts: no table is
//! looked up with a secret's bytes, nothing branches on them.

mod binary;
mod prime;

use kmip::enumeration::SplitKeyMethod;
use zeroize::Zeroizing;

use crate::Entropy;

#[cfg(test)]
use prime::MODULUS_BYTES_MAX;
pub(crate) use prime::{modulus_for, trimmed};

/// Parts of one key: 255, as many as GF(2^8) has places beside the secret's own.
pub(crate) const PARTS_MAX: u16 = 255;

/// How a secret is split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    pub(crate) method: SplitKeyMethod,
    pub(crate) parts: u16,
    pub(crate) threshold: u16,
    /// Big-endian without leading zeros; with Polynomial Sharing Prime Field only.
    pub(crate) modulus: Option<Vec<u8>>,
}

/// One part.
pub(crate) struct Share {
    /// The Key Part Identifier: the place at which the polynomial was evaluated.
    pub(crate) identifier: u16,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// Why nothing was split or joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SharingError {
    /// The method is unknown, or its field does not fit the secret; what does not, in words.
    Scheme(&'static str),
    /// The parts do not make one secret; why, in words.
    Parts(&'static str),
}

/// The parts of a secret, with the identifiers 1 to [`Scheme::parts`].
///
/// Fails where threshold and parts are none of the method's, and where the secret does not fit the field.
pub(crate) fn split(
    scheme: &Scheme,
    secret: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Vec<Share>, SharingError> {
    check(scheme)?;
    match scheme.method {
        SplitKeyMethod::Xor => Ok(split_xor(scheme.parts, secret, entropy)),
        SplitKeyMethod::PolynomialSharingGf2_8 => Ok(binary::split_gf8(scheme, secret, entropy)),
        SplitKeyMethod::PolynomialSharingGf2_16 => binary::split_gf16(scheme, secret, entropy),
        SplitKeyMethod::PolynomialSharingPrimeField => prime::split(scheme, secret, entropy),
        SplitKeyMethod::Unknown(_) => Err(SharingError::Scheme(UNKNOWN)),
    }
}

/// The secret that the parts make.
///
/// Fails where there are fewer distinct ones than the threshold, and where those beyond it lie on another polynomial.
pub(crate) fn join(scheme: &Scheme, shares: &[Share]) -> Result<Zeroizing<Vec<u8>>, SharingError> {
    check(scheme)?;
    let mut distinct: Vec<&Share> = Vec::with_capacity(shares.len());
    for share in shares {
        if share.identifier == 0 || share.identifier > scheme.parts {
            return Err(SharingError::Parts("a Key Part Identifier lies outside 1 to Split Key Parts"));
        }
        if distinct.iter().any(|known| known.identifier == share.identifier) {
            return Err(SharingError::Parts("two parts have the same Key Part Identifier"));
        }
        distinct.push(share);
    }
    if distinct.len() < usize::from(scheme.threshold) {
        return Err(SharingError::Parts("there are fewer parts than the Split Key Threshold"));
    }
    let bytes = distinct.first().map_or(0, |share| share.bytes.len());
    if distinct.iter().any(|share| share.bytes.len() != bytes) {
        return Err(SharingError::Parts("the parts are not of one length"));
    }
    match scheme.method {
        SplitKeyMethod::Xor => Ok(join_xor(&distinct)),
        SplitKeyMethod::PolynomialSharingGf2_8 => binary::join_gf8(scheme, &distinct),
        SplitKeyMethod::PolynomialSharingGf2_16 => binary::join_gf16(scheme, &distinct),
        SplitKeyMethod::PolynomialSharingPrimeField => prime::join(scheme, &distinct),
        SplitKeyMethod::Unknown(_) => Err(SharingError::Scheme(UNKNOWN)),
    }
}

const UNKNOWN: &str = "the Split Key Method is unknown here";

/// Where extra parts contradict those that made the secret.
const OTHER_POLYNOMIAL: SharingError = SharingError::Parts("the parts do not belong to one key");

fn check(scheme: &Scheme) -> Result<(), SharingError> {
    if scheme.parts > PARTS_MAX {
        return Err(SharingError::Scheme("Split Key Parts is at most 255"));
    }
    if scheme.threshold < 2 || scheme.threshold > scheme.parts {
        return Err(SharingError::Scheme("Split Key Threshold is at least 2 and at most Split Key Parts"));
    }
    if scheme.method == SplitKeyMethod::Xor && scheme.threshold != scheme.parts {
        return Err(SharingError::Scheme(
            "with XOR all parts are needed: Split Key Threshold is Split Key Parts",
        ));
    }
    Ok(())
}

fn split_xor(parts: u16, secret: &[u8], entropy: &mut dyn Entropy) -> Vec<Share> {
    let mut last = Zeroizing::new(secret.to_vec());
    let mut shares = Vec::with_capacity(usize::from(parts));
    for identifier in 1..parts {
        let mut bytes = Zeroizing::new(vec![0; secret.len()]);
        entropy.fill(&mut bytes);
        xor(&mut last, &bytes);
        shares.push(Share { identifier, bytes });
    }
    shares.push(Share { identifier: parts, bytes: last });
    shares
}

fn join_xor(shares: &[&Share]) -> Zeroizing<Vec<u8>> {
    let mut secret = Zeroizing::new(vec![0; shares.first().map_or(0, |share| share.bytes.len())]);
    shares.iter().for_each(|share| xor(&mut secret, &share.bytes));
    secret
}

fn xor(into: &mut [u8], bytes: &[u8]) {
    into.iter_mut().zip(bytes).for_each(|(into, byte)| *into ^= byte);
}

#[cfg(test)]
mod tests;
