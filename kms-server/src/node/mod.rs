//! The node: what stands between the ports and kms-core.
//!
//! Reads are answered where they arrive, from the objects in memory. Whatever changes something goes to the one
//! `writer`, and is answered when it is on disk. Every item is in the audit before its answer leaves.

mod operator;
mod start;
mod state;
mod vault;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use kmip::enumeration::ResultReason;
use kmip::{ProtocolVersion, RequestMessage};
use kms_core::{AuditItem, Client, Draft, Outcome, Refusal, is_read_only, refuse_all, refuse_message};
use tracing::{debug, error, warn};
use ttlv::HEADER_BYTES;

use self::state::State;
use self::vault::KeyringVault;
use self::writer::{LogPosition, Writer};
use crate::admin::Health;
use crate::audit;
use crate::config::credentials_directory;
use crate::disk::{DataDir, Log as _, Newborn, Snapshots};
use crate::entropy;
use crate::root_key::RootKey;
use crate::run::Shared;
use crate::session::{After, Peer, Service};
use crate::trust::Trust;

/// A node that serves.
#[derive(Debug)]
pub struct Node {
    shared: Shared,
    state: Arc<State>,
    writer: Writer,
    started: i64,
    /// Held while a client is registered or removed.
    registering: tokio::sync::Mutex<()>,
    /// Locked for as long as the node lives.
    _dir: DataDir,
}

impl Node {
    /// Opens the data directory and reads back what it holds.
    ///
    /// Fails where the root key is not to be had or is another, the directory is in use, or what is on disk is damaged
    /// beyond what the rest makes good; each in words, with the way out.
    pub fn open(shared: Shared) -> anyhow::Result<Arc<Self>> {
        let config = &shared.config;
        let clock = Arc::clone(&shared.clock);
        let root = RootKey::load(&config.root_key, credentials_directory().as_deref())
            .context("cannot load the root key")?;
        let (dir, log) =
            DataDir::open(&config.data_dir, entropy::array(), clock.unix_seconds(), Newborn::Founds)
                .with_context(|| format!("cannot open the data directory {}", config.data_dir.display()))?;
        let snapshots = Snapshots::new(dir.path(), config.snapshot.keep);
        let keyring = start::keyring(root, &dir, &log, &snapshots)?;
        let start = start::read(&log, &snapshots, &clock)?;
        for (version, wrapped) in start.objects.data_keys() {
            keyring.adopt(version, wrapped).context("cannot take a data key of the log into the keyring")?;
        }
        shared.metrics.holds(start.objects.len(), start.objects.clients().count());
        shared.trust.replace(Trust::of(start.objects.clients())?);
        let started = clock.unix_seconds();
        let state = Arc::new(State::new(start.objects, KeyringVault(keyring), clock, config.limits.core));
        let position = LogPosition { applied: start.applied, first: log.first(), snapshot: start.snapshot };
        let writer = Writer::start(Arc::clone(&state), &shared, log, snapshots, position)
            .context("cannot start the writer's thread")?;
        Ok(Arc::new(Self {
            shared,
            state,
            writer,
            started,
            registering: tokio::sync::Mutex::default(),
            _dir: dir,
        }))
    }

    /// Finishes what waits for the disk, and closes the log.
    pub async fn close(&self) {
        self.writer.end().await;
    }

    /// What becomes of a request that could be read.
    async fn outcome(&self, request: &Arc<RequestMessage>, client: &Arc<Client>, bytes: usize) -> Outcome {
        if is_read_only(request)
            && let Some(outcome) = self.read(request, client)
        {
            return outcome;
        }
        match self.writer.request(Arc::clone(request), Arc::clone(client), bytes).await {
            Some(outcome) => outcome,
            None => self
                .failed(request, &Refusal::general_failure("the server is ending; hint: ask another node")),
        }
    }

    /// The answer to a request that changes nothing; `None` where it turns out to change something after all.
    fn read(&self, request: &RequestMessage, client: &Client) -> Option<Outcome> {
        let objects = self.state.objects();
        let mut draft = Draft::new(&objects);
        let outcome = self.state.decide(request, client, &mut draft);
        draft.events().is_empty().then_some(outcome)
    }

    fn failed(&self, request: &RequestMessage, refusal: &Refusal) -> Outcome {
        let version = request.header.protocol_version.min(ProtocolVersion::V1_4);
        refuse_all(request, version, self.state.clock.unix_seconds(), refusal)
    }

    /// Puts an outcome into the audit, counts it, and appends its answer: in this order.
    fn deliver(
        &self,
        who: Who<'_>,
        request: Option<&RequestMessage>,
        outcome: Outcome,
        answer: &mut Vec<u8>,
    ) {
        let outcome = match (self.audit(who, &outcome.audit), request) {
            (Ok(()), _) => outcome,
            (Err(error), request) => {
                error!("{error}");
                let refusal =
                    Refusal::general_failure("the server cannot write its audit; hint: its log says why");
                match request {
                    Some(request) => self.failed(request, &refusal),
                    None => refuse_message(ProtocolVersion::V1_0, self.state.clock.unix_seconds(), &refusal),
                }
            }
        };
        for item in &outcome.audit {
            self.shared.metrics.request(operation_name(item), status_name(item));
            if let Some(log) = &item.log {
                warn!(client = who.client, operation = operation_name(item), "{log}");
            }
        }
        self.state.note_read(&outcome.served);
        answer.extend_from_slice(&outcome.encoded);
    }

