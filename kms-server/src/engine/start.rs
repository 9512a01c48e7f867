//! From the parts to a running engine: what is on disk is checked against itself before openraft sees it.

use std::sync::Arc;
use std::time::Duration;

use openraft::error::Fatal;
use openraft::{Config, SnapshotPolicy};
use tokio::sync::{Mutex, mpsc, watch};
use tracing::info;

use super::elections::Elections;
use super::encoding::{Metadata, SnapshotHead};
use super::log::LogStore;
use super::machine::{self, MachineStore, blocking};
use super::network::Network;
use super::reads::Rounds;
use super::role::Follower;
use super::runtime::{Raft, place_or_0};
use super::transfer::Receiver;
use super::types::{EngineError, Parts, Role, Timing};
use super::{Inner, reads};

/// Entries that one message carries at most; bytes bound it first ([`APPEND_BYTES_MAX`](super::APPEND_BYTES_MAX)).
const MESSAGE_ENTRIES_MAX: u64 = 512;

/// Entries that stay in the log behind a snapshot, so that a node that was away for a moment needs no snapshot.
const KEPT_ENTRIES: u64 = 1000;

pub(super) async fn start(parts: Parts) -> Result<Inner, EngineError> {
    let began = tokio::time::Instant::now();
    let config = Arc::new(config(&parts.timing, parts.snapshot_every)?);
    let Parts {
        me,
        timing,
        mut log,
        writing,
        snapshots: store,
        snapshot_every,
        machine,
        links,
        election_seed,
    } = parts;
    if me == 0 {
        return Err(EngineError::Settings("a node's number is 1 or more".to_owned()));
    }
    let stored = log.metadata().map(Metadata::decode).transpose();
    let stored = stored.map_err(|error| EngineError::Storage(format!("the log's metadata: {error}")))?;
    if stored.is_none() && log.last() > 0 {
        return Err(EngineError::Storage(
            "the log was written by a version that did not replicate; hint: salvage it into a new node"
                .to_owned(),
        ));
    }
    if stored.is_none() {
        // It is durable with the first entry, which is synced before the first vote is: were the power cut between the two,
        // the log would look like one of that version.
        let written = log.put_metadata(&Metadata::default().encode());
        written.map_err(|error| EngineError::Storage(error.to_string()))?;
    }
    let vote = stored.and_then(|metadata| metadata.vote);
    // A node that voted may hold a snapshot that another node sent, ahead of its own log; a node that did not has lost
    // its log.
    let (log_first, log_last) = (log.first(), if vote.is_some() { u64::MAX } else { log.last() });
    let (from, into) = (Arc::clone(&store), Arc::clone(&machine));
    let loaded = blocking(writing, move || {
        let found = from.choose(log_first, log_last).map_err(|error| error.to_string())?;
        let oldest = from.prune().map_err(|error| error.to_string())?;
        Ok((found.map(|reader| machine::load(&*into, reader)).transpose()?, oldest.unwrap_or(0)))
    });
    let (snapshot, floor): (Option<SnapshotHead>, u64) = loaded.await.map_err(EngineError::Storage)?;
    let applied = snapshot.as_ref().and_then(|head| head.applied);
    if applied.map(|id| id.leader_id) > vote.map(|vote| vote.leader_id) {
        return Err(EngineError::Storage(format!(
            "the snapshot of entry {} is of a later term than the log's last vote: the log is an old one; hint: restore \
             this node from the other nodes or from a backup",
            place_or_0(applied.as_ref())
        )));
    }
    let log = LogStore::open(log, (writing, election_seed), me, place_or_0(applied.as_ref()), floor)?;
    let machine =
        MachineStore::new(machine, Arc::clone(&store), log.clone(), writing, snapshot_every, snapshot);

    let network = Network {
        me,
        links: Arc::clone(&links),
        log: log.clone(),
        store: Arc::clone(&store),
        pause: timing.heartbeat,
    };
    let raft = match Raft::new(me, config, network, log.clone(), machine.clone()).await {
        Ok(raft) => raft,
        Err(fatal) => {
            log.close().await;
            return Err(match &fatal {
                Fatal::StorageError(error) => EngineError::Storage(error.to_string()),
                Fatal::Panicked | Fatal::Stopped => EngineError::Ended(reads::ended(&fatal)),
            });
        }
    };
    let sole = raft
        .with_raft_state(move |state| {
            let members = state.membership_state.effective().membership().clone();
            members.voter_ids().eq([me])
        })
        .await
        .map_err(|fatal| EngineError::Ended(reads::ended(&fatal)))?;
    if sole {
        // There is nobody to wait for.
        raft.trigger().elect().await.map_err(|fatal| EngineError::Ended(reads::ended(&fatal)))?;
    }

    let (role, watched) = watch::channel(Role::default());
    let stopped = Arc::new(watch::Sender::new(None));
    let changing = Arc::new(Mutex::new(()));
    let mut follower = Follower {
        raft: raft.clone(),
        log: log.clone(),
        machine: machine.clone(),
        role,
        stopped: Arc::clone(&stopped),
        changing: Arc::clone(&changing),
        leads_since: None,
    };
    let metrics = raft.metrics().borrow().clone();
    follower.update(&metrics);
    let elections = Arc::new(Elections {
        me,
        raft: raft.clone(),
        log: log.clone(),
        links: Arc::clone(&links),
        role: watched.clone(),
        stopped: Arc::clone(&stopped),
        timing,
        state: std::sync::Mutex::default(),
    });
    let (readers, waiting) = mpsc::unbounded_channel();
    let rounds = Rounds { me, raft: raft.clone(), links, pause: timing.heartbeat, first: None };
    let tasks = vec![
        tokio::spawn(follower.follow()).abort_handle(),
        tokio::spawn(Arc::clone(&elections).run(election_seed)).abort_handle(),
        tokio::spawn(reads::serve(rounds, waiting)).abort_handle(),
    ];
    let receiver = Receiver {
        raft: raft.clone(),
        log: log.clone(),
        machine: machine.clone(),
        store,
        writing,
        coming: Mutex::new(None),
    };
    let role = watched.borrow().clone();
    info!(
        node = me,
        term = role.term,
        applied = *machine.applied().borrow(),
        last = role.last,
        snapshot = role.snapshot,
        milliseconds = began.elapsed().as_millis(),
        "read what the disk holds, taking part"
    );
    Ok(Inner {
        me,
        raft,
        log,
        machine,
        role: watched,
        stopped,
        readers,
        receiver,
        elections,
        changing,
        tasks,
    })
}

fn config(timing: &Timing, snapshot_every: u64) -> Result<Config, EngineError> {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if timing.heartbeat < Duration::from_millis(1) {
        return Err(EngineError::Settings("the heartbeat is 1 ms or more".to_owned()));
    }
    if snapshot_every == 0 {
        return Err(EngineError::Settings("there is 1 entry or more between two snapshots".to_owned()));
    }
    let config = Config {
        cluster_name: "kms".to_owned(),
        heartbeat_interval: milliseconds(timing.heartbeat),
        election_timeout_min: milliseconds(timing.election_min),
        election_timeout_max: milliseconds(timing.election_max),
        // See `elections`.
        enable_elect: false,
        max_payload_entries: MESSAGE_ENTRIES_MAX,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(snapshot_every),
        max_in_snapshot_log_to_keep: KEPT_ENTRIES.min(snapshot_every),
        ..Config::default()
    };
    config.validate().map_err(|error| EngineError::Settings(error.to_string()))
}
