//! The front as a client of nodes of another make, at their KMIP port and with a certificate of its own.
//!
//! Such a node is told neither for whom a request is nor that it may have been sent before. So [`Admitted`] says who may
//! connect at all, and a change is given to one node once (`replay/course.rs`).

mod admitted;
mod pool;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kmip::client::ClientConfig;

pub(crate) use self::admitted::Admitted;
use self::pool::{CONNECT_TIMEOUT, Pool};
use crate::choose::Need;
use crate::client_files::{ClientFiles, Mistake};
use crate::links::{Handed, Reply, Unheard};
use crate::probe::{Kind, Prober};

/// Bytes of the largest answer that is taken. A node has one in hand on each of its connections at most, and the room for
/// it grows with what has come.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The files of `[third_party]`.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// What nodes know the front by, and it them.
    pub(crate) own: ClientFiles,
    /// Who may connect.
    pub(crate) clients: PathBuf,
}

/// The nodes, and connections to them as they are needed. Clones share them.
#[derive(Clone)]
pub(crate) struct ThirdParty {
    shared: Arc<Shared>,
}

struct Shared {
    /// With an address that is exchanged for the node's.
    client: ClientConfig,
    admitted: Arc<Admitted>,
    prober: Prober,
    connections_max: usize,
    by_address: Mutex<BTreeMap<SocketAddr, Arc<Pool>>>,
}

impl fmt::Debug for ThirdParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThirdParty").field("admitted", &self.shared.admitted).finish_non_exhaustive()
    }
}

impl ThirdParty {
    /// Reads the files. `answer_wait` is how long an answer may take, `connections_max` how many connections a node has at
    /// once.
    ///
    /// # Errors
    /// What is wrong with them, by key of `[third_party]`.
    pub(crate) fn read(
        files: &Files,
        answer_wait: Duration,
        connections_max: usize,
    ) -> Result<Self, Vec<Mistake>> {
        let mut wrong = Vec::new();
        let own = files.own.read().and_then(|pems| {
            pems.client(true, |client| {
                client
                    .connect_timeout(CONNECT_TIMEOUT)
                    .handshake_timeout(CONNECT_TIMEOUT)
                    // Longer than the course waits, which is what gives up, and in its own words.
                    .request_timeout(answer_wait.saturating_mul(2))
                    .response_bytes_max(ANSWER_BYTES_MAX)
            })
        });
        let own = own.and_then(|client| Ok((client, Prober::read(Kind::Kmip, &files.own)?)));
        let own = own.map_err(|errors| wrong.extend(errors));
        let admitted = Admitted::read(&files.clients).map_err(|error| wrong.push(error));
        let (Ok((client, prober)), Ok(admitted)) = (own, admitted) else { return Err(wrong) };
        let admitted = Arc::new(admitted);
        let shared = Shared { client, admitted, prober, connections_max, by_address: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Who may connect.
    pub(crate) fn admitted(&self) -> &Arc<Admitted> {
        &self.shared.admitted
    }

    /// Asks nodes as the client that the front is.
    pub(crate) fn prober(&self) -> &Prober {
        &self.shared.prober
    }

    /// Gives a message, as it came, to the node at `address`.
    ///
    /// # Errors
    /// [`Unheard`] says whether it may have got there.
    pub(crate) async fn hand_over(
        &self,
        address: SocketAddr,
        handed: &Handed,
        need: Need,
    ) -> Result<Reply, Unheard> {
        self.pool(address).hand_over(handed, need).await
    }

    fn pool(&self, address: SocketAddr) -> Arc<Pool> {
        let mut pools = self.shared.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Pool::new(address, self.shared.client.clone(), self.shared.connections_max));
        Arc::clone(pools.entry(address).or_insert_with(new))
    }
}
