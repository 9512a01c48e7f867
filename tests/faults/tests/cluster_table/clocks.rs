//! A clock that jumps ten years ahead on one node and back, under load. Time passes for it as it does; only what it
//! takes for the date is wrong.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use faults::Random;
use lab::Lab;

use crate::table::Row;
use crate::trial::Trial;
use crate::{is_wanted, rounds, without};

/// Days in ten years.
const AHEAD: &str = "+3653d";
const RIGHT: &str = "+0d";

/// Seconds after which the library looks at its file again.
const LOOKS_AGAIN_S: &str = "1";

/// Longest wait for a node to take over the date.
const JUMP_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two looks at a log.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) async fn rows(random: &mut Random) -> Vec<Row> {
    let fault = "clock ten years ahead and back on one node";
    if !is_wanted(fault) {
        return Vec::new();
    }
    let Some(library) = library() else {
        return without(fault, "there is no libfaketime");
    };
    let lab = Lab::builder().nodes(3).start().await;
    let dates: Vec<PathBuf> = lab.nodes().iter().map(|node| node.dir.join("date")).collect();
    for (node, date) in lab.nodes().iter().zip(&dates) {
        std::fs::write(date, RIGHT).unwrap();
        for (name, value) in [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", date.to_str().unwrap()),
            ("FAKETIME_CACHE_DURATION", LOOKS_AGAIN_S),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ] {
            node.set_environment(name, Some(value));
        }
        node.restart().await;
        lab.wait_whole().await;
    }
    let mut trial = Trial::begin(&lab, fault, random).await;
    for round in 0..rounds(10).max(2) {
        let victim = if round % 2 == 0 { lab.leader().await } else { lab.follower().await };
        jump(&lab, &trial, &dates[victim], victim, AHEAD).await;
        jump(&lab, &trial, &dates[victim], victim, RIGHT).await;
        trial.end_round(&lab).await;
    }
    vec![trial.end(&lab).await]
}

/// Sets the date, and waits until a line of the node's log carries it, and others were served meanwhile.
async fn jump(lab: &Lab, trial: &Trial, date: &Path, victim: usize, to: &str) {
    let node = lab.node(victim);
    let (before, began) = (node.log_text().len(), Instant::now());
    std::fs::write(date, to).unwrap();
    let years = if to == AHEAD { 10 } else { 0 };
    // The year as in the log's dates; a test at a turn of the year may see either.
    let year = 1970 + lab::now_s() / 31_556_952 + years;
    let wanted = [format!("\n{year}-"), format!("\n{}-", year + 1)];
    loop {
        let log = node.log_text();
        if wanted.iter().any(|wanted| log[before.min(log.len())..].contains(wanted)) {
            break;
        }
        assert!(began.elapsed() < JUMP_TIMEOUT, "{} does not see its clock jump", node.name);
        // The log reports nothing; it is read again.
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    trial.progress(200).await;
}

/// Where Debian puts the library that is made for programs of many threads.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok).map(|entry| entry.path());
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file())
}
