//! Managed objects (KMIP 1.4 section 2.2): what a key server keeps.

mod key_block;

use ttlv::{Error, ErrorKind, Item, Value, Writer};

use crate::enumeration::{CertificateType, ObjectType, OpaqueDataType, SecretDataType, SplitKeyMethod};
use crate::{Attribute, ProtocolVersion, Secret, tag};

pub use key_block::{
    KeyBlock, KeyMaterial, KeyValue, KeyWrappingData, KeyWrappingSpecification, WrappingKeyInformation,
};

/// A managed object with its material.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub enum ManagedObject {
    /// KMIP 1.4 section 2.2.1.
    Certificate { certificate_type: CertificateType, certificate_value: Vec<u8> },
    /// KMIP 1.4 section 2.2.2.
    SymmetricKey(KeyBlock),
    /// KMIP 1.4 section 2.2.3.
    PublicKey(KeyBlock),
    /// KMIP 1.4 section 2.2.4.
    PrivateKey(KeyBlock),
    /// KMIP 1.4 section 2.2.5.
    SplitKey(SplitKey),
    /// KMIP 1.4 section 2.2.6; 1.0 to 1.3.
    Template(Vec<Attribute>),
    /// KMIP 1.4 section 2.2.7.
    SecretData { secret_data_type: SecretDataType, key_block: KeyBlock },
    /// KMIP 1.4 section 2.2.8.
    OpaqueObject { opaque_data_type: OpaqueDataType, opaque_data_value: Secret },
    /// KMIP 1.4 section 2.2.9; since 1.2.
    PgpKey { pgp_key_version: i32, key_block: KeyBlock },
}

/// One part of a key that needs several (KMIP 1.4 section 2.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub struct SplitKey {
    pub split_key_parts: i32,
    pub key_part_identifier: i32,
    pub split_key_threshold: i32,
    pub split_key_method: SplitKeyMethod,
    /// Big-endian; with Polynomial Sharing Prime Field only.
    pub prime_field_size: Option<Vec<u8>>,
    pub key_block: KeyBlock,
}

impl ManagedObject {
    /// The type that goes with this object.
    pub fn object_type(&self) -> ObjectType {
        match self {
            Self::Certificate { .. } => ObjectType::Certificate,
            Self::SymmetricKey(_) => ObjectType::SymmetricKey,
            Self::PublicKey(_) => ObjectType::PublicKey,
            Self::PrivateKey(_) => ObjectType::PrivateKey,
            Self::SplitKey(_) => ObjectType::SplitKey,
            Self::Template(_) => ObjectType::Template,
            Self::SecretData { .. } => ObjectType::SecretData,
            Self::OpaqueObject { .. } => ObjectType::OpaqueObject,
            Self::PgpKey { .. } => ObjectType::PgpKey,
        }
    }

    /// The key block, for objects that have one.
    pub fn key_block(&self) -> Option<&KeyBlock> {
        match self {
            Self::SymmetricKey(key_block)
            | Self::PublicKey(key_block)
            | Self::PrivateKey(key_block)
            | Self::SplitKey(SplitKey { key_block, .. })
            | Self::SecretData { key_block, .. }
            | Self::PgpKey { key_block, .. } => Some(key_block),
            Self::Certificate { .. } | Self::Template(_) | Self::OpaqueObject { .. } => None,
        }
    }

    /// The key block, to be changed, for objects that have one.
    pub fn key_block_mut(&mut self) -> Option<&mut KeyBlock> {
        match self {
            Self::SymmetricKey(key_block)
            | Self::PublicKey(key_block)
            | Self::PrivateKey(key_block)
            | Self::SplitKey(SplitKey { key_block, .. })
            | Self::SecretData { key_block, .. }
            | Self::PgpKey { key_block, .. } => Some(key_block),
            Self::Certificate { .. } | Self::Template(_) | Self::OpaqueObject { .. } => None,
        }
    }

    /// Whether `tag` is that of a managed object.
    pub fn is_tag(tag: ttlv::Tag) -> bool {
        matches!(
            tag,
            tag::CERTIFICATE
                | tag::SYMMETRIC_KEY
                | tag::PUBLIC_KEY
                | tag::PRIVATE_KEY
                | tag::SPLIT_KEY
                | tag::TEMPLATE
                | tag::SECRET_DATA
                | tag::OPAQUE_OBJECT
                | tag::PGP_KEY
        )
    }

