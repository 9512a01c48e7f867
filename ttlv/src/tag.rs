//! The first four bytes of an item: its tag and its type.

use std::fmt;

/// A tag: 24 bits on the wire, 0x420000 and up for KMIP's own, 0x540000 and up for extensions
/// (KMIP 1.4 section 9.1.3.1). Any value survives decoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u32);

impl Tag {
    /// The tag with this number. Only the low 24 bits are kept, as the wire has no more.
    pub const fn new(number: u32) -> Self {
        Self(number & 0x00ff_ffff)
    }

    /// The number, 0 to 0xffffff.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:06x}", self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The type of an item (KMIP 1.4 section 9.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[rustfmt::skip]
#[allow(missing_docs, reason = "the specification's own names")]
pub enum ItemType {
    Structure   = 0x01,
    Integer     = 0x02,
    LongInteger = 0x03,
    BigInteger  = 0x04,
    Enumeration = 0x05,
    Boolean     = 0x06,
    TextString  = 0x07,
    ByteString  = 0x08,
    DateTime    = 0x09,
    Interval    = 0x0a,
}

impl ItemType {
    /// The type with this number, or `None` for one that KMIP 1.x does not know.
    #[rustfmt::skip]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0x01 => Self::Structure,
            0x02 => Self::Integer,
            0x03 => Self::LongInteger,
            0x04 => Self::BigInteger,
            0x05 => Self::Enumeration,
            0x06 => Self::Boolean,
            0x07 => Self::TextString,
            0x08 => Self::ByteString,
            0x09 => Self::DateTime,
            0x0a => Self::Interval,
            _    => return None,
        })
    }

    /// The type with this name, as the XML and JSON forms have it: that of `Debug`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Structure" => Self::Structure,
            "Integer" => Self::Integer,
            "LongInteger" => Self::LongInteger,
            "BigInteger" => Self::BigInteger,
            "Enumeration" => Self::Enumeration,
            "Boolean" => Self::Boolean,
            "TextString" => Self::TextString,
            "ByteString" => Self::ByteString,
            "DateTime" => Self::DateTime,
            "Interval" => Self::Interval,
            _ => return None,
        })
    }
}
