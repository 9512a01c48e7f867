//! The Integers that are bit masks, with the names of their bits (KMIP 1.4 section 9.1.3.3).

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign};

/// Makes a mask's type from its table: constant, bit, name in the XML encoding.
macro_rules! mask {
    ($(#[$doc:meta])* $Name:ident { $($constant:ident $bit:literal $name:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $Name(i32);

        impl $Name {
            $(#[doc = concat!("`", $name, "`, bit ", stringify!($bit), ".")] pub const $constant: Self = Self($bit);)*

            /// Names and bits, ascending, as the XML encoding writes them.
            pub const BITS: &'static [(&'static str, u32)] = &[$(($name, $bit)),*];

            /// The mask with these bits; unknown ones stay.
            pub const fn from_bits(bits: i32) -> Self {
                Self(bits)
            }

            /// The Integer on the wire.
            pub const fn bits(self) -> i32 {
                self.0
            }

            /// The mask with the one bit of this name. Case counts.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::BITS.iter().find(|(known, _)| *known == name).map(|&(_, bit)| Self(bit.cast_signed()))
            }

            /// Whether no bit is set.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether every bit of `other` is set. True where `other` is empty.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The names of the set bits, ascending; bits without a name are passed over.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                let bits = self.0.cast_unsigned();
                Self::BITS.iter().filter(move |(_, bit)| bits & bit != 0).map(|&(name, _)| name)
            }

            /// The set bits that have no name: the extensions' and those of later versions.
            pub const fn unknown(self) -> Self {
                Self(self.0 & !(0 $(| $bit)*))
            }
        }

        impl BitOr for $Name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl BitOrAssign for $Name {
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }

        impl BitAnd for $Name {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        /// The names with blanks between, as in the XML encoding, then the rest as one number: `Sign 0x00100000`.
        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut between = "";
                for name in self.names() {
                    write!(f, "{between}{name}")?;
                    between = " ";
                }
                if !self.unknown().is_empty() {
                    write!(f, "{between}0x{:08x}", self.unknown().0)?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($Name))
            }
        }
    };
}

#[rustfmt::skip]
mask! {
    /// What a key may be used for: the attribute Cryptographic Usage Mask.
    ///
    /// KMIP 1.4 sections 3.19 and 9.1.3.3.1; the same since 1.0. Extensions have the bits 0xfff00000.
    CryptographicUsageMask {
        SIGN                0x00000001 "Sign"
        VERIFY              0x00000002 "Verify"
        ENCRYPT             0x00000004 "Encrypt"
        DECRYPT             0x00000008 "Decrypt"
        WRAP_KEY            0x00000010 "WrapKey"
        UNWRAP_KEY          0x00000020 "UnwrapKey"
        EXPORT              0x00000040 "Export"
        MAC_GENERATE        0x00000080 "MACGenerate"
        MAC_VERIFY          0x00000100 "MACVerify"
        DERIVE_KEY          0x00000200 "DeriveKey"
        CONTENT_COMMITMENT  0x00000400 "ContentCommitment"
        KEY_AGREEMENT       0x00000800 "KeyAgreement"
        CERTIFICATE_SIGN    0x00001000 "CertificateSign"
        CRL_SIGN            0x00002000 "CRLSign"
        GENERATE_CRYPTOGRAM 0x00004000 "GenerateCryptogram"
        VALIDATE_CRYPTOGRAM 0x00008000 "ValidateCryptogram"
        TRANSLATE_ENCRYPT   0x00010000 "TranslateEncrypt"
        TRANSLATE_DECRYPT   0x00020000 "TranslateDecrypt"
        TRANSLATE_WRAP      0x00040000 "TranslateWrap"
        TRANSLATE_UNWRAP    0x00080000 "TranslateUnwrap"
    }
}

#[rustfmt::skip]
mask! {
    /// Whether Locate looks among objects on line, archived, or both.
    ///
    /// KMIP 1.4 sections 4.9 and 9.1.3.3.2; the same since 1.0. Extensions have the bits 0xfffffff0.
    StorageStatusMask {
        ON_LINE_STORAGE  0x00000001 "OnLineStorage"
        ARCHIVAL_STORAGE 0x00000002 "ArchivalStorage"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masks_have_as_many_bits_as_every_version_lists() {
        assert_eq!(CryptographicUsageMask::BITS.len(), 20);
        assert_eq!(StorageStatusMask::BITS.len(), 2);
    }

    #[test]
    fn the_bits_ascend_without_a_gap() {
        for (at, &(name, bit)) in CryptographicUsageMask::BITS.iter().enumerate() {
            assert_eq!(bit, 1 << at, "{name}");
            assert_eq!(CryptographicUsageMask::from_name(name).map(|mask| mask.bits()), Some(1 << at));
        }
    }

    #[test]
    fn a_mask_is_written_as_the_vectors_write_it() {
        let mask = CryptographicUsageMask::ENCRYPT | CryptographicUsageMask::DECRYPT;
        assert_eq!(mask.bits(), 0x0c);
        assert_eq!(mask.to_string(), "Encrypt Decrypt");
        assert!(mask.contains(CryptographicUsageMask::ENCRYPT));
        assert!(!mask.contains(CryptographicUsageMask::ENCRYPT | CryptographicUsageMask::SIGN));
        assert_eq!(format!("{:?}", StorageStatusMask::default()), "StorageStatusMask()");
    }

    #[test]
    fn unknown_bits_survive() {
        let mask = CryptographicUsageMask::from_bits(i32::MIN | 0x0010_0001);
        assert_eq!(mask.bits(), i32::MIN | 0x0010_0001);
        assert_eq!(mask.names().collect::<Vec<_>>(), ["Sign"]);
        assert_eq!(mask.unknown().bits(), i32::MIN | 0x0010_0000);
        assert_eq!(mask.to_string(), "Sign 0x80100000");
    }
}
