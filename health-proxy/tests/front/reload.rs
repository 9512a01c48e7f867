//! SIGHUP, and what systemd is told.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::bed::{Front, LIMIT, PATIENT, ask, configuration};
use crate::node::Node;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_changes_nodes_and_limits_and_keeps_every_session() {
    let (a, b) = (Node::start("a"), Node::start("b"));
    let front = Front::start(&[&a], &format!("{PATIENT}drain_time_max_ms = 3600000\n")).await;
    let (mut client, name) = front.client().await;
    assert_eq!(name, "a");
    let new = format!("{PATIENT}drain_time_max_ms = 3600000\n[limits]\nconnections_max = 77\n");
    let said = front.reload(&configuration(&[&b], &new)).await;
    assert!(said.contains("the new configuration holds"), "{said}");
    let status = front.until("b is Up", |status| status["nodes"][0]["state"] == "Up").await;
    assert_eq!(status["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(status["connections"]["max"], 77);
    assert_eq!(status["listen"], front.listen.to_string());
    for _ in 0..5 {
        assert_eq!(front.client().await.1, "b");
    }
    assert_eq!(ask(&mut client).await.unwrap(), "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_with_mistakes_keeps_what_holds_and_says_why() {
    let a = Node::start("a");
    let front = Front::start(&[&a], PATIENT).await;
    let (mut client, _) = front.client().await;
    let said = front.reload("[nodes]\na = \"nowhere\"\n[limits]\nconections_max = 1\n").await;
    for part in ["the configuration in force stays", "line 2: [nodes] a", "did you mean connections_max?"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(ask(&mut client).await.unwrap(), "a");
    assert_eq!(front.client().await.1, "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_keeps_what_is_known_of_nodes_that_stay() {
    let (a, b) = (Node::start("a"), Node::start("b"));
    let front = Front::start(&[&a], PATIENT).await;
    front.order("/api/v1/nodes/a/drain").await;
    front.until_state("a", "Draining").await;
    front.reload(&configuration(&[&a, &b], PATIENT)).await;
    front.until_state("b", "Up").await;
    front.until_state("a", "Draining").await;
}

/// Longer than a front that lives is silent.
const SILENCE: Duration = Duration::from_secs(3);

/// What the front says to systemd every moment.
const SIGN_OF_LIFE: &str = "WATCHDOG=1\n";

/// The next word to systemd.
async fn word(systemd: &UnixDatagram) -> String {
    loop {
        let next = any_word(systemd).await;
        if next != SIGN_OF_LIFE {
            return next;
        }
    }
}

async fn any_word(systemd: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let count = timeout(LIMIT, systemd.recv(&mut buffer)).await.expect("a word to systemd").unwrap();
    String::from_utf8(buffer[..count].to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_sees_a_front_that_lives_until_it_stands_still() {
    let a = Node::start("a");
    let dir = tempfile::tempdir().unwrap();
    let systemd = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    let front = Front::start_in(dir, &configuration(&[&a], PATIENT)).await;
    for _ in 0..2 {
        while any_word(&systemd).await != SIGN_OF_LIFE {}
    }
    front.signal(Signal::SIGSTOP);
    // Those that it gave before have been read when none comes for longer than it takes between two.
    while timeout(SILENCE, systemd.recv(&mut [0; 256])).await.is_ok() {}
    front.signal(Signal::SIGCONT);
    assert_eq!(any_word(&systemd).await, SIGN_OF_LIFE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_is_told_when_the_front_is_ready_reloads_and_stops() {
    let a = Node::start("a");
    let dir = tempfile::tempdir().unwrap();
    let systemd = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    let mut front = Front::start_in(dir, &configuration(&[&a], PATIENT)).await;
    assert_eq!(word(&systemd).await, "READY=1\n");
    front.reload("no configuration").await;
    let reloading = word(&systemd).await;
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    // Without this word systemd would take the reload for one that hangs.
    assert_eq!(word(&systemd).await, "READY=1\n");
    front.signal(Signal::SIGTERM);
    assert_eq!(word(&systemd).await, "STOPPING=1\n");
    front.ended().await;
}
