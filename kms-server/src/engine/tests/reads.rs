//! Who confirms a read index, and whom a leader asks for it.

use std::sync::Mutex;

use super::super::*;
use super::support::*;

/// Messages that ask for a vote's witness, and heartbeats or entries, by the node they go to; counted from here on.
fn count_messages(cluster: &Cluster) -> Arc<Mutex<Vec<(u8, NodeId)>>> {
    let sent: Arc<Mutex<Vec<(u8, NodeId)>>> = Arc::default();
    let noted = Arc::clone(&sent);
    cluster.net.spoil(Some(Box::new(move |_, to, kind, _| noted.lock().unwrap().push((kind, to)))));
    sent
}

fn asked(sent: &Mutex<Vec<(u8, NodeId)>>) -> usize {
    sent.lock().unwrap().iter().filter(|(kind, _)| *kind == RAFT_WITNESS).count()
}

#[tokio::test(start_paused = true)]
async fn of_three_the_node_that_asks_is_witness_enough() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let engine = cluster.node(leader).engine();
    let other = cluster.node(leader % 3 + 1);
    let third = (leader + 1) % 3 + 1;
    let index = engine.read_index().await.unwrap();
    // Nobody else could confirm anything.
    cluster.net.cut_off(third, [leader, other.id]);
    let sent = count_messages(&cluster);
    let witness = other.engine().witness().unwrap();
    assert_eq!(engine.read_index_for(other.id, witness).await, Ok(index));
    assert_eq!(asked(&sent), 0);
}

#[tokio::test(start_paused = true)]
async fn of_five_the_node_that_asks_is_not_enough() {
    let cluster = Cluster::of(5, 1_000_000, Writing::Inline).await;
    let leader = cluster.leader().await;
    let engine = cluster.node(leader).engine();
    let other = cluster.node(leader % 5 + 1);
    let witness = other.engine().witness().unwrap();
    assert!(engine.read_index_for(other.id, witness).await.is_ok());
    // Alone with it the leader is no majority.
    let rest: Vec<_> = (1..=5).filter(|id| ![leader, other.id].contains(id)).collect();
    cluster.net.cut_off(leader, rest.iter().copied());
    cluster.net.cut_off(other.id, rest);
    assert_eq!(engine.read_index_for(other.id, witness).await, Err(Unread::NoQuorum));
}

#[tokio::test(start_paused = true)]
async fn one_that_voted_for_a_later_leader_confirms_no_read_of_the_old_one() {
    let cluster = Cluster::of_three().await;
    let old = cluster.leader().await;
    let others: Vec<_> = (1..=3).filter(|id| *id != old).collect();
    cluster.net.cut_off(old, others.iter().copied());
    let new = cluster.leader_of(&others).await;
    let engine = cluster.node(old).engine();
    assert!(engine.role().borrow().leads, "the old leader has heard of nothing");
    for id in others {
        let witness = cluster.node(id).engine().witness().unwrap();
        assert_eq!(witness.term_and_leader().1, new);
        assert_eq!(engine.read_index_for(id, witness).await, Err(Unread::NoQuorum));
    }
    assert_eq!(engine.read_index().await, Err(Unread::NoQuorum));
}

#[tokio::test(start_paused = true)]
async fn a_leader_asks_one_other_for_its_own_reads_and_the_next_where_that_is_silent() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let engine = cluster.node(leader).engine();
    engine.read_index().await.unwrap();
    let sent = count_messages(&cluster);
    engine.read_index().await.unwrap();
    assert_eq!(asked(&sent), 1);
    let (_, first) = *sent.lock().unwrap().iter().find(|(kind, _)| *kind == RAFT_WITNESS).unwrap();
    cluster.net.cut_off(first, [leader]);
    let began = Instant::now();
    engine.read_index().await.unwrap();
    assert!(began.elapsed() < Timing::default().heartbeat, "{:?}", began.elapsed());
    // From then on the one that answered is asked first.
    sent.lock().unwrap().clear();
    engine.read_index().await.unwrap();
    let to: Vec<_> = sent.lock().unwrap().iter().filter(|(kind, _)| *kind == RAFT_WITNESS).copied().collect();
    assert!(to.len() == 1 && to[0].1 != first, "{to:?}");
}

#[tokio::test(start_paused = true)]
async fn a_witness_is_read_whole_or_not_at_all() {
    let cluster = Cluster::of_three().await;
    let witness = cluster.node(1).engine().witness().unwrap();
    let bytes = witness.to_bytes();
    assert_eq!(Witness::from_bytes(&bytes), Some(witness));
    assert!((0..bytes.len()).all(|end| Witness::from_bytes(&bytes[..end]).is_none()));
    assert_eq!(Witness::from_bytes(&[&bytes[..], &[0]].concat()), None);
    let answer = cluster.node(1).engine().answer(RAFT_WITNESS, &[]).await.unwrap();
    assert_eq!(answer, bytes);
    assert!(cluster.node(1).engine().answer(RAFT_WITNESS, &[0]).await.is_err());
}
