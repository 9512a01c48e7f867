//! One call by someone who has no certificate of the cluster yet: a node that joins. All that it knows is an address
//! and the fingerprint of the cluster's CA.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use tokio::time::timeout;

use super::dial::dial;
use super::outbox::{self, Lane, Outbox};
use super::peers::Settings;
use super::verify::{Anchor, NodeVerifier};
use super::wire::{self, Broken, STRANGER_BODY_BYTES_MAX};

/// Why a stranger's call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection, or it broke.
    #[error("cannot ask {address}: {why}")]
    Unreachable {
        /// Where it was sent.
        address: String,
        /// What went wrong.
        why: String,
    },
    /// What is there does not belong to the cluster whose CA was named.
    #[error("{address} is not trusted: {why}")]
    Untrusted {
        /// Where it was sent.
        address: String,
        /// What is wrong with its certificates.
        why: String,
    },
    /// The node there speaks another version.
    #[error("cannot ask {address}: {why}")]
    Version {
        /// Where it was sent.
        address: String,
        /// Both versions.
        why: String,
    },
    /// The node there refused it, in these words.
    #[error("{address} refused: {why}")]
    Refused {
        /// Where it was sent.
        address: String,
        /// Its words.
        why: String,
    },
    /// No answer came in time; it may have been carried out.
    #[error("{address} did not answer within {} ms", within.as_millis())]
    TimedOut {
        /// Where it was sent.
        address: String,
        /// How long was waited.
        within: Duration,
    },
    /// The request is larger than a stranger may send.
    #[error("the request has {0} bytes, a stranger may send {max}", max = STRANGER_BODY_BYTES_MAX)]
    TooLarge(usize),
    /// The cryptography provider does not support TLS 1.3.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// Sends `request` as a stranger to the node at `address` (host:port), and waits for its answer, at most `within`. The
/// node must present, after its own certificate, the CA whose SHA-256 is `ca_fingerprint`; before it does nothing is
/// sent to it.
pub async fn ask(
    address: &str,
    ca_fingerprint: [u8; 32],
    kind: u8,
    request: Vec<u8>,
    within: Duration,
) -> Result<Vec<u8>, AskError> {
    if request.len() > STRANGER_BODY_BYTES_MAX {
        return Err(AskError::TooLarge(request.len()));
    }
    let config = Arc::new(config(ca_fingerprint)?);
    let address = address.to_owned();
    match timeout(within, converse(&address, config, kind, request)).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(why))) => Err(AskError::Refused { address, why }),
        Ok(Err(broken)) => {
            let why = broken.to_string();
            Err(match broken {
                Broken::Version(_) => AskError::Version { address, why },
                Broken::Io(error) if is_about_certificates(&error) => AskError::Untrusted { address, why },
                _ => AskError::Unreachable { address, why },
            })
        }
        Err(_) => Err(AskError::TimedOut { address, within }),
    }
}

async fn converse(
    address: &str,
    config: Arc<ClientConfig>,
    kind: u8,
    request: Vec<u8>,
) -> Result<Result<Vec<u8>, String>, Broken> {
    let Settings { beat_every, silence_max, queue_bytes_max, .. } = Settings::default();
    let mut dialled = dial(address, None, config, silence_max).await?;
    let outbox = Outbox::default();
    outbox.put(Lane::of(kind), 1, kind, request);
    let reading = async {
        loop {
            let frame = dialled.reader.next(silence_max).await?;
            match frame.kind {
                wire::ANSWER => return Ok(Ok(frame.body)),
                wire::REFUSAL => return Ok(Err(String::from_utf8_lossy(&frame.body).into_owned())),
                wire::BEAT => {}
                other => return Err(Broken::Kind(other)),
            }
        }
    };
    tokio::select! {
        read = reading => read,
        written = outbox::write_all(&outbox, dialled.writer, beat_every, queue_bytes_max) => {
            Err(written.err().unwrap_or(Broken::Closed))
        }
    }
}

fn config(ca_fingerprint: [u8; 32]) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = NodeVerifier::new(Anchor::Pinned(ca_fingerprint), &provider);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

fn is_about_certificates(error: &std::io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
}
