//! Who leads, and what a leader may say of itself.

use std::time::Duration;

use tokio::time::Instant;

use super::super::*;
use super::support::*;

/// Heartbeats, answers, and two syncs, on top of the silence and the pause.
const SOME: Duration = Duration::from_millis(100);

/// Waits until one of these leads, and says how long that took.
async fn until_one_leads(cluster: &Cluster, among: &[NodeId]) -> (NodeId, Duration) {
    let began = Instant::now();
    loop {
        if let Some(id) = among.iter().find(|id| cluster.node(**id).role().leads) {
            return (*id, began.elapsed());
        }
        assert!(began.elapsed() < Duration::from_secs(20), "nobody leads");
        // Any of them may become leader: there is no single condition to wait for.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Lets time pass.
async fn pass(time: Duration) {
    // That nothing comes of it is what is tested: there is nothing to wait for.
    tokio::time::sleep(time).await;
}

fn others(id: NodeId) -> Vec<NodeId> {
    (1..=3).filter(|other| *other != id).collect()
}

/// Runs a test on a clock of its own for each of so many seeds.
fn for_seeds<F: Future>(seeds: u64, test: impl Fn(u64) -> F) -> Vec<F::Output> {
    let run = |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(test(seed))
    };
    (0..seeds).map(run).collect()
}

#[test]
fn a_dead_leader_is_replaced_within_its_lease_and_a_pause() {
    let timing = Timing::default();
    let most = timing.election_max + (timing.election_max - timing.election_min) + SOME;
    let mut gaps = for_seeds(100, |seed| async move {
        let mut cluster = Cluster::seeded(seed).await;
        let old = cluster.leader().await;
        // Anywhere between two signs of life.
        pass(Duration::from_millis(200 + seed)).await;
        let term = cluster.node(old).role().term;
        cluster.node_mut(old).crash();
        let (new, gap) = until_one_leads(&cluster, &others(old)).await;
        assert!(gap < most, "seed {seed}: {gap:?}");
        assert_eq!(cluster.node(new).role().term, term + 1, "seed {seed}: not at the first try");
        gap
    });
    gaps.sort();
    println!("gaps: {:?} half of them, {:?} at most", gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    assert!(gaps[gaps.len() / 2] < Duration::from_millis(500));
}

#[test]
fn a_frozen_leader_that_answers_nobody_is_replaced_as_soon() {
    for_seeds(30, |seed| async move {
        let cluster = Cluster::seeded(seed).await;
        let old = cluster.leader().await;
        cluster.net.cut_off(old, others(old));
        let (_, gap) = until_one_leads(&cluster, &others(old)).await;
        assert!(gap < Duration::from_millis(700), "seed {seed}: {gap:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_from_a_cut_leaves_a_leader_that_is_well_alone() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let term = cluster.node(leader).role().term;
    for round in 0..6 {
        let away = others(leader)[round % 2];
        cluster.net.cut_off(away, others(away));
        cluster.say(leader, "meanwhile").await;
        pass(Duration::from_secs(5)).await;
        assert_eq!(cluster.node(away).role().term, term);
        cluster.net.heal();
        cluster.node(away).until_carried_out(round + 1).await;
        pass(Duration::from_secs(2)).await;
        let role = cluster.node(leader).role();
        assert!(role.leads && role.term == term, "round {round}: {role:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_nodes_that_are_cut_from_each_other_leave_the_leader_of_both_alone() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let term = cluster.node(leader).role().term;
    let [one, other] = others(leader)[..] else { unreachable!() };
    cluster.net.cut_off(one, [other]);
    for _ in 0..20 {
        cluster.say(leader, "on").await;
        pass(Duration::from_millis(500)).await;
    }
    for node in cluster.nodes.values() {
        assert_eq!((node.role().term, node.role().leader), (term, Some(leader)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_from_the_leader_alone_leaves_it_in_office() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let term = cluster.node(leader).role().term;
    cluster.net.cut_off(leader, [others(leader)[0]]);
    for _ in 0..20 {
        cluster.say(leader, "on").await;
        pass(Duration::from_millis(500)).await;
    }
    let role = cluster.node(leader).role();
    assert!(role.leads && role.term == term, "{role:?}");
}

#[test]
fn a_node_with_a_shorter_log_asks_in_vain_and_the_other_wins_at_the_first_try() {
    for_seeds(30, |seed| async move {
        let mut cluster = Cluster::seeded(seed).await;
        let old = cluster.leader().await;
        let term = cluster.node(old).role().term;
        let [short, long] = others(old)[..] else { unreachable!() };
        cluster.net.cut_off(short, [old, long]);
        cluster.say(old, "one of them lacks this").await;
        cluster.node(long).until_carried_out(1).await;
        // It has long begun to ask when the leader dies.
        pass(Duration::from_millis(1000 + seed)).await;
        cluster.node_mut(old).crash();
        cluster.net.heal();
        let (new, gap) = until_one_leads(&cluster, &[short, long]).await;
        assert!(new == long && gap < Duration::from_millis(700), "seed {seed}: node {new} after {gap:?}");
        assert_eq!(cluster.node(new).role().term, term + 1, "seed {seed}");
    });
}

#[tokio::test(start_paused = true)]
async fn a_sole_voter_leads_at_once_and_a_learner_never_stands() {
    let mut cluster = Cluster::of(1, 1_000_000, Writing::Inline).await;
    cluster.add(2).await;
    cluster.node(1).engine().add_learner(2, member(2)).await.unwrap();
    let term = cluster.node(1).role().term;
    cluster.node(2).until("a learner", |role| role.leader == Some(1)).await;

    cluster.node_mut(1).crash();
    pass(Duration::from_secs(10)).await;
    assert!(!cluster.node(2).role().leads && cluster.node(2).role().term == term);

    cluster.node_mut(1).start().await.unwrap();
    let (_, waited) = until_one_leads(&cluster, &[1]).await;
    assert!(waited < Duration::from_millis(50), "{waited:?}");
    assert_eq!(cluster.node(1).role().term, term + 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_voter_leads_when_the_leader_is_removed() {
    let cluster = Cluster::of(2, 1_000_000, Writing::Inline).await;
    let leader = cluster.leader().await;
    cluster.node(leader).engine().remove(leader).await.unwrap();
    let (_, waited) = until_one_leads(&cluster, &[3 - leader]).await;
    assert!(waited < Duration::from_millis(300), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_removed_while_it_was_away_never_stands() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let away = others(leader)[0];
    cluster.net.cut_off(away, others(away));
    cluster.node(leader).engine().remove(away).await.unwrap();
    let term = cluster.node(leader).role().term;
    cluster.net.heal();
    pass(Duration::from_secs(10)).await;
    assert!(cluster.node(leader).role().leads && cluster.node(leader).role().term == term);
    assert_eq!(cluster.node(away).role().term, term);
}

#[test]
fn a_cluster_that_starts_again_has_a_leader_soon() {
    for_seeds(30, |seed| async move {
        let mut cluster = Cluster::seeded(seed).await;
        cluster.leader().await;
        cluster.nodes.values_mut().for_each(Node::crash);
        for node in cluster.nodes.values_mut() {
            node.start().await.unwrap();
        }
        let (_, gap) = until_one_leads(&cluster, &[1, 2, 3]).await;
        assert!(gap < Duration::from_millis(700), "seed {seed}: {gap:?}");
    });
}

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
