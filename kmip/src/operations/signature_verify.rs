//! Signature Verify: whether a signature is good (KMIP 1.4 section 4.32).

use ttlv::{Error, Reader, Value, Writer};

use super::{
    Part, Payload, optional_id, optional_parameters, part::write_correlation_value, required_id, write_id,
    write_parameters,
};
use crate::absent::{optional_bytes, optional_secret};
use crate::enumeration::ValidityIndicator;
use crate::{ProtocolVersion, Secret, tag};

/// KMIP 1.4 table 235.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The key; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// How; the key's own first Cryptographic Parameters where absent.
    pub cryptographic_parameters: Option<Value>,
    /// What was signed.
    pub data: Option<Secret>,
    /// Its digest, in its place; since 1.4.
    pub digested_data: Option<Vec<u8>>,
    /// The signature.
    pub signature_data: Option<Vec<u8>>,
    /// Which part of the data this is.
    pub part: Part,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            cryptographic_parameters: optional_parameters(reader)?,
            data: optional_secret(reader, tag::DATA)?,
            digested_data: optional_bytes(reader, tag::DIGESTED_DATA)?,
            signature_data: optional_bytes(reader, tag::SIGNATURE_DATA)?,
            part: Part::read(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        write_parameters(writer, self.cryptographic_parameters.as_ref(), version);
        if let Some(bytes) = self.data.as_ref() {
            writer.byte_string(tag::DATA, bytes.danger_bytes());
        }
        if let Some(bytes) = self.digested_data.as_deref().filter(|_| version >= ProtocolVersion::V1_4) {
            writer.byte_string(tag::DIGESTED_DATA, bytes);
        }
        if let Some(bytes) = self.signature_data.as_deref() {
            writer.byte_string(tag::SIGNATURE_DATA, bytes);
        }
        self.part.write(writer, version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }

    fn continues(&self) -> bool {
        self.part.correlation_value.is_some()
    }
}

/// KMIP 1.4 table 236.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The key.
    pub unique_identifier: String,
    /// Whether it is; absent where more data are to come.
    pub validity_indicator: Option<ValidityIndicator>,
    /// What the signature held, where its kind holds data.
    pub data: Option<Secret>,
    /// What to send with the next part; since 1.3.
    pub correlation_value: Option<Vec<u8>>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: required_id(reader)?,
            validity_indicator: reader
                .optional(tag::VALIDITY_INDICATOR)?
                .map(|item| item.enumeration().map(ValidityIndicator::from_number))
                .transpose()?,
            data: optional_secret(reader, tag::DATA)?,
            correlation_value: optional_bytes(reader, tag::CORRELATION_VALUE)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, Some(&self.unique_identifier));
        if let Some(indicator) = self.validity_indicator {
            writer.enumeration(tag::VALIDITY_INDICATOR, indicator.number());
        }
        if let Some(bytes) = self.data.as_ref() {
            writer.byte_string(tag::DATA, bytes.danger_bytes());
        }
        write_correlation_value(writer, self.correlation_value.as_deref(), version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
