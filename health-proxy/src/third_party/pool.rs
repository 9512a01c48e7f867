//! Connections to one node of another make.
//!
//! KMIP has no numbers for requests: answers come in the order of the questions, so one request at a time is on a
//! connection, and one that is given up on ends its connection. A client could have a connection of its own to each node it
//! was given to; but vCenter comes anew for nearly every request, which would cost the nodes a handshake each, and thousands
//! of clients that idle would cost each node as many connections. So requests of all clients share a bounded pool: a request
//! waits for another only when all connections are in use, and then not for long, as another node is asked.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use kmip::client::{Client, ClientConfig, ClientError, Connection};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use crate::choose::Need;
use crate::links::{Handed, Reply, Unheard};
use crate::probe::say_goodbye;

/// What a connection may take, with TLS.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a request waits for one of the connections; then another node is asked.
const ROOM_WAIT: Duration = Duration::from_millis(500);

/// How long a connection is kept unused: long enough for the burst of a client's visit, shorter than servers have patience.
const KEPT_TIME_MAX: Duration = Duration::from_secs(10);

/// Between two looks for connections that were kept for so long.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Tag and type of a Response Message (KMIP 1.4 section 9.1.3.1): all that is looked at in an answer.
const RESPONSE_MESSAGE: [u8; 4] = [0x42, 0x00, 0x7b, 0x01];

/// Connections to one node.
pub(super) struct Pool {
    address: SocketAddr,
    client: ClientConfig,
    connections_max: usize,
    /// One for each request that has or makes a connection. Whoever has one takes a kept connection away first, if there is
    /// one, so that those in use and those that are kept are never more than `connections_max` together.
    room: Semaphore,
    kept: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one that was used last is the last.
    connections: Vec<Kept>,
    /// Whether somebody looks for those that are old.
    swept: bool,
}

struct Kept {
    connection: Connection,
    since: Instant,
}

/// Why an exchange failed, and whether it may be no more than that the connection had been ended meanwhile.
struct Failed {
    stale: bool,
    why: String,
}

impl Pool {
    /// Nothing is connected before the first request.
    pub(super) fn new(address: SocketAddr, client: ClientConfig, connections_max: usize) -> Self {
        let room = Semaphore::new(connections_max);
        Self { address, client, connections_max, room, kept: Mutex::default() }
    }

    /// Gives the node a message. Not bounded in time: the caller is, and if it gives up the connection ends.
    pub(super) async fn hand_over(self: &Arc<Self>, handed: &Handed, need: Need) -> Result<Reply, Unheard> {
        let Ok(room) = timeout(ROOM_WAIT, self.room.acquire()).await else {
            let max = self.connections_max;
            return Ok(Reply::NotTaken(format!(
                "all {max} connections to it are in use; hint: raise [third_party] connections_max"
            )));
        };
        let _room = room.map_err(|_| Unheard::Unsent("the front is ending".to_owned()))?;
        let failed = match (self.take(), need) {
            (Some(kept), Need::Read) => match self.exchange(kept, handed).await {
                Err(failed) if failed.stale => Some(failed),
                heard => return heard.map_err(|failed| Unheard::Broke(failed.why)),
            },
            // The node may be ending it this moment, and then nobody could say whether it had read the change. One that
            // was just made, no node ends for having idled.
            (Some(kept), Need::Change | Need::Connection) => {
                say_goodbye(kept);
                None
            }
            (None, _) => None,
        };
        let connection = match (self.connect().await, failed) {
            (Ok(connection), _) => connection,
            // The read may be what it died of.
            (Err(_), Some(failed)) => return Err(Unheard::Broke(failed.why)),
            (Err(why), None) => return Err(Unheard::Unsent(why)),
        };
        self.exchange(connection, handed).await.map_err(|failed| Unheard::Broke(failed.why))
    }

    async fn connect(&self) -> Result<Connection, String> {
        let client = self.client.with_address(self.address.to_string()).map_err(|error| error.to_string())?;
        match timeout(CONNECT_TIMEOUT, Client::connect(&client)).await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the connection was not made within {} ms", CONNECT_TIMEOUT.as_millis())),
        }
    }

    async fn exchange(
        self: &Arc<Self>,
        mut connection: Connection,
        handed: &Handed,
    ) -> Result<Reply, Failed> {
        handed.on_its_way.store(true, Ordering::Release);
        let answer =
            connection.call_raw(&handed.message).await.map(Zeroizing::new).map_err(|error| Failed {
                stale: matches!(
                    error,
                    ClientError::Closed { bytes_received: 0, .. }
                        | ClientError::Io { .. }
                        | ClientError::Tls { .. }
                ),
                why: error.to_string(),
            })?;
        if !answer.starts_with(&RESPONSE_MESSAGE) {
            let why = "what it answered is no KMIP response; hint: is the port that of its KMIP, 5696?";
            return Err(Failed { stale: false, why: why.to_owned() });
        }
        self.keep(connection);
        Ok(Reply::Answered { message: answer, close: false })
    }

    /// A connection that was kept and nothing speaks against.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut kept) = idle.connections.pop() {
            if kept.since.elapsed() < KEPT_TIME_MAX && kept.connection.is_quiet() {
                return Some(kept.connection);
            }
        }
        None
    }

    fn keep(self: &Arc<Self>, connection: Connection) {
        let mut idle = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        idle.connections.push(Kept { connection, since: Instant::now() });
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Takes those away that were kept for too long; false when none is left.
    fn sweep(&self) -> bool {
        let mut idle = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |kept: &mut Kept| kept.since.elapsed() >= KEPT_TIME_MAX || !kept.connection.is_quiet();
        idle.connections.extract_if(.., is_old).for_each(|kept| say_goodbye(kept.connection));
        idle.swept = !idle.connections.is_empty();
        idle.swept
    }
}

/// Until nothing is kept any more, or the pool is gone and what it kept with it.
async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(SWEEP_INTERVAL).await;
        if !pool.upgrade().is_some_and(|pool| pool.sweep()) {
            return;
        }
    }
}
