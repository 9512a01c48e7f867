//! Create Key Pair: a new private key and its public half, made by the server (KMIP 1.4 section 4.2).

use ttlv::{Error, Reader, Writer};

use super::{NewPair, PairTemplates, Payload};
use crate::ProtocolVersion;

/// KMIP 1.4 table 166.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The attributes they are to have.
    pub templates: PairTemplates,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self { templates: PairTemplates::read(reader)? })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        self.templates.write(writer, version);
    }
}

/// KMIP 1.4 table 167.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The new keys.
    pub pair: NewPair,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self { pair: NewPair::read(reader)? })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        self.pair.write(writer, version);
    }

    /// The private key, which the ID Placeholder means from then on.
    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.pair.private_key_unique_identifier)
    }
}
