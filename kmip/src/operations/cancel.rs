//! Cancel: a request that was put off is not to be carried out (KMIP 1.4 section 4.27).

use ttlv::{Error, Reader, Writer};

use super::Payload;
use crate::enumeration::CancellationResult;
use crate::{ProtocolVersion, tag};

/// KMIP 1.4 table 226.
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

/// KMIP 1.4 table 227.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// As it was asked.
    pub asynchronous_correlation_value: Vec<u8>,
    /// What came of it.
    pub cancellation_result: CancellationResult,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let value = reader.required(tag::ASYNCHRONOUS_CORRELATION_VALUE)?.byte_string()?.to_vec();
        let result = reader.required(tag::CANCELLATION_RESULT)?.enumeration()?;
        Ok(Self {
            asynchronous_correlation_value: value,
            cancellation_result: CancellationResult::from_number(result),
        })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        writer.byte_string(tag::ASYNCHRONOUS_CORRELATION_VALUE, &self.asynchronous_correlation_value);
        writer.enumeration(tag::CANCELLATION_RESULT, self.cancellation_result.number());
    }
}
