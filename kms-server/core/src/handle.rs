//! One request, decided: the batch, its options, and what becomes of the whole when one item fails (KMIP 1.4 chapters 6
//! and 7, sections 11.1 and 11.43).

use kmip::enumeration::{BatchErrorContinuationOption, Operation, ResultReason, ResultStatus};
use kmip::{
    ProtocolVersion, RequestItem, RequestMessage, RequestPayload, ResponseHeader, ResponseItem,
    ResponseMessage,
};

use crate::operations::{self, Call};
use crate::{Context, Draft, Id, Refusal, authorise};

/// What became of a request. The events it drafted stand in the draft.
#[derive(Debug)]
pub struct Outcome {
    /// The answer; to be sent only when the events are on disk.
    pub response: ResponseMessage,
    /// One entry an item, in order; to be written before the answer is sent.
    pub audit: Vec<AuditItem>,
    /// Objects whose material the answer holds.
    pub served: Vec<Id>,
}

/// What the audit says of one item. Holds no key material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditItem {
    /// What was asked; `None` where the message could not be read that far.
    pub operation: Option<Operation>,
    /// The object: as asked, as resolved by the ID Placeholder, or as made.
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

/// Whether a request can be answered without changing anything, but for the freshness of what it fetches.
pub fn is_read_only(request: &RequestMessage) -> bool {
    request.items.iter().all(|item| {
        matches!(
            item.payload,
            RequestPayload::Get(_)
                | RequestPayload::GetAttributes(_)
                | RequestPayload::GetAttributeList(_)
                | RequestPayload::Locate(_)
                | RequestPayload::Check(_)
                | RequestPayload::Query(_)
                | RequestPayload::DiscoverVersions(_)
                | RequestPayload::Other { .. }
                | RequestPayload::Malformed { .. }
        )
    })
}

/// Decides a request on top of `draft`, which then holds its events too.
///
/// Cannot fail as a whole: what is wrong is said in the response.
pub fn handle(request: &RequestMessage, context: &mut Context<'_>, draft: &mut Draft<'_>) -> Outcome {
    let begin = draft.mark();
    let asked = request.header.protocol_version;
    let version = match spoken(asked) {
        Ok(version) => version,
        Err(refusal) => return refuse_message(ProtocolVersion::V1_4, context.now, &refusal),
    };
    if let Err(refusal) = check_message(request, context) {
        return refuse_message(version, context.now, &refusal);
    }
    if let Some(extension) =
        request.items.iter().filter_map(|item| item.message_extension.as_ref()).find(|extension| {
            // "the receiver SHALL reject the entire message" (KMIP 1.4 section 6.16)
            extension.criticality_indicator
        })
    {
        let vendor = &extension.vendor_identification;
        let message = format!("a critical message extension of {vendor:?} is not understood here");
        return refuse_all(
            request,
            version,
            context.now,
            &Refusal::new(ResultReason::FeatureNotSupported, message),
        );
    }
    let mut batch = Batch {
        version,
        asked,
        id_placeholder: None,
        items: Vec::new(),
        audit: Vec::new(),
        served: Vec::new(),
    };
    batch.run(request, context, draft, begin);
    let count = i32::try_from(batch.items.len()).unwrap_or(i32::MAX);
    let response =
        ResponseMessage { header: ResponseHeader::new(version, context.now, count), items: batch.items };
    Outcome { response, audit: batch.audit, served: batch.served }
}

/// The version that the answer is in: the request's own, or our newest where its minor version is newer still, whose
/// unknown fields are passed over (KMIP 1.4 section 11.1).
fn spoken(asked: ProtocolVersion) -> Result<ProtocolVersion, Refusal> {
    if asked.major != 1 || asked.minor < 0 {
        return Err(Refusal::invalid_message(format!("expected KMIP version 1.0 to 1.4, got {asked}")));
    }
    Ok(asked.min(ProtocolVersion::V1_4))
}

fn check_message(request: &RequestMessage, context: &Context<'_>) -> Result<(), Refusal> {
    let (count, announced) = (request.items.len(), request.header.batch_count);
    let limit = context.limits.batch_items_max;
    if count > limit {
        return Err(Refusal::invalid_message(format!("a batch has at most {limit} items, got {count}")));
    }
    if i32::try_from(count) != Ok(announced) {
        return Err(Refusal::invalid_message(format!(
            "Batch Count says {announced}, the message holds {count} items"
        )));
    }
    if count == 0 {
        return Err(Refusal::invalid_message("the message holds no batch item"));
    }
    Ok(())
}

struct Batch {
    version: ProtocolVersion,
    asked: ProtocolVersion,
    id_placeholder: Option<Id>,
    items: Vec<ResponseItem>,
    audit: Vec<AuditItem>,
    served: Vec<Id>,
}

