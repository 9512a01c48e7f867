//! A disk that is full, and one that does not sync: the server ends with its own exit code, and nothing that it told
//! is lost.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;
use std::sync::Arc;

use faults::{Disk, Ledger, Load, Random, report, say, skipped, works};
use lab::Lab;

const CLIENTS: usize = 8;
/// How kms-server ends when its disk fails (`EX_IOERR`).
const EXIT_DISK: i32 = 74;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_disk_is_full() {
    const ROUNDS: usize = 3;
    let disk = match Disk::new(64) {
        Ok(disk) => disk,
        Err(why) => return skipped("disk full", &why),
    };
    let mut random = Random::announced("disk full");
    let data = disk.path().join("data");
    let lab = Lab::builder()
        .set("node", "data_dir", format!("\"{}\"", data.display()))
        .set("snapshot", "every_entries", "200")
        .start()
        .await;
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    for _ in 0..ROUNDS {
        let load = Load::start(&config, &ledger, CLIENTS, &mut random);
        while ledger.acknowledged() < 100 {
            tokio::task::yield_now().await;
        }
        let ballast = disk.fill();
        let status = lab.node(0).wait().await;
        assert_eq!(status.code(), Some(EXIT_DISK), "{}", lab.node(0).log_of_last_start());
        let failures = load.ended().await;
        assert_eq!(failures.len(), CLIENTS);
        let said = lab.node(0).log_of_last_start();
        assert!(said.contains("the disk failed") && said.contains("hint"), "{said}");
        // Still full: refused in words, or served from what is there until the next write.
        match lab.node(0).start().await {
            Ok(_) => {
                say("disk full: starts on a full disk");
                lab.node(0).kill().await;
            }
            Err(refused) => {
                say(&format!(
                    "disk full: does not start on a full disk: {}",
                    refused.log.lines().last().unwrap()
                ));
                assert!(refused.log.contains("space"), "{refused}");
            }
        }
        std::fs::remove_file(ballast).unwrap();
        lab.node(0)
            .start()
            .await
            .unwrap_or_else(|refused| panic!("has space, and does not start: {refused}"));
        ledger.verify_all(&config).await;
        works(&config).await;
    }
    report("disk full under load", ROUNDS, ledger.acknowledged(), 0);
    drop(lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_ends_the_server_and_nothing_acknowledged_is_lost() {
    const ROUNDS: usize = 3;
    if !Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success()) {
        return skipped("fdatasync fails", "there is no strace");
    }
    let mut random = Random::announced("fdatasync fails");
    let lab = Lab::start().await;
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    for _ in 0..ROUNDS {
        lab.node(0).stop_gracefully().await;
        // Counted for each thread: the writer's syncs of entries, from the 20th or so on.
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={}+", 20 + random.below(40));
        lab.node(0).launch_with(&[
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=fdatasync,fsync",
            "-e",
            &inject,
        ]);
        match lab.node(0).start().await {
            Ok(_) => {}
            Err(refused) if refused.log.contains("ptrace") => {
                return skipped("fdatasync fails", "strace may not trace");
            }
            Err(refused) => panic!("{refused}"),
        }
        let load = Load::start(&config, &ledger, CLIENTS, &mut random);
        let status = lab.node(0).wait().await;
        load.ended().await;
        let said = lab.node(0).log_of_last_start();
        assert_eq!(status.code(), Some(EXIT_DISK), "{said}");
        assert!(said.contains("the disk failed"), "{said}");
        lab.node(0).launch_with(&[]);
        lab.node(0)
            .start()
            .await
            .unwrap_or_else(|refused| panic!("does not start on a mended disk: {refused}"));
        ledger.verify_all(&config).await;
    }
    works(&config).await;
    report("fdatasync fails under load", ROUNDS, ledger.acknowledged(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_cannot_be_written_is_not_tried_again_at_every_entry() {
    const EVERY: u64 = 50;
    const ENTRIES: u64 = 400;
    let mut random = Random::announced("snapshots fail");
    let lab = Lab::builder().set("snapshot", "every_entries", EVERY.to_string()).start().await;
    // A directory stands where each of them would be written; the log is not concerned.
    for index in 0..2 * ENTRIES {
        std::fs::create_dir(lab.node(0).data_dir().join(format!("snapshot-{index:020}.kms.partial")))
            .unwrap();
    }
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    let load = Load::start(&config, &ledger, 1, &mut random);
    let applied = async || {
        let status = lab.node(0).operator("GET", "/v1/status", "").await.unwrap().json();
        status["log"]["applied"].as_u64().unwrap()
    };
    while applied().await < ENTRIES {
        tokio::task::yield_now().await;
    }
    assert!(load.stop().await.is_empty());
    let entries = applied().await;
    let failures = u64::try_from(lab.node(0).log_text().matches("no snapshot at entry").count()).unwrap();
    assert!((1..=entries / EVERY).contains(&failures), "{failures} failures in {entries} entries");
    lab.node(0).kill().await;
    // A start clears away what was left half written, which directories are not.
    for entry in std::fs::read_dir(lab.node(0).data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap().to_string_lossy().starts_with("snapshot-") {
            std::fs::remove_dir(path).unwrap();
        }
    }
    lab.node(0).start().await.unwrap();
    ledger.verify_all(&config).await;
    report("snapshots cannot be written", usize::try_from(failures).unwrap(), ledger.acknowledged(), 0);
}
