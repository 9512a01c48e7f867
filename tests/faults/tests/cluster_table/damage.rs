//! A bit that flips in a stopped node's store. Where it matters the node says so and takes no part; it is removed, and
//! another joins in its place. Where it does not matter, the node serves what is right.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use faults::{Random, Row, Trial, say};
use lab::Lab;

use crate::{is_wanted, rounds};

/// Longest wait for a node to be whole, or to say why it is not.
const VERDICT_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks at a node.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Flips at most until so many mattered.
const FLIPS_MAX: usize = 40;

pub(crate) async fn rows(random: &mut Random) -> Vec<Row> {
    let fault = "a bit flipped in a stopped node's store";
    if !is_wanted(fault) {
        return Vec::new();
    }
    let mut lab = Lab::builder().nodes(3).set("snapshot", "every_entries", "200").start().await;
    let mut trial = Trial::begin(&lab, fault, random).await;
    let (mut flips, mut refusals, enough) = (0, 0, rounds(5));
    while refusals < enough {
        assert!(flips < FLIPS_MAX, "{flips} flips, and only {refusals} were seen");
        trial.progress(150).await;
        let victim = lab.follower().await;
        lab.node(victim).kill().await;
        let place = flip(&lab.node(victim).data_dir(), &mut trial.random);
        flips += 1;
        lab.node(victim).spawn();
        if let Some(said) = refuses(&lab, victim).await {
            say(&format!("{place}: {said}"));
            refusals += 1;
            lab.remove_node(victim).await.unwrap();
            trial.follow(&lab);
            trial.progress(40).await;
            lab.add_node().await;
            trial.follow(&lab);
        }
        trial.end_round(&lab).await;
    }
    vec![trial.end(&lab).await]
}

/// Flips a bit of a file that holds the log or a snapshot, and says where.
fn flip(data: &Path, random: &mut Random) -> String {
    let files = files(data);
    let path = &files[random.below(files.len())];
    let mut bytes = std::fs::read(path).unwrap();
    let place = random.below(bytes.len());
    bytes[place] ^= 1 << random.below(8);
    std::fs::write(path, bytes).unwrap();
    format!("byte {place} of {}", path.strip_prefix(data).unwrap().display())
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        if metadata.is_dir() {
            found.extend(files(&path));
        } else if metadata.is_file() && metadata.len() > 0 && is_store(&path) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The log's own files, and snapshots.
fn is_store(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains("/log/") || text.contains("snapshot-")
}

/// What the node said when it ended, or took no part; none where it is whole. It does not run in the first case.
async fn refuses(lab: &Lab, victim: usize) -> Option<String> {
    let (node, began) = (lab.node(victim), Instant::now());
    loop {
        if !node.is_running() {
            let said = node.log_of_last_start();
            let last = said.lines().rev().find(|line| line.contains("ERROR")).unwrap_or_default();
            assert!(last.contains("hint"), "it ended without a way out:\n{said}");
            return Some(last.to_owned());
        }
        if let Ok(alive) = node.admin("/livez").await
            && alive.status != 200
        {
            node.kill().await;
            return Some(alive.body.trim().to_owned());
        }
        if lab.is_whole().await.is_ok() {
            return None;
        }
        assert!(began.elapsed() < VERDICT_TIMEOUT, "{} neither serves nor says why", node.name);
        // Nothing reports it; it is asked for again.
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
