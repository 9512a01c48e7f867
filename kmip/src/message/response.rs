//! Response messages (KMIP 1.4 tables 281, 284 and 285).

use ttlv::{Budget, Error, Limits, Node, Reader, Writer};

use super::{MESSAGE_BYTES, MessageExtension, items_capacity};
use crate::absent::{optional_bytes, optional_text};
use crate::enumeration::{AttestationType, Operation, ResultReason, ResultStatus};
use crate::{ProtocolVersion, ResponsePayload, tag};

/// A whole response.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseMessage {
    /// What goes for all items.
    pub header: ResponseHeader,
    /// The answers, in order.
    pub items: Vec<ResponseItem>,
}

/// KMIP 1.4 table 284.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub struct ResponseHeader {
    pub protocol_version: ProtocolVersion,
    /// Seconds since 1970.
    pub time_stamp: i64,
    /// Since 1.2.
    pub nonce: Option<Nonce>,
    /// Since 1.2.
    pub attestation_types: Vec<AttestationType>,
    /// Since 1.4; in responses of a client.
    pub client_correlation_value: Option<String>,
    /// Since 1.4.
    pub server_correlation_value: Option<String>,
    pub batch_count: i32,
}

/// KMIP 1.4 section 2.1.14: a server's challenge, for attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub struct Nonce {
    pub id: Vec<u8>,
    pub value: Vec<u8>,
}

/// KMIP 1.4 table 285.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub struct ResponseItem {
    /// Absent where the request could not be read that far.
    pub operation: Option<Operation>,
    pub unique_batch_item_id: Option<Vec<u8>>,
    pub result_status: ResultStatus,
    pub result_reason: Option<ResultReason>,
    pub result_message: Option<String>,
    pub asynchronous_correlation_value: Option<Vec<u8>>,
    pub payload: Option<ResponsePayload>,
    /// What the payload held that its operation does not know, in order.
    pub unrecognised: Vec<Node>,
    pub message_extension: Option<MessageExtension>,
}

impl ResponseHeader {
    /// A header that says nothing but the version, the time and the count.
    pub fn new(protocol_version: ProtocolVersion, time_stamp: i64, batch_count: i32) -> Self {
        Self {
            protocol_version,
            time_stamp,
            nonce: None,
            attestation_types: Vec::new(),
            client_correlation_value: None,
            server_correlation_value: None,
            batch_count,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut reader = reader.required(tag::RESPONSE_HEADER)?.structure()?;
        let header = Self {
            protocol_version: ProtocolVersion::read(&mut reader)?,
            time_stamp: reader.required(tag::TIME_STAMP)?.date_time()?,
            nonce: match reader.optional(tag::NONCE)? {
                Some(item) => {
                    let mut reader = item.structure()?;
                    let nonce = Nonce {
                        id: reader.required(tag::NONCE_ID)?.byte_string()?.to_vec(),
                        value: reader.required(tag::NONCE_VALUE)?.byte_string()?.to_vec(),
                    };
                    reader.finish()?;
                    Some(nonce)
                }
                None => None,
            },
            attestation_types: {
                let mut types = Vec::new();
                while let Some(item) = reader.optional(tag::ATTESTATION_TYPE)? {
                    types.push(AttestationType::from_number(item.enumeration()?));
                }
                types
            },
            client_correlation_value: optional_text(&mut reader, tag::CLIENT_CORRELATION_VALUE)?,
            server_correlation_value: optional_text(&mut reader, tag::SERVER_CORRELATION_VALUE)?,
            batch_count: reader.required(tag::BATCH_COUNT)?.integer()?,
        };
        reader.finish()?;
        Ok(header)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let since = |version| self.protocol_version >= version;
        writer.structure(tag::RESPONSE_HEADER, |writer| {
            self.protocol_version.write(writer);
            writer.date_time(tag::TIME_STAMP, self.time_stamp);
            if since(ProtocolVersion::V1_2) {
                if let Some(nonce) = &self.nonce {
                    writer.structure(tag::NONCE, |writer| {
                        writer.byte_string(tag::NONCE_ID, &nonce.id);
                        writer.byte_string(tag::NONCE_VALUE, &nonce.value);
                    });
                }
                for attestation_type in &self.attestation_types {
                    writer.enumeration(tag::ATTESTATION_TYPE, attestation_type.number());
                }
            }
            if since(ProtocolVersion::V1_4) {
                if let Some(text) = &self.client_correlation_value {
                    writer.text_string(tag::CLIENT_CORRELATION_VALUE, text);
                }
                if let Some(text) = &self.server_correlation_value {
                    writer.text_string(tag::SERVER_CORRELATION_VALUE, text);
                }
            }
            writer.integer(tag::BATCH_COUNT, self.batch_count);
        });
    }
}

impl ResponseItem {
    /// An answer that carries what was asked for.
    pub fn success(unique_batch_item_id: Option<Vec<u8>>, payload: ResponsePayload) -> Self {
        Self {
            operation: Some(payload.operation()),
            unique_batch_item_id,
            result_status: ResultStatus::Success,
            result_reason: None,
            result_message: None,
            asynchronous_correlation_value: None,
            payload: Some(payload),
            unrecognised: Vec::new(),
            message_extension: None,
        }
    }

