//! Power cuts under load, and the proof that they would show a server that does not sync.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use faults::{Disk, Ledger, Load, Random, report, skipped};
use lab::Lab;

const ROUNDS: usize = 20;
const CLIENTS: usize = 8;
/// How kms-server ends when its disk fails (`EX_IOERR`).
const EXIT_DISK: i32 = 74;
const START_ROUNDS: usize = 20;
/// A start takes about so long.
const START_MS_SPAN: usize = 120;
const DISK_MB: u64 = 256;
const LIFE_MS_MIN: usize = 50;
const LIFE_MS_SPAN: usize = 500;

/// A disk and the hand on its plug, or `None` with a line that says why not.
fn disk(fault: &str) -> Option<Disk> {
    let disk = Disk::new(DISK_MB).and_then(|disk| disk.cutter().map(|cutter| (disk, cutter)));
    match disk {
        Ok((disk, cutter)) => {
            drop(cutter);
            Some(disk)
        }
        Err(why) => {
            skipped(fault, &why);
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_a_power_cut() {
    let Some(mut disk) = disk("power cut") else { return };
    let mut random = Random::announced("power cut");
    let data = disk.path().join("data");
    let lab = Lab::builder()
        .set("node", "data_dir", format!("\"{}\"", data.display()))
        .set("snapshot", "every_entries", "100")
        .start()
        .await;
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    for _ in 0..ROUNDS {
        let cutter = disk.cutter().unwrap();
        let load = Load::start(&config, &ledger, CLIENTS, &mut random);
        // The moment is the fault itself: there is nothing to wait for.
        let life = LIFE_MS_MIN + random.below(LIFE_MS_SPAN);
        // The moment is the fault itself: there is nothing to wait for.
        tokio::time::sleep(Duration::from_millis(u64::try_from(life).unwrap())).await;
        ledger.freeze();
        cutter.cut();
        // The clients go on, so the server meets the dead disk.
        let status = lab.node(0).wait().await;
        assert_eq!(status.code(), Some(EXIT_DISK), "{}", lab.node(0).log_of_last_start());
        load.ended().await;
        ledger.thaw();
        disk.power_on();
        let start = lab.node(0).start().await;
        start.unwrap_or_else(|refused| panic!("does not start after a power cut: {refused}"));
        ledger.verify_touched(&config).await;
    }
    ledger.verify_all(&config).await;
    assert!(ledger.acknowledged() > 500, "too little load to tell: {} answers", ledger.acknowledged());
    report("power cut under load", ROUNDS, ledger.acknowledged(), 0);
    // The server before its disk.
    drop(lab);
}

/// Makes what this test itself did to its files survive the cut.
fn sync_dir(disk: &Disk) {
    File::open(disk.path()).unwrap().sync_all().unwrap();
}

/// A node's first start makes all its files, a later one clears up and writes some anew: neither may leave behind what
/// the next start stumbles over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_while_the_server_starts_does_not_stop_the_next_start() {
    let Some(mut disk) = disk("power cut at start") else { return };
    let mut random = Random::announced("power cut at start");
    let data = disk.path().join("data");
    let lab = Lab::builder()
        .set("node", "data_dir", format!("\"{}\"", data.display()))
        .set("snapshot", "every_entries", "20")
        .start()
        .await;
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    let load = Load::start(&config, &ledger, 2, &mut random);
    while ledger.acknowledged() < 200 {
        tokio::task::yield_now().await;
    }
    assert!(load.stop().await.is_empty());
    lab.node(0).kill().await;
    let life_behind = disk.path().join("life");
    for round in 0..START_ROUNDS {
        let is_birth = round % 2 == 0;
        if is_birth {
            std::fs::rename(&data, &life_behind).unwrap();
            sync_dir(&disk);
        }
        let cutter = disk.cutter().unwrap();
        lab.node(0).spawn();
        let life = u64::try_from(random.below(START_MS_SPAN)).unwrap();
        // The moment is the fault itself: there is nothing to wait for.
        tokio::time::sleep(Duration::from_millis(life)).await;
        cutter.cut();
        if lab.node(0).is_running() {
            lab.node(0).kill().await;
        }
        disk.power_on();
        let start = lab.node(0).start().await;
        start.unwrap_or_else(|refused| {
            panic!("cut after {life} ms, birth {is_birth}: does not start: {refused}")
        });
        if is_birth {
            lab.node(0).kill().await;
            std::fs::remove_dir_all(&data).unwrap();
            std::fs::rename(&life_behind, &data).unwrap();
            sync_dir(&disk);
        } else {
            ledger.verify_all(&config).await;
            lab.node(0).kill().await;
        }
    }
    report("power cut while it starts", START_ROUNDS, ledger.acknowledged(), 0);
    drop(lab);
}

/// Writes lines, "acknowledges" each when it is written, and says how many are left after the cut.
fn lines_left(disk: &mut Disk, lines: usize, syncs: bool) -> usize {
    let path = disk.path().join("lines");
    let mut file = File::create(&path).unwrap();
    file.sync_all().unwrap();
    sync_dir(disk);
    let cutter = disk.cutter().unwrap();
    for _ in 0..lines {
        file.write_all(b"acknowledged\n").unwrap();
        if syncs {
            file.sync_data().unwrap();
        }
    }
    cutter.cut();
    drop(file);
    disk.power_on();
    std::fs::read_to_string(path).unwrap_or_default().lines().filter(|line| *line == "acknowledged").count()
}

#[test]
fn a_power_cut_takes_what_was_not_synced_and_nothing_else() {
    let Some(mut disk) = disk("power cut, control") else { return };
    let lines = 100;
    let unsynced = lines_left(&mut disk, lines, false);
    assert!(unsynced < lines, "the cut took nothing: it would not show a server that does not sync");
    report("power cut, control without fdatasync", 1, 100, lines - unsynced);
    assert_eq!(lines_left(&mut disk, lines, true), lines, "synced lines were lost: the cut takes too much");
    report("power cut, control with fdatasync", 1, 100, 0);
}
