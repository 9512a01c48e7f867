//! Requests that are put off: what Operation Pending, Poll and Cancel stand for here (KMIP 1.4 sections 4.27, 4.28, 6.7).
//!
//! What takes long is made while its caller waits, so what is asynchronous here is only *when* a request is carried out. A
//! request whose client takes asynchronous answers is kept in the log for [`DEFER_S`], in which it can be canceled, and is
//! then carried out by whichever node leads; or at once when its client asks for the outcome. Carrying out and keeping the
//! outcome are one entry of the log, so a request is carried out once or not at all, and outcome and effect survive together.

use std::sync::Arc;

use kmip::enumeration::{CancellationResult, ObjectType, Operation, ResultReason, ResultStatus};
use kmip::operations::cancel;
use kmip::{ProtocolVersion, RequestMessage, ResponseItem, ResponseMessage};
use zeroize::Zeroizing;

use crate::event::{Deferred, STORED, Stage};
use crate::objects::{DEFERRED_PER_CLIENT_MAX, DEFERRED_S_MAX};
use crate::operations::Call;
use crate::{About, Context, Draft, Event, Id, Outcome, Refusal, handle, refuse_all, refuse_message};

/// Seconds that a request is put off: long enough to cancel it, not so long that one misses what it does.
pub const DEFER_S: i64 = 5;

/// Bytes of a request that is put off; a longer one is carried out at once. So many that those of one client that wait fill
/// half of what is kept for it.
const DEFERRED_REQUEST_BYTES_MAX: usize = 64 << 10;

/// What the sealed bytes are, so that a request is never taken for an answer: types of the extension range, which no object
/// here has.
const REQUEST: ObjectType = ObjectType::Unknown(0x8000_5401);
const ANSWER: ObjectType = ObjectType::Unknown(0x8000_5402);

/// Whether a request is to be carried out at `now`: it was put off long enough, and is not too old.
pub fn is_due(deferred: &Deferred, now: i64) -> bool {
    let age = now.saturating_sub(deferred.at);
    deferred.is_waiting() && (DEFER_S..=DEFERRED_S_MAX).contains(&age)
}

/// Whether the server puts an operation off at all. Cryptography is what a caller waits for, and may come in parts; pairs,
/// derived keys and the pair of a tenant's first certificate are made beside the task that decides, while their caller
/// waits; what asks about the server, or about a
/// request that was put off, is answered at once.
fn can_wait(operation: Operation) -> bool {
    use Operation as O;
    let cryptographic = matches!(
        operation,
        O::Encrypt
            | O::Decrypt
            | O::Sign
            | O::SignatureVerify
            | O::Mac
            | O::MacVerify
            | O::Hash
            | O::RngRetrieve
            | O::RngSeed
    );
    let takes_long =
        matches!(operation, O::CreateKeyPair | O::ReKeyKeyPair | O::DeriveKey | O::Certify | O::ReCertify);
    let asks = matches!(operation, O::Query | O::DiscoverVersions | O::Poll | O::Cancel);
    !(cryptographic || takes_long || asks)
}

