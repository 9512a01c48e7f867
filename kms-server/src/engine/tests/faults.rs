//! Disks that fail or hold something else than was written.

use super::super::*;
use super::support::*;
use crate::disk::{Entry, Log, LogError, SnapshotError};

#[tokio::test(start_paused = true)]
async fn a_sync_that_fails_ends_the_node_and_the_others_carry_on() {
    let cluster = Cluster::of_three().await;
    let old = cluster.leader().await;
    cluster.say(old, "before").await;
    cluster.node(old).disk.fail_next_sync();
    let engine = cluster.node(old).engine();
    let term = engine.role().borrow().term;
    let proposed = engine.propose(term, b"during".to_vec()).await;
    assert!(matches!(proposed, Proposed::Unknown), "{proposed:?}");
    let role = cluster.node(old).until("ended", |role| role.ended.is_some()).await;
    assert!(!role.leads && role.ended.unwrap().contains("the disk failed"));
    assert!(matches!(engine.read_index().await, Err(Unread::Ended(_))));
    assert!(engine.wait_applied(u64::MAX).await.is_err());
    assert!(engine.answer(RAFT_VOTE, b"").await.unwrap_err().contains("ended"));
    assert_eq!(engine.propose(term, b"after".to_vec()).await, Proposed::NotLeader);
    assert!(matches!(
        engine.add_learner(4, member(4)).await,
        Err(ChangeError::Ended(_) | ChangeError::NotLeader)
    ));
    assert!(engine.snapshot().await.is_ok() || engine.role().borrow().ended.is_some());
    engine.end().await;

    let others: Vec<NodeId> = (1..=3).filter(|id| *id != old).collect();
    let new = cluster.leader_of(&others).await;
    cluster.say(new, "after").await;
}

#[tokio::test(start_paused = true)]
async fn a_follower_whose_sync_fails_acknowledges_nothing_and_votes_no_more() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let other = (1..=3).find(|id| *id != leader).unwrap();
    cluster.node(other).disk.fail_next_sync();
    cluster.say(leader, "one").await;
    cluster.node(other).until("ended", |role| role.ended.is_some()).await;
    cluster.say(leader, "two").await;
    assert!(cluster.node(other).journal.texts().is_empty());
}

/// A log with something wrong.
struct Faulty {
    log: crate::disk::MemoryLog,
    /// An entry that cannot be read.
    damaged: Option<u64>,
    /// Syncs after which the power is cut.
    syncs: u64,
}

