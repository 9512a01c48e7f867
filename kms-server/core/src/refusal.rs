//! Why an operation is not carried out: one text for the client, another, where it helps, for the log.

use kmip::enumeration::ResultReason;
use kmip::operations::check;

/// A refusal. Neither text holds key material, and `message` says nothing of other tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, of those in the operation's error table (KMIP 1.4 chapter 11).
    pub reason: ResultReason,
    /// What the client reads.
    pub message: String,
    /// What the log says besides.
    pub log: Option<String>,
    /// What of a Check's request stands against it: the one answer that has a payload though it failed.
    pub(crate) denied: Option<Box<check::Response>>,
}

/// Characters of a refusal's text: 400, so that a client's own long texts, repeated, make no large response.
const MESSAGE_CHARS_MAX: usize = 400;

/// The way out of a node without quorum.
const TRY_AGAIN: &str = "hint: try again, or see kms cluster status";

/// What a client named, as a refusal may repeat it.
fn shown(id: &str) -> String {
    id.chars().take(crate::IDENTIFIER_CHARS_MAX).collect()
}

impl Refusal {
    /// A refusal of which the log needs to know no more than the client.
    pub fn new(reason: ResultReason, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
            message.truncate(end);
            message.push('…');
        }
        Self { reason, message, log: None, denied: None }
    }

    /// The same, with what only the log may say.
    pub fn logged(mut self, log: impl Into<String>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// No such object, or not this client's: the same words for both.
    pub fn item_not_found(id: &str) -> Self {
        Self::new(ResultReason::ItemNotFound, format!("no object with the Unique Identifier {:?}", shown(id)))
    }

    /// No such object here, and nobody to ask whether there is one.
    pub(crate) fn cannot_find(id: &str) -> Self {
        Self::cannot_say(&format!("an object with the Unique Identifier {:?} exists", shown(id)))
    }

    /// It is there, in the archive.
    pub(crate) fn object_archived(id: crate::Id) -> Self {
        Self::new(
            ResultReason::ObjectArchived,
            format!("the object {id} is archived; hint: Recover it first"),
        )
    }

    /// A node without quorum does not know whether `what`.
    pub(crate) fn cannot_say(what: &str) -> Self {
        Self::general_failure(format!(
            "this node cannot reach the other nodes, so it cannot say whether {what}; {TRY_AGAIN}"
        ))
    }

    /// A node without quorum changes nothing.
    pub(crate) fn cannot_change() -> Self {
        Self::general_failure(format!(
            "this node cannot reach the other nodes, so it changes nothing; {TRY_AGAIN}"
        ))
    }

    /// The same refusal of a node without quorum: where it says Item Not Found, others may know better.
    pub(crate) fn without_quorum(self) -> Self {
        if self.reason != ResultReason::ItemNotFound {
            return self;
        }
        let Self { message, log, .. } = self;
        let told =
            format!("this node cannot reach the other nodes, and from what it holds: {message}; {TRY_AGAIN}");
        Self { log, ..Self::general_failure(told) }
    }

    /// A value that is not allowed where it stands.
    pub fn invalid_field(message: impl Into<String>) -> Self {
        Self::new(ResultReason::InvalidField, message)
    }

    /// A message that is not as the specification says.
    pub fn invalid_message(message: impl Into<String>) -> Self {
        Self::new(ResultReason::InvalidMessage, message)
    }

    /// Understood, and not allowed.
    pub fn permission_denied(message: impl Into<String>) -> Self {
        Self::new(ResultReason::PermissionDenied, message)
    }

    /// Understood, and not possible with this object.
    pub fn illegal_operation(message: impl Into<String>) -> Self {
        Self::new(ResultReason::IllegalOperation, message)
    }

    /// Our fault.
    pub fn general_failure(message: impl Into<String>) -> Self {
        Self::new(ResultReason::GeneralFailure, message)
    }
}