    fn audit(&self, who: Who<'_>, items: &[AuditItem]) -> Result<(), audit::AuditError> {
        let time = self.state.clock.unix_seconds();
        let lines: Vec<audit::Line<'_>> = items
            .iter()
            .map(|item| audit::Line {
                time,
                client: who.client,
                tenant: who.tenant,
                address: who.address,
                operation: operation_name(item),
                unique_identifier: item.unique_identifier.as_deref(),
                result_status: status_name(item),
                result_reason: item.result_reason.and_then(ResultReason::name),
                message_bytes: who.message_bytes,
            })
            .collect();
        self.shared.audit.write(&lines)
    }

    /// Says when a client's clock is far from ours. Nothing is refused for it: a client without a clock is a client too.
    fn note_clock(&self, client: &str, request: &RequestMessage) {
        let Some(time_stamp) = request.header.time_stamp else { return };
        let apart = self.state.clock.unix_seconds().abs_diff(time_stamp);
        if apart > u64::from(self.shared.config.limits.clock_skew_s_max) {
            debug!(
                client,
                "the client's clock and ours are {apart} s apart; hint: do both ask a time server?"
            );
        }
    }

    fn ttlv_limits(&self) -> ttlv::Limits {
        self.shared.config.limits.ttlv
    }
}

/// Who sent a message, for the audit.
#[derive(Clone, Copy)]
struct Who<'a> {
    client: &'a str,
    tenant: &'a str,
    /// None for the operator's own socket.
    address: Option<SocketAddr>,
    message_bytes: usize,
}

impl Who<'_> {
    fn stranger(address: SocketAddr, message_bytes: usize) -> Self {
        Who { client: "-", tenant: "-", address: Some(address), message_bytes }
    }
}

fn operation_name(item: &AuditItem) -> &'static str {
    match item.operation {
        Some(operation) => operation.name().unwrap_or("unknown operation"),
        None => "unreadable message",
    }
}

fn status_name(item: &AuditItem) -> &'static str {
    item.result_status.name().unwrap_or("unknown status")
}

impl Service for Node {
    async fn answer(&self, peer: &Peer, request: &[u8], answer: &mut Vec<u8>) -> After {
        let began = Instant::now();
        let who = Who {
            client: &peer.client.name,
            tenant: peer.client.tenant.as_str(),
            address: Some(peer.address),
            message_bytes: request.len(),
        };
        let message = match RequestMessage::decode(request, self.ttlv_limits()) {
            Ok(message) => message,
            Err(error) => {
                let version = RequestMessage::version_of(request).unwrap_or(ProtocolVersion::V1_0);
                let refusal = Refusal::invalid_message(format!("the message cannot be read {error}"));
                let outcome = refuse_message(version, self.state.clock.unix_seconds(), &refusal);
                self.deliver(who, None, outcome, answer);
                return After::KeepOpen;
            }
        };
        self.note_clock(who.client, &message);
        let first =
            message.items.first().and_then(|item| item.operation.name()).unwrap_or("unknown operation");
        let message = Arc::new(message);
        let outcome = self.outcome(&message, &peer.client, request.len()).await;
        self.deliver(who, Some(&message), outcome, answer);
        self.shared.metrics.request_took(first, began.elapsed());
        After::KeepOpen
    }

    fn answer_stranger(&self, address: SocketAddr, request: &[u8], answer: &mut Vec<u8>) -> After {
        let version = RequestMessage::version_of(request).unwrap_or(ProtocolVersion::V1_0);
        let refusal = Refusal::new(
            ResultReason::AuthenticationNotSuccessful,
            "no registered client certificate came with this connection; hint: kms client add",
        );
        let outcome = refuse_message(version, self.state.clock.unix_seconds(), &refusal);
        self.deliver(Who::stranger(address, request.len()), None, outcome, answer);
        After::Close
    }

    fn refuse_oversized(&self, address: SocketAddr, header: &[u8; HEADER_BYTES], answer: &mut Vec<u8>) {
        let limit = self.ttlv_limits().message_bytes_max;
        let refusal = Refusal::invalid_message(format!("a request has at most {limit} bytes"));
        let outcome = refuse_message(ProtocolVersion::V1_0, self.state.clock.unix_seconds(), &refusal);
        self.deliver(Who::stranger(address, header.len()), None, outcome, answer);
    }
}

impl Health for Node {
    fn ailing(&self) -> Option<String> {
        (!self.writer.is_alive()).then(|| "the log is closed".to_owned())
    }

    /// Really opens a key: the vault may be gone while everything listens.
    async fn not_ready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        reasons.extend(self.ailing());
        reasons.extend(self.state.cannot_read());
        reasons
    }
}
