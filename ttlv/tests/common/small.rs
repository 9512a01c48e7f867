//! A vocabulary of a handful of KMIP's names, for tests and fuzz targets.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use ttlv::{Tag, Vocabulary};

/// A handful of KMIP's names.
pub struct Small;

pub const REQUEST_MESSAGE: Tag = Tag::new(0x420078);
pub const REQUEST_PAYLOAD: Tag = Tag::new(0x420079);
pub const OPERATION: Tag = Tag::new(0x42005c);
pub const ATTRIBUTE: Tag = Tag::new(0x420008);
pub const ATTRIBUTE_NAME: Tag = Tag::new(0x42000a);
pub const ATTRIBUTE_VALUE: Tag = Tag::new(0x42000b);
pub const ALGORITHM: Tag = Tag::new(0x420028);
pub const USAGE_MASK: Tag = Tag::new(0x42002c);
pub const KEY_BLOCK: Tag = Tag::new(0x420040);
pub const KEY_MATERIAL: Tag = Tag::new(0x420043);
pub const TIME_STAMP: Tag = Tag::new(0x420092);
pub const UNIQUE_IDENTIFIER: Tag = Tag::new(0x420094);

#[rustfmt::skip]
pub const TAGS: [(&str, Tag); 12] = [
    ("RequestMessage",         REQUEST_MESSAGE),
    ("RequestPayload",         REQUEST_PAYLOAD),
    ("Operation",              OPERATION),
    ("Attribute",              ATTRIBUTE),
    ("AttributeName",          ATTRIBUTE_NAME),
    ("AttributeValue",         ATTRIBUTE_VALUE),
    ("CryptographicAlgorithm", ALGORITHM),
    ("CryptographicUsageMask", USAGE_MASK),
    ("KeyBlock",               KEY_BLOCK),
    ("KeyMaterial",            KEY_MATERIAL),
    ("TimeStamp",              TIME_STAMP),
    ("UniqueIdentifier",       UNIQUE_IDENTIFIER),
];

const ENUMERATIONS: [(Tag, &str, u32); 4] =
    [(OPERATION, "Create", 1), (OPERATION, "Get", 10), (ALGORITHM, "DES3", 2), (ALGORITHM, "AES", 3)];

/// Bits of the usage mask; the last two are the Storage Status Mask's, for reading shapes, with other numbers.
pub const MASK: &[(&str, u32)] = &[
    ("Sign", 1),
    ("Verify", 2),
    ("Encrypt", 4),
    ("Decrypt", 8),
    ("WrapKey", 0x10),
    ("UnwrapKey", 0x20),
    ("Export", 0x40),
    ("MACGenerate", 0x80),
    ("MACVerify", 0x100),
    ("DeriveKey", 0x200),
    ("ContentCommitment", 0x400),
    ("KeyAgreement", 0x800),
    ("CertificateSign", 0x1000),
    ("CRLSign", 0x2000),
    ("OnLineStorage", 0x4000),
    ("ArchivalStorage", 0x8000),
];

impl Vocabulary for Small {
    fn tag_name(&self, tag: Tag) -> Option<&'static str> {
        TAGS.iter().find(|row| row.1 == tag).map(|row| row.0)
    }
    fn tag(&self, name: &str) -> Option<Tag> {
        TAGS.iter().find(|row| row.0 == name).map(|row| row.1)
    }
    fn enumeration_name(&self, tag: Tag, number: u32) -> Option<&'static str> {
        ENUMERATIONS.iter().find(|row| row.0 == tag && row.2 == number).map(|row| row.1)
    }
    fn enumeration_number(&self, tag: Tag, name: &str) -> Option<u32> {
        ENUMERATIONS.iter().find(|row| row.0 == tag && row.1 == name).map(|row| row.2)
    }
    fn mask_bits(&self, tag: Tag) -> Option<&'static [(&'static str, u32)]> {
        (tag == USAGE_MASK).then_some(MASK)
    }
    fn attribute_tag(&self, name: &str) -> Option<Tag> {
        match name {
            "Cryptographic Algorithm" => Some(ALGORITHM),
            "Cryptographic Usage Mask" => Some(USAGE_MASK),
            _ => None,
        }
    }
    fn is_secret(&self, tag: Tag) -> bool {
        tag == KEY_MATERIAL
    }
}
