//! Who leads, and what a leader may say of itself.

use std::time::Duration;

use tokio::time::Instant;

use super::super::*;
use super::support::*;

#[tokio::test(start_paused = true)]
async fn when_the_leader_dies_another_one_carries_on_with_all_that_was_acknowledged() {
    let mut cluster = Cluster::of_three().await;
    let old = cluster.leader().await;
    let term = cluster.node(old).role().term;
    cluster.say(old, "before").await;
    cluster.node_mut(old).crash();
    let died = Instant::now();
    let new = cluster.leader().await;
    assert!(new != old && cluster.node(new).role().term > term);
    assert!(died.elapsed() < Duration::from_secs(1), "{:?} without a leader", died.elapsed());
    cluster.say(new, "after").await;

    cluster.node_mut(old).start().await.unwrap();
    cluster.node(old).until_carried_out(2).await;
    for node in cluster.nodes.values() {
        node.until_carried_out(2).await;
        assert_eq!(node.journal.texts(), ["before", "after"]);
        assert_eq!(node.until("the new leader", |role| role.leader == Some(new)).await.leads, node.id == new);
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_says_how_long_it_heard_of_no_quorum_and_serves_no_read() {
    let cluster = Cluster::of_three().await;
    let old = cluster.leader().await;
    let others: Vec<NodeId> = (1..=3).filter(|id| *id != old).collect();
    assert!(cluster.node(old).role().quorum_age_ms.unwrap() < 500);
    cluster.net.cut_off(old, others.clone());
    let asked = Instant::now();
    assert_eq!(cluster.node(old).engine().read_index().await, Err(Unread::NoQuorum));
    assert!(asked.elapsed() <= Duration::from_millis(1500), "{:?}", asked.elapsed());
    cluster.node(old).until("an old quorum", |role| role.leads && role.quorum_age_ms > Some(2000)).await;

    let new = cluster.leader_of(&others).await;
    let asked = Instant::now();
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let engine = cluster.node(old).engine();
            tokio::spawn(async move { engine.read_index().await })
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), Err(Unread::NoQuorum));
    }
    assert!(asked.elapsed() <= Duration::from_millis(1500), "{:?}", asked.elapsed());

    cluster.net.heal();
    cluster.node(old).until("following", |role| role.leader == Some(new) && !role.leads).await;
    assert_eq!(cluster.node(old).engine().read_index().await, Err(Unread::NotLeader));
    assert_eq!(cluster.node(old).role().quorum_age_ms, None);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_killed_and_started_again_at_once_serves_no_stale_read() {
    let mut cluster = Cluster::of_three().await;
    for round in 0..10 {
        let leader = cluster.leader().await;
        let text = format!("round {round}");
        let index = cluster.say(leader, &text).await;
        cluster.node_mut(leader).crash();
        let engine = cluster.node_mut(leader).start().await.unwrap();
        // Whatever it says of itself now, a read that it lets through sees what was acknowledged.
        match engine.read_index().await {
            Ok(read) => {
                assert!(read >= index, "round {round}: a read at {read}, {index} was acknowledged");
                engine.wait_applied(read).await.unwrap();
                assert_eq!(cluster.node(leader).journal.texts().last(), Some(&text));
            }
            Err(Unread::NotLeader | Unread::NoQuorum) => {}
            Err(Unread::Ended(ended)) => panic!("{ended}"),
        }
        assert!(cluster.node(leader).role().leader != Some(leader) || cluster.node(leader).role().leads);
    }
}

#[tokio::test(start_paused = true)]
async fn a_vote_survives_a_crash() {
    let mut cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let other = (1..=3).find(|id| *id != leader).unwrap();
    let term = cluster.node(leader).role().term;
    cluster.node(other).until("the term", |role| role.term == term).await;
    cluster.node_mut(other).crash();
    let vote = LogStore::open(Box::new(cluster.node(other).disk.open()), (Writing::Inline, 0), other, 0, 0);
    let vote = vote.unwrap().vote().unwrap();
    assert_eq!((vote.leader_id.term, vote.leader_id.node_id, vote.committed), (term, leader, true));
    // A vote for itself is not settled any more.
    cluster.node_mut(leader).crash();
    let vote = LogStore::open(Box::new(cluster.node(leader).disk.open()), (Writing::Inline, 0), leader, 0, 0);
    let vote = vote.unwrap().vote().unwrap();
    assert_eq!((vote.leader_id.term, vote.leader_id.node_id, vote.committed), (term, leader, false));
}

#[tokio::test(start_paused = true)]
async fn readers_that_come_together_share_a_round() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let index = cluster.say(leader, "one").await;
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = std::sync::Arc::clone(&asked);
    cluster.net.spoil(Some(Box::new(move |_, _, _, _| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    })));
    let readers: Vec<_> = (0..500)
        .map(|_| {
            let engine = cluster.node(leader).engine();
            tokio::spawn(async move { engine.read_index().await })
        })
        .collect();
    for reader in readers {
        assert!(reader.await.unwrap().unwrap() >= index);
    }
    let asked = asked.load(std::sync::atomic::Ordering::Relaxed);
    assert!(asked < 20, "{asked} messages for 500 reads");
}
