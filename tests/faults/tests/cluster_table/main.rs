//! The table of faults: what befalls three nodes under a load of eight clients that remember every answer, and what
//! came of it. `CLUSTER_ROUNDS=100` makes the table that stands in the documentation; by default fewer rounds are made.
//!
//! ```text
//! CLUSTER_ROUNDS=100 cargo test -p faults --test cluster_table -- --nocapture
//! ```

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod clocks;
mod damage;
mod disks;
mod links;
mod processes;

use faults::{Random, Row, print_table, skipped};

/// What everything that befalls a cluster is counted by, unless `CLUSTER_ROUNDS` says otherwise.
const ROUNDS_DEFAULT: usize = 12;

/// So many rounds of a hundred, 1 at least.
fn rounds(of_a_hundred: usize) -> usize {
    let rounds = std::env::var("CLUSTER_ROUNDS")
        .map_or(ROUNDS_DEFAULT, |rounds| rounds.parse().expect("CLUSTER_ROUNDS is a number"));
    (rounds * of_a_hundred).div_ceil(100)
}

/// Whether what is done with nodes that answer nothing alone is done once more with such as do.
fn is_whole_table() -> bool {
    rounds(100) >= 100
}

/// Faults by name, of which `CLUSTER_FAULTS` may choose some by a word that is in theirs.
fn is_wanted(fault: &str) -> bool {
    std::env::var("CLUSTER_FAULTS").map_or(true, |wanted| fault.contains(&wanted))
}

#[test]
fn nothing_acknowledged_is_lost_whatever_befalls_three_nodes() {
    let mut random = Random::announced("cluster table");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // Most of the time a cut link is waited for; the rest goes on beside it.
    let mut random_of_links = random.fork();
    let links = std::thread::spawn(move || links::rows(&mut random_of_links));
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(runtime.block_on(processes::rows(&mut random)));
    rows.extend(runtime.block_on(disks::rows(&mut random)));
    rows.extend(runtime.block_on(damage::rows(&mut random)));
    rows.extend(runtime.block_on(clocks::rows(&mut random)));
    match links.join() {
        Ok(of_links) => rows.extend(of_links),
        Err(panic) => std::panic::resume_unwind(panic),
    }
    print_table(&rows);
    let broken: Vec<_> = rows.iter().flat_map(|row| row.broken.iter()).collect();
    assert!(broken.is_empty(), "{} broken promises:\n{broken:#?}", broken.len());
}

/// Says why a fault is not in the table, and gives no rows.
fn without(fault: &str, why: &str) -> Vec<Row> {
    skipped(fault, why);
    Vec::new()
}
