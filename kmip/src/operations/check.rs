//! Check: may this client use the object so? (KMIP 1.4 section 4.10.)

use ttlv::{Error, Reader, Writer};

use super::{Payload, optional_id, write_id};
use crate::mask::CryptographicUsageMask;
use crate::{ProtocolVersion, tag};

/// KMIP 1.4 table 192.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The object; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// Units of Usage Limits.
    pub usage_limits_count: Option<i64>,
    /// Uses.
    pub cryptographic_usage_mask: Option<CryptographicUsageMask>,
    /// Seconds.
    pub lease_time: Option<u32>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            usage_limits_count: reader
                .optional(tag::USAGE_LIMITS_COUNT)?
                .map(|item| item.long_integer())
                .transpose()?,
            cryptographic_usage_mask: reader
                .optional(tag::CRYPTOGRAPHIC_USAGE_MASK)?
                .map(|item| item.integer().map(CryptographicUsageMask::from_bits))
                .transpose()?,
            lease_time: reader.optional(tag::LEASE_TIME)?.map(|item| item.interval()).transpose()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        if let Some(count) = self.usage_limits_count {
            writer.long_integer(tag::USAGE_LIMITS_COUNT, count);
        }
        if let Some(mask) = self.cryptographic_usage_mask {
            writer.integer(tag::CRYPTOGRAPHIC_USAGE_MASK, mask.bits());
        }
        if let Some(seconds) = self.lease_time {
            writer.interval(tag::LEASE_TIME, seconds);
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

/// KMIP 1.4 table 193: the identifier where the use is allowed, else the values that stand against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The object, where its use is allowed.
    pub unique_identifier: Option<String>,
    /// Units of Usage Limits.
    pub usage_limits_count: Option<i64>,
    /// Uses.
    pub cryptographic_usage_mask: Option<CryptographicUsageMask>,
    /// Seconds.
    pub lease_time: Option<u32>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            usage_limits_count: reader
                .optional(tag::USAGE_LIMITS_COUNT)?
                .map(|item| item.long_integer())
                .transpose()?,
            cryptographic_usage_mask: reader
                .optional(tag::CRYPTOGRAPHIC_USAGE_MASK)?
                .map(|item| item.integer().map(CryptographicUsageMask::from_bits))
                .transpose()?,
            lease_time: reader.optional(tag::LEASE_TIME)?.map(|item| item.interval()).transpose()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        if let Some(count) = self.usage_limits_count {
            writer.long_integer(tag::USAGE_LIMITS_COUNT, count);
        }
        if let Some(mask) = self.cryptographic_usage_mask {
            writer.integer(tag::CRYPTOGRAPHIC_USAGE_MASK, mask.bits());
        }
        if let Some(seconds) = self.lease_time {
            writer.interval(tag::LEASE_TIME, seconds);
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}
