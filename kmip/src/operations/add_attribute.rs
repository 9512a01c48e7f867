//! Add Attribute: one more attribute, or one more instance of one (KMIP 1.4 section 4.14).

use ttlv::{Error, Reader, Writer};

use super::{Payload, optional_id, required_id, write_id};
use crate::{Attribute, ProtocolVersion, tag};

/// KMIP 1.4 table 200.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The object; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// The attribute to add.
    pub attribute: Attribute,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            attribute: Attribute::read(&reader.required(tag::ATTRIBUTE)?)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        self.attribute.write(writer, version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

/// KMIP 1.4 table 201.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The object.
    pub unique_identifier: String,
    /// The attribute as it is now.
    pub attribute: Attribute,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: required_id(reader)?,
            attribute: Attribute::read(&reader.required(tag::ATTRIBUTE)?)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, Some(&self.unique_identifier));
        self.attribute.write(writer, version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
