//! Hash: a digest (KMIP 1.4 section 4.37).

use ttlv::{Error, Reader, Value, Writer};

use super::{Part, Payload, part::write_correlation_value, write_parameters};
use crate::absent::{optional_bytes, optional_secret};
use crate::{ProtocolVersion, Secret, tag};

/// KMIP 1.4 table 245.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Which.
    pub cryptographic_parameters: Value,
    /// What it is of.
    pub data: Option<Secret>,
    /// Which part of the data this is.
    pub part: Part,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            cryptographic_parameters: Value::read(&reader.required(tag::CRYPTOGRAPHIC_PARAMETERS)?)?,
            data: optional_secret(reader, tag::DATA)?,
            part: Part::read(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_parameters(writer, Some(&self.cryptographic_parameters), version);
        if let Some(bytes) = self.data.as_ref() {
            writer.byte_string(tag::DATA, bytes.danger_bytes());
        }
        self.part.write(writer, version);
    }

    fn continues(&self) -> bool {
        self.part.correlation_value.is_some()
    }
}

/// KMIP 1.4 table 246.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The digest.
    pub data: Option<Vec<u8>>,
    /// What to send with the next part; since 1.3.
    pub correlation_value: Option<Vec<u8>>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            data: optional_bytes(reader, tag::DATA)?,
            correlation_value: optional_bytes(reader, tag::CORRELATION_VALUE)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        if let Some(bytes) = self.data.as_deref() {
            writer.byte_string(tag::DATA, bytes);
        }
        write_correlation_value(writer, self.correlation_value.as_deref(), version);
    }
}
