//! kill -9 under load: whatever a client was told is still so when the server is back.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use faults::{Ledger, Load, Random, report, say};
use lab::Lab;

const ROUNDS: usize = 50;
const CLIENTS: usize = 8;
const START_ROUNDS: usize = 10;
const STARTS_CUT_SHORT: usize = 8;
/// A start takes about so long at most.
const START_MS_SPAN: usize = 150;

/// The server works at least so long, and at most this much longer, before it is killed.
const LIFE_MS_MIN: usize = 20;
const LIFE_MS_SPAN: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let mut random = Random::announced("kill -9");
    // Few entries between snapshots, so that the kill meets their writing and the purge of the log too.
    let lab = Lab::builder().set("snapshot", "every_entries", "150").start().await;
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    let mut opened = Vec::new();
    let mut verified = 0;
    for _ in 0..ROUNDS {
        let load = Load::start(&config, &ledger, CLIENTS, &mut random);
        let life = LIFE_MS_MIN + random.below(LIFE_MS_SPAN);
        // The moment is the fault itself: there is nothing to wait for.
        tokio::time::sleep(Duration::from_millis(u64::try_from(life).unwrap())).await;
        lab.node(0).kill().await;
        load.ended().await;
        let start = lab.node(0).start().await;
        opened.push(start.unwrap_or_else(|refused| panic!("does not start after kill -9: {refused}")));
        verified += ledger.verify_touched(&config).await;
    }
    verified += ledger.verify_all(&config).await;
    opened.sort();
    let log = lab.node(0).log_text();
    assert!(log.contains("snapshot written"), "no kill met a snapshot");
    say(&format!(
        "kill -9: {verified} verifications of {} keys; from start to serving: min {:?}, median {:?}, max {:?}",
        ledger.keys(),
        opened[0],
        opened[ROUNDS / 2],
        opened[ROUNDS - 1]
    ));
    assert!(ledger.acknowledged() > 1000, "too little load to tell: {} answers", ledger.acknowledged());
    report("kill -9 under load", ROUNDS, ledger.acknowledged(), 0);
}

/// A start writes too: what is cut short there must not stand in the way of the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_9_while_the_server_starts() {
    let mut random = Random::announced("kill -9 at start");
    let lab = Lab::builder().set("snapshot", "every_entries", "150").start().await;
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    for _ in 0..START_ROUNDS {
        let load = Load::start(&config, &ledger, CLIENTS, &mut random);
        let enough = ledger.acknowledged() + 50;
        while ledger.acknowledged() < enough {
            tokio::task::yield_now().await;
        }
        lab.node(0).kill().await;
        load.ended().await;
        for _ in 0..STARTS_CUT_SHORT {
            lab.node(0).spawn();
            let life = u64::try_from(random.below(START_MS_SPAN)).unwrap();
            // The moment is the fault itself: there is nothing to wait for.
            tokio::time::sleep(Duration::from_millis(life)).await;
            lab.node(0).kill().await;
        }
        let start = lab.node(0).start().await;
        start.unwrap_or_else(|refused| panic!("does not start after starts that were cut short: {refused}"));
        ledger.verify_touched(&config).await;
    }
    ledger.verify_all(&config).await;
    report("kill -9 while it starts", START_ROUNDS * STARTS_CUT_SHORT, ledger.acknowledged(), 0);
}

/// Without this, a ledger that believes everything would pass every other test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_put_back_in_time_is_found_out() {
    let mut random = Random::announced("control of the ledger");
    let lab = Lab::start().await;
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    let (data, old) = (lab.node(0).data_dir(), lab.dir().join("old"));
    for acknowledged in [100, 200] {
        let load = Load::start(&config, &ledger, CLIENTS, &mut random);
        while ledger.acknowledged() < acknowledged {
            tokio::task::yield_now().await;
        }
        assert!(load.stop().await.is_empty());
        assert!(lab.node(0).stop_gracefully().await.success());
        if !old.exists() {
            copy_dir(&data, &old);
        }
        lab.node(0).start().await.unwrap();
        ledger.verify_all(&config).await;
    }
    lab.node(0).kill().await;
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&old, &data).unwrap();
    lab.node(0).start().await.unwrap();
    let verified = {
        let (config, ledger) = (config.clone(), Arc::clone(&ledger));
        tokio::spawn(async move { ledger.verify_all(&config).await }).await
    };
    let words = verified.unwrap_err().into_panic().downcast::<String>().unwrap();
    assert!(words.contains("broken promises") && words.contains("lost"), "{words}");
    let lost = words.lines().count() - 1;
    report("control: a store put back in time", 1, ledger.acknowledged(), lost);
}

fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}
