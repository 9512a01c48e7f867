//! Get Attribute List: which attributes of an object have a value (KMIP 1.4 section 4.13).

use ttlv::{Error, Reader, Writer};

use super::alike::names_an_object;
use super::{Payload, required_id, write_id};
use crate::{AttributeName, ProtocolVersion};

names_an_object!("KMIP 1.4 table 198.");

/// KMIP 1.4 table 199.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The object.
    pub unique_identifier: String,
    /// The names.
    pub attribute_names: Vec<AttributeName>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: required_id(reader)?,
            attribute_names: AttributeName::read_all(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, Some(&self.unique_identifier));
        AttributeName::write_all(&self.attribute_names, writer, version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
