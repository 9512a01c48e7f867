//! One request, decided: the batch, its options, and what becomes of the whole when one item fails (KMIP 1.4 chapters 6
//! and 7, sections 11.1 and 11.43).

use kmip::enumeration::{
    BatchErrorContinuationOption, CredentialType, Operation, ResultReason, ResultStatus,
};
use kmip::message::Credential;
use kmip::{ProtocolVersion, RequestItem, RequestMessage, RequestPayload, ResponseItem};

use crate::later;
use crate::operations::{self, Call, Done};
use crate::outcome::{answered, asked, failed, response_bytes_max, served, too_large};
use crate::{
    AuditItem, Context, Correlation, Draft, Id, Outcome, Refusal, authorise, refuse_all, refuse_message, size,
};

/// Whether a request can be answered without changing anything, but for the freshness of what it fetches.
pub fn is_read_only(request: &RequestMessage) -> bool {
    request.items.iter().all(|item| reads(&item.payload))
}

/// Whether a request may turn out to change nothing: what it comes to is then known before anyone is asked to decide it.
pub fn may_only_read(request: &RequestMessage) -> bool {
    request.items.iter().all(|item| reads(&item.payload) || item.payload.may_only_read())
}

fn reads(payload: &RequestPayload) -> bool {
    // What is not understood is refused, which changes nothing either.
    let refused = matches!(payload, RequestPayload::Other { .. } | RequestPayload::Malformed { .. });
    refused || payload.only_reads()
}

/// Decides a request on top of `draft`, which then holds its events too.
///
/// Cannot fail as a whole: what is wrong is said in the response. A response of more bytes than the client takes
/// (Maximum Response Size, KMIP 1.4 section 6.3) or than [`Limits::response_bytes_max`](crate::Limits) is not sent:
/// every item is refused with Response Too Large, and no event of the request stays in the draft.
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
    if let Some(refusal) = attested(request) {
        return refuse_all(request, version, context.now, &refusal);
    }
    let mut batch = Batch {
        version,
        asked,
        limit: response_bytes_max(request, context.limits),
        answered_bytes: 0,
        id_placeholder: None,
        items: Vec::new(),
        audit: Vec::new(),
        served: Vec::new(),
    };
    batch.run(request, context, draft, begin);
    if !batch.is_hopeless() {
        let Batch { limit, items, audit, served, .. } = batch;
        let correlation = Correlation::of(request, version, context.entropy);
        let outcome = Outcome::new(version, context.now, correlation, items, audit, served);
        if outcome.encoded.len() <= limit {
            return outcome;
        }
    }
    draft.rollback(begin);
    let limit = response_bytes_max(request, context.limits);
    refuse_all(request, version, context.now, &too_large(limit))
}

/// The version that the answer is in: the request's own, or our newest where its minor version is newer still, whose
/// unknown fields are passed over (KMIP 1.4 section 11.1).
fn spoken(asked: ProtocolVersion) -> Result<ProtocolVersion, Refusal> {
    if asked.major != 1 || asked.minor < 0 {
        return Err(Refusal::invalid_message(format!("expected KMIP version 1.0 to 1.4, got {asked}")));
    }
    Ok(asked.min(ProtocolVersion::V1_4))
}

/// Why a message is refused that comes with an attestation: nothing here needs one, and nobody could validate it, so it must
/// not pass for validated (KMIP 1.4 section 11.1). A client that only says that it could attest is let in.
fn attested(request: &RequestMessage) -> Option<Refusal> {
    let attests = |credential: &Credential| credential.credential_type == CredentialType::Attestation;
    request.header.authentication.iter().any(attests).then(|| {
        Refusal::new(
            ResultReason::AttestationFailed,
            "this server validates no attestation; hint: leave the Attestation credential out, it is never required",
        )
    })
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
    /// Bytes that the answer may have.
    limit: usize,
    /// Bytes that the answers so far have at least.
    answered_bytes: usize,
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
            let mut result = self.item(request, item, context, draft);
            if draft.is_stale() {
                result = result.map_err(Refusal::without_quorum);
            }
            let failed = result.is_err();
            if failed {
                draft.rollback(mark);
            }
            self.answer(item, result);
            if self.is_hopeless() {
                return;
            }
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

    /// Whether the answer is too large already, however the rest of the batch ends: it is not gathered further.
    fn is_hopeless(&self) -> bool {
        self.answered_bytes > self.limit
    }

    fn item(
        &mut self,
        request: &RequestMessage,
        item: &RequestItem,
        context: &mut Context<'_>,
        draft: &mut Draft<'_>,
    ) -> Result<Done, Refusal> {
        let operation = item.operation;
        // Discover Versions came with 1.1, and is how a client of 1.0 finds that out.
        if operation.introduced() > self.version && operation != Operation::DiscoverVersions {
            return Err(not_supported(operation, self.version));
        }
        if let RequestPayload::Malformed { error, .. } = &item.payload {
            return Err(Refusal::invalid_message(format!("{operation}: {}", error_text(error))));
        }
        self.check_recognised(item)?;
        if let RequestPayload::Other { .. } = &item.payload {
            return Err(not_supported(operation, self.version));
        }
        let authorised = authorise(context.client, operation)?;
        if draft.is_stale() && !reads(&item.payload) {
            return Err(Refusal::cannot_change());
        }
        if let Some(value) = later::put_off(request, context, draft)? {
            return Ok(Done::Pending(value));
        }
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

    /// Refuses a field that is there twice, and one that is unknown in the request's own version; a newer minor version's
    /// unknown fields are passed over (KMIP 1.4 section 11.1).
    fn check_recognised(&self, item: &RequestItem) -> Result<(), Refusal> {
        let (Some(node), true) = (item.unrecognised.first(), self.asked == self.version) else {
            return Ok(());
        };
        let (operation, tag) = (item.operation, node.tag);
        let name = kmip::tag::name(tag).unwrap_or("unknown tag");
        if operations::holds_field(&item.payload, tag, self.version) {
            return Err(Refusal::invalid_message(format!(
                "{operation} has the field {name} twice, or out of order"
            )));
        }
        Err(Refusal::invalid_field(format!("{operation} has no field {name} ({tag}) there")))
    }

    fn answer(&mut self, item: &RequestItem, result: Result<Done, Refusal>) {
        let id = item.unique_batch_item_id.clone();
        let (response, audit) = match result {
            Ok(done) => {
                let response = self.done(item, done, id);
                let audit = answered(&response, Some(item));
                (response, audit)
            }
            Err(refusal) => failed(Some(item.operation), id, asked(item), &refusal),
        };
        self.items.push(response);
        self.audit.push(audit);
    }

    fn done(&mut self, item: &RequestItem, done: Done, id: Option<Vec<u8>>) -> ResponseItem {
        let response = match done {
            Done::Answer(payload) => ResponseItem::success(id, payload),
            Done::Pending(value) => ResponseItem::pending(item.operation, id, value.as_bytes().to_vec()),
            Done::Kept(kept) => {
                // It may have gone out before; it does again.
                self.served.extend(served(&kept));
                ResponseItem { unique_batch_item_id: id, ..*kept }
            }
        };
        let bytes = response.payload.as_ref().map_or(0, size::of_payload);
        self.answered_bytes = self.answered_bytes.saturating_add(bytes);
        response
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
        self.answered_bytes = 0;
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
