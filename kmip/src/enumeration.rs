//! Every enumeration of KMIP 1.0 to 1.4, the version that brought each value, and which tag carries which
//! (KMIP 1.4 section 9.1.3.2).
//!
//! A value that no table holds survives as `Unknown(number)`: an extension (0x80000000 to 0x8fffffff) or a value of
//! a later version. Refusing it is the operation's decision.
//!
//! Variants are the printed names in Rust's spelling: "PGP Key" is `PgpKey`, "X.509" is `X509`, "3DES" is
//! `TripleDes`. The names in quotes are those of the XML encoding; one after a bar is read but not written.

mod cryptography;
mod messages;
mod objects;
mod profile_name;

pub use cryptography::*;
pub use messages::*;
pub use objects::*;
pub use profile_name::*;

use crate::{ProtocolVersion, Tag, tag};

/// One enumeration, for those who meet its values only as numbers and names.
#[derive(Debug)]
pub struct Enumeration {
    /// The Rust name of the type: `ObjectType`.
    pub name: &'static str,
    /// All numbers that have a name, in the specification's order.
    pub numbers: &'static [u32],
    /// The name of a number in the XML encoding; `None` for an unknown one.
    pub name_of: fn(u32) -> Option<&'static str>,
    /// The number that this name of the XML encoding has. Case counts.
    pub number_of: fn(&str) -> Option<u32>,
    /// The first version with this number; `None` for an unknown one.
    pub introduced: fn(u32) -> Option<ProtocolVersion>,
}

/// The enumeration that items with this tag hold; `None` where it is another type or an extension.
pub fn of(tag: Tag) -> Option<&'static Enumeration> {
    CARRIERS.binary_search_by_key(&tag, |&(carrier, _)| carrier).ok().map(|at| CARRIERS[at].1)
}

/// Every tag that carries an enumeration, ascending, with the enumeration.
pub fn carriers() -> impl ExactSizeIterator<Item = (Tag, &'static Enumeration)> {
    CARRIERS.iter().copied()
}

/// Makes the type and its lookups from a table: variant, number, version that brought it, XML name, older XML names.
macro_rules! enumeration {
    ($(#[$doc:meta])* $Name:ident {
        $($Variant:ident $number:literal $version:tt $name:literal $(| $alias:literal)*)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $Name {
            $(#[doc = concat!("`", $name, "`, ", stringify!($number), ", since ", stringify!($version), ".")] $Variant,)*
            /// A number that no table holds. Made by `from_number` only, so that a known one never hides here.
            Unknown(u32),
        }

        impl $Name {
            /// The known values, in the specification's order.
            pub const ALL: &'static [Self] = &[$(Self::$Variant),*];

            /// This enumeration as numbers and names.
            pub const TABLE: $crate::enumeration::Enumeration = $crate::enumeration::Enumeration {
                name: stringify!($Name),
                numbers: &[$($number),*],
                name_of: |number| Self::from_number(number).name(),
                number_of: |name| Self::from_name(name).map(Self::number),
                introduced: |number| {
                    let value = Self::from_number(number);
                    value.name().map(|_| value.introduced())
                },
            };

            /// The value with this number, `Unknown` if no version has one.
            #[allow(clippy::match_single_binding, reason = "Opaque Data Type has no values")]
            pub const fn from_number(number: u32) -> Self {
                match number {
                    $($number => Self::$Variant,)*
                    other => Self::Unknown(other),
                }
            }

            /// The number on the wire.
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$Variant => $number,)*
                    Self::Unknown(number) => number,
                }
            }

            /// The name in the XML encoding; `None` for an unknown value.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$Variant => Some($name),)*
                    Self::Unknown(_) => None,
                }
            }

            /// The value with this name, or older name, in the XML encoding. Case counts; hexadecimal is not read.
            #[allow(clippy::match_single_binding, reason = "Opaque Data Type has no values")]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name $(| $alias)* => Some(Self::$Variant),)*
                    _ => None,
                }
            }

            /// The first version with this value. An unknown one counts as there since 1.0: extensions are, and of
            /// the rest nothing is known.
            pub const fn introduced(self) -> $crate::ProtocolVersion {
                match self {
                    $(Self::$Variant => $crate::version::version!($version),)*
                    Self::Unknown(_) => $crate::ProtocolVersion::V1_0,
                }
            }
        }

        impl From<u32> for $Name {
            fn from(number: u32) -> Self {
                Self::from_number(number)
            }
        }

        impl From<$Name> for u32 {
            fn from(value: $Name) -> Self {
                value.number()
            }
        }

        /// The name in the XML encoding, or the number as it writes unknown ones: `0x80000001`.
        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => write!(f, "0x{:08x}", self.number()),
                }
            }
        }
    };
}
use enumeration;

