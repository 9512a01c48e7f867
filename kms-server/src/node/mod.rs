//! The node: what stands between the ports and kms-core.
//!
//! The `taker` sees a request through: reads are answered where they arrive, from the objects in memory, and whatever
//! changes something is decided by the `decider` of the node that leads. Both answer only when what they say is on a
//! majority of disks. Every item is in the audit before its answer leaves: the `desk` sees to that.
//! Clients come to it over their own connections, or through a front (`front`).

mod ask;
mod backup;
mod change;
mod decider;
mod desk;
mod front;
mod front_ask;
mod health;
mod host;
mod members;
mod notices;
mod notify;
mod operator;
mod peers;
mod standing;
mod start;
mod state;
mod taker;
mod vault;
mod workshop;

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod credentials_tests;
#[cfg(test)]
mod decider_tests;
#[cfg(test)]
mod front_tests;
#[cfg(test)]
mod fuzzed;
#[cfg(test)]
mod later_tests;
#[cfg(test)]
mod test_bed;
#[cfg(test)]
mod uses_tests;
#[cfg(test)]
mod workshop_tests;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context as _;
use daemon::throttle::Throttle;
use ttlv::HEADER_BYTES;

use self::desk::Desk;
use self::health::KeyLook;
use self::host::Host;
pub use self::notices::Notices;
pub use self::peers::Peers;
use self::peers::{Alone, Linked};
use self::state::State;
pub use self::taker::{Parts as TakerParts, Patience, Taker};
use crate::config::{credentials_directory, kmip_address};
use crate::credentials::Credentials;
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
    desk: Desk,
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
        let listeners = notify::listeners(&config);
        let taker = Taker::start(taker::Parts {
            me,
            keyring,
            clock,
            trust: Arc::clone(&shared.trust),
            notices: Arc::new(Notices::new(listeners.iter().map(|listener| listener.tenant.clone()))),
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
        for listener in listeners {
            tokio::spawn(notify::tell(taker.clone(), Arc::clone(&shared.audit), listener));
        }
        tokio::spawn(members::keep_known(taker.clone(), member(&config)));
        let host = config.cluster.clone().map(|cluster| Host {
            taker: taker.clone(),
            config: Arc::clone(&config),
            cluster,
        });
        let desk = Desk {
            taker: taker.clone(),
            audit: Arc::clone(&shared.audit),
            metrics: Arc::clone(&shared.metrics),
            limits: config.limits.clone(),
            name: config.node.clone(),
            draining: shared.drain.subscribe(),
            throttle: Throttle::default(),
            key_look: KeyLook::default(),
            credentials: Credentials::default(),
        };
        Ok(Arc::new(Self { shared, taker, desk, host, started, _dir: dir }))
    }

    /// Finishes what waits for the disk, and closes the log.
    pub async fn close(&self) {
        self.taker.engine.end().await;
    }

    fn state(&self) -> &State {
        &self.taker.state
    }
}

impl Service for Node {
    async fn answer(&self, peer: &Peer, request: &[u8], answer: &mut Vec<u8>) -> After {
        self.desk.answer(peer, request, answer).await
    }

    fn refuse_unreadable(&self, peer: &Peer, message_bytes: usize, why: &str, answer: &mut Vec<u8>) {
        self.desk.refuse_unreadable(peer, message_bytes, why, answer);
    }

    fn answer_stranger(&self, address: SocketAddr, request: &[u8], answer: &mut Vec<u8>) -> After {
        self.desk.answer_stranger(address, request, answer)
    }

    fn refuse_oversized(&self, address: SocketAddr, header: &[u8; HEADER_BYTES], answer: &mut Vec<u8>) {
        self.desk.refuse_oversized(address, header, answer);
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
                (Caller::Front(name), _) => self.desk.answer_front(&name, kind, question).await,
                (Caller::Stranger, _) => Err("this is not answered here".to_owned()),
            }
        })
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
