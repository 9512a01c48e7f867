//! Delete Attribute: one instance of an attribute less (KMIP 1.4 section 4.16).

use ttlv::{Error, Reader, Writer};

use super::{Payload, optional_id, required_id, write_id};
use crate::{Attribute, AttributeName, ProtocolVersion, tag};

/// KMIP 1.4 table 204.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The object; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// Which.
    pub attribute_name: AttributeName,
    /// Which instance; 0 where absent.
    pub attribute_index: Option<i32>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            attribute_name: AttributeName::new(reader.required(tag::ATTRIBUTE_NAME)?.text_string()?),
            attribute_index: reader.optional(tag::ATTRIBUTE_INDEX)?.map(|item| item.integer()).transpose()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        writer.text_string(tag::ATTRIBUTE_NAME, self.attribute_name.as_str());
        if let Some(index) = self.attribute_index {
            writer.integer(tag::ATTRIBUTE_INDEX, index);
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

/// KMIP 1.4 table 205.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The object.
    pub unique_identifier: String,
    /// The attribute that is gone.
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
