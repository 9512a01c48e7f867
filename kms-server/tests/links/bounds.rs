//! Everything that can grow has a bound, and what is given up gives its place back.

use std::time::Duration;

use certs::Profile;
use kms_server::engine::CallError;
use kms_server::links::{BODY_BYTES_MAX, Bounds, Caller, FRONT_REQUEST, FRONT_STATUS, JOIN, Settings, ask};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{
    Cluster, ECHO, LONG, Node, RAFT, RAFT_WAITS, WAITS, calling, frame, hello, next_frame, patient,
    patient_bounds, raw, raw_config, until,
};

fn is_refused(answer: &Result<Vec<u8>, CallError>, words: &str) -> bool {
    matches!(answer, Err(CallError::Refused(why)) if why.contains(words))
}

#[tokio::test]
async fn one_call_more_than_may_wait_is_refused_and_raft_has_its_own_bound() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let settings = Settings { asks_max: 2, raft_calls_max: 1, ..patient() };
    let links = cluster.links_to(1, settings, node.address);
    let asks = [calling(&links, WAITS), calling(&links, WAITS)];
    until("both calls are in work", || node.heard.heard().len() == 2).await;
    let third = links.call(2, ECHO, Vec::new(), LONG).await;
    assert!(is_refused(&third, "2 calls wait for its answers already"), "{third:?}");
    assert_eq!(links.call(2, RAFT, vec![1], LONG).await, Ok(vec![1]), "raft does not wait behind asks");
    node.heard.gate.add_permits(2);
    for ask in asks {
        assert_eq!(ask.await.unwrap(), Ok(Vec::new()));
    }
    assert_eq!(links.call(2, ECHO, vec![2], LONG).await, Ok(vec![2]));
}

#[tokio::test]
async fn a_call_that_is_given_up_or_times_out_frees_its_place() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let settings = Settings { asks_max: 1, raft_calls_max: 1, ..patient() };
    let links = cluster.links_to(1, settings, node.address);
    links.call(2, ECHO, Vec::new(), LONG).await.unwrap();
    for _ in 0..3 {
        let late = links.call(2, WAITS, Vec::new(), Duration::from_millis(10)).await;
        assert_eq!(late, Err(CallError::TimedOut));
        let given_up = calling(&links, RAFT_WAITS);
        let heard = node.heard.heard().len();
        until("it is in work", || node.heard.heard().len() > heard).await;
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
    }
    assert_eq!(links.call(2, ECHO, vec![1], LONG).await, Ok(vec![1]));
    assert_eq!(links.call(2, RAFT, vec![2], LONG).await, Ok(vec![2]));
}

