//! KMIP's names for the text, XML and JSON forms of an item, and what those forms must not show.

use ttlv::Vocabulary;

use crate::mask::{CryptographicUsageMask, StorageStatusMask};
use crate::{Tag, enumeration, tag};

/// The names of KMIP 1.0 to 1.4.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kmip;

impl Vocabulary for Kmip {
    fn tag_name(&self, tag: Tag) -> Option<&'static str> {
        tag::name(tag)
    }

    fn tag(&self, name: &str) -> Option<Tag> {
        tag::from_name(name)
    }

    fn enumeration_name(&self, tag: Tag, number: u32) -> Option<&'static str> {
        (enumeration::of(tag)?.name_of)(number)
    }

    fn enumeration_number(&self, tag: Tag, name: &str) -> Option<u32> {
        (enumeration::of(tag)?.number_of)(name)
    }

    fn mask_bits(&self, tag: Tag) -> Option<&'static [(&'static str, u32)]> {
        match tag {
            tag::CRYPTOGRAPHIC_USAGE_MASK => Some(CryptographicUsageMask::BITS),
            tag::STORAGE_STATUS_MASK => Some(StorageStatusMask::BITS),
            _ => None,
        }
    }

    /// Attributes are named as their tags are printed. Runs of white space count as one blank: in published XML
    /// long names are broken over lines.
    fn attribute_tag(&self, name: &str) -> Option<Tag> {
        tag::from_text(name).or_else(|| {
            let words: Vec<_> = name.split_whitespace().collect();
            tag::from_text(&words.join(" "))
        })
    }

    /// Masks too much rather than too little: a tag without a name may hold anything, and P and Q are an RSA key's
    /// primes as well as the public parameters of DSA and DH.
    fn is_secret(&self, tag: Tag) -> bool {
        tag::name(tag).is_none() || SECRET.contains(&tag)
    }
}

/// The tags below which there may be key material, a password, or what a client has us encrypt or keep.
///
/// Not here, as anyone may know them: Certificate Value, initialization vectors, salts, nonces, digests, signatures,
/// MACs, additional data, and of a public key Modulus, Public Exponent, G, J, Y and Q String.
#[rustfmt::skip]
const SECRET: &[Tag] = &[
    tag::KEY_VALUE,             // a structure, or the bytes of a wrapped one
    tag::KEY_MATERIAL,
    tag::KEY,                   // transparent symmetric key
    tag::D,                     // private scalar of an elliptic curve key
    tag::X,                     // private value of a DSA or DH key
    tag::PRIVATE_EXPONENT,      // RSA, to the end of the key's parts
    tag::P,
    tag::Q,
    tag::PRIME_EXPONENT_P,
    tag::PRIME_EXPONENT_Q,
    tag::CRT_COEFFICIENT,
    tag::OPAQUE_DATA_VALUE,     // whatever the client chose to keep here
    tag::DERIVATION_DATA,       // may be a shared secret
    tag::PASSWORD,
    tag::ATTESTATION_ASSERTION, // whoever holds it may pose as the client
    tag::DATA,                  // plaintext, random bytes, seed of a generator
];

#[cfg(test)]
mod tests;
