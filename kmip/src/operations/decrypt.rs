//! Decrypt: data back from under a key that the server keeps (KMIP 1.4 section 4.30).

use ttlv::{Error, Reader, Value, Writer};

use super::{
    Part, Payload, optional_id, optional_parameters, part::write_correlation_value, required_id, write_id,
    write_parameters,
};
use crate::absent::{optional_bytes, optional_secret};
use crate::{ProtocolVersion, Secret, tag};

/// KMIP 1.4 table 231.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The key; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// How; the key's own first Cryptographic Parameters where absent.
    pub cryptographic_parameters: Option<Value>,
    /// The ciphertext.
    pub data: Option<Secret>,
    /// The initialization vector, counter or nonce.
    pub iv_counter_nonce: Option<Vec<u8>>,
    /// Which part of the data this is.
    pub part: Part,
    /// What the tag covers beside the data; since 1.4.
    pub authenticated_encryption_additional_data: Option<Vec<u8>>,
    /// What the encryption gave; since 1.4.
    pub authenticated_encryption_tag: Option<Vec<u8>>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            cryptographic_parameters: optional_parameters(reader)?,
            data: optional_secret(reader, tag::DATA)?,
            iv_counter_nonce: optional_bytes(reader, tag::IV_COUNTER_NONCE)?,
            part: Part::read(reader)?,
            authenticated_encryption_additional_data: optional_bytes(
                reader,
                tag::AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA,
            )?,
            authenticated_encryption_tag: optional_bytes(reader, tag::AUTHENTICATED_ENCRYPTION_TAG)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        write_parameters(writer, self.cryptographic_parameters.as_ref(), version);
        if let Some(bytes) = self.data.as_ref() {
            writer.byte_string(tag::DATA, bytes.danger_bytes());
        }
        if let Some(bytes) = self.iv_counter_nonce.as_deref() {
            writer.byte_string(tag::IV_COUNTER_NONCE, bytes);
        }
        self.part.write(writer, version);
        if let Some(bytes) = self
            .authenticated_encryption_additional_data
            .as_deref()
            .filter(|_| version >= ProtocolVersion::V1_4)
        {
            writer.byte_string(tag::AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA, bytes);
        }
        if let Some(bytes) =
            self.authenticated_encryption_tag.as_deref().filter(|_| version >= ProtocolVersion::V1_4)
        {
            writer.byte_string(tag::AUTHENTICATED_ENCRYPTION_TAG, bytes);
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }

    fn continues(&self) -> bool {
        self.part.correlation_value.is_some()
    }
}

/// KMIP 1.4 table 232.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The key.
    pub unique_identifier: String,
    /// The plaintext.
    pub data: Option<Secret>,
    /// What to send with the next part; since 1.3.
    pub correlation_value: Option<Vec<u8>>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: required_id(reader)?,
            data: optional_secret(reader, tag::DATA)?,
            correlation_value: optional_bytes(reader, tag::CORRELATION_VALUE)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, Some(&self.unique_identifier));
        if let Some(bytes) = self.data.as_ref() {
            writer.byte_string(tag::DATA, bytes.danger_bytes());
        }
        write_correlation_value(writer, self.correlation_value.as_deref(), version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
