//! Clients of the lab that create keys, and what they notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kmip::client::{Client, ClientConfig, ClientError, Connection};
use kmip::enumeration::ObjectType;
use kmip::operations::{create, locate};
use kmip::{Attribute, RequestPayload, ResponsePayload, StandardAttribute, TemplateAttribute};
use tokio::task::JoinSet;

use crate::running::until;

/// Clients at once, so that every node has requests of some.
pub(crate) const CLIENTS: usize = 6;

/// Requests that each client has answered after a fault before it is taken to be over.
const ANSWERED_AFTER: u64 = 20;

pub(crate) fn new_key() -> RequestPayload {
    use ttlv::Value::{Enumeration, Integer};
    let attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, Enumeration(3)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Integer(0x0c)),
        Attribute::new(StandardAttribute::CryptographicLength, Integer(256)),
    ];
    let template_attribute = TemplateAttribute { names: Vec::new(), attributes };
    create::Request { object_type: ObjectType::SymmetricKey, template_attribute }.into()
}

/// What befell the clients.
#[derive(Debug, Default)]
pub(crate) struct Befell {
    pub(crate) worst_gap: Duration,
    /// Keys that were created.
    pub(crate) created: u64,
    /// What went wrong, in words.
    pub(crate) failed: Vec<String>,
}

/// Clients that create keys without a pause, each over a connection that it keeps while it can.
pub(crate) struct Crowd {
    clients: JoinSet<Befell>,
    /// By client: requests answered.
    answered: Vec<Arc<AtomicU64>>,
    ends: tokio::sync::watch::Sender<bool>,
}

impl Crowd {
    pub(crate) async fn start(config: &ClientConfig) -> Self {
        let (ends, ended) = tokio::sync::watch::channel(false);
        let mut crowd = Crowd { clients: JoinSet::new(), answered: Vec::new(), ends };
        for _ in 0..CLIENTS {
            let answered: Arc<AtomicU64> = Arc::default();
            crowd.answered.push(Arc::clone(&answered));
            let (config, ended) = (config.clone(), ended.clone());
            crowd.clients.spawn(async move {
                let (mut befell, mut connection, mut last) = (Befell::default(), None, Instant::now());
                while !*ended.borrow() {
                    match ask(&config, &mut connection).await {
                        Ok(()) => {
                            // The first answer begins it.
                            if answered.fetch_add(1, Ordering::Relaxed) > 0 {
                                befell.worst_gap = befell.worst_gap.max(last.elapsed());
                            }
                            last = Instant::now();
                        }
                        Err(error) => {
                            befell.failed.push(error.to_string());
                            connection = None;
                        }
                    }
                }
                befell.created = answered.load(Ordering::Relaxed);
                befell
            });
        }
        crowd.more().await;
        crowd
    }

    /// Waits until every client was answered some times more.
    pub(crate) async fn more(&self) {
        let now = || self.answered.iter().map(|count| count.load(Ordering::Relaxed));
        let wanted: Vec<_> = now().map(|count| count + ANSWERED_AFTER).collect();
        until("every client is answered", async || {
            now().zip(&wanted).all(|(count, wanted)| count >= *wanted)
        })
        .await;
    }

    pub(crate) async fn end(self) -> Befell {
        self.ends.send_replace(true);
        let all = self.clients.join_all().await;
        Befell {
            worst_gap: all.iter().map(|befell| befell.worst_gap).max().unwrap(),
            created: all.iter().map(|befell| befell.created).sum(),
            failed: all.into_iter().flat_map(|befell| befell.failed).collect(),
        }
    }
}

pub(crate) async fn ask(
    config: &ClientConfig,
    connection: &mut Option<Connection>,
) -> Result<(), ClientError> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Client::connect(config).await?,
    };
    open.one(new_key()).await?;
    *connection = Some(open);
    Ok(())
}

/// How many keys there are.
pub(crate) async fn keys(config: &ClientConfig) -> u64 {
    let mut connection = Client::connect(config).await.unwrap();
    // Who pages is told how many there are.
    let first = locate::Request { offset_items: Some(0), maximum_items: Some(1), ..Default::default() };
    match connection.one(first).await.unwrap() {
        ResponsePayload::Locate(found) => u64::try_from(found.located_items.unwrap()).unwrap(),
        other => panic!("{other:?}"),
    }
}
