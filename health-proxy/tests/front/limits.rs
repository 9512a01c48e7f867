//! Each limit by its name.

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::bed::{Front, PATIENT, ask, end, until};
use crate::node::Node;

/// A client with an address of its own on this machine.
async fn from(address: [u8; 4], front: &Front) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(front.listen).await
}

/// A connection that is reset, be it before the client knows that it stands, or after its first byte.
async fn is_reset(client: io::Result<TcpStream>) {
    let how = match client {
        Ok(mut client) => {
            // Fails where the reset was faster.
            let _ = client.write_all(b"?").await;
            end(&mut client).await
        }
        Err(error) => Some(error.kind()),
    };
    assert!(matches!(how, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{how:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_more_than_connections_max_is_reset_and_a_free_seat_is_taken() {
    let a = Node::start("a");
    let front = Front::start(&[&a], &format!("{PATIENT}[limits]\nconnections_max = 3\n")).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(front.client().await.0);
    }
    is_reset(TcpStream::connect(front.listen).await).await;
    until("the log says so", async || {
        (front.lines("raise [limits] connections_max").len() == 1).then_some(())
    })
    .await;
    assert_eq!(ask(&mut clients[0]).await.unwrap(), "a");
    drop(clients.pop());
    front.until("a seat is free", |status| status["connections"]["open"] == 2).await;
    front.client().await;
    let (_, metrics) = front.get("/metrics").await;
    assert!(
        metrics.contains("health_proxy_connections_refused_total{limit=\"connections_max\"} 1"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_cannot_take_the_seats_of_all() {
    let a = Node::start("a");
    let front = Front::start(&[&a], &format!("{PATIENT}[limits]\nconnections_per_address_max = 2\n")).await;
    let mut first = from([127, 0, 0, 2], &front).await.unwrap();
    let mut second = from([127, 0, 0, 2], &front).await.unwrap();
    ask(&mut first).await.unwrap();
    ask(&mut second).await.unwrap();
    is_reset(from([127, 0, 0, 2], &front).await).await;
    let mut other = from([127, 0, 0, 3], &front).await.unwrap();
    assert_eq!(ask(&mut other).await.unwrap(), "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_no_byte_within_handshake_timeout_is_closed_and_no_node_hears_of_it() {
    let a = Node::start("a");
    let front = Front::start(&[&a], &format!("{PATIENT}[limits]\nhandshake_timeout_ms = 100\n")).await;
    assert_eq!(end(&mut front.connect().await).await, None);
    assert_eq!(a.clients.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_on_which_nothing_moves_within_idle_timeout_is_closed() {
    let a = Node::start("a");
    let limits = "[limits]\nidle_timeout_ms = 1000\n";
    let front = Front::start(&[&a], &format!("{PATIENT}{limits}")).await;
    let (mut client, _) = front.client().await;
    assert_eq!(end(&mut client).await, None);
    let (_, metrics) = front.get("/metrics").await;
    assert!(metrics.contains("health_proxy_sessions_ended_total{how=\"idle\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_keeps_its_half_open_after_the_other_side_has_ended_is_closed() {
    let a = Node::start("a");
    let front = Front::start(&[&a], &format!("{PATIENT}[limits]\nhalf_closed_timeout_ms = 200\n")).await;
    let (mut client, _) = front.client().await;
    a.kill(false).await;
    assert_eq!(end(&mut client).await, None);
    // The client keeps its half: without the limit the session would stay for idle_timeout_ms.
    front.until("the session is over", |status| status["connections"]["open"] == 0).await;
}
