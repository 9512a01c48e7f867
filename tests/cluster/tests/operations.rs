//! What operators do with a whole cluster while it serves, and the worst that can befall all of it.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use cluster::configs;
use faults::{Random, Trial, connect};
use lab::Lab;
use nix::sys::signal::Signal;

/// Failures one after the other that a client may have: one, and then it is connected to another node.
const RECONNECTS_MAX: u32 = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_costs_no_client_more_than_a_reconnect() {
    let mut random = Random::announced("rolling restart");
    let lab = Lab::builder().nodes(3).start().await;
    let mut trial = Trial::begin(&lab, "rolling restart", &mut random).await;
    trial.ledger.take_failures_running();
    for index in lab.members() {
        let node = lab.node(index);
        assert!(node.stop_gracefully().await.success(), "{}", node.log_of_last_start());
        trial.progress(40).await;
        node.spawn();
        trial.end_round(&lab).await;
        let failures = trial.ledger.take_failures_running();
        assert!(failures <= RECONNECTS_MAX, "{}: {failures} failures in a row", node.name);
    }
    trial.end(&lab).await.assert_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_server_certificate_on_all_nodes_costs_no_client_more_than_a_reconnect() {
    let mut random = Random::announced("new server certificate");
    let lab = Lab::builder().nodes(3).start().await;
    let mut trial = Trial::begin(&lab, "new server certificate", &mut random).await;
    trial.ledger.take_failures_running();
    let renewed = certs::certificates_from_pem(&lab.renew_server_certificate()).unwrap().remove(0);
    for node in lab.nodes() {
        node.signal(Signal::SIGHUP);
    }
    for config in configs(&lab) {
        // The signal is answered by the new certificate alone.
        while connect(&config).await.peer_certificates()[0].as_ref() != renewed {
            tokio::task::yield_now().await;
        }
    }
    trial.progress(100).await;
    trial.end_round(&lab).await;
    let failures = trial.ledger.take_failures_running();
    assert!(failures <= RECONNECTS_MAX, "{failures} failures in a row");
    trial.end(&lab).await.assert_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_five_nodes_are_killed_at_once() {
    let mut random = Random::announced("all five killed");
    let lab = Lab::builder()
        .nodes(5)
        .set("snapshot", "every_entries", "200")
        // Whoever is back first would give an object as it was before its last change.
        .set("cluster", "reads_without_quorum", "false")
        .start()
        .await;
    let mut trial = Trial::begin(&lab, "all five killed at once", &mut random).await;
    for _ in 0..2 {
        trial.progress(60).await;
        lab.nodes().iter().for_each(|node| node.signal(Signal::SIGKILL));
        for node in lab.nodes() {
            node.wait().await;
        }
        lab.start_all().await;
        trial.end_round(&lab).await;
    }
    trial.end(&lab).await.assert_kept();
}
