//! Probes: how deep they ask, and what is said when they fail.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::authority::Pair;
use crate::bed::{Front, PATIENT, configuration, until};
use crate::node::{Answers, House, Node};

const KMIP: &str = "[probe]\ncertificate = \"probe.pem\"\nkey = \"probe.key\"\nca = \"ca.pem\"\nserver_name = \
                    \"kms.example.test\"\n";

fn write(dir: &Path, client: &Pair, ca: &Pair) {
    fs::write(dir.join("probe.pem"), client.pem()).unwrap();
    fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    fs::write(dir.join("probe.key"), client.key_pem()).unwrap();
    fs::set_permissions(dir.join("probe.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) async fn start(node: &Node, client: &Pair, ca: &Pair) -> Front {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), client, ca);
    let often = "[health]\nprobe_timeout_ms = 20000\nprobe_interval_ms = 50\n";
    Front::start_in(dir, &configuration(&[node], &format!("{often}{KMIP}"))).await
}

/// What the first failed probe of the node says.
async fn failure(front: &Front) -> String {
    let failed = |status: &serde_json::Value| !status["nodes"][0]["outcomes"][0]["failure"].is_null();
    let status = front.until("a probe has failed", failed).await;
    assert_eq!(status["nodes"][0]["state"], "Down");
    status["nodes"][0]["outcomes"][0]["failure"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_probes_with_mutual_tls_share_a_connection() {
    let house = House::new();
    let a = Node::start_as("a", &house, true, Answers::Well);
    let front = start(&a, &house.client(), &house.authority).await;
    let many = |status: &serde_json::Value| status["nodes"][0]["outcomes"].as_array().unwrap().len() == 60;
    let status = front.until("sixty probes were made", many).await;
    assert_eq!(status["nodes"][0]["state"], "Up");
    assert!(
        status["nodes"][0]["outcomes"].as_array().unwrap().iter().all(|probe| probe["failure"].is_null())
    );
    assert!(status["blind_to"].is_null());
    let (probes, handshakes) = (60, a.handshakes.load(Ordering::SeqCst));
    assert!(handshakes * 10 < probes, "{handshakes} handshakes for {probes} probes");
    // A connection that the node closed is no failure of the node.
    a.kill(false).await;
    a.restart();
    front.until_state("a", "Up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_know_the_probe_is_down_and_the_reason_says_so() {
    let (house, other) = (House::new(), House::of("another authority"));
    let a = Node::start_as("a", &house, true, Answers::Well);
    let front = start(&a, &other.client(), &house.authority).await;
    let reason = failure(&front).await;
    assert!(reason.contains("TLS") && reason.contains("hint: the server does not trust"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_certificate_of_another_authority_is_down_and_the_reason_says_so() {
    let (house, other) = (House::new(), House::of("another authority"));
    let a = Node::start_as("a", &house, true, Answers::Well);
    let front = start(&a, &house.client(), &other.authority).await;
    let reason = failure(&front).await;
    assert!(reason.contains("not of the given CA") || reason.contains("UnknownIssuer"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_answers_garbage_is_down_and_the_reason_says_so() {
    let house = House::new();
    let a = Node::start_as("a", &house, true, Answers::Garbage);
    let front = start(&a, &house.client(), &house.authority).await;
    let reason = failure(&front).await;
    assert!(reason.contains("is not a KMIP response"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_that_see_less_say_so_in_log_and_status() {
    let house = House::new();
    // It asks for a certificate, and refuses who has none: a sign of life.
    let a = Node::start_as("a", &house, true, Answers::Garbage);
    let front = Front::start(&[&a], PATIENT).await;
    until("the log says so", async || {
        (front.lines("probes are TLS handshakes only").len() == 1).then_some(())
    })
    .await;
    let status = front.status().await;
    assert!(status["blind_to"].as_str().unwrap().contains("give [probe] certificate and key"), "{status}");
    let said = front.reload(&configuration(&[&a], &format!("{PATIENT}[probe]\nkind = \"tcp\"\n"))).await;
    assert!(said.contains("holds"), "{said}");
    assert_eq!(front.status().await["probe"], "TCP connect only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_that_takes_too_long_has_failed_and_says_at_what() {
    let a = Node::start("a");
    a.freeze();
    let front = Front::start_unprobed(&[&a], "[health]\nprobe_timeout_ms = 50\n").await;
    let status = front
        .until("a probe has failed", |status| !status["nodes"][0]["outcomes"][0]["failure"].is_null())
        .await;
    let reason = status["nodes"][0]["outcomes"][0]["failure"].as_str().unwrap();
    // A busy machine may hold up the front itself for longer than the grace.
    assert!(reason.contains("took more than 50 ms") || reason.contains("nothing was heard"), "{reason}");
}
