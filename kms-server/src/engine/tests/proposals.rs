//! Commands: their order, their fate, and what is durable when they are answered.

use super::super::*;
use super::support::*;

#[tokio::test(start_paused = true)]
async fn proposals_in_flight_are_carried_out_in_the_order_of_their_calls() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let engine = cluster.node(leader).engine();
    let term = engine.role().borrow().term;
    let syncs = engine.syncs();
    let mut proposed: Vec<_> =
        (0..50).map(|number| engine.propose(term, format!("{number}").into_bytes())).collect();
    // Not the order in which they are waited for.
    proposed.reverse();
    let mut indexes = Vec::new();
    for proposed in proposed {
        match proposed.await {
            Proposed::Applied { index } => indexes.push(index),
            other => panic!("{other:?}"),
        }
    }
    assert!(indexes.is_sorted_by(|a, b| a > b), "{indexes:?}");
    let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for node in cluster.nodes.values() {
        node.until_carried_out(50).await;
        assert_eq!(node.journal.texts(), expected);
    }
    assert!(engine.syncs() - syncs < 10, "{} syncs for 50 entries", engine.syncs() - syncs);
}

#[tokio::test(start_paused = true)]
async fn a_command_of_another_term_is_passed_over_on_every_node() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let engine = cluster.node(leader).engine();
    let term = engine.role().borrow().term;
    assert_eq!(engine.propose(term - 1, b"stale".to_vec()).await, Proposed::PassedOver);
    cluster.say(leader, "fresh").await;
    for node in cluster.nodes.values() {
        node.until_carried_out(1).await;
        assert_eq!(node.journal.texts(), ["fresh"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_takes_no_command() {
    let cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    let engine = cluster.node(follower).engine();
    assert_eq!(engine.propose(1, b"misled".to_vec()).await, Proposed::NotLeader);
    assert_eq!(engine.add_learner(9, member(9)).await, Err(ChangeError::NotLeader));
}

#[tokio::test(start_paused = true)]
async fn what_a_cut_off_leader_was_given_is_not_carried_out_and_it_learns_so() {
    let cluster = Cluster::of_three().await;
    let old = cluster.leader().await;
    let others: Vec<NodeId> = (1..=3).filter(|id| *id != old).collect();
    let term = cluster.node(old).role().term;
    cluster.net.cut_off(old, others.clone());
    let lost = cluster.node(old).engine().propose(term, b"lost".to_vec());
    let new = cluster.leader_of(&others).await;
    cluster.say(new, "kept").await;
    cluster.net.heal();
    assert_eq!(lost.await, Proposed::NotLeader);
    cluster.node(old).until_carried_out(1).await;
    assert_eq!(cluster.node(old).journal.texts(), ["kept"]);
}

#[tokio::test(start_paused = true)]
async fn acknowledged_commands_survive_when_all_nodes_lose_power_at_once() {
    let mut cluster = Cluster::of_three().await;
    let mut expected = Vec::new();
    for round in 0..20 {
        let leader = cluster.leader().await;
        let engine = cluster.node(leader).engine();
        let term = engine.role().borrow().term;
        for number in 0..3 {
            let text = format!("{round}.{number}");
            let index = cluster.say(leader, &text).await;
            expected.push((index, text.into_bytes()));
        }
        // On its way when the power goes; it may or may not be there afterwards.
        let unknown = engine.propose(term, format!("{round}.unknown").into_bytes());
        for node in cluster.nodes.values_mut() {
            node.crash();
        }
        drop(unknown);
        for node in cluster.nodes.values_mut() {
            node.start().await.unwrap();
        }
        let leader = cluster.leader().await;
        let index = cluster.node(leader).engine().read_index().await.unwrap();
        for node in cluster.nodes.values() {
            node.engine().wait_applied(index).await.unwrap();
            let held = node.journal.commands.lock().unwrap().clone();
            let lost: Vec<_> = expected.iter().filter(|command| !held.contains(command)).collect();
            assert!(lost.is_empty(), "round {round}: node {} lost {lost:?}", node.id);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_away_catches_up_from_the_log() {
    let mut cluster = Cluster::of_three().await;
    let leader = cluster.leader().await;
    let away = (1..=3).find(|id| *id != leader).unwrap();
    cluster.node_mut(away).crash();
    for number in 0..30 {
        cluster.say(leader, &number.to_string()).await;
    }
    cluster.node_mut(away).start().await.unwrap();
    cluster.node(away).until_carried_out(30).await;
    assert_eq!(cluster.node(away).journal.texts(), cluster.node(leader).journal.texts());
    assert!(cluster.node(away).snapshots.indexes().is_empty());
}

#[tokio::test]
async fn three_nodes_with_threads_that_write_decide_in_real_time() {
    let cluster = Cluster::of(3, 1_000_000, Writing::Thread).await;
    let leader = cluster.leader().await;
    let engine = cluster.node(leader).engine();
    let term = engine.role().borrow().term;
    let proposed: Vec<_> = (0..200).map(|number| engine.propose(term, vec![number as u8; 100])).collect();
    for proposed in proposed {
        assert!(matches!(proposed.await, Proposed::Applied { .. }));
    }
    let index = engine.read_index().await.unwrap();
    for node in cluster.nodes.values() {
        node.engine().wait_applied(index).await.unwrap();
        assert_eq!(node.journal.commands.lock().unwrap().len(), 200);
    }
    // Not before all have applied: one that lags would hear of nothing more.
    for node in cluster.nodes.values() {
        node.engine().end().await;
    }
}
