//! The file for keepalived.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

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

/// The guard of a front: the one child that a front has.
fn guard_of(front: &Front) -> Option<Pid> {
    // Each thread has its own.
    let tasks = std::fs::read_dir(format!("/proc/{}/task", front.pid())).unwrap();
    let children =
        tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).ok());
    children.collect::<String>().split_whitespace().next()?.parse().ok().map(Pid::from_raw)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_front_that_stands_still_gives_up_until_it_goes_on_and_a_killed_one_for_good() {
    let a = Node::start("a");
    let mut front = Front::start_unprobed(&[&a], PATIENT).await;
    until_track(&front, "0\n").await;
    front.signal(Signal::SIGSTOP);
    until_track(&front, "-254\n").await;
    front.signal(Signal::SIGCONT);
    until_track(&front, "0\n").await;
    front.signal(Signal::SIGKILL);
    front.ended().await;
    until_track(&front, "-254\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_is_killed_is_started_again_and_ends_with_its_front() {
    let a = Node::start("a");
    let mut front = Front::start_unprobed(&[&a], PATIENT).await;
    until_track(&front, "0\n").await;
    let killed = guard_of(&front).unwrap();
    kill(killed, Signal::SIGKILL).unwrap();
    let next = until("another guard", async || guard_of(&front).filter(|next| *next != killed)).await;
    assert_eq!(front.lines("has ended and is started again").len(), 1);
    a.kill(true).await;
    until_track(&front, "-254\n").await;
    // As systemd does, which tells all processes of a service at once.
    kill(next, Signal::SIGTERM).unwrap();
    a.restart();
    until_track(&front, "0\n").await;
    front.signal(Signal::SIGTERM);
    assert_eq!(front.ended().await.code(), Some(0));
    assert!(kill(next, None).is_err(), "the guard has ended");
}