/// Puts a request off, and says under which correlation value; `None` where it is to be carried out at once: "the server
/// decides which operations are performed synchronously or asynchronously".
///
/// Batches are carried out at once, as an item may mean what the one before it made.
pub(crate) fn put_off(
    request: &RequestMessage,
    context: &mut Context<'_>,
    draft: &mut Draft<'_>,
) -> Result<Option<Id>, Refusal> {
    let [item] = request.items.as_slice() else { return Ok(None) };
    let asked = request.header.asynchronous_indicator == Some(true) && can_wait(item.operation);
    // A node without quorum keeps nothing.
    if !asked || draft.is_stale() {
        return Ok(None);
    }
    let client = &context.client.name;
    if draft.deferred_waiting_of(client) >= DEFERRED_PER_CLIENT_MAX {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    bare(request).encode(&mut bytes);
    if bytes.len() > DEFERRED_REQUEST_BYTES_MAX {
        return Ok(None);
    }
    let value = Id::random(context.entropy);
    let sealed = seal(value, REQUEST, &bytes, context)?;
    let (client, at) = (Arc::clone(client), context.now);
    draft.push(Event::Deferred(Deferred { value, client, at, stage: Stage::Waiting, sealed }.into()));
    Ok(Some(value))
}

/// The request without what is of its own message alone: who sent it is known, and how large an answer may be, Poll says.
fn bare(request: &RequestMessage) -> RequestMessage {
    let mut bare = request.clone();
    bare.header.asynchronous_indicator = None;
    bare.header.authentication.clear();
    bare.header.maximum_response_size = None;
    bare.header.client_correlation_value = None;
    bare
}

/// Carries a request out that was put off, and drafts its outcome with what it does. `context` is that of the client that
/// sent it, as it is registered now.
///
/// What was kept and cannot be opened any more counts as failed. Fails, and drafts nothing, where the outcome cannot be
/// sealed.
pub fn settle(
    deferred: &Deferred,
    context: &mut Context<'_>,
    draft: &mut Draft<'_>,
) -> Result<Outcome, Refusal> {
    let mark = draft.mark();
    let outcome = match request(deferred, context) {
        Ok(request) => handle(&request, context, draft),
        Err(refusal) => refuse_message(ProtocolVersion::V1_4, context.now, &refusal),
    };
    let succeeded = outcome.audit.iter().all(|item| item.result_status == ResultStatus::Success);
    let stage = if succeeded { Stage::Completed } else { Stage::Failed };
    if let Err(refusal) = keep(deferred, stage, &outcome.encoded, context, draft) {
        draft.rollback(mark);
        return Err(refusal);
    }
    Ok(outcome)
}

fn request(deferred: &Deferred, context: &Context<'_>) -> Result<RequestMessage, Refusal> {
    let bytes = open(deferred, REQUEST, context)?;
    RequestMessage::decode(&bytes, STORED).map_err(|error| unreadable(deferred, error))
}

fn keep(
    deferred: &Deferred,
    stage: Stage,
    answer: &[u8],
    context: &Context<'_>,
    draft: &mut Draft<'_>,
) -> Result<(), Refusal> {
    let sealed = seal(deferred.value, ANSWER, answer, context)?;
    draft.push(Event::Deferred(Deferred { stage, sealed, ..deferred.clone() }.into()));
    Ok(())
}

impl Call<'_, '_, '_> {
    /// What became of a request that was put off; if it waits still, it is carried out now. The answer is "identical to the
    /// response that would have been sent if the operation had completed synchronously".
    pub(crate) fn poll(&mut self, value: &[u8]) -> Result<ResponseItem, Refusal> {
        let deferred = self.deferred(value).ok_or_else(|| {
            Refusal::new(
                ResultReason::ItemNotFound,
                "no request of this client is outstanding under that Asynchronous Correlation Value",
            )
        })?;
        let answer = match deferred.stage {
            Stage::Waiting => {
                let outcome = settle(&deferred, self.context, self.draft)?;
                self.served.extend(&outcome.served);
                outcome.encoded
            }
            Stage::Completed | Stage::Failed | Stage::Canceled => open(&deferred, ANSWER, self.context)?,
        };
        let response =
            ResponseMessage::decode(&answer, STORED).map_err(|error| unreadable(&deferred, error))?;
        let item = response.items.into_iter().next();
        item.ok_or_else(|| Refusal::general_failure("the outcome that was kept holds no answer"))
    }

    /// Cancels a request that was put off, unless it was carried out.
    pub(crate) fn cancel(&mut self, value: &[u8]) -> Result<cancel::Response, Refusal> {
        let deferred = self.deferred(value);
        let cancellation_result = match deferred.as_ref().map(|deferred| deferred.stage) {
            None => CancellationResult::Unavailable,
            Some(Stage::Waiting | Stage::Canceled) => CancellationResult::Canceled,
            Some(Stage::Completed) => CancellationResult::Completed,
            Some(Stage::Failed) => CancellationResult::Failed,
        };
        if let Some(deferred) = deferred.filter(|deferred| deferred.is_waiting()) {
            self.keep_canceled(&deferred)?;
        }
        Ok(cancel::Response { asynchronous_correlation_value: value.to_vec(), cancellation_result })
    }

    /// Whoever polls it later is told.
    fn keep_canceled(&mut self, deferred: &Deferred) -> Result<(), Refusal> {
        let request = request(deferred, self.context)?;
        let refusal = Refusal::new(ResultReason::OperationCanceledByRequester, "the request was canceled");
        let canceled = refuse_all(&request, self.version, self.now(), &refusal);
        keep(deferred, Stage::Canceled, &canceled.encoded, self.context, self.draft)
    }

    /// The request of this very client under a correlation value, unless it is too old.
    fn deferred(&self, value: &[u8]) -> Option<Arc<Deferred>> {
        let deferred = self.draft.deferred(Id::from_slice(value)?)?;
        let kept = self.now().saturating_sub(deferred.at) <= DEFERRED_S_MAX;
        (kept && deferred.client == self.context.client.name).then_some(deferred)
    }
}

fn about<'a>(value: Id, what: ObjectType, context: &Context<'a>) -> About<'a> {
    About { id: value, object_type: what, tenant: &context.client.tenant }
}

fn seal(value: Id, what: ObjectType, plain: &[u8], context: &Context<'_>) -> Result<Vec<u8>, Refusal> {
    context.vault.seal(&about(value, what, context), plain).map_err(|error| {
        Refusal::general_failure("the server could not seal what is kept of a request that is put off")
            .logged(format!("sealing {value}: {error}"))
    })
}

fn open(deferred: &Deferred, what: ObjectType, context: &Context<'_>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let value = deferred.value;
    context.vault.open(&about(value, what, context), &deferred.sealed).map_err(|error| {
        Refusal::general_failure(
            "the server could not open what it kept of this request; hint: its log says why",
        )
        .logged(format!("opening {value}: {error}"))
    })
}

fn unreadable(deferred: &Deferred, error: ttlv::Error) -> Refusal {
    Refusal::general_failure("what was kept of this request cannot be read")
        .logged(format!("{}: {error}", deferred.value))
}
