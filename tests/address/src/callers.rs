//! Clients that create keys through the one address without a pause, from the network of the lab's client: one keeps its
//! connection while it can, one makes a new one for each step, as vCenter does.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use faults::{Ledger, create_marked};
use kmip::ResponsePayload;
use kmip::client::{Client, ClientConfig, ClientError, Connection, ServerTrust};
use nix::sched::{CloneFlags, setns};
use serde_json::Value;

/// How long a client waits for a connection, a handshake or an answer before it connects anew. Who held the address may
/// be gone without a word, and nobody else can tell the client.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// Between two requests, so that there are no more keys than can be looked at.
const REST: Duration = Duration::from_millis(5);

/// What becomes of a client's connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// It is kept.
    Keeps,
    /// It is closed.
    Renews,
}

/// The two clients at work.
#[derive(Debug)]
pub struct Callers {
    seen: [Arc<Seen>; 2],
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    answered: AtomicU64,
    gap_us_max: AtomicU64,
}

/// The lab's client at the one address, with little patience.
pub fn configuration(description: &Value) -> ClientConfig {
    let read = |what: &str| std::fs::read(description["client"][what].as_str().unwrap()).unwrap();
    let trust = ServerTrust::Ca { pem: read("ca"), verify_name: true };
    ClientConfig::builder(description["vip"].as_str().unwrap(), trust)
        .identity_pem(read("cert"), read("key"))
        .connect_timeout(PATIENCE)
        .handshake_timeout(PATIENCE)
        .request_timeout(PATIENCE)
        .build()
        .unwrap()
}

impl Callers {
    /// Starts both in this network namespace; every answer goes into the ledger.
    pub fn start(namespace: PathBuf, config: &ClientConfig, ledger: &Arc<Ledger>) -> Self {
        let ends: Arc<AtomicBool> = Arc::default();
        let mut callers = Self { seen: Default::default(), ends, threads: Vec::new() };
        for (pattern, seen) in [Pattern::Keeps, Pattern::Renews].into_iter().zip(callers.seen.clone()) {
            let (config, ledger, ends) = (config.clone(), Arc::clone(ledger), Arc::clone(&callers.ends));
            let namespace = namespace.clone();
            callers.threads.push(thread::spawn(move || {
                setns(File::open(namespace).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(work(pattern, &config, &ledger, &seen, &ends));
            }));
        }
        callers
    }

    /// The longest time that each was without an answer, since this was last asked: of the one that keeps its connection,
    /// and of the one that renews it.
    pub fn take_gaps(&self) -> [Duration; 2] {
        [0, 1].map(|index| Duration::from_micros(self.seen[index].gap_us_max.swap(0, Ordering::Relaxed)))
    }

    /// Requests that each was answered.
    pub fn answered(&self) -> [u64; 2] {
        [0, 1].map(|index| self.seen[index].answered.load(Ordering::Relaxed))
    }

    /// Waits until each was answered so many times more.
    pub async fn more(&self, times: u64) {
        let wanted = self.answered().map(|count| count + times);
        crate::until("both clients are answered", async || {
            self.answered().iter().zip(&wanted).all(|(count, wanted)| count >= wanted)
        })
        .await;
    }

    /// Lets each finish what it does. Panics where one did.
    pub fn end(mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

async fn work(pattern: Pattern, config: &ClientConfig, ledger: &Ledger, seen: &Seen, ends: &AtomicBool) {
    let (mut open, mut last) = (None, Instant::now());
    for number in 0_u64.. {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        if create(&format!("{pattern:?}-{number}"), config, &mut open, ledger).await.is_ok() {
            let gap = u64::try_from(last.elapsed().as_micros()).unwrap();
            // The first answer begins it.
            if seen.answered.fetch_add(1, Ordering::Relaxed) > 0 {
                seen.gap_us_max.fetch_max(gap, Ordering::Relaxed);
            }
            last = Instant::now();
        }
        if pattern == Pattern::Renews {
            open = None;
        }
        // A client that rests is still there all the time.
        tokio::time::sleep(REST).await;
    }
}

/// One key with a mark, written down before it is asked for and when it was answered.
async fn create(
    mark: &str,
    config: &ClientConfig,
    open: &mut Option<Connection>,
    ledger: &Ledger,
) -> Result<(), ClientError> {
    let mut connection = match open.take() {
        Some(open) => open,
        None => Client::connect(config).await?,
    };
    ledger.creates(mark);
    let ResponsePayload::Create(created) = connection.one(create_marked(mark)).await? else {
        panic!("Create was answered with something else")
    };
    ledger.created(mark, &created.unique_identifier);
    *open = Some(connection);
    Ok(())
}

/// Creates so many keys, and fails with the first that is not answered.
pub async fn creates(
    who: &str,
    count: u64,
    config: &ClientConfig,
    ledger: &Ledger,
) -> Result<(), ClientError> {
    let mut open = None;
    for number in 0..count {
        create(&format!("{who}-{number}"), config, &mut open, ledger).await?;
    }
    Ok(())
}
