//! The load itself: as many closed loops as connections, one clock for all, and what each of them counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use kmip::client::vcenter::{Component, VCenter};
use kmip::client::{Client, ClientConfig, Connection};
use tokio::task::JoinSet;

use super::fault::Fault;
use super::question::Question;
use crate::print::Format;

/// Significant digits of the latencies.
const DIGITS: u8 = 3;

/// After a failed connection, before the next try: a server that is gone is not asked in a tight loop.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// Between two looks at what was done so far.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// How long a load is measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    /// This long.
    Time(Duration),
    /// This many requests, however long they take.
    Requests(u64),
}

/// A load, but for what it asks.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) config: ClientConfig,
    pub(super) connections: usize,
    pub(super) new_connection: bool,
    pub(super) warmup: Duration,
    pub(super) length: Length,
}

/// What came of a load.
#[derive(Debug)]
pub(super) struct Tally {
    /// Microseconds of each request that succeeded.
    pub(super) latency_us: Histogram<u64>,
    /// How many failed alike, and the first of them.
    pub(super) errors: BTreeMap<String, (u64, String)>,
    /// From the end of the warm-up to the last answer.
    pub(super) elapsed: Duration,
    last: Option<Instant>,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            latency_us: Histogram::new(DIGITS)?,
            errors: BTreeMap::new(),
            elapsed: Duration::ZERO,
            last: None,
        })
    }

    fn add(&mut self, result: Result<(), Fault>, began: Instant, ended: Instant) {
        self.last = Some(ended);
        match result {
            Ok(()) => {
                let micros = ended.duration_since(began).as_micros();
                // It grows as it must, so there is nothing that it would not take.
                let _ = self.latency_us.record(u64::try_from(micros).unwrap_or(u64::MAX));
            }
            Err(fault) => {
                let (count, _) = self.errors.entry(fault.reason).or_insert((0, fault.example));
                *count += 1;
            }
        }
    }

    fn join(&mut self, other: Self) -> anyhow::Result<()> {
        self.latency_us.add(&other.latency_us).context("adding up latencies")?;
        for (reason, (count, example)) in other.errors {
            self.errors.entry(reason).or_insert((0, example)).0 += count;
        }
        self.last = self.last.max(other.last);
        Ok(())
    }
}

/// The clock and the counters that all connections look at.
struct Clock {
    /// Measured from here on.
    begin: Instant,
    end: Option<Instant>,
    /// Requests that are still to be begun, where their number is the load's length.
    left: AtomicU64,
    done: AtomicU64,
    stop: AtomicBool,
}

impl Clock {
    fn new(warmup: Duration, length: Length) -> Self {
        let begin = Instant::now() + warmup;
        let (end, left) = match length {
            Length::Time(time) => (Some(begin + time), 0),
            Length::Requests(requests) => (None, requests),
        };
        Self { begin, end, left: left.into(), done: 0.into(), stop: false.into() }
    }

    /// Whether a request may begin now. Of a number of requests it takes one.
    fn goes_on(&self, now: Instant) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        match self.end {
            Some(end) => now < end,
            None if now < self.begin => true,
            None => {
                let take = |left: u64| left.checked_sub(1);
                self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
            }
        }
    }
}

impl Load {
    /// Asks these questions in turn.
    pub(super) async fn ask(&self, questions: Vec<Question>, progress: &Progress) -> anyhow::Result<Tally> {
        let questions = Arc::new(questions);
        let loops = if self.new_connection { Vec::new() } else { self.connect_all().await };
        let mut loops = loops.into_iter();
        let work = |number| {
            let asker = Asker {
                config: self.config.clone(),
                connection: loops.next().flatten(),
                is_kept: !self.new_connection,
                questions: Arc::clone(&questions),
                // Spread, so that connections do not ask for the same key at the same time.
                next: number * questions.len() / self.connections,
            };
            Worker::Asks(Box::new(asker))
        };
        self.run((0..self.connections).map(work).collect(), progress).await
    }

    /// Encrypts machines, as vCenter does; so many at once.
    pub(super) async fn encrypt(&self, vcenter: VCenter, progress: &Progress) -> anyhow::Result<Tally> {
        let vcenter = Arc::new(vcenter);
        let numbers = Arc::new(AtomicU64::new(1));
        let one = |_| Worker::Encrypts(Arc::clone(&vcenter), Arc::clone(&numbers));
        self.run((0..self.connections).map(one).collect(), progress).await
    }

    /// Opens all connections before the clock runs. One that fails is tried again by its loop, and counted there.
    async fn connect_all(&self) -> Vec<Option<Connection>> {
        let mut tasks = JoinSet::new();
        for _ in 0..self.connections {
            let config = self.config.clone();
            tasks.spawn(async move { Client::connect(&config).await.ok() });
        }
        tasks.join_all().await
    }

