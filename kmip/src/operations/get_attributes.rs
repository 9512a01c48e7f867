//! Get Attributes: what is known of an object, by name (KMIP 1.4 section 4.12).

use ttlv::{Error, Reader, Writer};

use super::{Payload, optional_id, required_id, write_id};
use crate::{Attribute, AttributeName, ProtocolVersion, tag};

/// KMIP 1.4 table 196.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The object; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// Which; all where empty. A name twice is an error (KMIP 1.4 section 11.13).
    pub attribute_names: Vec<AttributeName>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            attribute_names: AttributeName::read_all(reader)?,
        })
    }

    /// Writes all names: with none left, the question would be for all attributes.
    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        for name in &self.attribute_names {
            writer.text_string(tag::ATTRIBUTE_NAME, name.as_str());
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

/// KMIP 1.4 table 197.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The object.
    pub unique_identifier: String,
    /// Those that have a value.
    pub attributes: Vec<Attribute>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self { unique_identifier: required_id(reader)?, attributes: Attribute::read_all(reader)? })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, Some(&self.unique_identifier));
        self.attributes.iter().for_each(|attribute| attribute.write(writer, version));
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
