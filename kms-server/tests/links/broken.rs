//! Connections that break: who waits is told at once, and the link comes back by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use certs::Profile;
use kms_server::engine::CallError;
use kms_server::links::{Bounds, Settings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::support::{
    Cluster, ECHO, LONG, Node, RAFT_WAITS, Recorder, WAITS, Wire, calling, hello, next_frame, patient,
    patient_bounds, raw, raw_config, until,
};

#[tokio::test]
async fn calls_under_way_fail_at_once_when_the_other_node_dies() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), node.address);
    let calls = [calling(&links, WAITS), calling(&links, RAFT_WAITS)];
    until("both calls are in work", || node.heard.heard().len() == 2).await;
    node.kill().await;
    for call in calls {
        let failed = call.await.unwrap();
        assert!(
            matches!(&failed, Err(CallError::Unreachable(why)) if why.contains("node 2 at")),
            "{failed:?}"
        );
    }
}

#[tokio::test]
async fn a_link_comes_back_when_the_other_node_does() {
    let cluster = Cluster::new();
    let mut node = Node::start(&cluster, 2, patient_bounds()).await;
    let address = node.address;
    let links = cluster.links_to(1, patient(), address);
    for round in 0..3 {
        assert_eq!(links.call(2, ECHO, vec![round], LONG).await, Ok(vec![round]));
        node.kill().await;
        until("the link is down", || links.reachable(2) == Some(false)).await;
        node = Node::start_at(address, cluster.node(2), patient_bounds()).await;
        until("the link is up", || links.reachable(2) == Some(true)).await;
    }
}

#[tokio::test]
async fn between_attempts_calls_fail_fast_with_the_reason() {
    let cluster = Cluster::new();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = Settings { backoff_min: LONG * 100, backoff_max: LONG * 100, ..patient() };
    let links = cluster.links_to(1, settings, nobody);
    for _ in 0..2 {
        // The first waits for the first attempt, the second meets its outcome.
        let failed = links.call(2, ECHO, Vec::new(), LONG).await;
        assert!(
            matches!(&failed, Err(CallError::Unreachable(why)) if why.contains("cannot connect")),
            "{failed:?}"
        );
    }
    assert_eq!(links.reachable(2), Some(false));
}

#[tokio::test]
async fn a_call_waits_for_a_connection_that_is_being_made_as_long_as_it_has_time() {
    let cluster = Cluster::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Settings { connect_timeout: LONG, ..patient() };
    let links = cluster.links_to(1, settings, address);
    let failed = links.call(2, ECHO, Vec::new(), Duration::from_millis(30)).await;
    assert!(matches!(&failed, Err(CallError::Unreachable(why)) if why.contains("for 30 ms")), "{failed:?}");
    let waiting = calling(&links, ECHO);
    let heard = Arc::new(Recorder::default());
    let (_draining, drained) = tokio::sync::watch::channel(false);
    tokio::spawn(kms_server::links::serve(listener, cluster.node(2), heard, patient_bounds(), drained));
    assert_eq!(waiting.await.unwrap(), Ok(Vec::new()));
}

#[tokio::test]
async fn a_frozen_node_is_noticed_within_about_a_second_and_the_link_is_made_anew() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, Bounds::default()).await;
    let wire = Wire::to(node.address).await;
    let links = cluster.links_to(1, Settings::default(), wire.address);
    links.call(2, ECHO, Vec::new(), LONG).await.unwrap();
    let frozen_at = Instant::now();
    wire.frozen.send_replace(true);
    let failed = links.call(2, ECHO, Vec::new(), LONG).await;
    let noticed = frozen_at.elapsed();
    assert!(
        matches!(&failed, Err(CallError::Unreachable(why)) if why.contains("nothing was heard")),
        "{failed:?}"
    );
    // About a second; the machine may be busy.
    assert!(noticed < Duration::from_secs(5), "{noticed:?}");
    assert_eq!(links.reachable(2), Some(false));
    wire.frozen.send_replace(false);
    until("the link is up", || links.reachable(2) == Some(true)).await;
    assert_eq!(links.call(2, ECHO, vec![1], LONG).await, Ok(vec![1]));
}

#[tokio::test]
async fn a_link_on_which_nothing_is_heard_goes_down_without_any_call() {
    let cluster = Cluster::new();
    // The other end's signs of life come every 250 ms, so this end gives up although all is well.
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let settings = Settings { silence_max: Duration::from_millis(100), ..patient() };
    let links = cluster.links_to(1, settings, node.address);
    until("the link is up", || links.reachable(2) == Some(true)).await;
    until("the link is down", || links.reachable(2) == Some(false)).await;
}

#[tokio::test]
async fn a_quiet_link_stays_up() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, Bounds::default()).await;
    let wire = Wire::to(node.address).await;
    let links = cluster.links_to(1, Settings::default(), wire.address);
    links.call(2, ECHO, Vec::new(), LONG).await.unwrap();
    // Twice as long as either end would bear in silence.
    tokio::time::sleep(Settings::default().silence_max * 2).await;
    assert_eq!((links.reachable(2), wire.connections.load(Ordering::Relaxed)), (Some(true), 1));
}

#[tokio::test]
async fn a_caller_who_falls_silent_is_dropped() {
    let cluster = Cluster::new();
    let bounds = Bounds { silence_max: Duration::from_millis(100), ..patient_bounds() };
    let node = Node::start(&cluster, 2, bounds).await;
    let shown = cluster.issue(Profile::Node, "node-1");
    let mut stream = raw(raw_config(&cluster, Some(&shown)), node.address).await.unwrap();
    stream.write_all(&hello(1)).await.unwrap();
    assert!(next_frame(&mut stream).await.is_some());
    assert_eq!(next_frame(&mut stream).await, None);
}
