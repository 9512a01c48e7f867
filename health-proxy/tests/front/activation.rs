//! A clients' port that systemd opened, and keeps while the front is started anew.

use std::net::TcpListener;

use nix::sys::signal::Signal;
use tokio::net::TcpStream;

use crate::bed::{Front, PATIENT, ask, configuration};
use crate::node::Node;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_while_the_front_is_started_anew_wait_and_are_served() {
    let a = Node::start("a");
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    let mut early = TcpStream::connect(address).await.unwrap();
    // The configuration names a port of its own, which is not used.
    let text = configuration(&[&a], PATIENT);
    let mut front = Front::start_handed(tempfile::tempdir().unwrap(), &text, &port).await;
    assert_eq!(front.listen, address);
    assert_eq!(front.lines("[front] listen is not used").len(), 1);
    assert_eq!(ask(&mut early).await.unwrap(), "a");
    drop(early);
    front.signal(Signal::SIGTERM);
    assert!(front.ended().await.success());

    let mut between = TcpStream::connect(address).await.unwrap();
    let front = Front::start_handed(tempfile::tempdir().unwrap(), &text, &port).await;
    assert_eq!(ask(&mut between).await.unwrap(), "a");
    let moved = text.replacen("127.0.0.1:0", "127.0.0.1:1", 1);
    let said = front.reload(&moved).await;
    assert!(said.contains("[front] listen is not used"), "{said}");
    assert_eq!(ask(&mut between).await.unwrap(), "a");
    assert_eq!(front.status().await["listen"], address.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_over_and_is_no_port_stops_the_start_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("front.toml"), "[nodes]\na = \"127.0.0.1:1\"\n").unwrap();
    for (sockets, expected) in [(1, "for clients is no TCP port"), (3, "3 sockets were handed over")] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_health-proxy"))
            .arg("--config")
            .arg(dir.path().join("front.toml"))
            .env("LISTEN_FDS", sockets.to_string())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(expected) && said.contains("hint: "), "{said}");
    }
}
