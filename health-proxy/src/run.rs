//! The front's life: open all ports, serve, reload on SIGHUP, drain on SIGTERM or SIGINT.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use daemon::life::{self, NotifyState, notify};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, timeout};
use tracing::{error, info, warn};

use crate::admin::{self, Admin};
use crate::clock::Clock;
use crate::config::Config;
use crate::front::{Front, Tuning};
use crate::judge::{Judge, WORDS_MAX, Word};
use crate::metrics::Metrics;
use crate::vip::{self, Weight};
use crate::{listener, operator};

/// Between two looks at whether all sessions have ended.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// How long sessions that were told to reset may take to do so, and the track file to be written, at the end.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);

/// Set by systemd where the unit has WatchdogSec=.
const WATCHDOG: &str = "WATCHDOG_USEC";

/// Between two signs of life to systemd; many fit into the WatchdogSec= of our unit.
const WATCHDOG_INTERVAL: Duration = Duration::from_secs(1);

/// The file that this process runs, even where another version has taken its place meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Descriptors for all that is no client's connection: ports, probes, admin connections, files.
const DESCRIPTORS_ASIDE: u64 = 512;

/// A front that serves.
struct Running {
    path: PathBuf,
    config: Config,
    front: Arc<Front>,
    judge: mpsc::Sender<Word>,
    clients: JoinHandle<()>,
    /// The clients' port was open before the front began, and stays.
    handed_over: bool,
}

