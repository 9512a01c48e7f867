//! What can go wrong between a client and a server, told apart by whose fault it may be.

use std::io;
use std::time::Duration;

use rustls::AlertDescription;

use crate::enumeration::{ResultReason, ResultStatus};

/// Why there is no answer, or not the one that was asked for. Each text ends with a hint for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// What the client was given does not fit together: certificates, key, address. Nothing was sent.
    #[error("{what}: {why}; hint: {hint}")]
    Configuration {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        why: String,
        /// What usually helps.
        hint: &'static str,
    },
    /// No TCP connection.
    #[error("connecting to {address}: {source}; hint: {}", connect_hint(.source))]
    Connect {
        /// Host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// TLS ended, in the handshake or, where TLS 1.3 refuses a client certificate, at the first answer.
    #[error("TLS with {address}, {phase}: {source}; hint: {}", tls_hint(.source))]
    Tls {
        /// Host and port.
        address: String,
        /// What was being done.
        phase: Phase,
        /// What rustls says.
        source: rustls::Error,
    },
    /// Nothing came in time. The connection is of no more use: the answer may still come.
    #[error(
        "{address}: no progress within {} ms of {phase}; hint: is the server overloaded, or is something \
         between swallowing packets?",
        .after.as_millis()
    )]
    Timeout {
        /// Host and port.
        address: String,
        /// What was being done.
        phase: Phase,
        /// How long was waited.
        after: Duration,
    },
    /// The server ended the connection before its answer was whole.
    #[error(
        "{address} closed the connection after {bytes_received} bytes of an answer; hint: with TLS 1.3 a client \
         certificate that is not trusted can look like this, as can a server that stops"
    )]
    Closed {
        /// Host and port.
        address: String,
        /// Bytes of the answer that had come.
        bytes_received: usize,
    },
    /// The system ended the connection.
    #[error("{address}, {phase}: {source}; hint: the server or something between dropped the connection")]
    Io {
        /// Host and port.
        address: String,
        /// What was being done.
        phase: Phase,
        /// What the system says.
        source: io::Error,
    },
    /// The answer is not KMIP, or larger than `response_bytes_max`.
    #[error("the answer of {address} is not a KMIP response: {source}; hint: is this port a KMIP server's?")]
    Malformed {
        /// Host and port.
        address: String,
        /// What is wrong with it, and where.
        source: ttlv::Error,
    },
    /// The answer is KMIP, and not one to this question.
    #[error(
        "{address} answered another question: expected {expected}, got {got}; hint: this is the server's bug"
    )]
    Mismatch {
        /// Host and port.
        address: String,
        /// What an answer must be.
        expected: String,
        /// What it was.
        got: String,
    },
    /// An earlier failure left the connection where answers can no longer be told to their questions.
    #[error("the connection to {address} failed before; hint: connect again")]
    Spent {
        /// Host and port.
        address: String,
    },
    /// The server answered, and said no.
    #[error("{0}")]
    Failed(Failure),
}

impl ClientError {
    /// The TLS alert that the server sent, where it sent one.
    pub fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Tls { source: rustls::Error::AlertReceived(alert), .. } => Some(*alert),
            _ => None,
        }
    }

    /// The failure that the server answered with, where it answered.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// A batch item's answer that is no success (KMIP 1.4 sections 6.9 to 6.11).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server answered {status}{}{}; hint: its audit log says more",
    .reason.map(|reason| format!(", {reason}")).unwrap_or_default(),
    .message.as_ref().map(|message| format!(": {message:?}")).unwrap_or_default()
)]
pub struct Failure {
    /// Operation Failed, Pending or Undone.
    pub status: ResultStatus,
    /// Why, for programs.
    pub reason: Option<ResultReason>,
    /// Why, for people.
    pub message: Option<String>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Opening TCP.
    Connecting,
    /// The TLS handshake.
    Handshaking,
    /// Sending a request.
    Sending,
    /// Waiting for, or reading, an answer.
    Receiving,
    /// Ending TLS.
    Closing,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Handshaking => "the handshake",
            Self::Sending => "sending the request",
            Self::Receiving => "waiting for the answer",
            Self::Closing => "closing",
        })
    }
}

fn connect_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there: is the server started, is the port 5696?",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "no route: check the address",
        io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => "the address is host:port, as in kms1:5696",
        _ => "check the address and the network between",
    }
}

fn tls_hint(error: &rustls::Error) -> &'static str {
    use rustls::{AlertDescription as Alert, CertificateError as Wrong, Error};
    match error {
        Error::AlertReceived(alert) => match *alert {
            Alert::CertificateRequired | Alert::HandshakeFailure | Alert::NoCertificate => {
                "the server wants a client certificate, or shares no cipher suite with us"
            }
            Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnknownCA | Alert::AccessDenied => {
                "the server does not trust this client certificate: add the client there first"
            }
            Alert::CertificateExpired => "the client certificate has expired, or the server's clock is wrong",
            Alert::CertificateRevoked => "the client was taken away on the server",
            Alert::UnsupportedCertificate => "the server cannot use this kind of client certificate",
            Alert::ProtocolVersion => "the server speaks none of the TLS versions that are allowed here",
            Alert::UnrecognisedName => "the server has no certificate for this name",
            Alert::InternalError => "the server failed: its log says why",
            _ => "the server's log says why it ended the handshake",
        },
        Error::InvalidCertificate(wrong) => match wrong {
            Wrong::UnknownIssuer => {
                "the server's certificate is not of the given CA: is it the right CA file?"
            }
            Wrong::Expired | Wrong::ExpiredContext { .. } => {
                "the server's certificate has expired, or our clock is wrong"
            }
            Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet, or our clock is wrong"
            }
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                "the certificate does not carry this address: set the server's name, or do not verify the name"
            }
            Wrong::ApplicationVerificationFailure => "this is not the pinned certificate: was it renewed?",
            _ => "the server's certificate cannot be used",
        },
        Error::InvalidMessage(_) => "what answers there does not speak TLS",
        Error::PeerIncompatible(_) => "no TLS version or cipher suite in common",
        _ => "see the server's log",
    }
}
