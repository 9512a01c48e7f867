//! The membership: growing, shrinking, and what is refused.

use super::super::*;
use super::support::*;

#[tokio::test(start_paused = true)]
async fn a_cluster_grows_from_one_to_three_and_shrinks_again() {
    let mut cluster = Cluster::empty(1_000_000, Writing::Inline);
    let first = cluster.add(1).await;
    first.found(member(1)).await.unwrap();
    assert!(matches!(first.found(member(1)).await, Err(EngineError::NotPristine)));
    cluster.say(1, "alone").await;

    cluster.add(2).await;
    first.add_learner(2, member(2)).await.unwrap();
    first.add_learner(2, member(2)).await.unwrap();
    assert_eq!(first.add_learner(2, member(7)).await, Err(ChangeError::OtherMember(2)));
    cluster.node(2).until_carried_out(1).await;
    let role = cluster.node(2).until("a learner", |role| role.members.len() == 2).await;
    assert!(!role.members[&2].voter && role.members[&1].voter && role.members[&2].member == member(2));
    let applied = cluster.node(1).role().applied;
    cluster.node(1).until("matched", |role| role.members[&2].matched >= Some(applied)).await;

    first.promote(2).await.unwrap();
    first.promote(2).await.unwrap();
    assert_eq!(first.promote(5).await, Err(ChangeError::NoMember(5)));
    cluster.add(3).await;
    first.add_learner(3, member(3)).await.unwrap();
    first.promote(3).await.unwrap();
    cluster
        .node(3)
        .until("three voters", |role| role.members.values().filter(|peer| peer.voter).count() == 3)
        .await;

    let moved = Member { link: "192.0.2.99:5697".to_owned(), ..member(3) };
    let leader = cluster.leader().await;
    let engine = cluster.node(leader).engine();
    engine.move_member(3, moved.clone()).await.unwrap();
    engine.move_member(3, moved.clone()).await.unwrap();
    assert_eq!(engine.move_member(9, moved.clone()).await, Err(ChangeError::NoMember(9)));
    let role = cluster.node(2).until("a moved member", |role| role.members[&3].member == moved).await;
    assert!(role.members[&3].voter, "it keeps its vote");

    let leader = cluster.leader().await;
    let (one, other) = match leader {
        1 => (2, 3),
        2 => (1, 3),
        _ => (1, 2),
    };
    let engine = cluster.node(leader).engine();
    engine.remove(one).await.unwrap();
    assert_eq!(engine.remove(one).await, Err(ChangeError::NoMember(one)));
    engine.remove(other).await.unwrap();
    assert_eq!(engine.remove(leader).await, Err(ChangeError::LastVoter(leader)));
    cluster.node(leader).until("alone again", |role| role.members.len() == 1).await;
    cluster.say(leader, "alone again").await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_removed_hands_over_and_takes_no_command_any_more() {
    let cluster = Cluster::of_three().await;
    let old = cluster.leader().await;
    cluster.node(old).engine().remove(old).await.unwrap();
    let others: Vec<NodeId> = (1..=3).filter(|id| *id != old).collect();
    let new = cluster.leader_of(&others).await;
    cluster.say(new, "without it").await;
    let role = cluster.node(old).until("no leader any more", |role| !role.leads).await;
    assert_ne!(role.leader, Some(old));
    assert_eq!(cluster.node(old).engine().propose(role.term, b"no".to_vec()).await, Proposed::NotLeader);
    assert_eq!(cluster.node(new).role().members.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_node_is_replaced_by_one_of_a_new_number() {
    let mut cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    cluster.say(leader, "before").await;
    let dead = (1..=3).find(|id| *id != leader).unwrap();
    cluster.node_mut(dead).crash();
    let engine = cluster.node(leader).engine();
    engine.remove(dead).await.unwrap();
    cluster.add(4).await;
    engine.add_learner(4, member(4)).await.unwrap();
    cluster.node(4).until_carried_out(1).await;
    engine.promote(4).await.unwrap();
    let members: Vec<NodeId> = cluster
        .node(4)
        .until("three", |role| role.members.len() == 3)
        .await
        .members
        .keys()
        .copied()
        .collect();
    assert!(members.contains(&4) && !members.contains(&dead));
}

#[tokio::test(start_paused = true)]
async fn without_a_quorum_a_change_is_given_up_and_the_next_one_told_so() {
    let mut cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    for id in 1..=3 {
        if id != leader {
            cluster.node_mut(id).crash();
        }
    }
    let engine = cluster.node(leader).engine();
    assert_eq!(engine.add_learner(4, member(4)).await, Err(ChangeError::TimedOut));
    assert_eq!(engine.add_learner(5, member(5)).await, Err(ChangeError::InProgress));
}
