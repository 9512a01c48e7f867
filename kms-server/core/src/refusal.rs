//! Why an operation is not carried out: one text for the client, another, where it helps, for the log.

use kmip::enumeration::ResultReason;

/// A refusal. Neither text holds key material, and `message` says nothing of other tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, of those in the operation's error table (KMIP 1.4 chapter 11).
    pub reason: ResultReason,
    /// What the client reads.
    pub message: String,
    /// What the log says besides.
    pub log: Option<String>,
}

/// Characters of a refusal's text: 400, so that a client's own long texts, repeated, make no large response.
const MESSAGE_CHARS_MAX: usize = 400;

impl Refusal {
    /// A refusal of which the log needs to know no more than the client.
    pub fn new(reason: ResultReason, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
            message.truncate(end);
            message.push('…');
        }
        Self { reason, message, log: None }
    }

    /// The same, with what only the log may say.
    pub fn logged(mut self, log: impl Into<String>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// No such object, or not this client's: the same words for both.
    pub fn item_not_found(id: &str) -> Self {
        let shown: String = id.chars().take(crate::IDENTIFIER_CHARS_MAX).collect();
        Self::new(ResultReason::ItemNotFound, format!("no object with the Unique Identifier {shown:?}"))
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
