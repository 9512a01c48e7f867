//! Random crashes and cuts, from a seed: nothing that was acknowledged is ever lost, and all nodes carry out the same.

use std::collections::BTreeMap;
use std::time::Duration;

use rand08::RngCore;

use super::super::runtime::Draw;
use super::super::*;
use super::support::*;

/// Rounds of faults in one run.
const ROUNDS: u64 = 12;

async fn run(seed: u64) {
    let mut draw = Draw::of(seed);
    let mut pick = move |below: u64| draw.next_u64() % below;
    // A snapshot so often that some nodes need one.
    let mut cluster = Cluster::of(3, 8, Writing::Inline).await;
    let mut acknowledged: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for round in 0..ROUNDS {
        let leader = cluster.leader().await;
        let engine = cluster.node(leader).engine();
        let term = engine.role().borrow().term;
        let mut proposed = Vec::new();
        for number in 0..1 + pick(12) {
            let text = format!("{round}.{number}").into_bytes();
            proposed.push((text.clone(), engine.propose(term, text)));
        }
        // The fault falls somewhere among what is on its way.
        tokio::time::sleep(Duration::from_micros(pick(4000))).await;
        match pick(5) {
            0 => cluster.node_mut(leader).crash(),
            1 => cluster.nodes.values_mut().for_each(Node::crash),
            2 => cluster.net.cut_off(leader, (1..=3).filter(|id| *id != leader)),
            3 => cluster.node_mut(1 + pick(3)).crash(),
            _ => {}
        }
        for (text, fate) in proposed {
            // A leader that is cut off answers nothing.
            match tokio::time::timeout(Duration::from_millis(pick(3000)), fate).await {
                Ok(Proposed::Applied { index }) => drop(acknowledged.insert(index, text)),
                Ok(Proposed::PassedOver | Proposed::NotLeader | Proposed::Unknown) | Err(_) => {}
            }
        }
        cluster.net.heal();
        for node in cluster.nodes.values_mut().filter(|node| node.engine.is_none()) {
            node.start().await.unwrap();
        }
        let leader = cluster.leader().await;
        let index = cluster.node(leader).engine().read_index().await.unwrap();
        let mut first: Option<Vec<(u64, Vec<u8>)>> = None;
        for node in cluster.nodes.values() {
            node.until("current", |role| role.applied >= index).await;
            let mut held = node.journal.commands.lock().unwrap().clone();
            held.retain(|(place, _)| *place <= index);
            let lost = acknowledged.iter().find(|(place, text)| !held.contains(&(**place, (*text).clone())));
            assert!(lost.is_none(), "seed {seed}, round {round}: node {} lost {lost:?}", node.id);
            let expected = first.get_or_insert_with(|| held.clone());
            assert_eq!(*expected, held, "seed {seed}, round {round}: node {} differs", node.id);
        }
    }
    for node in cluster.nodes.values_mut() {
        node.engine().end().await;
    }
}

#[test]
fn nothing_acknowledged_is_lost_whatever_crashes_or_is_cut() {
    let seeds = std::env::var("ENGINE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(12);
    for seed in 0..seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(run(seed));
    }
}
