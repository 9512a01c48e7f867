//! Clients of one address that ask without end, and what befell them. They know nothing of nodes: what fails is asked
//! again at the same address.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kmip::attribute::Name;
use kmip::client::vcenter::{Component, VCenter, VCenterConfig};
use kmip::client::{Client, ClientConfig, ClientError, Connection};
use kmip::enumeration::ObjectType;
use kmip::operations::{create, get};
use kmip::{Attribute, RequestPayload, ResponsePayload, StandardAttribute, TemplateAttribute};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use ttlv::Value;

/// Clients that keep their connection.
pub(crate) const CLIENTS: usize = 30;

/// Machines that vCenter encrypts at once.
pub(crate) const MACHINES_AT_ONCE: usize = 4;

/// Between two requests of a client, so that what is measured is the front and not a machine out of breath.
const REST_INTERVAL: Duration = Duration::from_millis(20);

/// Between a failure and the next try.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Between two looks at how far clients are.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Failures whose words are kept.
const REASONS_MAX: usize = 3;

/// What befell clients.
#[derive(Clone, Debug, Default)]
pub struct Befell {
    /// The longest from asking for the first time until there was an answer.
    pub worst_gap: Duration,
    /// Requests that failed; of vCenter's machines, each by the step that failed.
    pub failed: u64,
    /// Answers.
    pub answered: u64,
    /// The words of the first failures.
    pub reasons: Vec<String>,
    /// Keys that were acknowledged, with the Name that they were asked for with; empty for vCenter's.
    pub made: BTreeMap<String, String>,
}

impl Befell {
    fn failed(&mut self, why: String) {
        self.failed += 1;
        if self.reasons.len() < REASONS_MAX {
            self.reasons.push(why);
        }
    }

    fn answered_after(&mut self, began: Instant) {
        self.answered += 1;
        self.worst_gap = self.worst_gap.max(began.elapsed());
    }

    fn and(mut self, other: Self) -> Self {
        self.worst_gap = self.worst_gap.max(other.worst_gap);
        self.failed += other.failed;
        self.answered += other.answered;
        self.reasons.extend(other.reasons);
        self.reasons.truncate(REASONS_MAX);
        self.made.extend(other.made);
        self
    }
}

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Crowd {
    clients: JoinSet<Befell>,
    /// By client: its answers.
    answered: Vec<Arc<AtomicU64>>,
    ends: watch::Sender<bool>,
}

impl Crowd {
    /// [`CLIENTS`] that each keep one connection and make keys and read them.
    pub(crate) fn persistent(config: &ClientConfig) -> Self {
        Self::start(CLIENTS, |nth, ended, answered| keep(config.clone(), nth, ended, answered))
    }

    /// vCenter, which encrypts [`MACHINES_AT_ONCE`], with a new connection for each step.
    pub(crate) fn vcenter(config: &ClientConfig) -> Self {
        Self::start(MACHINES_AT_ONCE, |nth, ended, answered| encrypt(config.clone(), nth, ended, answered))
    }

    fn start<F>(count: usize, client: impl Fn(usize, watch::Receiver<bool>, Arc<AtomicU64>) -> F) -> Self
    where
        F: Future<Output = Befell> + Send + 'static,
    {
        let (ends, ended) = watch::channel(false);
        let mut crowd = Self { clients: JoinSet::new(), answered: Vec::new(), ends };
        for nth in 0..count {
            let answered = Arc::<AtomicU64>::default();
            crowd.answered.push(Arc::clone(&answered));
            crowd.clients.spawn(client(nth, ended.clone(), answered));
        }
        crowd
    }

    /// Waits until every client had so many answers more, or the time is over.
    pub(crate) async fn more(&self, answers: u64, time_max: Duration) {
        let now = || self.answered.iter().map(|count| count.load(Ordering::Relaxed));
        let wanted: Vec<_> = now().map(|count| count + answers).collect();
        let began = Instant::now();
        while began.elapsed() < time_max && !now().zip(&wanted).all(|(count, wanted)| count >= *wanted) {
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Lets each finish what it does.
    pub(crate) async fn end(self) -> Befell {
        self.ends.send_replace(true);
        self.clients.join_all().await.into_iter().fold(Befell::default(), Befell::and)
    }
}

async fn keep(
    config: ClientConfig,
    nth: usize,
    ended: watch::Receiver<bool>,
    answered: Arc<AtomicU64>,
) -> Befell {
    let (mut befell, mut connection, mut asked) = (Befell::default(), None, 0_u64);
    let (mut began, mut key) = (Instant::now(), None::<String>);
    while !*ended.borrow() {
        asked += 1;
        let name = format!("client{nth}-{asked}");
        let request = match &key {
            None => new_key(&name),
            Some(id) => read_key(id),
        };
        match ask(&config, &mut connection, request).await {
            Ok(answer) => {
                befell.answered_after(began);
                answered.fetch_add(1, Ordering::Relaxed);
                key = match answer {
                    ResponsePayload::Create(created) => {
                        befell.made.insert(created.unique_identifier.clone(), name);
                        Some(created.unique_identifier)
                    }
                    _ => None,
                };
                sleep(REST_INTERVAL).await;
                began = Instant::now();
            }
            Err(error) => {
                befell.failed(error.to_string());
                connection = None;
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
    // Who was still waiting has waited so long.
    befell.worst_gap = befell.worst_gap.max(began.elapsed());
    befell
}

async fn encrypt(
    config: ClientConfig,
    nth: usize,
    ended: watch::Receiver<bool>,
    answered: Arc<AtomicU64>,
) -> Befell {
    let (mut befell, mut began) = (Befell::default(), Instant::now());
    let mut machine = 0_u64;
    while !*ended.borrow() {
        machine += 1;
        let uuid = format!("421f{nth:04}-0000-4000-8000-{machine:012}");
        let encrypted = match VCenter::new(VCenterConfig::new(config.clone())) {
            Ok(vcenter) => vcenter.encrypt_vm("vm", Component::VirtualMachine, &uuid).await,
            Err(error) => {
                befell.failed(error.to_string());
                break;
            }
        };
        match encrypted {
            Ok(encrypted) => {
                befell.made.insert(encrypted.key_id, String::new());
                befell.answered_after(began);
                answered.fetch_add(1, Ordering::Relaxed);
                sleep(REST_INTERVAL).await;
                began = Instant::now();
            }
            Err(error) => {
                befell.failed(error.to_string());
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
    befell.worst_gap = befell.worst_gap.max(began.elapsed());
    befell
}

async fn ask(
    config: &ClientConfig,
    connection: &mut Option<Connection>,
    request: RequestPayload,
) -> Result<ResponsePayload, ClientError> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Client::connect(config).await?,
    };
    let answer = open.one(request).await?;
    *connection = Some(open);
    Ok(answer)
}

/// Create an AES-256 key with this Name.
fn new_key(name: &str) -> RequestPayload {
    let attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(3)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(0x0c)),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
        Attribute::new(StandardAttribute::Name, Name::text(name).to_value()),
    ];
    let template_attribute = TemplateAttribute { names: Vec::new(), attributes };
    create::Request { object_type: ObjectType::SymmetricKey, template_attribute }.into()
}

fn read_key(id: &str) -> RequestPayload {
    get::Request { unique_identifier: Some(id.to_owned()), ..get::Request::default() }.into()
}
