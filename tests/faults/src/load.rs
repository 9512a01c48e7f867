//! Clients that work until they are stopped or the server goes away, and write each answer into the ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kmip::client::{Client, ClientConfig, ClientError};
use tokio::task::JoinSet;

use crate::turn::Worker;
use crate::{Ledger, Random};

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    clients: JoinSet<Result<(), ClientError>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Starts `clients` clients.
    pub fn start(config: &ClientConfig, ledger: &Arc<Ledger>, clients: usize, random: &mut Random) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut set = JoinSet::new();
        for _ in 0..clients {
            set.spawn(work(config.clone(), Worker::new(ledger, random.fork()), Arc::clone(&stop)));
        }
        Self { clients: set, stop }
    }

    /// Lets each client finish what it does, and gives the failures of those that failed.
    pub async fn stop(self) -> Vec<ClientError> {
        self.stop.store(true, Ordering::Relaxed);
        self.ended().await
    }

    /// Waits until every client has failed, as they do when the server is gone, and gives the failures.
    pub async fn ended(self) -> Vec<ClientError> {
        self.clients.join_all().await.into_iter().filter_map(Result::err).collect()
    }
}

async fn work(config: ClientConfig, mut worker: Worker, stop: Arc<AtomicBool>) -> Result<(), ClientError> {
    let mut connection = Client::connect(&config).await?;
    while !stop.load(Ordering::Relaxed) {
        worker.turn(&mut connection).await?;
    }
    Ok(())
}
