//! The file for keepalived.

use nix::sys::signal::Signal;

use crate::bed::{Front, PATIENT, until};
use crate::node::Node;

async fn until_track(front: &Front, text: &str) {
    let path = front.path("track");
    until(&format!("the track file says {text:?}"), async || {
        let found = std::fs::read_to_string(&path).ok()?;
        assert!(["0\n", "-254\n"].contains(&found.as_str()), "half a number: {found:?}");
        (found == text).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_track_file_says_whether_a_node_can_be_read_and_gives_up_at_the_end() {
    let (a, b) = (Node::start("a"), Node::start("b"));
    a.kill(true).await;
    b.kill(true).await;
    let mut front = Front::start_unprobed(&[&a, &b], PATIENT).await;
    until_track(&front, "-254\n").await;
    assert_eq!(front.get("/readyz").await.0, 503);
    assert_eq!(front.get("/livez").await.0, 200);
    a.restart();
    until_track(&front, "0\n").await;
    assert_eq!(front.get("/readyz").await.0, 200);
    a.kill(true).await;
    until_track(&front, "-254\n").await;
    b.restart();
    until_track(&front, "0\n").await;
    front.signal(Signal::SIGTERM);
    assert_eq!(front.ended().await.code(), Some(0));
    assert_eq!(std::fs::read_to_string(front.path("track")).unwrap(), "-254\n");
    assert!(!front.path("admin.sock").exists());
}