#[tokio::test]
async fn calls_given_up_while_nothing_can_be_written_leave_nothing_in_the_queue() {
    let cluster = Cluster::new();
    // It accepts and says nothing, so calls wait for the connection.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings { queue_bytes_max: 1000, connect_timeout: LONG, ..patient() };
    let links = cluster.links_to(1, settings, mute.local_addr().unwrap());
    for _ in 0..3 {
        let waited = links.call(2, ECHO, vec![0; 900], Duration::from_millis(10)).await;
        assert!(
            matches!(&waited, Err(CallError::Unreachable(why)) if why.contains("for 10 ms")),
            "{waited:?}"
        );
    }
    tokio::select! {
        biased;
        waited = links.call(2, ECHO, vec![0; 900], LONG) => panic!("{waited:?}"),
        second = links.call(2, ECHO, vec![0; 101], LONG) => {
            assert!(is_refused(&second, "1000 bytes wait to be written"), "{second:?}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_before_it_is_sent() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), node.address);
    let refused = links.call(2, ECHO, vec![0; BODY_BYTES_MAX + 1], LONG).await;
    assert!(is_refused(&refused, "at most 33554432 fit"), "{refused:?}");
    for kind in [0x00, 0x80, 0xff] {
        assert!(is_refused(&links.call(2, kind, Vec::new(), LONG).await, "is no kind of call"));
    }
    assert!(node.heard.heard().is_empty());
}

#[tokio::test]
async fn the_one_who_is_called_refuses_what_is_too_much_in_work() {
    let cluster = Cluster::new();
    let bounds = Bounds { asks_max: 1, requests_bytes_max: 1000, ..patient_bounds() };
    let node = Node::start(&cluster, 2, bounds).await;
    let links = cluster.links_to(1, patient(), node.address);
    let large = links.call(2, ECHO, vec![0; 1001], LONG).await;
    assert!(is_refused(&large, "1000 bytes of your calls are in work"), "{large:?}");
    let waiting = calling(&links, WAITS);
    until("a call is in work", || !node.heard.heard().is_empty()).await;
    let second = links.call(2, ECHO, Vec::new(), LONG).await;
    assert!(is_refused(&second, "1 of your calls are in work"), "{second:?}");
    node.heard.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap(), Ok(Vec::new()));
    assert_eq!(links.call(2, ECHO, vec![1], LONG).await, Ok(vec![1]));
}

#[tokio::test]
async fn a_front_is_held_to_bounds_of_its_own() {
    let cluster = Cluster::new();
    let bounds = Bounds { front_calls_max: 1, front_bytes_max: 1000, ..patient_bounds() };
    let node = Node::start(&cluster, 2, bounds).await;
    let shown = cluster.issue(Profile::Front, "front-1");
    let mut front = raw(raw_config(&cluster, Some(&shown)), node.address).await.unwrap();
    front.write_all(&hello(1)).await.unwrap();
    next_frame(&mut front).await.unwrap();
    let mut ask = async |id, body: usize| {
        front.write_all(&frame(id, FRONT_REQUEST, &vec![0; body])).await.unwrap();
        next_frame(&mut front).await.unwrap()
    };
    let (_, kind, why) = ask(1, 1001).await;
    assert_eq!(kind, 0x81);
    assert!(String::from_utf8(why).unwrap().starts_with("1000 bytes of your calls are in work"));
    assert_eq!(ask(2, 1000).await.1, 0x80);
    // One that waits, and one more; the first to be answered is the second.
    front.write_all(&frame(3, FRONT_STATUS, b"waits")).await.unwrap();
    front.write_all(&frame(4, FRONT_REQUEST, b"")).await.unwrap();
    let (id, kind, why) = next_frame(&mut front).await.unwrap();
    assert_eq!((id, kind), (4, 0x81));
    assert!(String::from_utf8(why).unwrap().starts_with("1 of your calls are in work"));
    node.heard.gate.add_permits(1);
    assert_eq!(next_frame(&mut front).await.unwrap().0, 3);
}

#[tokio::test]
async fn strangers_who_take_all_their_seats_leave_the_nodes_theirs() {
    let cluster = Cluster::new();
    let bounds = Bounds { strangers_max: 1, connections_max: 1, handshake_timeout: LONG, ..patient_bounds() };
    let node = Node::start(&cluster, 2, bounds).await;
    let links = cluster.links_to(1, patient(), node.address);
    links.call(2, ECHO, Vec::new(), LONG).await.unwrap();
    let _silent = TcpStream::connect(node.address).await.unwrap();
    // The seat is the silent one's once it is accepted: the next is closed.
    let mut next = TcpStream::connect(node.address).await.unwrap();
    assert_eq!(next.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert_eq!(links.call(2, ECHO, vec![1], LONG).await, Ok(vec![1]));
}

#[tokio::test]
async fn one_connection_of_nodes_too_many_is_closed() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, Bounds { connections_max: 1, ..patient_bounds() }).await;
    let first = cluster.links_to(1, patient(), node.address);
    first.call(2, ECHO, Vec::new(), LONG).await.unwrap();
    let second = cluster.links_to(3, patient(), node.address);
    let refused = second.call(2, ECHO, Vec::new(), LONG).await;
    assert!(matches!(refused, Err(CallError::Unreachable(_))), "{refused:?}");
    drop(first);
    let answered = async {
        while second.call(2, ECHO, Vec::new(), LONG).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, answered).await.unwrap();
    assert!(node.heard.heard().contains(&(Caller::Node(3), ECHO)));
}

#[tokio::test]
async fn slow_handshakes_and_slow_hellos_are_ended() {
    let cluster = Cluster::new();
    let soon = Duration::from_millis(50);
    let bounds = Bounds { handshake_timeout: soon, hello_timeout: soon, ..patient_bounds() };
    let node = Node::start(&cluster, 2, bounds).await;
    let mut slow = TcpStream::connect(node.address).await.unwrap();
    assert_eq!(slow.read(&mut [0; 1]).await.unwrap_or(0), 0);
    // A client is done before the server is, so a handshake in time needs a bound of its own.
    let node = Node::start(&cluster, 2, Bounds { hello_timeout: soon, ..patient_bounds() }).await;
    let shown = cluster.issue(Profile::Node, "node-1");
    let mut stream = raw(raw_config(&cluster, Some(&shown)), node.address).await.unwrap();
    stream.write_all(&hello(1)[..7]).await.unwrap();
    assert_eq!(next_frame(&mut stream).await, None);
}

#[tokio::test]
async fn a_strangers_connection_lasts_only_so_long_and_carries_one_call_at_a_time() {
    let cluster = Cluster::new();
    let bounds = Bounds { stranger_timeout: Duration::from_secs(1), ..patient_bounds() };
    let node = Node::start(&cluster, 2, bounds).await;
    let mut stream = raw(raw_config(&cluster, None), node.address).await.unwrap();
    stream.write_all(&hello(1)).await.unwrap();
    assert!(next_frame(&mut stream).await.is_some());
    stream.write_all(&frame(1, JOIN, b"me")).await.unwrap();
    assert_eq!(next_frame(&mut stream).await, Some((1, 0x80, b"me".to_vec())));
    assert_eq!(next_frame(&mut stream).await, None, "ended by its time");
    let fingerprint = cluster.node(2).ca_fingerprint();
    let late = ask(&node.address.to_string(), fingerprint, JOIN, b"me".to_vec(), LONG).await;
    assert_eq!(late.unwrap(), b"me");
}

#[tokio::test]
async fn a_node_that_ends_finishes_what_is_in_work_and_takes_no_more() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, Bounds { drain_timeout: LONG, ..patient_bounds() }).await;
    let links = cluster.links_to(1, patient(), node.address);
    let waiting = calling(&links, WAITS);
    until("the call is in work", || !node.heard.heard().is_empty()).await;
    node.draining.send_replace(true);
    node.heard.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap(), Ok(Vec::new()));
    node.task.await.unwrap();
    until("the link is down", || links.reachable(2) == Some(false)).await;
    assert!(TcpStream::connect(node.address).await.is_err());
}

#[tokio::test]
async fn a_node_that_ends_does_not_wait_for_ever() {
    let cluster = Cluster::new();
    let bounds = Bounds { drain_timeout: Duration::from_millis(20), ..patient_bounds() };
    let node = Node::start(&cluster, 2, bounds).await;
    let links = cluster.links_to(1, patient(), node.address);
    let waiting = calling(&links, WAITS);
    until("the call is in work", || !node.heard.heard().is_empty()).await;
    node.draining.send_replace(true);
    node.task.await.unwrap();
    let failed = waiting.await.unwrap();
    assert!(matches!(failed, Err(CallError::Unreachable(_))), "{failed:?}");
}
