//! Clients of a cluster: each connection goes to a node chosen at random and lasts for a few requests; whoever fails
//! goes on with another node.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use kmip::client::{Client, ClientConfig, ClientError, Connection};
use tokio::task::JoinSet;

use crate::turn::Worker;
use crate::{Ledger, Random};

/// Requests on one connection, at most.
const TURNS_MAX: usize = 24;

/// Between two requests of a client: a crowd that rests is still there all the time, and does not make more keys than
/// can be verified from every node.
const REST_INTERVAL: Duration = Duration::from_millis(8);

/// Between a failure and the next try.
const RETRY_INTERVAL: Duration = Duration::from_millis(15);

/// The clients' configurations for the nodes they may choose from; changes while they work.
#[derive(Default)]
pub struct Targets(RwLock<Vec<ClientConfig>>);

/// Clients at work that do not give up.
#[derive(Debug)]
pub struct Crowd {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let configs = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        f.debug_list().entries(configs.iter().map(ClientConfig::address)).finish()
    }
}

impl Targets {
    /// These nodes.
    pub fn new(configs: Vec<ClientConfig>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(configs)))
    }

    /// These from now on.
    pub fn set(&self, configs: Vec<ClientConfig>) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = configs;
    }

    /// One of them at random, another than `but` where there is another.
    fn choose(&self, random: &mut Random, but: Option<&str>) -> ClientConfig {
        let configs = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let others: Vec<_> = configs.iter().filter(|config| Some(config.address()) != but).collect();
        match others.is_empty() {
            true => configs[0].clone(),
            false => others[random.below(others.len())].clone(),
        }
    }
}

impl Crowd {
    /// Starts `clients` clients.
    pub fn start(targets: &Arc<Targets>, ledger: &Arc<Ledger>, clients: usize, random: &mut Random) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut set = JoinSet::new();
        for _ in 0..clients {
            let worker = Worker::new(ledger, random.fork());
            set.spawn(work(Arc::clone(targets), Arc::clone(ledger), worker, Arc::clone(&stop)));
        }
        Self { clients: set, stop }
    }

    /// Lets each client finish what it does. Panics where one did.
    pub async fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        std::mem::take(&mut self.clients).join_all().await;
    }
}

async fn work(targets: Arc<Targets>, ledger: Arc<Ledger>, mut worker: Worker, stop: Arc<AtomicBool>) {
    let mut connection: Option<(Connection, usize)> = None;
    let mut failed_at: Option<String> = None;
    let (mut answered, mut failures) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        let config = targets.choose(&mut worker.random, failed_at.as_deref());
        match turn(&mut connection, &config, &mut worker).await {
            Ok(()) => {
                ledger.waited(answered.elapsed(), failures);
                tokio::time::sleep(REST_INTERVAL).await;
                (answered, failures, failed_at) = (Instant::now(), 0, None);
            }
            Err(address) => {
                (connection, failed_at) = (None, Some(address));
                failures += 1;
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
    // The last wait counts although nothing ended it.
    ledger.waited(answered.elapsed(), failures);
}

/// One request, on the connection that is open or on a new one; where it fails, the node's address.
async fn turn(
    open: &mut Option<(Connection, usize)>,
    config: &ClientConfig,
    worker: &mut Worker,
) -> Result<(), String> {
    let (mut connection, turns) = match open.take() {
        Some(open) => open,
        None => {
            let connected = Client::connect(config).await.map_err(|_| config.address().to_owned())?;
            (connected, 1 + worker.random.below(TURNS_MAX))
        }
    };
    let done: Result<(), ClientError> = worker.turn(&mut connection).await;
    done.map_err(|_| connection.address().to_owned())?;
    match turns {
        1 => drop(connection.close().await),
        _ => *open = Some((connection, turns - 1)),
    }
    Ok(())
}
