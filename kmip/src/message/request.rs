//! Request messages (KMIP 1.4 tables 280, 282 and 283).

use ttlv::{Budget, Error, Limits, Node, Reader, Writer};

use super::{Credential, MESSAGE_BYTES, MessageExtension, items_capacity};
use crate::absent::{optional_bytes, optional_text};
use crate::enumeration::{AttestationType, BatchErrorContinuationOption, Operation};
use crate::{ProtocolVersion, RequestPayload, tag};

/// A whole request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestMessage {
    /// What goes for all items.
    pub header: RequestHeader,
    /// What is asked, in order.
    pub items: Vec<RequestItem>,
}

/// KMIP 1.4 table 282.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub struct RequestHeader {
    pub protocol_version: ProtocolVersion,
    /// Bytes of the response message.
    pub maximum_response_size: Option<i32>,
    /// Since 1.4.
    pub client_correlation_value: Option<String>,
    /// Since 1.4; in requests of a server.
    pub server_correlation_value: Option<String>,
    pub asynchronous_indicator: Option<bool>,
    /// Since 1.2.
    pub attestation_capable_indicator: Option<bool>,
    /// Since 1.2.
    pub attestation_types: Vec<AttestationType>,
    pub authentication: Vec<Credential>,
    pub batch_error_continuation_option: Option<BatchErrorContinuationOption>,
    pub batch_order_option: Option<bool>,
    /// Seconds since 1970.
    pub time_stamp: Option<i64>,
    pub batch_count: i32,
}

/// KMIP 1.4 table 283.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub struct RequestItem {
    pub operation: Operation,
    pub unique_batch_item_id: Option<Vec<u8>>,
    pub payload: RequestPayload,
    /// What the payload held that its operation does not know, in order.
    pub unrecognised: Vec<Node>,
    pub message_extension: Option<MessageExtension>,
}

impl RequestHeader {
    /// A header that says nothing but the version and the count.
    pub fn new(protocol_version: ProtocolVersion, batch_count: i32) -> Self {
        Self {
            protocol_version,
            maximum_response_size: None,
            client_correlation_value: None,
            server_correlation_value: None,
            asynchronous_indicator: None,
            attestation_capable_indicator: None,
            attestation_types: Vec::new(),
            authentication: Vec::new(),
            batch_error_continuation_option: None,
            batch_order_option: None,
            time_stamp: None,
            batch_count,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut reader = reader.required(tag::REQUEST_HEADER)?.structure()?;
        let header = Self {
            protocol_version: ProtocolVersion::read(&mut reader)?,
            maximum_response_size: reader
                .optional(tag::MAXIMUM_RESPONSE_SIZE)?
                .map(|item| item.integer())
                .transpose()?,
            client_correlation_value: optional_text(&mut reader, tag::CLIENT_CORRELATION_VALUE)?,
            server_correlation_value: optional_text(&mut reader, tag::SERVER_CORRELATION_VALUE)?,
            asynchronous_indicator: reader
                .optional(tag::ASYNCHRONOUS_INDICATOR)?
                .map(|item| item.boolean())
                .transpose()?,
            attestation_capable_indicator: reader
                .optional(tag::ATTESTATION_CAPABLE_INDICATOR)?
                .map(|item| item.boolean())
                .transpose()?,
            attestation_types: {
                let mut types = Vec::new();
                while let Some(item) = reader.optional(tag::ATTESTATION_TYPE)? {
                    types.push(AttestationType::from_number(item.enumeration()?));
                }
                types
            },
            authentication: match reader.optional(tag::AUTHENTICATION)? {
                Some(item) => {
                    let mut reader = item.structure()?;
                    let mut credentials = Vec::new();
                    while let Some(item) = reader.optional(tag::CREDENTIAL)? {
                        credentials.push(Credential::read(&item)?);
                    }
                    reader.finish()?;
                    credentials
                }
                None => Vec::new(),
            },
            batch_error_continuation_option: reader
                .optional(tag::BATCH_ERROR_CONTINUATION_OPTION)?
                .map(|item| item.enumeration().map(BatchErrorContinuationOption::from_number))
                .transpose()?,
            batch_order_option: reader
                .optional(tag::BATCH_ORDER_OPTION)?
                .map(|item| item.boolean())
                .transpose()?,
            time_stamp: reader.optional(tag::TIME_STAMP)?.map(|item| item.date_time()).transpose()?,
            batch_count: reader.required(tag::BATCH_COUNT)?.integer()?,
        };
        reader.finish()?;
        Ok(header)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let since = |version| self.protocol_version >= version;
        writer.structure(tag::REQUEST_HEADER, |writer| {
            self.protocol_version.write(writer);
            if let Some(size) = self.maximum_response_size {
                writer.integer(tag::MAXIMUM_RESPONSE_SIZE, size);
            }
            if since(ProtocolVersion::V1_4) {
                if let Some(text) = &self.client_correlation_value {
                    writer.text_string(tag::CLIENT_CORRELATION_VALUE, text);
                }
                if let Some(text) = &self.server_correlation_value {
                    writer.text_string(tag::SERVER_CORRELATION_VALUE, text);
                }
            }
            if let Some(flag) = self.asynchronous_indicator {
                writer.boolean(tag::ASYNCHRONOUS_INDICATOR, flag);
            }
            if since(ProtocolVersion::V1_2) {
                if let Some(flag) = self.attestation_capable_indicator {
                    writer.boolean(tag::ATTESTATION_CAPABLE_INDICATOR, flag);
                }
                for attestation_type in &self.attestation_types {
                    writer.enumeration(tag::ATTESTATION_TYPE, attestation_type.number());
                }
            }
            if !self.authentication.is_empty() {
                writer.structure(tag::AUTHENTICATION, |writer| {
                    self.authentication.iter().for_each(|credential| credential.write(writer));
                });
            }
            if let Some(option) = self.batch_error_continuation_option {
                writer.enumeration(tag::BATCH_ERROR_CONTINUATION_OPTION, option.number());
            }
            if let Some(flag) = self.batch_order_option {
                writer.boolean(tag::BATCH_ORDER_OPTION, flag);
            }
            if let Some(time) = self.time_stamp {
                writer.date_time(tag::TIME_STAMP, time);
            }
            writer.integer(tag::BATCH_COUNT, self.batch_count);
        });
    }
}

impl RequestItem {
    /// An item that asks `payload`, with no Unique Batch Item ID.
    pub fn new(payload: RequestPayload) -> Self {
        Self {
            operation: payload.operation(),
            unique_batch_item_id: None,
            payload,
            unrecognised: Vec::new(),
            message_extension: None,
        }
    }

