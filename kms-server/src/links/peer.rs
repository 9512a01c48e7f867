//! One other node: the calls that wait for its answers, and the connection that is kept to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncRead;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use super::dial::{Dialled, dial};
use super::outbox::{self, Lane, Outbox};
use super::peers::Settings;
use super::wire::{self, BODY_BYTES_MAX, Broken, Reader};
use super::{Caller, LinkIdentity};
use crate::engine::{CallError, NodeId};
use crate::entropy;

/// One other node.
pub(super) struct Peer {
    id: NodeId,
    pub(super) address: String,
    settings: Settings,
    outbox: Outbox,
    state: Mutex<State>,
}

struct State {
    standing: Standing,
    /// Calls whose answers are awaited, whether or not they are written yet.
    calls: HashMap<u64, oneshot::Sender<Answer>>,
    /// The number of the next call; never used twice, so that a late answer finds nobody.
    next: u64,
    raft_calls: usize,
    asks: usize,
}

type Answer = Result<Vec<u8>, CallError>;

enum Standing {
    Connecting,
    Up,
    /// The last attempt failed, for this reason; the next one is due then.
    Down(String, Instant),
    Forgotten,
}

/// A call's place. It is free again when this is dropped, and what was not written yet is not sent any more.
struct Place<'a> {
    peer: &'a Peer,
    lane: Lane,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.peer.lock();
        state.calls.remove(&self.id);
        *state.count(self.lane) -= 1;
        drop(state);
        self.peer.outbox.withdraw(self.lane, self.id);
    }
}

impl Peer {
    pub(super) fn new(id: NodeId, address: String, settings: Settings) -> Self {
        let state =
            State { standing: Standing::Connecting, calls: HashMap::new(), next: 0, raft_calls: 0, asks: 0 };
        Self { id, address, settings, outbox: Outbox::default(), state: Mutex::new(state) }
    }

