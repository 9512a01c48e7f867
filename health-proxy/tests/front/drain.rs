//! Draining: by the operator's socket, within a bound.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::bed::{Front, PATIENT, ask, end, node};
use crate::node::Node;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_node_keeps_its_sessions_and_gets_no_new_ones_until_it_is_ready() {
    let (a, b) = (Node::start("a"), Node::start("b"));
    let front = Front::start(&[&a, &b], &format!("{PATIENT}drain_time_max_ms = 3600000\n")).await;
    let mode = std::fs::metadata(front.path("admin.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut of_a = front.client_of("a").await;
    assert_eq!(front.order("/api/v1/nodes/a/drain").await.0, 204);
    front.until_state("a", "Draining").await;
    for _ in 0..10 {
        assert_eq!(front.client().await.1, "b");
    }
    assert_eq!(ask(&mut of_a).await.unwrap(), "a");
    assert_eq!(front.order("/api/v1/nodes/a/ready").await.0, 204);
    front.until_state("a", "Up").await;
    front.client_of("a").await;
    assert_eq!(ask(&mut of_a).await.unwrap(), "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_outlast_the_drain_are_reset() {
    let (a, b) = (Node::start("a"), Node::start("b"));
    let front = Front::start(&[&a, &b], &format!("{PATIENT}drain_time_max_ms = 100\n")).await;
    let (mut of_a, mut of_b) = (front.client_of("a").await, front.client_of("b").await);
    front.order("/api/v1/nodes/a/drain").await;
    assert_eq!(end(&mut of_a).await, Some(ErrorKind::ConnectionReset));
    assert_eq!(ask(&mut of_b).await.unwrap(), "b");
    let status = front.status().await;
    assert_eq!(node(&status, "a")["state"], "Draining");
    assert_eq!(node(&status, "a")["sessions"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_for_a_node_that_is_not_there_names_those_that_are() {
    let a = Node::start("a");
    let front = Front::start(&[&a], PATIENT).await;
    let (code, body) = front.order("/api/v1/nodes/z/drain").await;
    assert_eq!(code, 404);
    assert!(body.contains("there is no node \\\"z\\\"; the nodes are a"), "{body}");
    // Reading is for all, orders are not.
    let (code, _) = front.get("/api/v1/nodes/a/drain").await;
    assert_eq!(code, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_front_that_ends_lets_sessions_end_and_leaves_with_zero() {
    let a = Node::start("a");
    let mut front = Front::start(&[&a], &format!("{PATIENT}[limits]\ndrain_timeout_ms = 3600000\n")).await;
    let (mut client, _) = front.client().await;
    front.signal(Signal::SIGTERM);
    crate::bed::until("the front is not ready", async || {
        let (code, body) = front.get("/readyz").await;
        (code == 503 && body.contains("the front ends")).then_some(())
    })
    .await;
    crate::bed::until("it takes no more", async || {
        tokio::net::TcpStream::connect(front.listen).await.is_err().then_some(())
    })
    .await;
    assert_eq!(ask(&mut client).await.unwrap(), "a");
    drop(client);
    assert_eq!(front.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_outlast_the_front_are_reset() {
    let a = Node::start("a");
    let mut front = Front::start(&[&a], &format!("{PATIENT}[limits]\ndrain_timeout_ms = 100\n")).await;
    let (mut client, _) = front.client().await;
    front.signal(Signal::SIGTERM);
    assert_eq!(end(&mut client).await, Some(ErrorKind::ConnectionReset));
    assert_eq!(front.ended().await.code(), Some(0));
}
