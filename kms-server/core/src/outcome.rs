//! What becomes of a request: the answer as bytes, what the audit says, and the refusals that answer a message as a whole.

use std::fmt;

use kmip::enumeration::{Operation, ResultReason, ResultStatus};
use kmip::{
    ProtocolVersion, RequestItem, RequestMessage, ResponseHeader, ResponseItem, ResponseMessage,
    ResponsePayload,
};
use zeroize::Zeroizing;

use crate::event::STORED;
use crate::{Entropy, Id, Limits, Refusal};

/// What became of a request. The events it drafted stand in the draft.
pub struct Outcome {
    /// The whole response message, in the version of the request; to be sent only when the events are on disk. It may
    /// hold key material, so it is wiped on drop.
    pub encoded: Zeroizing<Vec<u8>>,
    /// One entry an item, in order; to be written before the answer is sent.
    pub audit: Vec<AuditItem>,
    /// Objects whose material the answer holds.
    pub served: Vec<Id>,
    /// What tells the message from others.
    pub correlation: Correlation,
}

/// What tells a message from others in the logs of both its ends, since 1.4; either may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correlation {
    /// The client's word for it (KMIP 1.4 section 6.18).
    pub client: Option<String>,
    /// Ours, the same for no other message (KMIP 1.4 section 6.19).
    pub server: Option<String>,
}

impl Correlation {
    /// That of a request. Ours is made where the client has one too: who sends none has no log to hold it against, and the
    /// public test cases have no such field in their other answers.
    pub(crate) fn of(request: &RequestMessage, version: ProtocolVersion, entropy: &mut dyn Entropy) -> Self {
        let client = request.header.client_correlation_value.clone();
        if version < ProtocolVersion::V1_4 || client.is_none() {
            return Self::default();
        }
        Self { client, server: Some(Id::random(entropy).to_string()) }
    }

    fn of_client(request: &RequestMessage) -> Self {
        Self { client: request.header.client_correlation_value.clone(), server: None }
    }
}

/// Shows no byte of the answer.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("encoded_bytes", &self.encoded.len())
            .field("audit", &self.audit)
            .field("served", &self.served)
            .field("correlation", &self.correlation)
            .finish()
    }
}

/// What the audit says of one item. Holds no key material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditItem {
    /// What was asked; `None` where the message could not be read that far.
    pub operation: Option<Operation>,
    /// The object: as asked, as resolved by the ID Placeholder, or as made. What a client sent is cut at
    /// [`IDENTIFIER_CHARS_MAX`] characters.
    pub unique_identifier: Option<String>,
    /// How it ended.
    pub result_status: ResultStatus,
    /// Why it failed.
    pub result_reason: Option<ResultReason>,
    /// What the client was told.
    pub message: Option<String>,
    /// What only the log is told.
    pub log: Option<String>,
}

/// Characters of a client's text that an audit entry or a refusal repeats: 64, more than any identifier of ours.
pub const IDENTIFIER_CHARS_MAX: usize = 64;

/// Bytes that the answer to an ordinary request takes, a key among them. A larger one costs a copy that is not wiped.
const ANSWER_BYTES_USUAL: usize = 2048;

impl Outcome {
    pub(crate) fn new(
        version: ProtocolVersion,
        now: i64,
        correlation: Correlation,
        items: Vec<ResponseItem>,
        audit: Vec<AuditItem>,
        served: Vec<Id>,
    ) -> Self {
        let count = i32::try_from(items.len()).unwrap_or(i32::MAX);
        let mut header = ResponseHeader::new(version, now, count);
        header.server_correlation_value.clone_from(&correlation.server);
        let response = ResponseMessage { header, items };
        let mut encoded = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_USUAL));
        response.encode(&mut encoded);
        Self { encoded, audit, served, correlation }
    }

    /// An answer that was given to `request` before, to be given again byte for byte.
    ///
    /// The audit says of each item what the answer says, and [`served`](Self::served) names the objects whose material goes
    /// out again. What only the log was told is not told again. An answer that cannot be read, of a newer version, is
    /// given all the same; the audit then says so, with a status that is none of KMIP's.
    pub fn of_answer(request: &RequestMessage, encoded: Zeroizing<Vec<u8>>) -> Self {
        let response = match ResponseMessage::decode(&encoded, STORED) {
            Ok(response) => response,
            Err(error) => {
                let log = format!("an answer given before cannot be read, and was given again: {error}");
                let audit = request.items.iter().map(|item| unread(item, &log)).collect();
                return Self {
                    encoded,
                    audit,
                    served: Vec::new(),
                    correlation: Correlation::of_client(request),
                };
            }
        };
        let items = response.items.iter().enumerate();
        let audit = items.map(|(place, item)| answered(item, request.items.get(place))).collect();
        let served = response.items.iter().filter_map(served).collect();
        let server = response.header.server_correlation_value;
        let correlation = Correlation { server, ..Correlation::of_client(request) };
        Self { encoded, audit, served, correlation }
    }
}