    /// See [`super::Links::call`].
    pub(super) async fn call(
        &self,
        kind: u8,
        request: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let (_place, answer) = self.enter(kind, request)?;
        match timeout(within, answer).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(CallError::Unreachable(self.words("the link ended"))),
            Err(_) if self.is_up() => Err(CallError::TimedOut),
            Err(_) => Err(CallError::Unreachable(
                self.words(&format!("there was no connection for {} ms", within.as_millis())),
            )),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.lock().standing, Standing::Up)
    }

    fn enter(&self, kind: u8, request: Vec<u8>) -> Result<(Place<'_>, oneshot::Receiver<Answer>), CallError> {
        let refused = |why: String| Err(CallError::Refused(self.words(&why)));
        if kind == wire::HELLO || kind > wire::CALL_MAX {
            return refused(format!("{kind:#04x} is no kind of call"));
        }
        if request.len() > BODY_BYTES_MAX {
            return refused(format!("the request has {} bytes, at most {BODY_BYTES_MAX} fit", request.len()));
        }
        let lane = Lane::of(kind);
        let calls_max = match lane {
            Lane::Raft => self.settings.raft_calls_max,
            Lane::Asks => self.settings.asks_max,
        };
        let bytes_max = self.settings.queue_bytes_max;
        let mut state = self.lock();
        match &state.standing {
            Standing::Up | Standing::Connecting => {}
            Standing::Down(why, until) if Instant::now() < *until => {
                return Err(CallError::Unreachable(self.words(why)));
            }
            Standing::Down(..) => {}
            Standing::Forgotten => {
                return Err(CallError::Unreachable(self.words("no link is kept to it any more")));
            }
        }
        if *state.count(lane) >= calls_max {
            return refused(format!("{calls_max} calls wait for its answers already, no more may"));
        }
        if self.outbox.bytes() + request.len() > bytes_max {
            return refused(format!("{bytes_max} bytes wait to be written, no more may"));
        }
        *state.count(lane) += 1;
        state.next += 1;
        let (id, (sender, receiver)) = (state.next, oneshot::channel());
        state.calls.insert(id, sender);
        // Before the lock is given up, or a connection that breaks now would leave the frame for the next.
        self.outbox.put(lane, id, kind, request);
        drop(state);
        Ok((Place { peer: self, lane, id }, receiver))
    }

    /// Keeps a connection up for as long as it is polled.
    pub(super) async fn keep_up(self: Arc<Self>, identity: LinkIdentity) {
        let settings = &self.settings;
        let mut backoff = settings.backoff_min;
        let mut said = String::new();
        loop {
            let dialling = dial(&self.address, settings.source, identity.client(), settings.silence_max);
            let dialled = match timeout(settings.connect_timeout, dialling).await {
                Ok(Ok(dialled)) if dialled.who == Caller::Node(self.id) => Ok(dialled),
                Ok(Ok(dialled)) => Err(Broken::OtherNode { expected: self.id, got: dialled.who }),
                Ok(Err(broken)) => Err(broken),
                Err(_) => Err(Broken::SlowConnect(settings.connect_timeout)),
            };
            let (broken, held) = match dialled {
                Ok(dialled) => {
                    info!(node = self.id, address = self.address, "link is up");
                    said.clear();
                    self.set(Standing::Up);
                    let since = Instant::now();
                    (self.run(dialled).await, since.elapsed())
                }
                Err(broken) => (broken, Duration::ZERO),
            };
            let why = broken.to_string();
            if said != why {
                warn!(node = self.id, address = self.address, "link is down: {why}");
                said.clone_from(&why);
            }
            if held > settings.backoff_max {
                // What ended it is news; the next attempt is the first.
                backoff = settings.backoff_min;
                self.fail_all(&why, Standing::Connecting);
                continue;
            }
            let pause = jittered(backoff);
            self.fail_all(&why, Standing::Down(why.clone(), Instant::now() + pause));
            tokio::time::sleep(pause).await;
            self.set(Standing::Connecting);
            backoff = (backoff * 2).min(settings.backoff_max);
        }
    }

    /// No link is kept any more: whoever waits, and whoever calls from now on, is told.
    pub(super) fn forget(&self) {
        self.fail_all("no link is kept to it any more", Standing::Forgotten);
    }

    async fn run(&self, dialled: Dialled) -> Broken {
        let Dialled { mut reader, writer, .. } = dialled;
        let Settings { beat_every, silence_max, queue_bytes_max, .. } = self.settings;
        tokio::select! {
            read = self.read(&mut reader, silence_max) => read,
            written = outbox::write_all(&self.outbox, writer, beat_every, queue_bytes_max) => match written {
                Err(broken) => broken,
                Ok(()) => Broken::Closed,
            },
        }
    }

    async fn read(&self, reader: &mut Reader<impl AsyncRead + Unpin>, silence_max: Duration) -> Broken {
        loop {
            let frame = match reader.next(silence_max).await {
                Ok(frame) => frame,
                Err(broken) => return broken,
            };
            let answer = match frame.kind {
                wire::ANSWER => Ok(frame.body),
                wire::REFUSAL => Err(CallError::Refused(String::from_utf8_lossy(&frame.body).into_owned())),
                wire::BEAT => continue,
                other => return Broken::Kind(other),
            };
            let waiting = self.lock().calls.remove(&frame.id);
            if let Some(waiting) = waiting {
                // Whoever called may have gone in this moment.
                let _ = waiting.send(answer);
            }
        }
    }

    fn set(&self, standing: Standing) {
        self.lock().stand(standing);
    }

    fn fail_all(&self, why: &str, standing: Standing) {
        let mut state = self.lock();
        state.stand(standing);
        self.outbox.clear();
        let calls = std::mem::take(&mut state.calls);
        drop(state);
        for waiting in calls.into_values() {
            let _ = waiting.send(Err(CallError::Unreachable(self.words(why))));
        }
    }

    fn words(&self, why: &str) -> String {
        format!("node {} at {}: {why}", self.id, self.address)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who is forgotten stays so, whatever the task that kept its connection still does.
    fn stand(&mut self, standing: Standing) {
        if !matches!(self.standing, Standing::Forgotten) {
            self.standing = standing;
        }
    }

    fn count(&mut self, lane: Lane) -> &mut usize {
        match lane {
            Lane::Raft => &mut self.raft_calls,
            Lane::Asks => &mut self.asks,
        }
    }
}

/// Between a half and the whole of it, so that nodes that lost each other at once do not meet again in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + f64::from(entropy::array::<1>()[0]) / 512.0)
}
