//! Where messages are answered: read, given to the taker, put into the audit, counted, and only then answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use daemon::throttle::Throttle;
use kmip::enumeration::ResultReason;
use kmip::{ProtocolVersion, RequestMessage};
use kms_core::{AuditItem, Client, Correlation, Outcome, Refusal, refuse_all, refuse_message};
use tokio::sync::watch;
use tracing::{debug, error, warn};
use ttlv::HEADER_BYTES;

use super::health::KeyLook;
use super::state::{Asker, State};
use super::taker::Taker;
use crate::audit::{self, Audit};
use crate::config::Limits;
use crate::credentials::Credentials;
use crate::metrics::Metrics;
use crate::session::{After, Peer};

/// What a message needs on its way to its answer.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) taker: Taker,
    pub(super) audit: Arc<Audit>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: Limits,
    /// The node's name.
    pub(super) name: String,
    /// True once the server ends.
    pub(super) draining: watch::Receiver<bool>,
    /// Holds back lines about what fronts hand over for strangers.
    pub(super) throttle: Throttle,
    pub(super) key_look: KeyLook,
    pub(super) credentials: Credentials,
}

impl Desk {
    /// Answers a message of a client; see [`Service`](crate::session::Service).
    pub(super) async fn answer(&self, peer: &Peer, request: &[u8], answer: &mut Vec<u8>) -> After {
        let began = Instant::now();
        let who = Who::of(peer, request.len());
        let Some(message) = self.read(who, request, answer) else { return After::KeepOpen };
        let (outcome, without_quorum) = match self.check_credentials(&peer.client, &message).await {
            Ok(()) => self.taker.outcome_for(&Asker::registered(&peer.client), &message, request).await,
            Err(refusal) => (self.failed(&message, &refusal), false),
        };
        self.hand_over(Who { without_quorum, ..who }, &message, outcome, answer, began);
        After::KeepOpen
    }

    /// Answers what a client sent in another form than TTLV and that cannot be read.
    pub(super) fn refuse_unreadable(
        &self,
        peer: &Peer,
        message_bytes: usize,
        why: &str,
        answer: &mut Vec<u8>,
    ) {
        let refusal = Refusal::invalid_message(format!("the message cannot be read: {why}"));
        let outcome = refuse_message(ProtocolVersion::V1_0, self.state().clock.unix_seconds(), &refusal);
        self.deliver(Who::of(peer, message_bytes), None, outcome, answer);
    }

    /// Answers a message of somebody whom no registered client's certificate stands for.
    pub(super) fn answer_stranger(&self, address: SocketAddr, request: &[u8], answer: &mut Vec<u8>) -> After {
        let version = RequestMessage::version_of(request).unwrap_or(ProtocolVersion::V1_0);
        let refusal = Refusal::new(
            ResultReason::AuthenticationNotSuccessful,
            "no registered client certificate came with this connection; hint: kms client add",
        );
        let outcome = refuse_message(version, self.state().clock.unix_seconds(), &refusal);
        self.deliver(Who::stranger(address, request.len()), None, outcome, answer);
        After::Close
    }

    /// Answers a message that is too large, by its header.
    pub(super) fn refuse_oversized(
        &self,
        address: SocketAddr,
        header: &[u8; HEADER_BYTES],
        answer: &mut Vec<u8>,
    ) {
        let limit = self.limits.ttlv.message_bytes_max;
        let refusal = Refusal::invalid_message(format!("a request has at most {limit} bytes"));
        let outcome = refuse_message(ProtocolVersion::V1_0, self.state().clock.unix_seconds(), &refusal);
        self.deliver(Who::stranger(address, header.len()), None, outcome, answer);
    }

    /// A client's message, read; `None` where it cannot be, which is then answered.
    pub(super) fn read(
        &self,
        who: Who<'_>,
        request: &[u8],
        answer: &mut Vec<u8>,
    ) -> Option<Arc<RequestMessage>> {
        match RequestMessage::decode(request, self.limits.ttlv) {
            Ok(message) => {
                self.note_clock(who.client, &message);
                Some(Arc::new(message))
            }
            Err(error) => {
                let version = RequestMessage::version_of(request).unwrap_or(ProtocolVersion::V1_0);
                let refusal = Refusal::invalid_message(format!("the message cannot be read {error}"));
                let outcome = refuse_message(version, self.state().clock.unix_seconds(), &refusal);
                self.deliver(who, None, outcome, answer);
                None
            }
        }
    }