    /// Reads an object, whichever it is.
    ///
    /// Fails where the item's tag is none of a managed object, or its inside is not as the specification says.
    pub fn read(item: &Item<'_>) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let object = match item.tag {
            tag::CERTIFICATE => Self::Certificate {
                certificate_type: CertificateType::from_number(
                    reader.required(tag::CERTIFICATE_TYPE)?.enumeration()?,
                ),
                certificate_value: reader.required(tag::CERTIFICATE_VALUE)?.byte_string()?.to_vec(),
            },
            tag::SYMMETRIC_KEY => Self::SymmetricKey(KeyBlock::read(&mut reader)?),
            tag::PUBLIC_KEY => Self::PublicKey(KeyBlock::read(&mut reader)?),
            tag::PRIVATE_KEY => Self::PrivateKey(KeyBlock::read(&mut reader)?),
            tag::SPLIT_KEY => Self::SplitKey(SplitKey {
                split_key_parts: reader.required(tag::SPLIT_KEY_PARTS)?.integer()?,
                key_part_identifier: reader.required(tag::KEY_PART_IDENTIFIER)?.integer()?,
                split_key_threshold: reader.required(tag::SPLIT_KEY_THRESHOLD)?.integer()?,
                split_key_method: SplitKeyMethod::from_number(
                    reader.required(tag::SPLIT_KEY_METHOD)?.enumeration()?,
                ),
                prime_field_size: reader
                    .optional(tag::PRIME_FIELD_SIZE)?
                    .map(|item| item.big_integer().map(<[u8]>::to_vec))
                    .transpose()?,
                key_block: KeyBlock::read(&mut reader)?,
            }),
            tag::TEMPLATE => Self::Template(Attribute::read_all(&mut reader)?),
            tag::SECRET_DATA => Self::SecretData {
                secret_data_type: SecretDataType::from_number(
                    reader.required(tag::SECRET_DATA_TYPE)?.enumeration()?,
                ),
                key_block: KeyBlock::read(&mut reader)?,
            },
            tag::OPAQUE_OBJECT => Self::OpaqueObject {
                opaque_data_type: OpaqueDataType::from_number(
                    reader.required(tag::OPAQUE_DATA_TYPE)?.enumeration()?,
                ),
                opaque_data_value: Secret::from(reader.required(tag::OPAQUE_DATA_VALUE)?.byte_string()?),
            },
            tag::PGP_KEY => Self::PgpKey {
                pgp_key_version: reader.required(tag::PGP_KEY_VERSION)?.integer()?,
                key_block: KeyBlock::read(&mut reader)?,
            },
            _ => return Err(item.error(ErrorKind::WrongValue("expected a managed object"))),
        };
        reader.finish()?;
        Ok(object)
    }

    /// Appends the object as a client of `version` may see it.
    #[rustfmt::skip]
    pub fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        match self {
            Self::Certificate { certificate_type, certificate_value } => {
                writer.structure(tag::CERTIFICATE, |writer| {
                    writer.enumeration(tag::CERTIFICATE_TYPE, certificate_type.number());
                    writer.byte_string(tag::CERTIFICATE_VALUE, certificate_value);
                });
            }
            Self::SymmetricKey(key_block) => writer.structure(tag::SYMMETRIC_KEY, |writer| key_block.write(writer, version)),
            Self::PublicKey(key_block)    => writer.structure(tag::PUBLIC_KEY,    |writer| key_block.write(writer, version)),
            Self::PrivateKey(key_block)   => writer.structure(tag::PRIVATE_KEY,   |writer| key_block.write(writer, version)),
            Self::SplitKey(split) => writer.structure(tag::SPLIT_KEY, |writer| {
                writer.integer(tag::SPLIT_KEY_PARTS, split.split_key_parts);
                writer.integer(tag::KEY_PART_IDENTIFIER, split.key_part_identifier);
                writer.integer(tag::SPLIT_KEY_THRESHOLD, split.split_key_threshold);
                writer.enumeration(tag::SPLIT_KEY_METHOD, split.split_key_method.number());
                if let Some(size) = &split.prime_field_size {
                    writer.big_integer(tag::PRIME_FIELD_SIZE, size);
                }
                split.key_block.write(writer, version);
            }),
            Self::Template(attributes) => writer.structure(tag::TEMPLATE, |writer| {
                attributes.iter().for_each(|attribute| attribute.write(writer, version));
            }),
            Self::SecretData { secret_data_type, key_block } => {
                writer.structure(tag::SECRET_DATA, |writer| {
                    writer.enumeration(tag::SECRET_DATA_TYPE, secret_data_type.number());
                    key_block.write(writer, version);
                });
            }
            Self::OpaqueObject { opaque_data_type, opaque_data_value } => {
                writer.structure(tag::OPAQUE_OBJECT, |writer| {
                    writer.enumeration(tag::OPAQUE_DATA_TYPE, opaque_data_type.number());
                    writer.byte_string(tag::OPAQUE_DATA_VALUE, opaque_data_value.danger_bytes());
                });
            }
            Self::PgpKey { pgp_key_version, key_block } => {
                writer.structure(tag::PGP_KEY, |writer| {
                    writer.integer(tag::PGP_KEY_VERSION, *pgp_key_version);
                    key_block.write(writer, version);
                });
            }
        }
    }
}

/// A value that wipes itself: the inside of a transparent key.
#[derive(Clone)]
pub struct SecretValue(Value);

impl SecretValue {
    /// Takes the value over.
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// The value itself. Named so that each use stands out.
    pub fn danger_value(&self) -> &Value {
        &self.0
    }
}

impl Drop for SecretValue {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        // By their bytes, so that the comparison takes the same time wherever they differ.
        let bytes = |value: &Value| {
            let mut out = Vec::new();
            value.write(tag::KEY_MATERIAL, &mut Writer::new(&mut out));
            Secret::new(out)
        };
        bytes(&self.0) == bytes(&other.0)
    }
}

impl Eq for SecretValue {}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretValue({:?}, {} items)", self.0.item_type(), self.0.children().len())
    }
}
