//! One session over a pipe, with the clock in hand: every timeout, and what draining waits for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kms_server::clock::Clock;
use kms_server::https;
use kms_server::listener::Speaks;
use kms_server::session::{After, End, Peer, Service, Session};
use kms_server::trust::{LiveTrust, Way};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::support::*;

/// Answers with as many bytes as the request has, once it is let.
#[derive(Default)]
pub(crate) struct Slow {
    asked: Notify,
    pub(crate) go: Notify,
}

impl Service for Slow {
    async fn answer(&self, _: &Peer, request: &[u8], answer: &mut Vec<u8>) -> After {
        answer.extend(b"partial");
        self.asked.notify_one();
        self.go.notified().await;
        answer.resize(request.len(), 0);
        After::KeepOpen
    }

    fn refuse_unreadable(&self, _: &Peer, _: usize, _: &str, _: &mut Vec<u8>) {}

    fn answer_stranger(&self, _: SocketAddr, _: &[u8], _: &mut Vec<u8>) -> After {
        After::Close
    }

    fn refuse_oversized(&self, _: SocketAddr, _: &[u8; 8], _: &mut Vec<u8>) {}
}

pub(crate) struct Running {
    pub(crate) client: DuplexStream,
    pub(crate) service: Arc<Slow>,
    drain: watch::Sender<bool>,
    pub(crate) end: JoinHandle<End>,
}

fn start(pipe_bytes: usize) -> Running {
    start_speaking(Speaks::Ttlv, pipe_bytes)
}

pub(crate) fn start_speaking(speaks: Speaks, pipe_bytes: usize) -> Running {
    let (client, mut server) = duplex(pipe_bytes);
    let service = Arc::new(Slow::default());
    let (drain, draining) = watch::channel(false);
    let leaf = Make::default().make();
    let live = LiveTrust::default();
    live.replace(trust(&[registration("vc01", Way::Pinned, &leaf)]));
    let answering = service.clone();
    let end = tokio::spawn(async move {
        let session = Session {
            service: &*answering,
            trust: &live,
            clock: &Clock::new(),
            address: ([192, 0, 2, 1], 1).into(),
            certificates: &[leaf.der()],
            bounds: &bounds(),
            limits: ttlv::Limits::default(),
        };
        match speaks {
            Speaks::Ttlv => session.serve(&mut server, draining).await,
            Speaks::Http => https::serve(session, server, draining).await,
        }
    });
    Running { client, service, drain, end }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_sends_nothing_is_closed_after_the_idle_timeout() {
    let began = tokio::time::Instant::now();
    let mut running = start(4096);
    assert!(matches!(running.end.await.unwrap(), End::Idle));
    assert!(began.elapsed() >= bounds().idle_timeout);
    assert_eq!(running.client.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_answer_starts_the_idle_timeout_anew() {
    let began = tokio::time::Instant::now();
    let mut running = start(4096);
    for _ in 0..3 {
        tokio::time::advance(bounds().idle_timeout - Duration::from_secs(1)).await;
        running.service.go.notify_one();
        running.client.write_all(&message(16)).await.unwrap();
        running.client.read_exact(&mut [0; 16]).await.unwrap();
    }
    assert!(matches!(running.end.await.unwrap(), End::Idle));
    assert!(began.elapsed() >= 4 * bounds().idle_timeout - Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_trickles_in_is_cut_off() {
    let began = tokio::time::Instant::now();
    let mut running = start(4096);
    let sent = message(1024);
    for byte in &sent {
        if running.client.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert!(matches!(running.end.await.unwrap(), End::Slow));
    assert!(began.elapsed() >= bounds().request_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_answered_in_time_leaves_no_half_answer() {
    let mut running = start(4096);
    running.client.write_all(&message(16)).await.unwrap();
    let mut got = Vec::new();
    running.client.read_to_end(&mut got).await.unwrap();
    assert!(matches!(running.end.await.unwrap(), End::Unanswered));
    assert!(got.is_empty(), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_accepts_no_answer_is_cut_off() {
    let mut running = start(64);
    let service = running.service.clone();
    let letting = tokio::spawn(async move {
        loop {
            service.asked.notified().await;
            service.go.notify_one();
        }
    });
    running.client.write_all(&message(1024)).await.unwrap();
    assert!(matches!(running.end.await.unwrap(), End::WriteTimeout));
    letting.abort();
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_the_request_in_hand() {
    let mut running = start(4096);
    running.client.write_all(&message(16)).await.unwrap();
    running.service.asked.notified().await;
    running.drain.send_replace(true);
    running.service.go.notify_one();
    running.client.read_exact(&mut [0; 16]).await.unwrap();
    assert!(matches!(running.end.await.unwrap(), End::Draining));
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_the_rest_of_a_message_that_began() {
    let mut running = start(4096);
    let sent = message(64);
    running.client.write_all(&sent[..10]).await.unwrap();
    tokio::task::yield_now().await;
    running.drain.send_replace(true);
    running.service.go.notify_one();
    tokio::task::yield_now().await;
    running.client.write_all(&sent[10..]).await.unwrap();
    running.client.read_exact(&mut [0; 64]).await.unwrap();
    assert!(matches!(running.end.await.unwrap(), End::Draining));
}
