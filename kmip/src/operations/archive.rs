//! Archive: into archival storage (KMIP 1.4 section 4.22).

use ttlv::{Error, Reader, Writer};

use super::{Payload, optional_id, required_id, write_id};
use crate::ProtocolVersion;

/// KMIP 1.4 table 216.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The object; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self { unique_identifier: optional_id(reader)? })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

/// KMIP 1.4 table 217.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The object.
    pub unique_identifier: String,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self { unique_identifier: required_id(reader)? })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        write_id(writer, Some(&self.unique_identifier));
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