macro_rules! carriers {
    ($($tag:ident $Name:ident)*) => {
        static CARRIERS: [(Tag, &Enumeration); [$(stringify!($tag)),*].len()] =
            [$((tag::$tag, &$Name::TABLE)),*];
    };
}

// In the order of tag numbers, as `of` halves its way through; a test keeps it.
#[rustfmt::skip]
carriers! {
//  tag                             enumeration
    BATCH_ERROR_CONTINUATION_OPTION BatchErrorContinuationOption
    BLOCK_CIPHER_MODE               BlockCipherMode
    CANCELLATION_RESULT             CancellationResult
    CERTIFICATE_REQUEST_TYPE        CertificateRequestType
    CERTIFICATE_TYPE                CertificateType
    CREDENTIAL_TYPE                 CredentialType
    CRYPTOGRAPHIC_ALGORITHM         CryptographicAlgorithm
    DERIVATION_METHOD               DerivationMethod
    HASHING_ALGORITHM               HashingAlgorithm
    KEY_COMPRESSION_TYPE            KeyCompressionType
    KEY_FORMAT_TYPE                 KeyFormatType
    LINK_TYPE                       LinkType
    NAME_TYPE                       NameType
    OBJECT_TYPE                     ObjectType
    OPAQUE_DATA_TYPE                OpaqueDataType
    OPERATION                       Operation
    PADDING_METHOD                  PaddingMethod
    PUT_FUNCTION                    PutFunction
    QUERY_FUNCTION                  QueryFunction
    RECOMMENDED_CURVE               RecommendedCurve
    RESULT_REASON                   ResultReason
    RESULT_STATUS                   ResultStatus
    REVOCATION_REASON_CODE          RevocationReasonCode
    KEY_ROLE_TYPE                   KeyRoleType
    SECRET_DATA_TYPE                SecretDataType
    SPLIT_KEY_METHOD                SplitKeyMethod
    STATE                           State
    USAGE_LIMITS_UNIT               UsageLimitsUnit
    VALIDITY_INDICATOR              ValidityIndicator
    WRAPPING_METHOD                 WrappingMethod
    ENCODING_OPTION                 EncodingOption
    OBJECT_GROUP_MEMBER             ObjectGroupMember
    DIGITAL_SIGNATURE_ALGORITHM     DigitalSignatureAlgorithm
    KEY_VALUE_LOCATION_TYPE         KeyValueLocationType
    ALTERNATIVE_NAME_TYPE           AlternativeNameType
    ATTESTATION_TYPE                AttestationType
    RNG_ALGORITHM                   RngAlgorithm
    DRBG_ALGORITHM                  DrbgAlgorithm
    FIPS186_VARIATION               Fips186Variation
    VALIDATION_AUTHORITY_TYPE       ValidationAuthorityType
    VALIDATION_TYPE                 ValidationType
    PROFILE_NAME                    ProfileName
    UNWRAP_MODE                     UnwrapMode
    DESTROY_ACTION                  DestroyAction
    SHREDDING_ALGORITHM             ShreddingAlgorithm
    RNG_MODE                        RngMode
    CLIENT_REGISTRATION_METHOD      ClientRegistrationMethod
    KEY_WRAP_TYPE                   KeyWrapType
    MASK_GENERATOR                  MaskGenerator
    MASK_GENERATOR_HASHING_ALGORITHM HashingAlgorithm
}

#[cfg(test)]
mod tests;