impl Log for Faulty {
    fn first(&self) -> u64 {
        self.log.first()
    }
    fn last(&self) -> u64 {
        self.log.last()
    }
    fn append(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        self.log.append(entries)
    }
    fn truncate_from(&mut self, index: u64) -> Result<(), LogError> {
        self.log.truncate_from(index)
    }
    fn purge_to(&mut self, index: u64) -> Result<(), LogError> {
        self.log.purge_to(index)
    }
    fn read(&self, range: std::ops::Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, LogError> {
        if let Some(index) = self.damaged.filter(|place| range.contains(place)) {
            let what = "a bit was flipped".to_owned();
            return Err(LogError::Damaged { path: "log".into(), index, what });
        }
        self.log.read(range, bytes_max)
    }
    fn put_metadata(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        self.log.put_metadata(bytes)
    }
    fn metadata(&self) -> Option<&[u8]> {
        self.log.metadata()
    }
    fn sync(&mut self) -> Result<(), LogError> {
        match self.log.syncs() < self.syncs {
            true => self.log.sync(),
            false => Err(LogError::Ended),
        }
    }
    fn syncs(&self) -> u64 {
        self.log.syncs()
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_entry_keeps_the_node_from_starting_and_is_named() {
    let mut cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let place = cluster.say(leader, "one").await;
    cluster.say(leader, "two").await;
    cluster.node_mut(leader).crash();
    let log = Faulty { log: cluster.node(leader).disk.open(), damaged: Some(place), syncs: u64::MAX };
    let error = cluster.node_mut(leader).start_on(Box::new(log)).await.unwrap_err();
    assert!(error.to_string().contains(&format!("entry {place} is damaged: a bit was flipped")), "{error}");
    // It did not lock anything: the node starts on a log that is whole.
    cluster.node_mut(leader).start().await.unwrap();
    cluster.node(leader).until_carried_out(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_of_a_version_that_did_not_replicate_is_refused_with_a_way_out() {
    let mut cluster = Cluster::empty(10, Writing::Inline);
    cluster.add(1).await;
    cluster.node_mut(1).crash();
    let mut log = crate::disk::MemoryLog::new();
    log.append(&[Entry { index: 1, bytes: vec![1] }]).unwrap();
    let error = cluster.node_mut(1).start_on(Box::new(log)).await.unwrap_err();
    assert!(error.to_string().contains("hint: salvage"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_power_cut_after_any_sync_of_the_first_start_leaves_what_the_next_start_goes_on_with() {
    let mut is_founded = false;
    let mut syncs = 0;
    while !is_founded {
        let mut cluster = Cluster::empty(10, Writing::Inline);
        cluster.add(1).await;
        cluster.node_mut(1).crash();
        let log = Faulty { log: cluster.node(1).disk.open(), damaged: None, syncs };
        // The power may be cut before it has started.
        if let Ok(engine) = cluster.node_mut(1).start_on(Box::new(log)).await {
            is_founded = engine.found(member(1)).await.is_ok();
        }
        cluster.node_mut(1).crash();
        let engine =
            cluster.node_mut(1).start().await.unwrap_or_else(|error| panic!("{syncs} syncs: {error}"));
        if engine.is_pristine() {
            engine.found(member(1)).await.unwrap();
        }
        let leader = cluster.leader().await;
        cluster.say(leader, "one").await;
        syncs += 1;
    }
    assert!(syncs > 2, "{syncs} syncs cut nothing apart");
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_none_are_refused_in_words() {
    let cluster = Cluster::of(1, 10, Writing::Inline).await;
    let engine = cluster.node(1).engine();
    for kind in [RAFT_APPEND, RAFT_VOTE, RAFT_SNAPSHOT] {
        let error = engine.answer(kind, b"\x54\x01\x20\x01 nonsense").await.unwrap_err();
        assert!(error.contains("cannot be read"), "{error}");
    }
    assert!(engine.answer(0x0f, b"").await.unwrap_err().contains("0x0f"));
}

/// Snapshots on a disk that is full.
#[derive(Default)]
struct Full {
    attempts: std::sync::atomic::AtomicU64,
}

impl SnapshotStore for Full {
    fn choose(&self, _: u64, _: u64) -> Result<Option<crate::disk::SnapshotReader>, SnapshotError> {
        Ok(None)
    }
    fn write(&self, _: u64, _: &[u8], _: Frozen) -> Result<(), SnapshotError> {
        self.attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(full())
    }
    fn prune(&self) -> Result<Option<u64>, SnapshotError> {
        Ok(None)
    }
    fn read(&self, _: u64) -> Result<crate::disk::SnapshotReader, SnapshotError> {
        Err(full())
    }
    fn open(&self, _: u64) -> Result<SnapshotFile, SnapshotError> {
        Err(full())
    }
    fn receive(&self, _: u64) -> Result<Incoming, SnapshotError> {
        Err(full())
    }
}

fn full() -> SnapshotError {
    SnapshotError::Io { path: "snapshots".into(), source: std::io::ErrorKind::StorageFull.into() }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_cannot_be_written_stops_nothing_and_is_not_tried_at_every_entry() {
    let store = std::sync::Arc::new(Full::default());
    let mut cluster = Cluster::empty(10, Writing::Inline);
    let engine =
        cluster.add_with(1, std::sync::Arc::clone(&store) as std::sync::Arc<dyn SnapshotStore>).await;
    engine.found(member(1)).await.unwrap();
    for number in 0..100 {
        cluster.say(1, &number.to_string()).await;
    }
    let attempts = store.attempts.load(std::sync::atomic::Ordering::Relaxed);
    assert!((5..=12).contains(&attempts), "{attempts} attempts for 100 entries");
    let error = engine.snapshot().await.unwrap_err();
    assert!(error.to_string().contains("no storage space"), "{error}");
    cluster.say(1, "goes on").await;
    let role = cluster.node(1).role();
    assert_eq!((role.first, role.snapshot), (1, 0));
}
