//! Obtain Lease: for how long may the client use the object? (KMIP 1.4 section 4.17.)

use ttlv::{Error, Reader, Writer};

use super::alike::names_an_object;
use super::{Payload, required_id, write_id};
use crate::{ProtocolVersion, tag};

names_an_object!("KMIP 1.4 table 206.");

/// KMIP 1.4 table 207.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The object.
    pub unique_identifier: String,
    /// Seconds; 0 for no limit.
    pub lease_time: u32,
    /// Seconds since 1970.
    pub last_change_date: i64,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: required_id(reader)?,
            lease_time: reader.required(tag::LEASE_TIME)?.interval()?,
            last_change_date: reader.required(tag::LAST_CHANGE_DATE)?.date_time()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        write_id(writer, Some(&self.unique_identifier));
        writer.interval(tag::LEASE_TIME, self.lease_time);
        writer.date_time(tag::LAST_CHANGE_DATE, self.last_change_date);
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