    async fn run(&self, workers: Vec<Worker>, progress: &Progress) -> anyhow::Result<Tally> {
        let clock = Arc::new(Clock::new(self.warmup, self.length));
        let mut tasks = JoinSet::new();
        for worker in workers {
            tasks.spawn(worker.run(Arc::clone(&clock)));
        }
        let mut tally = Tally::new()?;
        let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
        loop {
            tokio::select! {
                joined = tasks.join_next() => match joined {
                    Some(one) => tally.join(one.context("running the load")??)?,
                    None => break,
                },
                _ = tick.tick() => progress.show(&clock, self),
                // What was measured until then is told.
                _ = tokio::signal::ctrl_c() => clock.stop.store(true, Ordering::Relaxed),
            }
        }
        tally.elapsed = tally.last.map_or(Duration::ZERO, |last| last.saturating_duration_since(clock.begin));
        Ok(tally)
    }
}

/// One closed loop.
enum Worker {
    Asks(Box<Asker>),
    Encrypts(Arc<VCenter>, Arc<AtomicU64>),
}

impl Worker {
    async fn run(mut self, clock: Arc<Clock>) -> anyhow::Result<Tally> {
        let mut tally = Tally::new()?;
        loop {
            self.make_ready().await;
            let began = Instant::now();
            if !clock.goes_on(began) {
                break;
            }
            let (result, ended) = self.once().await;
            if began >= clock.begin {
                clock.done.fetch_add(1, Ordering::Relaxed);
                tally.add(result, began, ended);
            }
        }
        if let Worker::Asks(asker) = self {
            asker.close().await;
        }
        Ok(tally)
    }

    /// What is not to be measured with the next request.
    async fn make_ready(&mut self) {
        if let Worker::Asks(asker) = self
            && asker.is_kept
            && asker.connection.is_none()
        {
            asker.connection = Client::connect(&asker.config).await.ok();
        }
    }

    async fn once(&mut self) -> (Result<(), Fault>, Instant) {
        match self {
            Worker::Asks(asker) => asker.once().await,
            Worker::Encrypts(vcenter, numbers) => {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let name = format!("bench{number:06}");
                let uuid = format!("00000000-0000-4000-8000-{number:012x}");
                let result = vcenter.encrypt_vm(&name, Component::VirtualMachine, &uuid).await;
                let ended = Instant::now();
                match result {
                    Ok(_) => (Ok(()), ended),
                    Err(error) => {
                        tokio::time::sleep(RECONNECT_PAUSE).await;
                        (Err(error.into()), ended)
                    }
                }
            }
        }
    }
}

struct Asker {
    config: ClientConfig,
    connection: Option<Connection>,
    /// Whether a connection serves more than one request.
    is_kept: bool,
    questions: Arc<Vec<Question>>,
    next: usize,
}

impl Asker {
    /// One question and its answer, checked. A connection that failed is dropped, and one that is not kept closed.
    async fn once(&mut self) -> (Result<(), Fault>, Instant) {
        let result = self.exchange().await;
        let ended = Instant::now();
        let usable = result.as_ref().err().is_none_or(|fault| fault.connection_is_usable);
        if !usable {
            self.connection = None;
            tokio::time::sleep(RECONNECT_PAUSE).await;
        } else if !self.is_kept {
            self.close_connection().await;
        }
        (result, ended)
    }

    async fn exchange(&mut self) -> Result<(), Fault> {
        let question = &self.questions[self.next];
        self.next = (self.next + 1) % self.questions.len();
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(Client::connect(&self.config).await?),
        };
        // Keys of a load are nobody's secrets, but they may be another's that were named with --id.
        let answer = zeroize::Zeroizing::new(connection.call_raw(&question.bytes).await?);
        question.check(&answer)
    }

    async fn close_connection(&mut self) {
        if let Some(connection) = self.connection.take() {
            // The server may be faster to close.
            drop(connection.close().await);
        }
    }

    async fn close(mut self) {
        self.close_connection().await;
    }
}

/// How far the load is, on standard error where that is a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn new(format: Format) -> Self {
        let bar = match format {
            Format::Json => ProgressBar::hidden(),
            Format::Table => ProgressBar::new_spinner(),
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(PROGRESS_INTERVAL);
        Self { bar }
    }

    pub(super) fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, clock: &Clock, load: &Load) {
        let now = Instant::now();
        if now < clock.begin {
            return self.say("Warming up");
        }
        let seconds = now.duration_since(clock.begin).as_secs_f64();
        let done = clock.done.load(Ordering::Relaxed);
        let of = match load.length {
            Length::Time(time) => format!("{seconds:.0} of {:.0} s", time.as_secs_f64()),
            Length::Requests(requests) => format!("{done} of {requests}"),
        };
        self.bar.set_message(format!("{of}, {:.0}/s", done as f64 / seconds.max(f64::MIN_POSITIVE)));
    }
}
