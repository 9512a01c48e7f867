//! Re-key Key Pair: a new pair in the place of an old one (KMIP 1.4 section 4.5); since 1.1.

use ttlv::{Error, Reader, Writer};

use super::{NewPair, PairTemplates, Payload};
use crate::absent::optional_text;
use crate::{ProtocolVersion, tag};

/// KMIP 1.4 table 178.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The old private key; the ID Placeholder where absent.
    pub private_key_unique_identifier: Option<String>,
    /// Seconds from the new pair's Initial Date to its Activation Date.
    pub offset: Option<u32>,
    /// Attributes that the new pair is to have instead of the old one's.
    pub templates: PairTemplates,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            private_key_unique_identifier: optional_text(reader, tag::PRIVATE_KEY_UNIQUE_IDENTIFIER)?,
            offset: reader.optional(tag::OFFSET)?.map(|item| item.interval()).transpose()?,
            templates: PairTemplates::read(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        if let Some(id) = &self.private_key_unique_identifier {
            writer.text_string(tag::PRIVATE_KEY_UNIQUE_IDENTIFIER, id);
        }
        if let Some(seconds) = self.offset {
            writer.interval(tag::OFFSET, seconds);
        }
        self.templates.write(writer, version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.private_key_unique_identifier.as_deref()
    }
}

/// KMIP 1.4 table 179.
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
