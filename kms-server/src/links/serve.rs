//! The port of the links: who may come in, and how much of it at once.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use daemon::throttle::Throttle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, info, warn};

use super::caller::Caller;
use super::wire::{is_of_another_ca, words};
use super::{LinkIdentity, session};

/// Pause after the system refuses to accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who answers calls.
pub trait Handler: Send + Sync + 'static {
    /// Answers a call, or refuses it in words that the caller will read. Refuses callers that are no members.
    ///
    /// Once begun it is polled to its end, even if the caller is gone by then.
    fn answer(
        &self,
        caller: Caller,
        kind: u8,
        request: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + '_>>;
}

/// What the port takes. The defaults are for nodes in one local network.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections of nodes and fronts at once; one more is closed.
    pub connections_max: usize,
    /// Connections at once of those who are strangers, or whose handshake is not done; one more is closed. They have
    /// seats of their own, so that no crowd of strangers takes the nodes' seats.
    pub strangers_max: usize,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// How long the hello after it may take.
    pub hello_timeout: Duration,
    /// How long a stranger's connection may last.
    pub stranger_timeout: Duration,
    /// A sign of life is sent after this long without anything else to send.
    pub beat_every: Duration,
    /// A connection over which nothing is heard for this long is closed; several times the caller's `beat_every`.
    pub silence_max: Duration,
    /// Calls of raft in work at once, on one connection; one more is refused. Above the caller's bound, since a call
    /// that the caller gave up is still in work here.
    pub raft_calls_max: usize,
    /// Other calls in work at once, on one connection of a node; one more is refused.
    pub asks_max: usize,
    /// Bytes of requests in work at once, on one connection; a call that would exceed it is refused.
    pub requests_bytes_max: usize,
    /// Calls in work at once, on one connection of a front; one more is refused. A client has one request under way, or
    /// waits.
    pub front_calls_max: usize,
    /// Bytes of requests in work at once, on one connection of a front; a call that would exceed it is refused. Two of
    /// the largest frames at least, so that a front is never at a standstill.
    pub front_bytes_max: usize,
    /// Bytes of answers that may wait because the caller does not take them; the connection is closed beyond.
    pub answers_bytes_max: usize,
    /// How long calls in work may take to finish when the node ends.
    pub drain_timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 256,
            strangers_max: 64,
            handshake_timeout: Duration::from_secs(2),
            hello_timeout: Duration::from_secs(2),
            stranger_timeout: Duration::from_secs(30),
            beat_every: Duration::from_millis(250),
            silence_max: Duration::from_secs(1),
            raft_calls_max: 128,
            asks_max: 8192,
            requests_bytes_max: 128 << 20,
            front_calls_max: 4096,
            front_bytes_max: 64 << 20,
            answers_bytes_max: 64 << 20,
            drain_timeout: Duration::from_secs(2),
        }
    }
}

/// What all connections stand on.
pub(super) struct Port {
    identity: LinkIdentity,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) bounds: Bounds,
    pub(super) throttle: Throttle,
    known: Arc<Semaphore>,
}

/// Takes calls until `draining` turns true (or its sender is gone), then lets what is in work finish, at most
/// `drain_timeout`. Dropping the future closes every connection.
pub async fn serve(
    listener: TcpListener,
    identity: LinkIdentity,
    handler: Arc<dyn Handler>,
    bounds: Bounds,
    draining: watch::Receiver<bool>,
) {
    let strangers = Arc::new(Semaphore::new(bounds.strangers_max));
    let known = Arc::new(Semaphore::new(bounds.connections_max));
    let port = Arc::new(Port { identity, handler, bounds, throttle: Throttle::default(), known });
    let mut connections = JoinSet::new();
    let mut stop = draining.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|draining| *draining) => break,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(note) = port.throttle.admit() {
                    warn!("cannot accept a link: {error}{note}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(seat) = Arc::clone(&strangers).try_acquire_owned() else {
            if let Some(note) = port.throttle.admit() {
                let max = port.bounds.strangers_max;
                warn!(%address, "link closed: {max} handshakes and strangers are open, no more may{note}");
            }
            continue;
        };
        connections.spawn(connection(Arc::clone(&port), tcp, address, seat, draining.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One connection, from its handshake to its end, with the log lines about it.
async fn connection(
    port: Arc<Port>,
    tcp: TcpStream,
    address: SocketAddr,
    seat: OwnedSemaphorePermit,
    mut draining: watch::Receiver<bool>,
) {
    let shaken = tokio::select! {
        shaken = timeout(port.bounds.handshake_timeout, shake_hands(&port, tcp)) => shaken,
        _ = draining.wait_for(|draining| *draining) => return,
    };
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return log_refusal(&port, address, &error),
        Err(_) => {
            debug!(%address, "link closed: its handshake was not finished in time");
            return;
        }
    };
    let caller =
        match stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(|leaf| Caller::of(leaf)) {
            None => Caller::Stranger,
            Some(Ok(caller)) => caller,
            // The verifier takes no such certificate.
            Some(Err(_)) => return,
        };
    if caller == Caller::Stranger {
        let lasting = session::serve(&port, stream, &caller, seat, draining);
        match timeout(port.bounds.stranger_timeout, lasting).await {
            Ok(end) => debug!(%address, "a stranger's link ended: {end}"),
            Err(_) => debug!(%address, "a stranger's link lasted too long"),
        }
        return;
    }
    let Ok(known) = Arc::clone(&port.known).try_acquire_owned() else {
        if let Some(note) = port.throttle.admit() {
            let max = port.bounds.connections_max;
            warn!(%address, "link of {caller} closed: {max} are open, no more may{note}");
        }
        return;
    };
    drop(seat);
    debug!(%address, "link of {caller} opened");
    let end = session::serve(&port, stream, &caller, known, draining).await;
    if end.is_ordinary() {
        debug!(%address, "link of {caller} ended: {end}");
    } else if let Some(note) = port.throttle.admit() {
        warn!(%address, "link of {caller} closed: {end}{note}");
    }
}

async fn shake_hands(port: &Port, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    tcp.set_nodelay(true)?;
    TlsAcceptor::from(port.identity.server()).accept(tcp).await
}

fn log_refusal(port: &Port, address: SocketAddr, error: &io::Error) {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(why)) => {
            let why = match why {
                why if is_of_another_ca(why) => "it is not of this cluster's CA".to_owned(),
                rustls::CertificateError::Other(other) => other.0.to_string(),
                other => other.to_string(),
            };
            if let Some(note) = port.throttle.admit() {
                warn!(%address, "link refused: the caller's certificate: {why}{note}");
            }
        }
        Some(rustls::Error::AlertReceived(_)) => {
            if let Some(note) = port.throttle.admit() {
                info!(%address, "link refused by its caller: {}{note}", words(error));
            }
        }
        _ => debug!(%address, "link ended before its handshake: {error}"),
    }
}
