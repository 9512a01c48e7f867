//! A cluster of one, also on the real disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::*;
use super::support::*;
use crate::disk::{SledLog, Snapshots};

struct Nobody;

impl Calls for Nobody {
    fn call(&self, to: NodeId, _: u8, _: Vec<u8>, _: Duration) -> Answering<'_> {
        panic!("a lone node called node {to}");
    }
}

async fn on_disk(dir: &Path, fresh: Option<[u8; 16]>, journal: &Arc<Journal>) -> Result<Engine, EngineError> {
    let log = SledLog::open(&dir.join("log"), fresh).unwrap();
    std::fs::create_dir_all(dir.join("snapshots")).unwrap();
    Engine::start(Parts {
        me: 1,
        timing: Timing::default(),
        log: Box::new(log),
        writing: Writing::Thread,
        snapshots: Arc::new(Files(Snapshots::new(&dir.join("snapshots"), 2))),
        snapshot_every: 40,
        machine: Arc::clone(journal) as Arc<dyn Machine>,
        links: Arc::new(Nobody),
        election_seed: 1,
    })
    .await
}

#[tokio::test]
async fn a_lone_node_on_disk_starts_stops_and_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..4 {
        let journal = Arc::new(Journal::default());
        let engine = on_disk(dir.path(), (round == 0).then_some([7; 16]), &journal).await.unwrap();
        if engine.is_pristine() {
            engine.found(member(1)).await.unwrap();
        }
        let mut role = engine.role();
        let term = role.wait_for(|role| role.leads).await.unwrap().term;
        let index = engine.read_index().await.unwrap();
        engine.wait_applied(index).await.unwrap();
        assert_eq!(journal.texts(), expected);
        let proposed: Vec<_> = (0..30)
            .map(|number| {
                let text = format!("{round}.{number}");
                expected.push(text.clone());
                engine.propose(term, text.into_bytes())
            })
            .collect();
        for proposed in proposed {
            assert!(matches!(proposed.await, Proposed::Applied { .. }));
        }
        if round == 2 {
            engine.snapshot().await.unwrap();
            let snapshot = role.wait_for(|role| role.snapshot == role.applied).await.unwrap().snapshot;
            assert!(snapshot > 60);
        }
        engine.end().await;
        assert_eq!(engine.propose(term, b"too late".to_vec()).await, Proposed::NotLeader);
        assert!(matches!(engine.read_index().await, Err(Unread::Ended(_))));
        assert!(matches!(engine.wait_applied(u64::MAX).await, Err(Ended(_))));
        assert!(engine.answer(RAFT_VOTE, b"").await.is_err());
        assert_eq!(engine.role().borrow().ended, None);
    }
}

#[tokio::test]
async fn a_log_that_was_put_in_the_place_of_another_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(Journal::default());
    let engine = on_disk(dir.path(), Some([7; 16]), &journal).await.unwrap();
    engine.found(member(1)).await.unwrap();
    let term = engine.role().borrow().term;
    for number in 0..5 {
        assert!(matches!(engine.propose(term, vec![b'a' + number]).await, Proposed::Applied { .. }));
    }
    engine.snapshot().await.unwrap();
    engine.end().await;
    std::fs::rename(dir.path().join("log"), dir.path().join("lost")).unwrap();
    let error = on_disk(dir.path(), Some([8; 16]), &journal).await.err().unwrap();
    assert!(error.to_string().contains("the log ends at entry 0"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_lone_node_leads_at_once_and_serves_reads_without_a_network() {
    let mut cluster = Cluster::of(1, 1_000_000, Writing::Inline).await;
    cluster.say(1, "one").await;
    cluster.node_mut(1).crash();
    let began = Instant::now();
    let engine = cluster.node_mut(1).start().await.unwrap();
    cluster.node(1).until("leading", |role| role.leads).await;
    let index = engine.read_index().await.unwrap();
    engine.wait_applied(index).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
    assert_eq!(cluster.node(1).journal.texts(), ["one"]);
    assert_eq!(cluster.node(1).role().quorum_age_ms, Some(0));
    // Several in flight share a sync here, too.
    let (term, syncs) = (cluster.node(1).role().term, engine.syncs());
    let proposed: Vec<_> = (0..40).map(|number| engine.propose(term, vec![b'0' + number])).collect();
    for proposed in proposed {
        assert!(matches!(proposed.await, Proposed::Applied { .. }));
    }
    assert!(engine.syncs() - syncs < 6, "{} syncs for 40 entries", engine.syncs() - syncs);
}

#[tokio::test(start_paused = true)]
async fn settings_that_do_not_go_together_are_refused() {
    let parts = |timing, snapshot_every| Parts {
        me: 1,
        timing,
        log: Box::new(crate::disk::MemoryLog::new()),
        writing: Writing::Inline,
        snapshots: Arc::new(MemorySnapshots::new()),
        snapshot_every,
        machine: Arc::new(Journal::default()),
        links: Arc::new(Nobody),
        election_seed: 1,
    };
    let slow = Timing { heartbeat: Duration::from_millis(200), ..Timing::default() };
    for parts in [parts(slow, 10), parts(Timing::default(), 0)] {
        assert!(matches!(Engine::start(parts).await, Err(EngineError::Settings(_))));
    }
}