    /// Reads into `items`, as an item is half a kilobyte, and returning it would copy that twice.
    fn read_into(
        items: &mut Vec<Self>,
        item: &ttlv::Item<'_>,
        version: ProtocolVersion,
    ) -> Result<(), Error> {
        let mut reader = item.structure()?;
        let operation = Operation::from_number(reader.required(tag::OPERATION)?.enumeration()?);
        let unique_batch_item_id = optional_bytes(&mut reader, tag::UNIQUE_BATCH_ITEM_ID)?;
        let (payload, unrecognised) =
            RequestPayload::read(operation, &reader.required(tag::REQUEST_PAYLOAD)?, version);
        let message_extension =
            reader.optional(tag::MESSAGE_EXTENSION)?.map(|item| MessageExtension::read(&item)).transpose()?;
        reader.finish()?;
        items.push(Self { operation, unique_batch_item_id, payload, unrecognised, message_extension });
        Ok(())
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.structure(tag::BATCH_ITEM, |writer| {
            writer.enumeration(tag::OPERATION, self.operation.number());
            if let Some(id) = &self.unique_batch_item_id {
                writer.byte_string(tag::UNIQUE_BATCH_ITEM_ID, id);
            }
            writer.structure(tag::REQUEST_PAYLOAD, |writer| {
                self.payload.write(writer, version);
                self.unrecognised.iter().for_each(|node| node.write(writer));
            });
            if let Some(extension) = &self.message_extension {
                extension.write(writer);
            }
        });
    }
}

impl RequestMessage {
    /// A message of these payloads, without Unique Batch Item IDs.
    pub fn new(
        protocol_version: ProtocolVersion,
        payloads: impl IntoIterator<Item = RequestPayload>,
    ) -> Self {
        let items: Vec<_> = payloads.into_iter().map(RequestItem::new).collect();
        let count = i32::try_from(items.len()).unwrap_or(i32::MAX);
        Self { header: RequestHeader::new(protocol_version, count), items }
    }

    /// Decodes a whole message.
    ///
    /// Fails where the bytes are no TTLV, or the header or the frame of an item is not as the specification says. A bad
    /// payload is no failure: its item holds [`RequestPayload::Malformed`]. Whether Batch Count tells the truth is the
    /// receiver's to check.
    pub fn decode(bytes: &[u8], limits: Limits) -> Result<Self, Error> {
        let budget = Budget::new(limits);
        let message = Reader::message(bytes, &budget)?;
        if message.tag != tag::REQUEST_MESSAGE {
            return Err(Error::new(0, tag::REQUEST_MESSAGE, ttlv::ErrorKind::Missing));
        }
        let mut reader = message.structure()?;
        let header = RequestHeader::read(&mut reader)?;
        let mut items = Vec::with_capacity(items_capacity(header.batch_count));
        while let Some(item) = reader.optional(tag::BATCH_ITEM)? {
            RequestItem::read_into(&mut items, &item, header.protocol_version)?;
        }
        reader.finish()?;
        Ok(Self { header, items })
    }

    /// The version of a message that cannot be read any further, so that it is refused in its own version.
    pub fn version_of(bytes: &[u8]) -> Option<ProtocolVersion> {
        // Inside two structures whose lengths may be wrong, so they are stepped into and not read.
        let inside = bytes.get(2 * ttlv::HEADER_BYTES..)?;
        let budget = Budget::new(Limits::default());
        let version = ProtocolVersion::read(&mut Reader::items(inside, &budget)).ok()?;
        version.is_known().then_some(version)
    }

    /// Appends the message in its own version.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(MESSAGE_BYTES);
        Writer::new(out).structure(tag::REQUEST_MESSAGE, |writer| {
            self.header.write(writer);
            self.items.iter().for_each(|item| item.write(writer, self.header.protocol_version));
        });
    }
}
