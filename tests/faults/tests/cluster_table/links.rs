//! Links between nodes that carry nothing in one direction or both: every one of the 64 ways to cut the six directions
//! between three nodes.

use std::time::Duration;

use faults::{Random, Row, Trial};
use lab::{Lab, NodeHandle};

use crate::{is_wanted, is_whole_table, without};

/// How long links stay cut: longer than an election takes, and than a node that is cut off takes to notice.
const CUT: Duration = Duration::from_millis(1200);

/// The directions of the links between three nodes.
const DIRECTIONS: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];

pub(crate) fn rows(random: &mut Random) -> Vec<Row> {
    let mut rows = Vec::new();
    let both: &[bool] = if is_whole_table() { &[false, true] } else { &[false] };
    for reads_without_quorum in both {
        let fault = match reads_without_quorum {
            false => "links cut, each of 64 ways, no reads without quorum",
            true => "the same, with reads without quorum",
        };
        if !is_wanted(fault) {
            continue;
        }
        let (mut random, reads) = (random.fork(), *reads_without_quorum);
        match lab::in_own_network(move || async move { cut(fault, reads, &mut random).await }) {
            Ok(row) => rows.push(row),
            Err(why) => rows.extend(without(fault, &why)),
        }
    }
    rows
}

async fn cut(fault: &str, reads_without_quorum: bool, random: &mut Random) -> Row {
    let reads = reads_without_quorum.to_string();
    let lab = Lab::builder().nodes(3).set("cluster", "reads_without_quorum", reads).start().await;
    let mut trial = Trial::begin(&lab, fault, random).await;
    // Until the end, when everything is held to everything.
    trial.ledger.allow_stale(reads_without_quorum);
    for mask in 0..1_u32 << DIRECTIONS.len() {
        lab::cut(&directions(&lab, mask));
        // The fault lasts so long.
        tokio::time::sleep(CUT).await;
        lab::cut(&[]);
        trial.end_round(&lab).await;
    }
    trial.end(&lab).await
}

fn directions(lab: &Lab, mask: u32) -> Vec<(&NodeHandle, &NodeHandle)> {
    let chosen = DIRECTIONS.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
    chosen.map(|(_, (from, to))| (lab.node(*from), lab.node(*to))).collect()
}