impl Batch {
    /// Items in the order they came: that serves both values of the Batch Order Option (KMIP 1.4 section 6.12).
    fn run(
        &mut self,
        request: &RequestMessage,
        context: &mut Context<'_>,
        draft: &mut Draft<'_>,
        begin: usize,
    ) {
        let option =
            request.header.batch_error_continuation_option.unwrap_or(BatchErrorContinuationOption::Stop);
        for item in &request.items {
            let mark = draft.mark();
            let result = self.item(item, context, draft);
            let failed = result.is_err();
            if failed {
                draft.rollback(mark);
            }
            self.answer(item, result);
            if !failed {
                continue;
            }
            match option {
                BatchErrorContinuationOption::Continue => {}
                BatchErrorContinuationOption::Undo => {
                    draft.rollback(begin);
                    self.undo();
                    return;
                }
                BatchErrorContinuationOption::Stop | BatchErrorContinuationOption::Unknown(_) => return,
            }
        }
    }

    fn item(
        &mut self,
        item: &RequestItem,
        context: &mut Context<'_>,
        draft: &mut Draft<'_>,
    ) -> Result<operations::Done, Refusal> {
        let operation = item.operation;
        if let RequestPayload::Malformed { error, .. } = &item.payload {
            return Err(Refusal::invalid_message(format!("{operation}: {}", error_text(error))));
        }
        // Discover Versions came with 1.1, and is how a client of 1.0 finds that out.
        if operation.introduced() > self.version && operation != Operation::DiscoverVersions {
            return Err(not_supported(operation, self.version));
        }
        // "Same major & minor version, unknown field": Invalid Field; a newer minor version's are passed over.
        if let (Some(node), true) = (item.unrecognised.first(), self.asked == self.version) {
            let name = kmip::tag::name(node.tag).unwrap_or("unknown tag");
            return Err(Refusal::invalid_field(format!(
                "{operation} has no field {name} ({}) there",
                node.tag
            )));
        }
        let authorised = authorise(context.client, operation)?;
        let mut call = Call {
            authorised,
            version: self.version,
            context,
            draft,
            id_placeholder: &mut self.id_placeholder,
            served: &mut self.served,
        };
        operations::carry_out(&item.payload, &mut call)
    }

    fn answer(&mut self, item: &RequestItem, result: Result<operations::Done, Refusal>) {
        let id = item.unique_batch_item_id.clone();
        let asked = operations::unique_identifier(&item.payload).map(str::to_owned);
        let (response, audit) = match result {
            Ok(done) => {
                let audit = AuditItem {
                    operation: Some(item.operation),
                    unique_identifier: done.unique_identifier.or(asked),
                    result_status: ResultStatus::Success,
                    result_reason: None,
                    message: None,
                    log: None,
                };
                (ResponseItem::success(id, done.payload), audit)
            }
            Err(refusal) => failed(Some(item.operation), id, asked, &refusal),
        };
        self.items.push(response);
        self.audit.push(audit);
    }

    /// All items but the one that failed, which is the last, "are returned with Undone result status" (KMIP 1.4 section
    /// 11.43).
    fn undo(&mut self) {
        let before = self.items.len().saturating_sub(1);
        for (item, audit) in self.items.iter_mut().zip(&mut self.audit).take(before) {
            item.result_status = ResultStatus::OperationUndone;
            item.payload = None;
            audit.result_status = ResultStatus::OperationUndone;
        }
        self.served.clear();
    }
}

pub(crate) fn not_supported(operation: Operation, version: ProtocolVersion) -> Refusal {
    let message =
        format!("this server has no operation {operation} in KMIP {version}; hint: ask Query which it has");
    Refusal::new(ResultReason::OperationNotSupported, message)
}

/// A decoding error for the client, its tag by name.
fn error_text(error: &ttlv::Error) -> String {
    match error.tag.and_then(kmip::tag::name) {
        Some(name) => format!("{name}, at byte {}: {}", error.offset, error.kind),
        None => error.to_string(),
    }
}

fn failed(
    operation: Option<Operation>,
    unique_batch_item_id: Option<Vec<u8>>,
    unique_identifier: Option<String>,
    refusal: &Refusal,
) -> (ResponseItem, AuditItem) {
    let response =
        ResponseItem::failure(operation, unique_batch_item_id, refusal.reason, refusal.message.clone());
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
    Outcome {
        response: ResponseMessage { header: ResponseHeader::new(version, now, 1), items: vec![item] },
        audit: vec![audit],
        served: Vec::new(),
    }
}

/// Refuses each item of a message for the same reason, operations and batch item identifiers echoed: a response that
/// is too large, an audit that cannot be written, a node without quorum.
pub fn refuse_all(
    request: &RequestMessage,
    version: ProtocolVersion,
    now: i64,
    refusal: &Refusal,
) -> Outcome {
    let (items, audit) = request
        .items
        .iter()
        .map(|item| {
            let asked = operations::unique_identifier(&item.payload).map(str::to_owned);
            failed(Some(item.operation), item.unique_batch_item_id.clone(), asked, refusal)
        })
        .collect::<(Vec<_>, Vec<_>)>();
    let count = i32::try_from(items.len()).unwrap_or(i32::MAX);
    let response = ResponseMessage { header: ResponseHeader::new(version, now, count), items };
    Outcome { response, audit, served: Vec::new() }
}
