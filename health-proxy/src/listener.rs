//! The clients' port: accepts, counts, and hands each connection to a session.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daemon::port;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use crate::front::Front;
use crate::limits::Full;
use crate::splice::End;
use crate::{replay, splice};

/// Connections that the kernel may complete before they are accepted.
const BACKLOG: i32 = 4096;

/// Pause after the system refuses to accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens the port. An unspecified IPv6 address takes IPv4 too.
///
/// # Errors
/// What the system says, such as that another program listens there.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    port::bind(address, BACKLOG)
}

/// Accepts until it is dropped. Sessions go on without it.
pub(crate) async fn accept(listener: TcpListener, front: Arc<Front>) {
    loop {
        match listener.accept().await {
            Ok((tcp, address)) => take(tcp, address, &front),
            Err(error) => {
                if let Some(note) = front.throttle.admit() {
                    warn!("cannot accept a connection: {error}; hint: is LimitNOFILE= high enough?{note}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn take(tcp: TcpStream, address: SocketAddr, front: &Arc<Front>) {
    let tuning = front.tuning.load();
    match front.seats.take(address, &tuning.limits) {
        Ok(seat) => {
            front.metrics.accepted();
            front.clients().connected(front.clock.now(), address.ip());
            let front = Arc::clone(front);
            match tuning.replay.clone() {
                Some(replay) => tokio::spawn(replay::serve(front, replay, tcp, address, seat)),
                None => tokio::spawn(splice::serve(front, tcp, address, seat)),
            };
        }
        Err(full) => {
            reset(&tcp);
            front.metrics.refused(full);
            front.clients().refused(front.clock.now(), address.ip());
            let Some(note) = front.throttle.admit() else { return };
            let (name, max) = match full {
                Full::All => ("connections_max", tuning.limits.connections_max),
                Full::Address => ("connections_per_address_max", tuning.limits.connections_per_address_max),
            };
            warn!(%address, "connection reset: {name}={max} are open; hint: raise [limits] {name}{note}");
        }
    }
}

/// Takes note of how a session ended.
pub(crate) fn ended(front: &Front, address: SocketAddr, end: End) {
    front.metrics.ended(end);
    front.clients().ended(front.clock.now(), address.ip(), end);
    debug!(%address, "session ended: {end:?}");
}

/// Has the connection end with a reset when it is dropped, so that its peer knows at once and nothing is left here.
pub(crate) fn reset(tcp: &TcpStream) {
    // A socket that is gone already has no option to set.
    let _ = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
}
