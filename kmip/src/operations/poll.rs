//! Poll: what became of a request that was put off? (KMIP 1.4 section 4.28.)

use ttlv::{Error, Reader, Writer};

use super::Payload;
use crate::{ProtocolVersion, tag};

/// KMIP 1.4 table 228.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the answer Operation Pending gave.
    pub asynchronous_correlation_value: Vec<u8>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let value = reader.required(tag::ASYNCHRONOUS_CORRELATION_VALUE)?.byte_string()?;
        Ok(Self { asynchronous_correlation_value: value.to_vec() })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        writer.byte_string(tag::ASYNCHRONOUS_CORRELATION_VALUE, &self.asynchronous_correlation_value);
    }
}

/// Empty: the answer is that of the operation that was put off, or that it is pending still.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {}

impl Payload for Response {
    fn read(_: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {})
    }

    fn write(&self, _: &mut Writer<'_>, _: ProtocolVersion) {}
}
