//! RNG Retrieve: random bytes (KMIP 1.4 section 4.35).

use ttlv::{Error, Reader, Writer};

use super::Payload;
use crate::{ProtocolVersion, Secret, tag};

/// KMIP 1.4 table 241.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// How many.
    pub data_length: i32,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self { data_length: reader.required(tag::DATA_LENGTH)?.integer()? })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        writer.integer(tag::DATA_LENGTH, self.data_length);
    }
}

/// KMIP 1.4 table 242.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// They.
    pub data: Secret,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self { data: Secret::from(reader.required(tag::DATA)?.byte_string()?) })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        writer.byte_string(tag::DATA, self.data.danger_bytes());
    }
}
