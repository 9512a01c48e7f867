//! Sessions: what goes in comes out, and what is seen of a node that fails.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::bed::{Front, LIMIT, PATIENT, ask, end, node};
use crate::node::{Node, pattern};

/// Rounds in which a frozen node may be found out too late before that is believed: the machine may be busy.
const FROZEN_ROUNDS_MAX: u32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_goes_through_byte_for_byte_in_both_directions() {
    let a = Node::start("a");
    let front = Front::start(&[&a], PATIENT).await;
    let sent: Vec<u8> = (0..5_000_000).map(|place: u64| pattern(place.wrapping_mul(0x9e37_79b9))).collect();
    let (mut read, mut write) = front.connect().await.into_split();
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        // Never a byte that the node takes for an order.
        write.write_all(&[0]).await.unwrap();
        for chunk in sent.chunks(70_001) {
            write.write_all(chunk).await.unwrap();
        }
        write.shutdown().await.unwrap();
    });
    let mut got = Vec::new();
    timeout(LIMIT, read.read_to_end(&mut got)).await.unwrap().unwrap();
    writing.await.unwrap();
    assert_eq!(got.len(), expected.len() + 1);
    assert!(got[1..] == expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_has_said_all_still_gets_its_answer() {
    let a = Node::start("a");
    let front = Front::start(&[&a], PATIENT).await;
    let mut client = front.connect().await;
    client.write_all(&[b'#'; 100_000]).await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, client.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, "100000 bytes");
    front.until("the session is over", |status| status["connections"]["open"] == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_killed_node_hear_of_it_at_once_and_others_do_not() {
    let (a, b) = (Node::start("a"), Node::start("b"));
    let front = Front::start(&[&a, &b], PATIENT).await;
    let (mut of_a, mut of_b) = (front.client_of("a").await, front.client_of("b").await);
    a.kill(true).await;
    assert_eq!(end(&mut of_a).await, Some(ErrorKind::ConnectionReset));
    assert_eq!(ask(&mut of_b).await.unwrap(), "b");
    let down = front.until_state("a", "Down").await;
    assert!(down["reason"].as_str().unwrap().contains("cannot connect"), "{down}");
    // And one that is killed with nothing unread ends in order, which is passed on too.
    b.kill(false).await;
    assert_eq!(end(&mut of_b).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_connect_is_tried_elsewhere_and_no_client_sees_it() {
    let (a, b) = (Node::start("a"), Node::start("b"));
    // Probed once, so that it is the clients' connects that find out.
    let front = Front::start(&[&a, &b], &format!("{PATIENT}probe_interval_ms = 3600000\n")).await;
    a.kill(true).await;
    for _ in 0..20 {
        let (_, name) = front.client().await;
        assert_eq!(name, "b");
    }
    let down = front.until_state("a", "Down").await;
    assert!(down["outcomes"].as_array().unwrap().len() > 1, "connects that fail ask for a probe: {down}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_node_a_client_is_reset_after_a_while_and_not_before() {
    let a = Node::start("a");
    a.kill(true).await;
    let front = Front::start_unprobed(&[&a], &format!("{PATIENT}[limits]\nnode_wait_ms = 300\n")).await;
    front.until("a was probed", |status| !node(status, "a")["outcomes"].as_array().unwrap().is_empty()).await;
    let mut client = front.connect().await;
    client.write_all(b"?").await.unwrap();
    assert_eq!(end(&mut client).await, Some(ErrorKind::ConnectionReset));
    // A node that comes while a client waits serves it.
    let front = Front::start_unprobed(&[&a], &format!("{PATIENT}[limits]\nnode_wait_ms = 3600000\n")).await;
    let mut client = front.connect().await;
    client.write_all(b"?").await.unwrap();
    front.until("a is refused", |status| !node(status, "a")["outcomes"].as_array().unwrap().is_empty()).await;
    a.restart();
    let mut answer = [0; 2];
    timeout(LIMIT, client.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"a\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_is_down_within_a_second_its_sessions_reset_and_new_ones_elsewhere() {
    let mut took = Vec::new();
    for _ in 0..FROZEN_ROUNDS_MAX {
        let (a, b) = (Node::start("a"), Node::start("b"));
        let front = Front::start(&[&a, &b], "").await;
        let mut waiting = front.client_of("a").await;
        a.freeze();
        let frozen = Instant::now();
        waiting.write_all(b"?").await.unwrap();
        assert_eq!(end(&mut waiting).await, Some(ErrorKind::ConnectionReset));
        took.push(frozen.elapsed());
        let down = front.until_state("a", "Down").await;
        assert!(down["reason"].as_str().unwrap().contains("2 probes in a row failed"), "{down}");
        front.until_state("b", "Up").await;
        // On a busy machine b may be thought Down for a moment too, and then a is as good.
        if took.last().is_some_and(|took| *took < Duration::from_secs(1)) {
            let (_, name) = front.client().await;
            assert_eq!(name, "b");
            a.thaw();
            front.until_state("a", "Up").await;
            println!("a frozen node was Down after {took:?}");
            return;
        }
    }
    panic!("a frozen node was found out after {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_told_the_clients_address_where_it_wants_to_know() {
    let a = Node::start("a");
    let text = crate::bed::configuration(&[&a], &format!("{PATIENT}[probe]\nkind = \"tcp\"\n"))
        .replace("[front]\n", "[front]\nproxy_protocol = true\n");
    let front = Front::start_in(tempfile::tempdir().unwrap(), &text).await;
    let mut client = front.connect().await;
    client.write_all(b"x").await.unwrap();
    let mut answer = [0; 29];
    timeout(LIMIT, client.read_exact(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"), "{answer:?}");
    let SocketAddr::V4(own) = client.local_addr().unwrap() else { panic!("IPv4 was asked for") };
    assert_eq!(answer[16..20], own.ip().octets());
    assert_eq!(answer[24..26], own.port().to_be_bytes());
    assert_eq!(answer[28], b'x');
}
