//! The node: what stands between the ports and kms-core.
//!
//! The `taker` sees a request through: reads are answered where they arrive, from the objects in memory, and whatever
//! changes something is decided by the `decider` of the node that leads. Both answer only when what they say is on a
//! majority of disks. Every item is in the audit before its answer leaves.

mod ask;
mod backup;
mod change;
mod decider;
mod host;
mod members;
mod operator;
mod peers;
mod standing;
mod start;
mod state;
mod taker;
mod vault;

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod decider_tests;
#[cfg(test)]
mod test_bed;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use kmip::enumeration::ResultReason;
use kmip::{ProtocolVersion, RequestMessage};
use kms_core::{AuditItem, Outcome, Refusal, refuse_all, refuse_message};
use tracing::{debug, error, warn};
use ttlv::HEADER_BYTES;

use self::host::Host;
pub use self::peers::Peers;
use self::peers::{Alone, Linked};
use self::standing::Standing;
use self::state::{Asker, State};
pub use self::taker::{Parts as TakerParts, Patience, Taker};
use crate::admin::{Health, Readiness};
use crate::audit;
use crate::config::{credentials_directory, kmip_address};
use crate::disk::{DataDir, Newborn, Snapshots};
use crate::engine::{self, Files, Member, Writing};
use crate::entropy;
use crate::links::{self, Caller, LinkIdentity, Links, Settings};
use crate::root_key::RootKey;
use crate::run::Shared;
use crate::session::{After, Peer, Service};

/// A node that serves.
#[derive(Debug)]
pub struct Node {
    shared: Shared,
    taker: Taker,
    /// None for a lone node without links, which can take no other in.
    host: Option<Host>,
    started: i64,
    /// Locked for as long as the node lives.
    _dir: DataDir,
}

impl Node {
    /// Opens the data directory, reads back what it holds, and takes part in the cluster.
    ///
    /// Fails where the root key is not to be had or is another, the directory is in use, or what is on disk is damaged
    /// beyond what the rest makes good; each in words, with the way out.
    pub async fn open(shared: Shared) -> anyhow::Result<Arc<Self>> {
        let config = Arc::clone(&shared.config);
        let clock = Arc::clone(&shared.clock);
        let root = RootKey::load(&config.root_key, credentials_directory().as_deref())
            .context("cannot load the root key")?;
        let newborn = if config.cluster.is_some() { Newborn::Refused } else { Newborn::Founds };
        let (dir, log) =
            DataDir::open(&config.data_dir, entropy::array(), clock.system_seconds(), newborn)
                .with_context(|| format!("cannot open the data directory {}", config.data_dir.display()))?;
        let me = dir.identity().number;
        if let Some(certificate) =
            shared.links.as_ref().map(LinkIdentity::node).filter(|number| *number != me)
        {
            anyhow::bail!(
                "the data in {} is that of node {me}, the certificate of its links is that of node {certificate}; hint: \
                 [node] data_dir and [cluster] certificate belong to one node; after a restore make both anew, kms init",
                config.data_dir.display()
            );
        }
        let snapshots = Snapshots::new(dir.path(), config.snapshot.keep);
        let keyring = start::keyring(root, &dir, &log, &snapshots)?;
        let started = clock.system_seconds();
        let peers: Arc<dyn Peers> = match (&config.cluster, &shared.links) {
            (Some(cluster), Some(identity)) => {
                let settings = Settings { source: cluster.source, ..Settings::default() };
                Arc::new(Linked::new(me, Links::new(identity.clone(), settings)))
            }
            _ => Arc::new(Alone),
        };
        let timing = config.timing;
        let taker = Taker::start(taker::Parts {
            me,
            keyring,
            clock,
            trust: Arc::clone(&shared.trust),
            metrics: Arc::clone(&shared.metrics),
            core_limits: config.limits.core,
            message_limits: config.limits.ttlv,
            peers,
            patience: Patience {
                leader_wait: timing.leader_wait,
                reads_without_quorum: timing.reads_without_quorum,
            },
            timing: engine::Timing {
                heartbeat: timing.heartbeat,
                election_min: timing.election_min,
                election_max: timing.election_max,
            },
            log: Box::new(log),
            writing: Writing::Thread,
            snapshots: Arc::new(Files(snapshots)),
            snapshot_every: config.snapshot.every_entries,
            election_seed: u64::from_be_bytes(entropy::array()),
        })
        .await?;
        if dir.identity().founds && taker.engine.is_pristine() {
            taker.engine.found(member(&config)).await.context("cannot found the cluster")?;
        }
        start::take_in_restored(&taker.engine, &dir).await?;
        tokio::spawn(members::promote_learners(taker.clone()));
        tokio::spawn(members::keep_known(taker.clone(), member(&config)));
        let host = config.cluster.clone().map(|cluster| Host {
            taker: taker.clone(),
            config: Arc::clone(&config),
            cluster,
        });
        Ok(Arc::new(Self { shared, taker, host, started, _dir: dir }))
    }

    /// Finishes what waits for the disk, and closes the log.
    pub async fn close(&self) {
        self.taker.engine.end().await;
    }

    fn failed(&self, request: &RequestMessage, refusal: &Refusal) -> Outcome {
        let version = request.header.protocol_version.min(ProtocolVersion::V1_4);
        refuse_all(request, version, self.state().clock.unix_seconds(), refusal)
    }

