//! Get: an object with its material (KMIP 1.4 section 4.11).

use ttlv::{Error, ErrorKind, Reader, Writer};

use super::{Payload, optional_id, read_object, required_id, write_id};
use crate::enumeration::{KeyCompressionType, KeyFormatType, KeyWrapType, ObjectType};
use crate::object::KeyWrappingSpecification;
use crate::{ManagedObject, ProtocolVersion, tag};

/// KMIP 1.4 table 194.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The object; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// The form wanted; as registered where absent.
    pub key_format_type: Option<KeyFormatType>,
    /// Wrapped as registered, or not; since 1.4.
    pub key_wrap_type: Option<KeyWrapType>,
    /// The form of an elliptic curve's public key.
    pub key_compression_type: Option<KeyCompressionType>,
    /// How to wrap it.
    pub key_wrapping_specification: Option<Box<KeyWrappingSpecification>>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            key_format_type: reader
                .optional(tag::KEY_FORMAT_TYPE)?
                .map(|item| item.enumeration().map(KeyFormatType::from_number))
                .transpose()?,
            key_wrap_type: reader
                .optional(tag::KEY_WRAP_TYPE)?
                .map(|item| item.enumeration().map(KeyWrapType::from_number))
                .transpose()?,
            key_compression_type: reader
                .optional(tag::KEY_COMPRESSION_TYPE)?
                .map(|item| item.enumeration().map(KeyCompressionType::from_number))
                .transpose()?,
            key_wrapping_specification: reader
                .optional(tag::KEY_WRAPPING_SPECIFICATION)?
                .map(|item| KeyWrappingSpecification::read(&item).map(Box::new))
                .transpose()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        if let Some(format) = self.key_format_type {
            writer.enumeration(tag::KEY_FORMAT_TYPE, format.number());
        }
        if let Some(wrap) = self.key_wrap_type.filter(|_| version >= ProtocolVersion::V1_4) {
            writer.enumeration(tag::KEY_WRAP_TYPE, wrap.number());
        }
        if let Some(compression) = self.key_compression_type {
            writer.enumeration(tag::KEY_COMPRESSION_TYPE, compression.number());
        }
        if let Some(specification) = &self.key_wrapping_specification {
            specification.write(writer, version);
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

/// KMIP 1.4 table 195.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// What it is.
    pub object_type: ObjectType,
    /// The object.
    pub unique_identifier: String,
    /// The object itself.
    pub object: ManagedObject,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            object_type: ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?),
            unique_identifier: required_id(reader)?,
            object: read_object(reader)?
                .ok_or_else(|| Error::new(reader.offset(), None, ErrorKind::Missing))?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.enumeration(tag::OBJECT_TYPE, self.object_type.number());
        write_id(writer, Some(&self.unique_identifier));
        self.object.write(writer, version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
