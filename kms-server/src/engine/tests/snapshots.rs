//! Snapshots: written, sent, refused, and the log purged behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::*;
use super::support::*;
use crate::disk::Log;

async fn filled(every: u64, away: bool, count: usize) -> (Cluster, NodeId, NodeId) {
    let mut cluster = Cluster::of(3, every, Writing::Inline).await;
    let leader = cluster.leader().await;
    let other = (1..=3).find(|id| *id != leader).unwrap();
    if away {
        cluster.node_mut(other).crash();
    }
    for number in 0..count {
        cluster.say(leader, &format!("{number:05} {}", "x".repeat(20_000))).await;
    }
    (cluster, leader, other)
}

#[tokio::test(start_paused = true)]
async fn the_log_is_purged_behind_snapshots_and_a_restart_reads_them() {
    let (mut cluster, leader, _) = filled(20, false, 150).await;
    let role = cluster.node(leader).until("purged", |role| role.first > 60 && role.snapshot > 120).await;
    assert!(role.first <= role.snapshot && cluster.node(leader).snapshots.indexes().len() <= 2);
    // So that the older one can stand in for the newer one.
    assert!(role.first <= cluster.node(leader).snapshots.indexes()[0] + 1, "{role:?}");
    let before = cluster.node(leader).journal.texts();
    for node in cluster.nodes.values_mut() {
        node.crash();
    }
    for node in cluster.nodes.values_mut() {
        let log = node.disk.open();
        assert!(log.first() > 20, "node {} purged nothing", node.id);
        node.start().await.unwrap();
    }
    cluster.leader().await;
    for node in cluster.nodes.values() {
        node.until_carried_out(150).await;
        assert_eq!(node.journal.texts(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_away_too_long_gets_a_snapshot_in_pieces() {
    let (mut cluster, leader, away) = filled(20, true, 150).await;
    let pieces = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&pieces);
    cluster.net.spoil(Some(Box::new(move |_, _, kind, request| {
        assert!(request.len() <= SNAPSHOT_PIECE_BYTES_MAX + 4096 || kind != RAFT_SNAPSHOT);
        count.fetch_add(u64::from(kind == RAFT_SNAPSHOT), Ordering::Relaxed);
    })));
    cluster.node_mut(away).start().await.unwrap();
    cluster.node(away).until_carried_out(150).await;
    assert_eq!(cluster.node(away).journal.texts(), cluster.node(leader).journal.texts());
    assert!(pieces.load(Ordering::Relaxed) >= 4, "{} pieces", pieces.load(Ordering::Relaxed));
    let role = cluster.node(away).until("a snapshot", |role| role.snapshot > 0).await;
    assert!(role.first > 1);
    cluster.say(leader, "goes on").await;
    cluster.node(away).until_carried_out(151).await;

    // It stands on the snapshot that it was sent.
    cluster.node_mut(away).crash();
    cluster.node_mut(away).start().await.unwrap();
    cluster.node(away).until_carried_out(151).await;
    assert_eq!(cluster.node(away).journal.texts(), cluster.node(leader).journal.texts());
}

#[tokio::test(start_paused = true)]
async fn pieces_that_are_spoiled_or_lost_on_their_way_are_sent_again() {
    let (mut cluster, leader, away) = filled(20, true, 150).await;
    let seen = AtomicU64::new(0);
    cluster.net.spoil(Some(Box::new(move |_, _, kind, request| {
        if kind == RAFT_SNAPSHOT && seen.fetch_add(1, Ordering::Relaxed) % 3 == 1 {
            let at = request.len() / 2;
            request[at] ^= 0x40;
        }
    })));
    cluster.node_mut(away).start().await.unwrap();
    cluster.node(away).until_carried_out(150).await;
    assert_eq!(cluster.node(away).journal.texts(), cluster.node(leader).journal.texts());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_whose_bytes_are_wrong_as_a_whole_is_never_taken_over() {
    let (mut cluster, leader, away) = filled(20, true, 150).await;
    // Each piece is right by itself: its checksum was made after the damage.
    cluster.net.spoil(Some(Box::new(move |_, _, kind, request| {
        if kind == RAFT_SNAPSHOT {
            let mut piece = messages::decode_piece(request).unwrap();
            piece.bytes[4000] ^= 1;
            *request = messages::encode_piece(&piece);
        }
    })));
    let engine = cluster.node_mut(away).start().await.unwrap();
    let head = cluster.node(leader).snapshots.indexes();
    cluster
        .node(leader)
        .until("time for several attempts", {
            let began = tokio::time::Instant::now();
            move |_| began.elapsed() > std::time::Duration::from_secs(5)
        })
        .await;
    assert_eq!(*engine.inner.machine.applied().borrow(), cluster.node(away).role().applied);
    assert!(cluster.node(away).snapshots.indexes().is_empty() && !head.is_empty());
    assert!(cluster.node(away).role().applied < head[0]);
    // The sender is not to blame, and goes on.
    cluster.net.spoil(None);
    cluster.node(away).until_carried_out(150).await;
    assert_eq!(cluster.node(away).journal.texts(), cluster.node(leader).journal.texts());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_made_when_asked_for_and_not_twice() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let index = cluster.say(leader, "one").await;
    let engine = cluster.node(leader).engine();
    engine.snapshot().await.unwrap();
    engine.snapshot().await.unwrap();
    assert_eq!(cluster.node(leader).snapshots.indexes(), [index]);
    cluster.node(leader).until("the snapshot", |role| role.snapshot == index).await;
    let mut reader = cluster.node(leader).snapshots.read(index).unwrap();
    assert!(is_own_record(&reader.next_record().unwrap().unwrap()));
    assert!(!is_own_record(&reader.next_record().unwrap().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_proposal_whose_place_a_snapshot_took_is_unknown() {
    let mut cluster = Cluster::of(3, 20, Writing::Inline).await;
    let old = cluster.leader().await;
    let others: Vec<NodeId> = (1..=3).filter(|id| *id != old).collect();
    let term = cluster.node(old).role().term;
    cluster.net.cut_off(old, others.clone());
    let engine = cluster.node(old).engine();
    let lost = engine.propose(term, b"lost".to_vec());
    let new = cluster.leader_of(&others).await;
    for number in 0..150 {
        cluster.say(new, &number.to_string()).await;
    }
    cluster.node(new).until("purged", |role| role.first > 60).await;
    cluster.net.heal();
    assert!(matches!(lost.await, Proposed::Unknown | Proposed::NotLeader));
    cluster.node(old).until_carried_out(150).await;
    assert!(!cluster.node(old).journal.texts().contains(&"lost".to_owned()));
    cluster.node_mut(old).crash();
}
