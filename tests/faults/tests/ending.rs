//! SIGTERM and SIGHUP while clients work.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::{Ledger, Load, Random, connect, create, get, report};
use kmip::client::{Client, ClientConfig, ClientError};
use kmip::{ProtocolVersion, RequestMessage, ResponseMessage};
use lab::{Lab, NodeHandle};
use nix::sys::signal::Signal;

const ROUNDS: usize = 10;
const CLIENTS: usize = 8;

/// `[limits] drain_timeout_ms`, its default.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(30), "{what} does not come about");
        // Nothing reports the condition; it is looked at again.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_said(node: &NodeHandle, words: &str) {
    until(words, async || node.log_of_last_start().contains(words)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_sigterm_and_the_server_ends_in_order() {
    let mut random = Random::announced("SIGTERM");
    let lab = Lab::start().await;
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    for _ in 0..ROUNDS {
        let before = ledger.acknowledged();
        let load = Load::start(&config, &ledger, CLIENTS, &mut random);
        let enough = before + 20 + u64::try_from(random.below(200)).unwrap();
        until("load", async || ledger.acknowledged() >= enough).await;
        let told = Instant::now();
        let status = lab.node(0).stop_gracefully().await;
        assert!(status.success(), "{status}");
        assert!(
            told.elapsed() < DRAIN_TIMEOUT,
            "took {:?} with clients that wait for answers",
            told.elapsed()
        );
        for failure in load.ended().await {
            // Between two messages or before the next; never in the middle of an answer.
            let is_clean = match &failure {
                ClientError::Closed { bytes_received, .. } => *bytes_received == 0,
                ClientError::Io { .. } | ClientError::Connect { .. } => true,
                _ => false,
            };
            assert!(is_clean, "{failure}");
        }
        lab.node(0).start().await.unwrap();
        ledger.verify_touched(&config).await;
    }
    ledger.verify_all(&config).await;
    report("SIGTERM under load", ROUNDS, ledger.acknowledged(), 0);
}

#[tokio::test]
async fn a_request_that_is_half_here_at_sigterm_is_still_answered() {
    let lab = Lab::start().await;
    let node = lab.node(0);
    let mut connection = connect(&lab.client_config()).await;
    connection.one(create()).await.unwrap();
    let mut request = Vec::new();
    RequestMessage::new(ProtocolVersion::V1_4, [create()]).encode(&mut request);
    let (first, second) = request.split_at(request.len() / 2);
    connection.send_raw(first).await.unwrap();
    // A connection of its own is answered after that half, so the half has arrived.
    connect(&lab.client_config()).await.one(create()).await.unwrap();
    node.signal(Signal::SIGTERM);
    until_said(node, "no new connections").await;
    connection.send_raw(second).await.unwrap();
    let answer = connection.receive_raw().await.unwrap();
    let answer = ResponseMessage::decode(&answer, ttlv::Limits::default()).unwrap();
    let Some(kmip::ResponsePayload::Create(created)) = &answer.items[0].payload else { panic!("{answer:?}") };
    let status = node.wait().await;
    assert!(status.success(), "{status}");
    node.start().await.unwrap();
    connect(&lab.client_config()).await.one(get(&created.unique_identifier)).await.unwrap();
    report("SIGTERM with half a request", 1, 1, 0);
}

async fn shown(config: &ClientConfig) -> Vec<u8> {
    let connection = Client::connect(config).await.unwrap();
    connection.peer_certificates()[0].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_taken_on_sighup_while_connections_go_on() {
    let mut random = Random::announced("SIGHUP");
    let lab = Lab::start().await;
    let (config, ledger) = (lab.client_config(), Arc::new(Ledger::default()));
    let load = Load::start(&config, &ledger, CLIENTS, &mut random);
    let mut old = connect(&config).await;
    const RENEWALS: usize = 5;
    for _ in 0..RENEWALS {
        let before = shown(&config).await;
        let pem = lab.renew_server_certificate();
        let renewed = certs::certificates_from_pem(&pem).unwrap().remove(0);
        assert_ne!(before, renewed);
        lab.node(0).signal(Signal::SIGHUP);
        until("the new certificate", async || shown(&config).await == renewed).await;
        old.one(create()).await.unwrap();
    }
    let acknowledged = ledger.acknowledged();
    until("load that goes on", async || ledger.acknowledged() > acknowledged + 50).await;
    let failures = load.stop().await;
    assert!(failures.is_empty(), "{failures:?}");
    // A certificate without its key: the one in force stays.
    let before = shown(&config).await;
    std::fs::write(lab.node(0).dir.join("tls/server.pem"), lab.ca_pem()).unwrap();
    lab.node(0).signal(Signal::SIGHUP);
    until_said(lab.node(0), "the server certificate in force stays").await;
    assert_eq!(shown(&config).await, before);
    ledger.verify_all(&config).await;
    report("SIGHUP under load", RENEWALS + 1, ledger.acknowledged(), 0);
}
