//! Get Usage Allocation: so many units of the key's Usage Limits are the client's (KMIP 1.4 section 4.18).

use ttlv::{Error, Reader, Writer};

use super::alike::names_the_object;
use super::{Payload, optional_id, write_id};
use crate::{ProtocolVersion, tag};

/// KMIP 1.4 table 208.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The object; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// Units to be protected.
    pub usage_limits_count: i64,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            usage_limits_count: reader.required(tag::USAGE_LIMITS_COUNT)?.long_integer()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        writer.long_integer(tag::USAGE_LIMITS_COUNT, self.usage_limits_count);
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

names_the_object!("KMIP 1.4 table 209.", "The object.");