/// Serves until SIGTERM or SIGINT, or with `lifeline` until standard input closes, then drains. `path` is read again on
/// SIGHUP. `handed` are ports that are open already, in place of those of the configuration: the clients', then the admin
/// port.
///
/// # Errors
/// When a port or the operator's socket cannot be opened; nothing is served then.
pub async fn run(
    path: PathBuf,
    config: Config,
    lifeline: bool,
    handed: Vec<std::net::TcpListener>,
) -> anyhow::Result<()> {
    // Signals before ports: one that arrives while ports open must not end the process by default.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;

    let mut handed = handed.into_iter();
    let (handed_clients, handed_admin) = (handed.next(), handed.next());
    let handed_over = handed_clients.is_some();
    let port = open(handed_clients, || listener::bind(config.front.listen))
        .with_context(|| format!("cannot open the clients' port {} ([front] listen)", config.front.listen))?;
    let admin_port = open(handed_admin, || listener::bind(config.admin.listen))
        .with_context(|| format!("cannot open the admin port {} ([admin] listen)", config.admin.listen))?;
    let socket = match &config.admin.socket {
        Some(path) => Some(operator::bind(path).with_context(|| {
            format!("cannot open the operator's socket {} ([admin] socket)", path.display())
        })?),
        None => None,
    };
    let (listens_at, admin_at) = (port.local_addr()?, admin_port.local_addr()?);
    raise_descriptors(&config);

    let (words, heard) = mpsc::channel(WORDS_MAX);
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    let front = Arc::new(Front::new(
        Clock::start(),
        Tuning::of(&config, listens_at),
        config.admin.token.is_some(),
        metrics,
        words.clone(),
    ));
    let (weight, weighed) = watch::channel(Weight::GivesUp);
    let track = config
        .front
        .track_file
        .clone()
        .map(|path| tokio::spawn(vip::follow(PathBuf::from(THIS_PROGRAM), path, weighed)));
    let judge = Judge::new(Arc::clone(&front), &config.nodes, &config.prober, (words.clone(), heard), weight);
    let judge_task = tokio::spawn(judge.run());
    let (drain, draining) = watch::channel(false);
    let token = config.admin.token.clone();
    let admin = Arc::new(Admin::new(Arc::clone(&front), words.clone(), draining, token));
    let admin_task = tokio::spawn(admin::serve(admin_port, Arc::clone(&admin)));
    let operator_task = socket.map(|socket| tokio::spawn(operator::serve(socket, admin)));
    let clients = tokio::spawn(listener::accept(port, Arc::clone(&front)));
    if handed_over {
        info!("the clients' port was open already; [front] listen is not used");
    }
    info!(listen = %listens_at, admin = %admin_at, nodes = config.nodes.len(), "serving, mode {}", config.mode());
    say_probe(&config);
    notify(&[NotifyState::Ready]);
    if std::env::var_os(WATCHDOG).is_some() {
        tokio::spawn(stay_watched());
    }

    let socket = config.admin.socket.clone();
    let mut running = Running { path, config, front, judge: words, clients, handed_over };
    let mut cut = std::pin::pin!(life::lifeline(lifeline));
    let ended = loop {
        tokio::select! {
            () = &mut cut => break "standard input closed",
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
            () = again(&mut hang_up) => running.reload().await,
        }
    };
    notify(&[NotifyState::Stopping]);
    info!("{ended}: no new connections; sessions may end within drain_timeout_ms");
    drain.send_replace(true);
    running.drain().await;
    judge_task.abort();
    for task in [Some(admin_task), operator_task].into_iter().flatten() {
        task.abort();
    }
    // The judge held the sender; without it the last word is written, and the file's task ends.
    let _ = judge_task.await;
    if let Some(track) = track
        && timeout(LAST_WORDS_MAX, track).await.is_err()
    {
        warn!("[front] track_file could not be written at the end; hint: have ExecStopPost= write -254 too");
    }
    if let Some(path) = socket {
        // The socket's file goes with its front; one left behind is replaced at the next start anyway.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

impl Running {
    /// Takes over a new configuration, or says why not and keeps what holds. No session notices.
    async fn reload(&mut self) {
        let mut state = vec![NotifyState::Reloading];
        state.extend(NotifyState::monotonic_usec_now());
        notify(&state);
        match Config::read(&self.path) {
            Ok(new) => self.take_over(new).await,
            Err(mistakes) => error!("SIGHUP: the configuration in force stays: {mistakes}"),
        }
        notify(&[NotifyState::Ready]);
    }

    async fn take_over(&mut self, new: Config) {
        let mut listens_at = self.front.tuning.load().listens_at;
        if new.front.listen != self.config.front.listen && self.handed_over {
            warn!(
                "SIGHUP: [front] listen is not used: the clients' port was opened by who started the front"
            );
        } else if new.front.listen != self.config.front.listen {
            match listener::bind(new.front.listen) {
                Ok(port) => {
                    listens_at = port.local_addr().unwrap_or(new.front.listen);
                    let before = std::mem::replace(
                        &mut self.clients,
                        tokio::spawn(listener::accept(port, Arc::clone(&self.front))),
                    );
                    before.abort();
                }
                Err(error) => {
                    error!(
                        "SIGHUP: the configuration in force stays: cannot open {} ([front] listen): {error}",
                        new.front.listen
                    );
                    return;
                }
            }
        }
        let (old, now) = (&self.config, &new);
        let unmoved = [
            ("[front] track_file", old.front.track_file == now.front.track_file),
            ("[admin]", old.admin == now.admin),
            ("[log]", old.log == now.log),
        ];
        for (what, _) in unmoved.iter().filter(|(_, same)| !same) {
            warn!("SIGHUP: {what} has changed and stays as it was; hint: restart the front for it");
        }
        self.front.tuning.store(Arc::new(Tuning::of(&new, listens_at)));
        let (nodes, settings, prober) = (new.nodes.clone(), new.health.clone(), new.prober.clone());
        self.ask(|done| Word::Reload { nodes, settings, prober, done }).await;
        info!(nodes = new.nodes.len(), "SIGHUP: the new configuration holds");
        say_probe(&new);
        self.config = new;
    }

    /// Lets sessions end, and resets what is left when their time is over.
    async fn drain(&mut self) {
        self.clients.abort();
        self.front.ends();
        // The address first: while sessions end here, the other front takes new ones.
        self.ask(|done| Word::Ends { done }).await;
        let until = Instant::now() + self.config.limits.drain_timeout;
        if self.empty(until).await {
            info!("drained");
            return;
        }
        warn!("{} sessions are reset: they had not ended within drain_timeout_ms", self.front.seats.taken());
        self.ask(|done| Word::ResetAll { done }).await;
        self.empty(Instant::now() + LAST_WORDS_MAX).await;
    }

    async fn empty(&self, until: Instant) -> bool {
        while self.front.seats.taken() > 0 {
            if Instant::now() >= until {
                return false;
            }
            sleep(DRAIN_LOOK).await;
        }
        true
    }

    /// Tells the judge, and waits until it is done.
    async fn ask(&self, word: impl FnOnce(oneshot::Sender<()>) -> Word) {
        let (done, is_done) = oneshot::channel();
        if self.judge.send(word(done)).await.is_err() || is_done.await.is_err() {
            error!("the task that judges the nodes is gone; hint: restart the front, and tell its makers");
        }
    }
}

/// A port that is open already, or else a new one.
fn open(
    handed: Option<std::net::TcpListener>,
    new: impl FnOnce() -> io::Result<TcpListener>,
) -> io::Result<TcpListener> {
    match handed {
        Some(port) => TcpListener::from_std(port),
        None => new(),
    }
}

/// Lets systemd kill and restart a front that stands still: it gives no sign then.
async fn stay_watched() {
    let mut signs = interval(WATCHDOG_INTERVAL);
    loop {
        signs.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

async fn again(hang_up: &mut Signal) {
    if hang_up.recv().await.is_none() {
        std::future::pending().await
    }
}

fn say_probe(config: &Config) {
    if let Some(caveat) = config.caveat() {
        warn!("{caveat}");
    }
    match config.prober.blind_to() {
        None => info!("probes: {}", config.prober),
        Some(blind_to) => warn!("{blind_to}"),
    }
}

/// Takes as many descriptors as `connections_max` needs, where the system allows it, and says so where it does not.
fn raise_descriptors(config: &Config) {
    let needed = config.limits.connections_max as u64 * 2 + DESCRIPTORS_ASIDE;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft >= needed {
        return;
    }
    let possible = needed.min(hard);
    if setrlimit(Resource::RLIMIT_NOFILE, possible, hard).is_err() || possible < needed {
        warn!(
            "{possible} descriptors are allowed, connections_max={} may need {needed}; hint: LimitNOFILE={needed}",
            config.limits.connections_max
        );
    }
}
