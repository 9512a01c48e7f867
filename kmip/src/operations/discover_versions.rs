//! Discover Versions: which versions do both sides speak? Since 1.1 (KMIP 1.4 section 4.26).

use ttlv::{Error, Reader, Writer};

use super::Payload;
use crate::{ProtocolVersion, tag};

/// KMIP 1.4 table 224.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Those the client speaks, best first; any where empty.
    pub protocol_versions: Vec<ProtocolVersion>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let mut protocol_versions = Vec::new();
        while let Some(item) = reader.optional(tag::PROTOCOL_VERSION)? {
            protocol_versions.push(ProtocolVersion::read_item(&item)?);
        }
        Ok(Self { protocol_versions })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        self.protocol_versions.iter().for_each(|version| version.write(writer));
    }
}

/// KMIP 1.4 table 225.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// Those the server speaks, best first.
    pub protocol_versions: Vec<ProtocolVersion>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let mut protocol_versions = Vec::new();
        while let Some(item) = reader.optional(tag::PROTOCOL_VERSION)? {
            protocol_versions.push(ProtocolVersion::read_item(&item)?);
        }
        Ok(Self { protocol_versions })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        self.protocol_versions.iter().for_each(|version| version.write(writer));
    }
}
