//! One client's session: its first byte, a node for it, then bytes in both directions, unread, until one side ends it or
//! the node goes Down.

mod connect;
mod copy;
mod link;
mod proxy_header;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use self::connect::{Connected, Request};
use self::link::Link;
pub use self::link::WAITS_REPORTED_MAX;
use crate::front::{Front, Tuning};
use crate::health::Event;
use crate::limits::{Limits, Seat};
use crate::listener::{self, reset};

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both sides said that they were done.
    Finished,
    /// The client ended it with an error, or is gone.
    ClientGone,
    /// The node did.
    NodeGone,
    /// The node went Down, or had been Draining long enough.
    Reset,
    /// Nothing moved for too long.
    Idle,
    /// The client sent nothing at all, and left or was too slow.
    Silent,
    /// No node could be connected to in time.
    NoNode,
}

/// Serves one client, to the end.
pub(crate) async fn serve(front: Arc<Front>, client: TcpStream, address: SocketAddr, seat: Seat) {
    let tuning = front.tuning.load_full();
    let end = session(&front, &tuning, client, address).await;
    listener::ended(&front, address, end);
    drop(seat);
}

async fn session(front: &Front, tuning: &Tuning, mut client: TcpStream, address: SocketAddr) -> End {
    let limits = &tuning.limits;
    if prepare(&client, limits).is_err() {
        return End::ClientGone;
    }
    // Who only looks whether the port is open costs no node a connection; and a node is chosen when it is needed.
    match timeout(limits.handshake_timeout, client.peek(&mut [0])).await {
        Ok(Ok(1..)) => {}
        Ok(Ok(0)) | Err(_) => return End::Silent,
        Ok(Err(_)) => return End::ClientGone,
    }
    // Asked only where nodes are told: it is a call to the system.
    let local = if tuning.proxy_protocol { client.local_addr().unwrap_or(address) } else { address };
    let request = Request { front, tuning, client: address, local };
    // Boxed, so that what connecting needs is free again while the session goes on.
    let connected = Box::pin(connect::connect(request)).await;
    let Some(Connected { mut node, presence, mut resets }) = connected else {
        reset(&client);
        if let Some(note) = front.throttle.admit() {
            warn!(%address, "client reset: no node could be connected to within node_wait_ms{note}");
        }
        return End::NoNode;
    };
    let mut link = Link::new(front, tuning, presence.place().node);
    let end = {
        let mut timer = pin!(sleep_until(Instant::now() + limits.idle_timeout));
        let moved = std::future::poll_fn(|cx| link.poll(cx, &mut client, &mut node, timer.as_mut()));
        tokio::select! {
            biased;
            // The sender lives as long as the place, which `presence` holds.
            _ = resets.changed() => End::Reset,
            end = moved => end,
        }
    };
    if end == End::NodeGone && link.is_unanswered() {
        front.hint(presence.place().node, Event::EndedEarly);
    }
    if matches!(end, End::Reset | End::NodeGone | End::ClientGone) {
        reset(&client);
        reset(&node);
    }
    end
}

/// Options of every connection, on both sides: nothing waits for more to send, and a peer that is gone is noticed.
pub(crate) fn prepare(tcp: &TcpStream, limits: &Limits) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    let interval = (limits.keepalive / 3).max(Duration::from_secs(1));
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(limits.keepalive).with_interval(interval))?;
    socket.set_tcp_user_timeout(Some(limits.unacknowledged))
}