/// The object whose material an answer holds.
pub(crate) fn served(item: &ResponseItem) -> Option<Id> {
    match &item.payload {
        Some(ResponsePayload::Get(response)) => Id::parse(&response.unique_identifier),
        _ => None,
    }
}

/// What the audit says of an item that was answered before.
pub(crate) fn answered(item: &ResponseItem, request: Option<&RequestItem>) -> AuditItem {
    let named = item.payload.as_ref().and_then(|payload| payload.unique_identifier()).map(str::to_owned);
    // An answer to the message as a whole names no operation, and is about no object.
    let request = request.filter(|_| item.operation.is_some());
    AuditItem {
        operation: item.operation,
        unique_identifier: named.or_else(|| request.and_then(asked)),
        result_status: item.result_status,
        result_reason: item.result_reason,
        message: item.result_message.clone(),
        log: None,
    }
}

/// What the audit says of an item whose answer cannot be read.
fn unread(item: &RequestItem, log: &str) -> AuditItem {
    AuditItem {
        operation: Some(item.operation),
        unique_identifier: asked(item),
        result_status: ResultStatus::Unknown(UNREAD_STATUS),
        result_reason: None,
        message: None,
        log: Some(log.to_owned()),
    }
}

/// The status of an item whose answer cannot be read: one that KMIP leaves to extensions.
const UNREAD_STATUS: u32 = 0x8000_0000;

/// The most bytes that the answer to `request` may have: what its client takes, or what this server sends, whichever is
/// less.
pub(crate) fn response_bytes_max(request: &RequestMessage, limits: &Limits) -> usize {
    let asked = request.header.maximum_response_size.map(|bytes| usize::try_from(bytes).unwrap_or(0));
    asked.map_or(limits.response_bytes_max, |asked| asked.min(limits.response_bytes_max))
}

pub(crate) fn too_large(limit: usize) -> Refusal {
    Refusal::new(
        ResultReason::ResponseTooLarge,
        format!(
            "the response would have more than {limit} bytes, nothing was done; hint: ask for less at once, or raise \
             Maximum Response Size"
        ),
    )
}

/// What an item names, as the audit may repeat it.
pub(crate) fn asked(item: &RequestItem) -> Option<String> {
    item.payload.unique_identifier().map(|asked| asked.chars().take(IDENTIFIER_CHARS_MAX).collect())
}

pub(crate) fn failed(
    operation: Option<Operation>,
    unique_batch_item_id: Option<Vec<u8>>,
    unique_identifier: Option<String>,
    refusal: &Refusal,
) -> (ResponseItem, AuditItem) {
    let mut response =
        ResponseItem::failure(operation, unique_batch_item_id, refusal.reason, refusal.message.clone());
    response.payload = refusal.denied.as_deref().map(|denied| denied.clone().into());
    let audit = AuditItem {
        operation,
        unique_identifier,
        result_status: ResultStatus::OperationFailed,
        result_reason: Some(refusal.reason),
        message: Some(refusal.message.clone()),
        log: refusal.log.clone(),
    };
    (response, audit)
}

/// Refuses a message as a whole, in one item that names no operation: it could not be read, or no item of it can be
/// answered.
pub fn refuse_message(version: ProtocolVersion, now: i64, refusal: &Refusal) -> Outcome {
    let (item, audit) = failed(None, None, None, refusal);
    Outcome::new(version, now, Correlation::default(), vec![item], vec![audit], Vec::new())
}

/// Refuses each item of a message for the same reason, operations and batch item identifiers echoed: a response that
/// is too large, an audit that cannot be written, a node without quorum. `version` is that of the answer, 1.0 to 1.4.
pub fn refuse_all(
    request: &RequestMessage,
    version: ProtocolVersion,
    now: i64,
    refusal: &Refusal,
) -> Outcome {
    let (items, audit) = request
        .items
        .iter()
        .map(|item| failed(Some(item.operation), item.unique_batch_item_id.clone(), asked(item), refusal))
        .collect::<(Vec<_>, Vec<_>)>();
    Outcome::new(version, now, Correlation::of_client(request), items, audit, Vec::new())
}
