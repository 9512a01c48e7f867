//! A connection to a node for a client: the best node first, every other one before the client notices anything.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::{prepare, proxy_header};
use crate::choose::{Choice, Need, Wanted};
use crate::front::{Front, Tuning};
use crate::health::{Event, NodeId, State};
use crate::roster::Presence;

/// Between the first two rounds over all nodes; doubled from round to round.
const ROUND_PAUSE: Duration = Duration::from_millis(20);

/// Between two rounds at most.
const ROUND_PAUSE_MAX: Duration = Duration::from_millis(320);

/// For whom a node is wanted.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) front: &'a Front,
    pub(super) tuning: &'a Tuning,
    pub(super) client: SocketAddr,
    /// The address that the client connected to.
    pub(super) local: SocketAddr,
}

/// A connection to a node that is in the pool.
pub(super) struct Connected {
    pub(super) node: TcpStream,
    pub(super) presence: Presence,
    /// Tells of resets since before the node was last seen in the pool.
    pub(super) resets: watch::Receiver<u64>,
}

/// Tries node after node, in rounds, until `node_wait` is over. None: nobody could be connected to.
pub(super) async fn connect(request: Request<'_>) -> Option<Connected> {
    let front = request.front;
    let until = Instant::now() + request.tuning.limits.node_wait;
    let mut tried: Vec<NodeId> = Vec::new();
    let mut pause = ROUND_PAUSE;
    loop {
        let view = front.view.load_full();
        let wanted = Wanted { need: Need::Connection, tried: &tried, killed: 0 };
        let load = |node| view.sessions(node);
        let chosen = view.pool.choose(front.clock.now(), &wanted, load, front.random());
        let place = chosen.and_then(|choice| {
            let place = view.places.get(&choice.node).ok_or(crate::choose::NoNode::NothingAnswers)?;
            Ok((choice, place))
        });
        let Ok((choice, place)) = place else {
            // Every node was tried, or none is worth it: a node may be back in a moment.
            if Instant::now() + pause > until {
                return None;
            }
            sleep(pause).await;
            pause = (pause * 2).min(ROUND_PAUSE_MAX);
            tried.clear();
            continue;
        };
        let presence = place.enter();
        let resets = place.resets();
        drop(view);
        if !stands(front, choice) {
            continue;
        }
        match attempt(request, place_address(&presence)).await {
            Ok(node) => {
                connected(front, choice);
                presence.connected();
                return Some(Connected { node, presence, resets });
            }
            Err(error) if is_ours(&error) => {
                let name = &presence.place().name;
                if let Some(note) = front.throttle.admit() {
                    warn!(
                        node = name,
                        "cannot connect, for want of something on this machine: {error}; hint: LimitNOFILE=, free \
                         ports (net.ipv4.ip_local_port_range){note}"
                    );
                }
                tried.push(choice.node);
            }
            Err(error) => {
                front.metrics.connect_failed(&presence.place().name);
                front.hint(
                    choice.node,
                    Event::ConnectFailed { reason: format!("a client's connect: {error}") },
                );
                tried.push(choice.node);
            }
        }
    }
}

fn place_address(presence: &Presence) -> SocketAddr {
    presence.place().address
}

/// Whether the node is still what it was when it was chosen. Its resets are heard by now, so one that was reset in
/// between is seen here.
fn stands(front: &Front, choice: Choice) -> bool {
    front.view.load().candidate(choice.node).is_some_and(|candidate| candidate.state == choice.state)
}

/// Only news is told: the judge does not need to wake for every connection to a node that is Up.
fn connected(front: &Front, choice: Choice) {
    let news = choice.state == State::Down
        || front.view.load().candidate(choice.node).is_some_and(|candidate| candidate.proved_dead);
    if news {
        front.hint(choice.node, Event::Connected);
    }
}

async fn attempt(request: Request<'_>, address: SocketAddr) -> io::Result<TcpStream> {
    let limits = &request.tuning.limits;
    let late = || {
        let text = format!("not within connect_timeout_ms={}", limits.connect_timeout.as_millis());
        io::Error::new(io::ErrorKind::TimedOut, text)
    };
    let node = timeout(limits.connect_timeout, TcpStream::connect(address)).await.map_err(|_| late())??;
    prepare(&node, limits)?;
    if request.tuning.proxy_protocol {
        let header = proxy_header::encode(request.client, request.local);
        // A new connection's buffer takes a few dozen bytes, or the connection is worth nothing.
        node.writable().await?;
        if node.try_write(&header)? != header.len() {
            return Err(io::Error::other("the PROXY header did not fit into a new connection"));
        }
    }
    Ok(node)
}

/// Whether the fault is this machine's: that says nothing about the node.
fn is_ours(error: &io::Error) -> bool {
    let ours = [Errno::EMFILE, Errno::ENFILE, Errno::EADDRNOTAVAIL, Errno::ENOBUFS, Errno::ENOMEM];
    error.raw_os_error().is_some_and(|number| ours.iter().any(|errno| *errno as i32 == number))
}
