//! What went wrong with one request, in words that are the same for all requests that failed alike.

use kmip::client::ClientError;
use kmip::client::vcenter::{VCenterError, VCenterErrorKind};

use super::question::refused;

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The same for all that failed alike: no address, identifier or number of bytes.
    pub(super) reason: String,
    /// This one, whole.
    pub(super) example: String,
    /// Whether the connection may go on.
    pub(super) connection_is_usable: bool,
}

impl Fault {
    /// The server answered, and not as it should.
    pub(super) fn answer(reason: impl Into<String>, example: impl Into<String>) -> Self {
        Self { reason: reason.into(), example: example.into(), connection_is_usable: true }
    }
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        Self { reason: kind(&error), example: error.to_string(), connection_is_usable: false }
    }
}

impl From<VCenterError> for Fault {
    fn from(error: VCenterError) -> Self {
        let example = error.to_string();
        let reason = match &error.source {
            VCenterErrorKind::Client(client) => kind(client),
            VCenterErrorKind::Unexpected(_) => "an answer that vCenter would not accept".to_owned(),
        };
        Self { reason: format!("{}: {reason}", error.step), example, connection_is_usable: false }
    }
}

fn kind(error: &ClientError) -> String {
    match error {
        ClientError::Configuration { .. } => "the client's own settings".to_owned(),
        ClientError::Connect { source, .. } => format!("no TCP connection: {}", source.kind()),
        ClientError::Tls { phase, .. } => format!("TLS ended while {phase}"),
        ClientError::Timeout { phase, .. } => format!("timed out while {phase}"),
        ClientError::Closed { .. } => "closed by the server".to_owned(),
        ClientError::Io { phase, source, .. } => format!("connection lost while {phase}: {}", source.kind()),
        ClientError::Malformed { .. } => "an answer that is not KMIP".to_owned(),
        ClientError::Mismatch { .. } => "an answer to another question".to_owned(),
        ClientError::Spent { .. } => "a connection that failed before".to_owned(),
        ClientError::Failed(failure) => refused(failure.status, failure.reason),
        _ => "another failure".to_owned(),
    }
}