    /// Refuses a message whose credentials are not its client's own.
    pub(super) async fn check_credentials(
        &self,
        client: &Client,
        message: &RequestMessage,
    ) -> Result<(), Refusal> {
        let sent = &message.header.authentication;
        if sent.is_empty() {
            return Ok(());
        }
        let registered: Vec<_> = self.state().held().objects.clients().cloned().collect();
        self.credentials.check(&client.name, sent, &registered).await
    }

    /// Delivers the outcome of a message that could be read, which came at `began`.
    pub(super) fn hand_over(
        &self,
        who: Who<'_>,
        message: &RequestMessage,
        outcome: Outcome,
        answer: &mut Vec<u8>,
        began: Instant,
    ) {
        self.deliver(who, Some(message), outcome, answer);
        let first =
            message.items.first().and_then(|item| item.operation.name()).unwrap_or("unknown operation");
        self.metrics.request_took(first, began.elapsed());
    }

    /// Puts an outcome into the audit, counts it, and appends its answer: in this order.
    fn deliver(
        &self,
        who: Who<'_>,
        request: Option<&RequestMessage>,
        outcome: Outcome,
        answer: &mut Vec<u8>,
    ) {
        let outcome = match (self.audit(who, &outcome.audit, &outcome.correlation), request) {
            (Ok(()), _) => outcome,
            (Err(error), request) => {
                error!("{error}");
                let refusal =
                    Refusal::general_failure("the server cannot write its audit; hint: its log says why");
                match request {
                    Some(request) => self.failed(request, &refusal),
                    None => {
                        refuse_message(ProtocolVersion::V1_0, self.state().clock.unix_seconds(), &refusal)
                    }
                }
            }
        };
        for item in &outcome.audit {
            self.metrics.request(operation_name(item), status_name(item));
            if let Some(log) = &item.log {
                warn!(client = who.client, operation = operation_name(item), "{log}");
            }
        }
        self.metrics.message_answered();
        self.state().note_read(&outcome.served);
        answer.extend_from_slice(&outcome.encoded);
    }

    pub(super) fn audit(
        &self,
        who: Who<'_>,
        items: &[AuditItem],
        correlation: &Correlation,
    ) -> Result<(), audit::AuditError> {
        let time = self.state().clock.unix_seconds();
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
                without_quorum: who.without_quorum,
                client_correlation: correlation.client.as_deref(),
                server_correlation: correlation.server.as_deref(),
            })
            .collect();
        self.audit.write(&lines)
    }

    /// Says when a client's clock is far from ours. Nothing is refused for it: a client without a clock is a client too.
    fn note_clock(&self, client: &str, request: &RequestMessage) {
        let Some(time_stamp) = request.header.time_stamp else { return };
        let apart = self.state().clock.unix_seconds().abs_diff(time_stamp);
        if apart > u64::from(self.limits.clock_skew_s_max) {
            debug!(
                client,
                "the client's clock and ours are {apart} s apart; hint: do both ask a time server?"
            );
        }
    }

    pub(super) fn failed(&self, request: &RequestMessage, refusal: &Refusal) -> Outcome {
        let version = request.header.protocol_version.min(ProtocolVersion::V1_4);
        refuse_all(request, version, self.state().clock.unix_seconds(), refusal)
    }

    fn state(&self) -> &State {
        &self.taker.state
    }
}

/// Who sent a message, for the audit.
#[derive(Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) client: &'a str,
    pub(super) tenant: &'a str,
    /// None for the operator's own socket.
    pub(super) address: Option<SocketAddr>,
    pub(super) message_bytes: usize,
    /// Whether it was answered from what this node holds, with no majority in reach.
    pub(super) without_quorum: bool,
}

impl<'a> Who<'a> {
    pub(super) fn of(peer: &'a Peer, message_bytes: usize) -> Self {
        Who {
            client: &peer.client.name,
            tenant: peer.client.tenant.as_str(),
            address: Some(peer.address),
            message_bytes,
            without_quorum: false,
        }
    }

    fn stranger(address: SocketAddr, message_bytes: usize) -> Self {
        Who { client: "-", tenant: "-", address: Some(address), message_bytes, without_quorum: false }
    }
}

pub(super) fn operation_name(item: &AuditItem) -> &'static str {
    match item.operation {
        Some(operation) => operation.name().unwrap_or("unknown operation"),
        None => "unreadable message",
    }
}

fn status_name(item: &AuditItem) -> &'static str {
    item.result_status.name().unwrap_or("unknown status")
}
