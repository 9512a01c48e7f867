//! A clock that jumps ten years ahead on one node and back, under load. Time passes for it as it does; only what it
//! takes for the date is wrong.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use faults::{Random, Row, Trial};
use lab::Lab;

use crate::{is_wanted, rounds, without};

/// Ten years in days, which is more than a server certificate has.
const AHEAD: &str = "+3653d";
const RIGHT: &str = "+0d";

/// Seconds after which the library looks at its file again.
const LOOKS_AGAIN_S: &str = "1";

/// Longest wait for a node to take over the date.
const JUMP_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two looks at a node.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The metric that follows the date wherever it goes; the dates that objects get never go back.
const DAYS_LEFT: &str = "kms_certificate_days_left ";

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

/// Sets the date, waits until the node counts the days of its certificate from it, and lets clients be served.
async fn jump(lab: &Lab, trial: &Trial, date: &Path, victim: usize, to: &str) {
    let (node, began) = (lab.node(victim), Instant::now());
    std::fs::write(date, to).unwrap();
    loop {
        let metrics = node.admin("/metrics").await.unwrap().body;
        let days = metrics.lines().find_map(|line| line.strip_prefix(DAYS_LEFT)).unwrap();
        let has_expired = days.trim().parse::<f64>().unwrap() < 0.0;
        if has_expired == (to == AHEAD) {
            break;
        }
        assert!(began.elapsed() < JUMP_TIMEOUT, "{} does not see its clock jump", node.name);
        // Nothing reports it; it is asked for again.
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    trial.progress(200).await;
}

/// Where Debian puts the library that is made for programs of many threads.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok).map(|entry| entry.path());
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file())
}