    fn state(&self) -> &State {
        &self.taker.state
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
                    None => {
                        refuse_message(ProtocolVersion::V1_0, self.state().clock.unix_seconds(), &refusal)
                    }
                }
            }
        };
        for item in &outcome.audit {
            self.shared.metrics.request(operation_name(item), status_name(item));
            if let Some(log) = &item.log {
                warn!(client = who.client, operation = operation_name(item), "{log}");
            }
        }
        self.state().note_read(&outcome.served);
        answer.extend_from_slice(&outcome.encoded);
    }

    fn audit(&self, who: Who<'_>, items: &[AuditItem]) -> Result<(), audit::AuditError> {
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
            })
            .collect();
        self.shared.audit.write(&lines)
    }

    /// Says when a client's clock is far from ours. Nothing is refused for it: a client without a clock is a client too.
    fn note_clock(&self, client: &str, request: &RequestMessage) {
        let Some(time_stamp) = request.header.time_stamp else { return };
        let apart = self.state().clock.unix_seconds().abs_diff(time_stamp);
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
    /// Whether it was answered from what this node holds, with no majority in reach.
    without_quorum: bool,
}

impl Who<'_> {
    fn stranger(address: SocketAddr, message_bytes: usize) -> Self {
        Who { client: "-", tenant: "-", address: Some(address), message_bytes, without_quorum: false }
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
            without_quorum: false,
        };
        let message = match RequestMessage::decode(request, self.ttlv_limits()) {
            Ok(message) => message,
            Err(error) => {
                let version = RequestMessage::version_of(request).unwrap_or(ProtocolVersion::V1_0);
                let refusal = Refusal::invalid_message(format!("the message cannot be read {error}"));
                let outcome = refuse_message(version, self.state().clock.unix_seconds(), &refusal);
                self.deliver(who, None, outcome, answer);
                return After::KeepOpen;
            }
        };
        self.note_clock(who.client, &message);
        let first =
            message.items.first().and_then(|item| item.operation.name()).unwrap_or("unknown operation");
        let message = Arc::new(message);
        let (outcome, without_quorum) =
            self.taker.outcome_for(&Asker::registered(&peer.client), &message, request).await;
        let who = Who { without_quorum, ..who };
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
        let outcome = refuse_message(version, self.state().clock.unix_seconds(), &refusal);
        self.deliver(Who::stranger(address, request.len()), None, outcome, answer);
        After::Close
    }

    fn refuse_oversized(&self, address: SocketAddr, header: &[u8; HEADER_BYTES], answer: &mut Vec<u8>) {
        let limit = self.ttlv_limits().message_bytes_max;
        let refusal = Refusal::invalid_message(format!("a request has at most {limit} bytes"));
        let outcome = refuse_message(ProtocolVersion::V1_0, self.state().clock.unix_seconds(), &refusal);
        self.deliver(Who::stranger(address, header.len()), None, outcome, answer);
    }
}

impl links::Handler for Node {
    fn answer(
        &self,
        caller: Caller,
        kind: u8,
        question: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + '_>> {
        Box::pin(async move {
            match (caller, &self.host) {
                (Caller::Node(number), _) => self.taker.answer_node(number, kind, &question).await,
                (Caller::Stranger, Some(host)) if kind == links::JOIN => host.take_in(&question).await,
                (Caller::Stranger | Caller::Front(_), _) => Err("this is not answered here".to_owned()),
            }
        })
    }
}

impl Health for Node {
    fn ailing(&self) -> Option<String> {
        self.taker.roles.borrow().ended.clone()
    }

    fn syncs(&self) -> u64 {
        self.taker.engine.syncs()
    }

    /// Really opens a key: the vault may be gone while everything listens.
    async fn readiness(&self) -> Readiness {
        let taker = &self.taker;
        let mut readiness = Readiness::default();
        let standing = *taker.standing.borrow();
        let (leader, ended) = {
            let role = taker.roles.borrow();
            (role.leader, role.ended.clone())
        };
        let fault = taker.state.cannot_open().or(ended);
        readiness.cannot_read.extend(fault.clone());
        readiness.cannot_write.extend(fault);
        match standing {
            Standing::Whole if leader.is_none() => {
                readiness.cannot_write.push("no leader is known".to_owned());
            }
            Standing::Whole => {}
            Standing::Outside => {
                let reason = "this node is not, or no longer, a member of its cluster";
                readiness.cannot_read.push(reason.to_owned());
                readiness.cannot_write.push(reason.to_owned());
            }
            Standing::Cut(_) => {
                let reason = "a majority of the nodes cannot be reached";
                readiness.cannot_write.push(reason.to_owned());
                if !taker.patience.reads_without_quorum {
                    readiness.cannot_read.push(format!("{reason}, and reads_without_quorum is false"));
                }
            }
        }
        readiness
    }
}

/// What the cluster is told of this node.
fn member(config: &crate::config::Config) -> Member {
    let link = config.cluster.as_ref().map(|cluster| cluster.advertise.clone());
    Member {
        name: config.node.clone(),
        kmip: kmip_address(config.kmip.listen, link.as_deref()),
        link: link.unwrap_or_default(),
    }
}
