//! Disks that lose power all at once, are full, or do not sync.

use std::process::Command;
use std::time::{Duration, Instant};

use faults::{Disk, Random, Row, Trial};
use lab::{Builder, Lab, NodeHandle};
use nix::sys::signal::Signal;

use crate::{is_wanted, rounds, without};

/// How kms-server ends when its disk fails (`EX_IOERR`).
const EXIT_DISK: i32 = 74;

const DISK_MB: u64 = 192;

/// Answers that clients are given at most while a disk is full.
const ANSWERS_ON_A_FULL_DISK: u64 = 800;

/// The power goes within so many milliseconds.
const MOMENT_MS_MAX: usize = 300;

/// A node that nobody asks for anything may not notice for a while that its disk is dead.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(2);

/// Between two looks at a process.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

pub(crate) async fn rows(random: &mut Random) -> Vec<Row> {
    let mut rows = Vec::new();
    if is_wanted("all lose power at once") {
        rows.extend(power(random).await);
    }
    if is_wanted("disk full on one node") {
        rows.extend(full(random).await);
    }
    if is_wanted("fdatasync fails on one node") {
        rows.extend(unsynced(random).await);
    }
    rows
}

/// A disk of its own for each of three nodes.
fn three_disks() -> Result<Vec<Disk>, String> {
    let disks: Vec<_> = (0..3).map(|_| Disk::new(DISK_MB)).collect::<Result<_, _>>()?;
    drop(disks[0].cutter()?);
    Ok(disks)
}

fn on_disks(disks: &[Disk]) -> Builder {
    let mut builder = Lab::builder()
        .nodes(disks.len())
        .set("snapshot", "every_entries", "200")
        // As in `processes`: what a node alone gives may be from before a change.
        .set("cluster", "reads_without_quorum", "false");
    for (node, disk) in disks.iter().enumerate() {
        let data = format!("\"{}\"", disk.path().join("data").display());
        builder = builder.set_of(node, "node", "data_dir", data);
    }
    builder
}

async fn power(random: &mut Random) -> Vec<Row> {
    let fault = "all lose power at once";
    let mut disks = match three_disks() {
        Ok(disks) => disks,
        Err(why) => return without(fault, &why),
    };
    let lab = on_disks(&disks).start().await;
    let mut trial = Trial::begin(&lab, fault, random).await;
    for _ in 0..rounds(20) {
        let cutters: Vec<_> = disks.iter().map(|disk| disk.cutter().unwrap()).collect();
        trial.progress(80).await;
        trial.any_moment(MOMENT_MS_MAX).await;
        trial.ledger.freeze();
        cutters.into_iter().for_each(faults::Cutter::cut);
        for node in lab.nodes() {
            ended_by_its_disk(node).await;
        }
        disks.iter_mut().for_each(Disk::power_on);
        trial.ledger.thaw();
        lab.start_all().await;
        trial.end_round(&lab).await;
    }
    let row = trial.end(&lab).await;
    // The servers before their disks.
    drop(lab);
    vec![row]
}

async fn ended_by_its_disk(node: &NodeHandle) {
    let began = Instant::now();
    while node.is_running() {
        if began.elapsed() > NOTICE_TIMEOUT {
            node.signal(Signal::SIGKILL);
            node.wait().await;
            return;
        }
        // The system reports the end of a child only when asked.
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    let said = node.log_of_last_start();
    assert!(said.contains("the disk failed"), "{} ended otherwise:\n{said}", node.name);
}

async fn full(random: &mut Random) -> Vec<Row> {
    let fault = "disk full on one node";
    let disks = match three_disks() {
        Ok(disks) => disks,
        Err(why) => return without(fault, &why),
    };
    let lab = on_disks(&disks).start().await;
    let mut trial = Trial::begin(&lab, fault, random).await;
    let mut ended = 0;
    for round in 0..rounds(10).max(2) {
        let victim = if round % 2 == 0 { lab.leader().await } else { lab.follower().await };
        let (ballast, node) = (disks[victim].fill(), lab.node(victim));
        // The log's file may have room in itself: then the node goes on, and loses nothing either.
        let status = tokio::select! {
            status = node.wait() => Some(status),
            () = trial.progress(ANSWERS_ON_A_FULL_DISK) => None,
        };
        if let Some(status) = status {
            assert_eq!(status.code(), Some(EXIT_DISK), "{}", node.log_of_last_start());
            trial.progress(80).await;
            ended += 1;
        }
        std::fs::remove_file(ballast).unwrap();
        if status.is_some() {
            node.spawn();
        }
        trial.end_round(&lab).await;
    }
    assert!(ended > 0, "no node ever noticed that its disk was full");
    let row = trial.end(&lab).await;
    drop(lab);
    vec![row]
}

async fn unsynced(random: &mut Random) -> Vec<Row> {
    let fault = "fdatasync fails on one node";
    if !Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success()) {
        return without(fault, "there is no strace");
    }
    let lab = Lab::builder().nodes(3).start().await;
    let mut trial = Trial::begin(&lab, fault, random).await;
    for round in 0..rounds(10).max(2) {
        let victim = lab.node(if round % 2 == 0 { lab.leader().await } else { lab.follower().await });
        victim.stop_gracefully().await;
        // Counted for each thread: the writer's syncs of entries, from about the 60th on.
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={}+", 60 + trial.random.below(60));
        let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", &inject];
        victim.launch_with(&words);
        victim.spawn();
        let status = victim.wait().await;
        let said = victim.log_of_last_start();
        victim.launch_with(&[]);
        if said.contains("ptrace") {
            return without(fault, "strace may not trace");
        }
        assert_eq!(status.code(), Some(EXIT_DISK), "{said}");
        assert!(said.contains("the disk failed"), "{said}");
        trial.progress(40).await;
        victim.spawn();
        trial.end_round(&lab).await;
    }
    vec![trial.end(&lab).await]
}
