//! Clients that work until they are stopped or the server goes away, and write each answer into the ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kmip::ResponsePayload;
use kmip::client::{Client, ClientConfig, ClientError, Connection};
use tokio::task::JoinSet;

use crate::ledger::bytes_of;
use crate::{Ledger, Random, ask};

/// Keys that a client goes on working with; older ones are left alone.
const KEYS_AT_HAND: usize = 8;

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
            set.spawn(work(config.clone(), Arc::clone(ledger), random.fork(), Arc::clone(&stop)));
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

async fn work(
    config: ClientConfig,
    ledger: Arc<Ledger>,
    mut random: Random,
    stop: Arc<AtomicBool>,
) -> Result<(), ClientError> {
    let mut connection = Client::connect(&config).await?;
    let mut keys: Vec<String> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if keys.is_empty() || random.below(4) == 0 {
            let ResponsePayload::Create(created) = connection.one(ask::create()).await? else {
                panic!("Create was answered with something else")
            };
            ledger.created(&created.unique_identifier);
            keys.push(created.unique_identifier);
            if keys.len() > KEYS_AT_HAND {
                keys.remove(0);
            }
            continue;
        }
        let id = keys[random.below(keys.len())].clone();
        step(&mut connection, &ledger, &id, &mut random).await?;
    }
    Ok(())
}

async fn step(
    connection: &mut Connection,
    ledger: &Ledger,
    id: &str,
    random: &mut Random,
) -> Result<(), ClientError> {
    match random.below(4) {
        0 => {
            let name = format!("x-{:016x}", random.number());
            let text = format!("{:x}", random.number());
            ledger.adds(id, &name, &text);
            connection.one(ask::add_attribute(id, &name, &text)).await?;
            ledger.added(id, &name);
        }
        1 => {
            ledger.activates(id);
            match connection.one(ask::activate(id)).await {
                Ok(_) => ledger.activated(id),
                // It is active already: no key leaves Active here.
                Err(ClientError::Failed(_)) => {}
                Err(error) => return Err(error),
            }
        }
        _ => {
            let ResponsePayload::Get(got) = connection.one(ask::get(id)).await? else {
                panic!("Get was answered with something else")
            };
            ledger.read(id, &bytes_of(&got.object).unwrap());
        }
    }
    Ok(())
}
