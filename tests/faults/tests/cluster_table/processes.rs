//! Processes that end without a word, and such as stand still.

use std::time::Duration;

use faults::{Random, Row, Trial};
use lab::{Builder, Lab};
use nix::sys::signal::Signal;

use crate::{is_wanted, is_whole_table, rounds};

/// How long a process stands still: longer than an election takes, and than a node that is cut off takes to notice.
const STOPPED: Duration = Duration::from_millis(1500);

/// How often a leader is killed, and how often a follower.
const KILLS: usize = 50;

/// A kill comes within so many milliseconds.
const MOMENT_MS_MAX: usize = 200;

/// Few entries between snapshots, so that a fault meets their writing, their sending and the purge of the log too.
const SNAPSHOT_EVERY: &str = "300";

#[derive(Clone, Copy)]
enum Victim {
    Leader,
    Follower,
}

impl Victim {
    async fn choose(self, lab: &Lab) -> usize {
        match self {
            Victim::Leader => lab.leader().await,
            Victim::Follower => lab.follower().await,
        }
    }
}

pub(crate) async fn rows(random: &mut Random) -> Vec<Row> {
    // What a node alone gives may be from before a change: the price of reads without quorum.
    let lab = three_nodes().set("cluster", "reads_without_quorum", "false").start().await;
    let mut rows = Vec::new();
    for (fault, victim) in
        [("kill -9 of the leader", Victim::Leader), ("kill -9 of a follower", Victim::Follower)]
    {
        if is_wanted(fault) {
            rows.push(killed(&lab, fault, victim, random).await);
        }
    }
    for (fault, victim) in [
        ("the leader stopped and continued", Victim::Leader),
        ("a follower stopped and continued", Victim::Follower),
    ] {
        if is_wanted(fault) {
            rows.push(stopped(&lab, fault, victim, random).await);
        }
    }
    let fault = "all killed at once";
    if is_wanted(fault) {
        rows.push(all_killed(&lab, fault, random).await);
    }
    let fault = "all killed at once, with reads without quorum";
    if is_whole_table() && is_wanted(fault) {
        rows.push(all_killed(&three_nodes().start().await, fault, random).await);
    }
    rows
}

fn three_nodes() -> Builder {
    Lab::builder().nodes(3).set("snapshot", "every_entries", SNAPSHOT_EVERY)
}

async fn killed(lab: &Lab, fault: &str, victim: Victim, random: &mut Random) -> Row {
    let mut trial = Trial::begin(lab, fault, random).await;
    // As many in every run: no other fault is as common.
    for _ in 0..KILLS {
        trial.progress(40).await;
        trial.any_moment(MOMENT_MS_MAX).await;
        let node = lab.node(victim.choose(lab).await);
        node.kill().await;
        trial.progress(40).await;
        node.spawn();
        trial.end_round(lab).await;
    }
    trial.end(lab).await
}

async fn stopped(lab: &Lab, fault: &str, victim: Victim, random: &mut Random) -> Row {
    let mut trial = Trial::begin(lab, fault, random).await;
    for _ in 0..rounds(20) {
        trial.progress(40).await;
        trial.any_moment(MOMENT_MS_MAX).await;
        let node = lab.node(victim.choose(lab).await);
        node.pause();
        // The fault lasts so long.
        tokio::time::sleep(STOPPED).await;
        trial.progress(10).await;
        node.resume();
        trial.end_round(lab).await;
    }
    trial.end(lab).await
}

async fn all_killed(lab: &Lab, fault: &str, random: &mut Random) -> Row {
    let mut trial = Trial::begin(lab, fault, random).await;
    for _ in 0..rounds(20) {
        trial.progress(80).await;
        trial.any_moment(MOMENT_MS_MAX).await;
        lab.nodes().iter().for_each(|node| node.signal(Signal::SIGKILL));
        for node in lab.nodes() {
            node.wait().await;
        }
        lab.start_all().await;
        trial.end_round(lab).await;
    }
    trial.end(lab).await
}