    /// An answer that says that the operation is put off, and under which Asynchronous Correlation Value.
    pub fn pending(
        operation: Operation,
        unique_batch_item_id: Option<Vec<u8>>,
        asynchronous_correlation_value: Vec<u8>,
    ) -> Self {
        Self {
            operation: Some(operation),
            unique_batch_item_id,
            result_status: ResultStatus::OperationPending,
            result_reason: None,
            result_message: None,
            asynchronous_correlation_value: Some(asynchronous_correlation_value),
            payload: None,
            unrecognised: Vec::new(),
            message_extension: None,
        }
    }

    /// An answer that says why not; `message` is for the client and holds no secret.
    pub fn failure(
        operation: Option<Operation>,
        unique_batch_item_id: Option<Vec<u8>>,
        reason: ResultReason,
        message: impl Into<String>,
    ) -> Self {
        Self {
            operation,
            unique_batch_item_id,
            result_status: ResultStatus::OperationFailed,
            result_reason: Some(reason),
            result_message: Some(message.into()),
            asynchronous_correlation_value: None,
            payload: None,
            unrecognised: Vec::new(),
            message_extension: None,
        }
    }

    fn read(item: &ttlv::Item<'_>, version: ProtocolVersion) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let operation = reader
            .optional(tag::OPERATION)?
            .map(|item| item.enumeration().map(Operation::from_number))
            .transpose()?;
        let unique_batch_item_id = optional_bytes(&mut reader, tag::UNIQUE_BATCH_ITEM_ID)?;
        let result_status = ResultStatus::from_number(reader.required(tag::RESULT_STATUS)?.enumeration()?);
        let result_reason = reader
            .optional(tag::RESULT_REASON)?
            .map(|item| item.enumeration().map(ResultReason::from_number))
            .transpose()?;
        let result_message = optional_text(&mut reader, tag::RESULT_MESSAGE)?;
        let asynchronous_correlation_value =
            optional_bytes(&mut reader, tag::ASYNCHRONOUS_CORRELATION_VALUE)?;
        let (payload, unrecognised) = reader
            .optional(tag::RESPONSE_PAYLOAD)?
            .map(|item| ResponsePayload::read(operation, &item, version))
            .transpose()?
            .unzip();
        let unrecognised = unrecognised.unwrap_or_default();
        let message_extension =
            reader.optional(tag::MESSAGE_EXTENSION)?.map(|item| MessageExtension::read(&item)).transpose()?;
        reader.finish()?;
        Ok(Self {
            operation,
            unique_batch_item_id,
            result_status,
            result_reason,
            result_message,
            asynchronous_correlation_value,
            payload,
            unrecognised,
            message_extension,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.structure(tag::BATCH_ITEM, |writer| {
            if let Some(operation) = self.operation {
                writer.enumeration(tag::OPERATION, operation.number());
            }
            if let Some(id) = &self.unique_batch_item_id {
                writer.byte_string(tag::UNIQUE_BATCH_ITEM_ID, id);
            }
            writer.enumeration(tag::RESULT_STATUS, self.result_status.number());
            if let Some(reason) = self.result_reason {
                writer.enumeration(tag::RESULT_REASON, reason.for_version(version).number());
            }
            if let Some(message) = &self.result_message {
                writer.text_string(tag::RESULT_MESSAGE, message);
            }
            if let Some(value) = &self.asynchronous_correlation_value {
                writer.byte_string(tag::ASYNCHRONOUS_CORRELATION_VALUE, value);
            }
            if let Some(payload) = &self.payload {
                writer.structure(tag::RESPONSE_PAYLOAD, |writer| {
                    payload.write(writer, version);
                    self.unrecognised.iter().for_each(|node| node.write(writer));
                });
            }
            if let Some(extension) = &self.message_extension {
                extension.write(writer);
            }
        });
    }
}

impl ResponseMessage {
    /// Decodes a whole message; the first thing wrong ends it.
    pub fn decode(bytes: &[u8], limits: Limits) -> Result<Self, Error> {
        let budget = Budget::new(limits);
        let message = Reader::message(bytes, &budget)?;
        if message.tag != tag::RESPONSE_MESSAGE {
            return Err(Error::new(0, tag::RESPONSE_MESSAGE, ttlv::ErrorKind::Missing));
        }
        let mut reader = message.structure()?;
        let header = ResponseHeader::read(&mut reader)?;
        let mut items = Vec::with_capacity(items_capacity(header.batch_count));
        while let Some(item) = reader.optional(tag::BATCH_ITEM)? {
            items.push(ResponseItem::read(&item, header.protocol_version)?);
        }
        reader.finish()?;
        Ok(Self { header, items })
    }

    /// Appends the message as a client of its version may see it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(MESSAGE_BYTES);
        Writer::new(out).structure(tag::RESPONSE_MESSAGE, |writer| {
            self.header.write(writer);
            self.items.iter().for_each(|item| item.write(writer, self.header.protocol_version));
        });
    }
}

impl ResultReason {
    /// The reason as a client of `version` knows it: General Failure where the reason came later.
    pub fn for_version(self, version: ProtocolVersion) -> Self {
        if self.introduced() <= version { self } else { Self::GeneralFailure }
    }
}
