//! The decider: while this node leads, the one task that decides whatever may change something.
//!
//! It gathers the requests that wait, decides them in order in one draft, and proposes their events as one command.
//! The next group does not wait for it: it is decided as if the commands in flight had happened, and its answers leave
//! only after theirs. A command is good only for the term it was decided in; when one in flight is lost, all behind it
//! are, and whoever asked asks again with the same token. What changed something is remembered by its token, with its
//! answer; of what is asked again, a refusal is too.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kmip::RequestMessage;
use kms_core::{Deferred, Draft, Event, Outcome, Refusal, Token, is_read_only, move_by_dates};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use zeroize::Zeroizing;

use super::change;
use super::state::{Asker, Stamp, State, command};
use super::workshop::{Bench, Made, Toil, Workshop};
use crate::engine::{Engine, Proposed, Role};
use crate::entropy;
use crate::metrics::Metrics;
use crate::planted::{self, Fault};

/// Requests that one command carries at most.
pub(super) const GATHER_MAX: usize = 256;

/// Bytes of requests that are gathered at most, but for a single request that is larger.
const GATHER_BYTES_MAX: usize = 8 << 20;

/// Bytes of events after which a command takes no further request: answers go into the log with what they answer, and
/// may be far larger than their requests.
const COMMAND_BYTES_ENOUGH: usize = 4 << 20;

/// Bytes of events that one request may bring, its answer among them. With [`COMMAND_BYTES_ENOUGH`] an entry stays below
/// what a link and the log take, and each of its parts below a snapshot's record: an entry beyond could be sent to nobody,
/// and nothing behind it ever be committed.
const REQUEST_BYTES_MAX: usize = 12 << 20;

/// Requests that may wait for the decider; one more waits outside, in its connection.
const QUEUE_MAX: usize = 1024;

/// Commands in flight at once. More would be decided on ever staler ground for no more throughput.
const FLIGHTS_MAX: usize = 4;

/// How often a leader looks whether requests that were put off are due. They are carried out between those that are waited
/// for, so few at a time.
const DUE_INTERVAL: Duration = Duration::from_millis(500);

/// Requests that were put off, carried out by one command.
const DUE_MAX: usize = 16;

/// How long one try to take office waits for what the log holds.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two tries to take office while the term's first entry is not committed yet.
const SETTLE_INTERVAL: Duration = Duration::from_millis(20);

/// How often it is looked whether a date has come that changes an object's state: what it changed is read at once, so
/// this is how long a clock may go back and take it along.
const DATES_INTERVAL: Duration = Duration::from_millis(250);

/// What is to be decided.
#[derive(Clone, Debug)]
pub(super) enum Matter {
    /// A client's request, of so many bytes.
    Request { request: Arc<RequestMessage>, asker: Asker, bytes: usize },
    /// An event that an operator wants, or a joining node needs; decided by [`change::decide`].
    Change(Box<Event>),
}

/// A matter with what tells it from one that was decided before.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) matter: Matter,
    pub(super) token: Token,
    /// Whether it may have been decided before, on a leader that was lost.
    pub(super) again: bool,
    /// How many answers had been remembered when it was first sent: what was forgotten since may have been its.
    pub(super) seen: u64,
    /// What was made for it in the workshop, as it was decided before without.
    pub(super) made: Arc<Vec<Made>>,
    pub(super) answer: oneshot::Sender<Decision>,
}

/// What came of a matter.
#[derive(Debug)]
pub(super) enum Decision {
    /// A request's outcome; on disk on a majority where it changed something.
    Outcome(Outcome),
    /// A change's event as it was decided, on disk on a majority; or why not.
    Changed(Result<Box<Event>, Refusal>),
    /// This node does not lead: nothing was decided.
    NotLeading,
    /// Leadership went while it was in flight: it may come to be, or not. To be asked again with the same token.
    Lost,
    /// Nothing was decided: so many answers were remembered by now that one to this token may have been forgotten. Who
    /// knows that there was none asks again, and says that this many were remembered by then.
    Outrun(u64),
    /// Nothing was decided: it needs this, which takes long. To be asked again with it.
    Needs(Vec<Toil>),
}

/// The end that requests hold.
#[derive(Clone, Debug)]
pub(super) struct Decider {
    work: mpsc::Sender<Work>,
    pub(super) workshop: Arc<Workshop>,
}

impl Decider {
    /// Starts the task; it ends when the last [`Decider`] is dropped.
    pub(super) fn start(state: Arc<State>, engine: Engine, metrics: Arc<Metrics>) -> Self {
        let (work, queue) = mpsc::channel(QUEUE_MAX);
        let roles = engine.role();
        tokio::spawn(
            Task { state, engine, metrics, waiting: Waiting { queue, gathered: VecDeque::new() }, roles }
                .run(),
        );
        Self { work, workshop: Arc::default() }
    }

    /// Hands a matter over, and waits until it is decided and what came of it is on disk. What it needs and takes long is made
    /// here, beside the task that decides, which goes on with what others want; then it is handed over again.
    pub(super) async fn decide(&self, matter: Matter, token: Token, again: bool, seen: u64) -> Decision {
        let mut place = None;
        let mut made = Arc::default();
        loop {
            let (answer, decision) = oneshot::channel();
            let work = Work { matter: matter.clone(), token, again, seen, made, answer };
            if self.work.send(work).await.is_err() {
                return Decision::NotLeading;
            }
            match decision.await.unwrap_or(Decision::Lost) {
                Decision::Needs(toils) => {
                    made = place.get_or_insert_with(|| self.workshop.place(token)).make(toils).await;
                }
                decided => return decided,
            }
        }
    }
}

struct Task {
    state: Arc<State>,
    engine: Engine,
    metrics: Arc<Metrics>,
    waiting: Waiting,
    roles: watch::Receiver<Role>,
}

/// What is to be decided, in order.
struct Waiting {
    queue: mpsc::Receiver<Work>,
    /// Gathered, and not decided yet as the command before was full.
    gathered: VecDeque<Work>,
}

/// A group that was proposed, and who waits for it.
struct Flight {
    landed: Pin<Box<dyn Future<Output = bool> + Send>>,
    answers: Vec<(Decision, oneshot::Sender<Decision>)>,
    began: Instant,
    changed: bool,
}

/// Commands that were proposed and are not applied yet, in order.
#[derive(Default)]
struct Ahead {
    decider: u64,
    number: u64,
    pending: VecDeque<(u64, Vec<Event>)>,
}

impl Task {
    async fn run(mut self) {
        loop {
            let Some(term) = self.until_leading().await else { return };
            if self.settled().await && !self.lead(term).await {
                return;
            }
        }
    }

    /// Refuses what comes until this node leads, and says in which term; `None` when nobody can ask any more.
    async fn until_leading(&mut self) -> Option<u64> {
        for work in self.waiting.gathered.drain(..) {
            let _ = work.answer.send(Decision::NotLeading);
        }
        loop {
            {
                let role = self.roles.borrow_and_update();
                if role.leads {
                    return Some(role.term);
                }
            }
            tokio::select! {
                changed = self.roles.changed() => if changed.is_err() {
                    // The engine has ended; whoever still asks is told.
                    while let Some(work) = self.waiting.queue.recv().await {
                        let _ = work.answer.send(Decision::NotLeading);
                    }
                    return None;
                },
                work = self.waiting.queue.recv() => drop(work?.answer.send(Decision::NotLeading)),
            }
        }
    }

    /// Waits until everything that any leader before may have committed is applied here, and whatever else this node's log
    /// holds: it may have led in this very term before, and what it proposed then can come to be still. Deciding on less
    /// could give a name twice, or carry out twice what has one token.
    async fn settled(&self) -> bool {
        if let Ok(index) = self.engine.read_index().await {
            // What was proposed before the read index was asked for stands in the log by now.
            let all = index.max(self.engine.last());
            // Entries that a next leader takes back are never applied.
            if let Ok(Ok(())) = timeout(SETTLE_TIMEOUT, self.engine.wait_applied(all)).await {
                return true;
            }
        }
        // The role's watch may still say that we lead; not to spin on it.
        tokio::time::sleep(SETTLE_INTERVAL).await;
        false
    }

    /// Decides until the leadership of `term` is over. False when nobody can ask any more.
    async fn lead(&mut self, term: u64) -> bool {
        let mut ahead = Ahead { decider: u64::from_be_bytes(entropy::array()), ..Ahead::default() };
        let mut flights: VecDeque<Flight> = VecDeque::new();
        // Once a command in flight was lost, whatever was decided behind it stood on nothing. A group without one that
        // could not be confirmed is lost by itself: nothing stood on it, and what is in flight behind it is still ahead.
        let mut lost = false;
        let mut due = interval(DUE_INTERVAL);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut dates = interval(DATES_INTERVAL);
        dates.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let open = loop {
            tokio::select! {
                biased;
                landed = first_landed(&mut flights) => {
                    let Some(flight) = flights.pop_front() else { continue };
                    lost = flight.changed && !landed;
                    self.answer(flight, landed);
                    if lost {
                        break true;
                    }
                }
                _ = due.tick(), if flights.len() < FLIGHTS_MAX => {
                    flights.extend(self.settle_due(term, &mut ahead));
                }
                gathered = self.waiting.gather(), if flights.len() < FLIGHTS_MAX => {
                    if !gathered {
                        break false;
                    }
                    flights.push_back(self.decide(term, &mut ahead));
                }
                _ = dates.tick(), if flights.len() < FLIGHTS_MAX => {
                    if self.is_date_due() {
                        flights.push_back(self.decide(term, &mut ahead));
                    }
                }
                changed = self.roles.changed() => {
                    let role = self.roles.borrow_and_update();
                    if changed.is_err() || !role.leads || role.term != term {
                        break changed.is_ok();
                    }
                }
            }
        };
        // What is in flight may still be committed by the next leader: it is waited for where that is known soon, and
        // lost else. Not here: the next term must not wait for it.
        tokio::spawn(async move {
            for flight in flights {
                let landed = !lost && flight.landed.await;
                lost = lost || flight.changed && !landed;
                for (decision, answer) in flight.answers {
                    let _ = answer.send(if landed { decision } else { Decision::Lost });
                }
            }
        });
        open
    }

    /// Whether a date has come that no event tells of.
    fn is_date_due(&self) -> bool {
        self.state.held().objects.next_due().is_some_and(|date| date <= self.state.clock.unix_seconds())
    }

    /// Decides what was gathered, as much as one command takes, as if all that is ahead had happened, and proposes what came of
    /// it.
    fn decide(&mut self, term: u64, ahead: &mut Ahead) -> Flight {
        let mut answers = Vec::with_capacity(self.waiting.gathered.len());
        let (events, base) = {
            let held = self.state.held();
            let base = held.newest;
            ahead.forget_applied(held.newest);
            let pending = ahead.pending.iter().flat_map(|(_, events)| events);
            let mut draft = Draft::behind(&held.objects, pending);
            if self.state.vault.0.needs_new_key() && draft.drafted_data_key().is_none() {
                self.draft_data_key(&mut draft);
            }
            move_by_dates(&mut draft, self.state.clock.unix_seconds());
            let (seen, forgotten) = (held.objects.answers_seen(), held.objects.answers_forgotten());
            let mut bytes = 0;
            while bytes < COMMAND_BYTES_ENOUGH
                && let Some(work) = self.waiting.gathered.pop_front()
            {
                // Who gave up is told nothing any more, so it is not begun for it either.
                if work.answer.is_closed() {
                    continue;
                }
                let mark = draft.mark();
                let mut decision = self.decide_one(&work, &mut draft, seen, forgotten);
                let drafted = drafted_bytes(&draft, mark);
                if drafted > REQUEST_BYTES_MAX {
                    draft.rollback(mark);
                    decision = self.refuse(&work, too_much());
                } else {
                    bytes += drafted;
                }
                answers.push((decision, work.answer));
            }
            (draft.into_events(), base)
        };
        self.propose(term, ahead, events, answers, base)
    }

    /// Carries out what was put off and is due, as if all that is ahead had happened; `None` where nothing is.
    fn settle_due(&self, term: u64, ahead: &mut Ahead) -> Option<Flight> {
        let now = self.state.clock.unix_seconds();
        let (events, base) = {
            let held = self.state.held();
            let is_due = |deferred: &&Arc<Deferred>| kms_core::is_due(deferred, now);
            let due: Vec<_> = held.objects.deferred_waiting().filter(is_due).take(DUE_MAX).collect();
            if due.is_empty() {
                return None;
            }
            ahead.forget_applied(held.newest);
            let mut draft = Draft::behind(&held.objects, ahead.pending.iter().flat_map(|(_, events)| events));
            let mut bytes = 0;
            for value in due.into_iter().map(|deferred| deferred.value) {
                // A Poll or a Cancel that is on its way may have settled it.
                let Some(deferred) = draft.deferred(value).filter(|deferred| deferred.is_waiting()) else {
                    continue;
                };
                let mark = draft.mark();
                if !self.state.settle(&deferred, &mut draft) {
                    continue;
                }
                bytes += drafted_bytes(&draft, mark);
                if bytes > COMMAND_BYTES_ENOUGH {
                    break;
                }
            }
            (draft.into_events(), held.newest)
        };
        (!events.is_empty()).then(|| self.propose(term, ahead, events, Vec::new(), base))
    }

    /// Proposes what was decided on top of `base`; `answers` leave when it has landed.
    fn propose(
        &self,
        term: u64,
        ahead: &mut Ahead,
        events: Vec<Event>,
        answers: Vec<(Decision, oneshot::Sender<Decision>)>,
        base: Option<Stamp>,
    ) -> Flight {
        let began = Instant::now();
        let engine = self.engine.clone();
        let changed = !events.is_empty();
        let landed: Pin<Box<dyn Future<Output = bool> + Send>> = if changed {
            ahead.number += 1;
            let stamp = Stamp { decider: ahead.decider, number: ahead.number };
            let proposed = engine.propose(term, command(stamp, &events));
            ahead.pending.push_back((ahead.number, events));
            Box::pin(async move { matches!(proposed.await, Proposed::Applied { .. }) })
        } else {
            // Nothing to commit, and yet an answer may say that something is not there: only a leader may, and one that was
            // not overtaken since it decided. To lead again is not enough: another may have led in between.
            let (state, decider) = (Arc::clone(&self.state), ahead.decider);
            Box::pin(async move {
                let Ok(index) = engine.read_index().await else { return false };
                let caught_up = engine.wait_applied(index).await.is_ok();
                let newest = state.held().newest;
                caught_up && (newest == base || newest.is_some_and(|newest| newest.decider == decider))
            })
        };
        Flight { landed, answers, began, changed }
    }

    fn decide_one(&self, work: &Work, draft: &mut Draft<'_>, seen: u64, forgotten: u64) -> Decision {
        if let Some(sealed) = draft.answer(&work.token) {
            return self.answered_before(work, &sealed);
        }
        if forgotten > work.seen && !work.again {
            // Its first try, or one that lay in a frozen node's buffers while another node carried the second out.
            return Decision::Outrun(seen);
        }
        if forgotten > work.seen {
            let refusal = Refusal::general_failure(
                "a leader was lost while this was carried out, and whether it was is no longer known; hint: look with \
                 Locate before asking again",
            );
            return self.refuse(work, refusal);
        }
        let mark = draft.mark();
        match &work.matter {
            Matter::Request { request, asker, .. } => {
                let bench = Bench::with(&work.made);
                let outcome = self.state.decide(request, asker, &bench, draft);
                if let Some(toils) = bench.needs() {
                    draft.rollback(mark);
                    return Decision::Needs(toils);
                }
                // A refusal too, where an earlier try may lie in a frozen node: who was told that it failed must not find
                // it done when that node wakes.
                let remembered = draft.mark() > mark || work.again && !is_read_only(request);
                if remembered && let Err(refusal) = self.remember(work.token, &outcome.encoded, draft) {
                    draft.rollback(mark);
                    return self.refuse(work, refusal);
                }
                Decision::Outcome(outcome)
            }
            Matter::Change(wanted) => {
                let decided = change::decide(wanted, draft, self.state.clock.unix_seconds());
                let remembered = decided.and_then(|event| {
                    draft.push(event.clone());
                    let mut bytes = Zeroizing::new(Vec::new());
                    Event::encode_all(std::slice::from_ref(&event), &mut bytes);
                    self.remember(work.token, &bytes, draft).map(|()| Box::new(event))
                });
                if remembered.is_err() {
                    draft.rollback(mark);
                }
                Decision::Changed(remembered)
            }
        }
    }

    /// The answer goes into the log with what it answers, sealed: whoever asks again gets the same.
    fn remember(&self, token: Token, answer: &[u8], draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let sealed = self.state.vault.0.seal_answer(&token, answer).map_err(|error| {
            Refusal::general_failure("the answer could not be sealed, nothing was changed")
                .logged(error.to_string())
        })?;
        if !planted::is(Fault::TokenNotRemembered) {
            draft.push(Event::Answered { token, at: self.state.clock.unix_seconds(), sealed });
        }
        Ok(())
    }

    fn answered_before(&self, work: &Work, sealed: &[u8]) -> Decision {
        let opened = match self.state.vault.0.open_answer(&work.token, sealed) {
            Ok(opened) => opened,
            Err(error) => {
                let refusal = Refusal::general_failure("what was answered before cannot be opened");
                return self.refuse(work, refusal.logged(error.to_string()));
            }
        };
        match &work.matter {
            Matter::Request { request, .. } => Decision::Outcome(Outcome::of_answer(request, opened)),
            Matter::Change(_) => {
                let event = Event::decode_all(&opened).ok().and_then(|mut events| events.pop());
                let unreadable = || Refusal::general_failure("what was answered before cannot be read");
                Decision::Changed(event.map(Box::new).ok_or_else(unreadable))
            }
        }
    }

    fn refuse(&self, work: &Work, refusal: Refusal) -> Decision {
        match &work.matter {
            Matter::Request { request, .. } => {
                let version = request.header.protocol_version.min(kmip::ProtocolVersion::V1_4);
                let now = self.state.clock.unix_seconds();
                Decision::Outcome(kms_core::refuse_all(request, version, now, &refusal))
            }
            Matter::Change(_) => Decision::Changed(Err(refusal)),
        }
    }

    fn draft_data_key(&self, draft: &mut Draft<'_>) {
        match self.state.vault.0.new_data_key() {
            Ok((version, wrapped)) => draft.push(Event::DataKey { version, wrapped }),
            Err(error) => tracing::warn!("no new data key, the old one goes on: {error}"),
        }
    }

    fn answer(&self, flight: Flight, landed: bool) {
        if landed && flight.changed && !flight.answers.is_empty() {
            self.metrics.gathered(flight.answers.len(), flight.began.elapsed());
        }
        for (decision, answer) in flight.answers {
            // An error is a client that no longer waits; what it asked for is done all the same.
            let _ = answer.send(if landed { decision } else { Decision::Lost });
        }
    }
}

impl Waiting {
    /// Waits until something is to be decided, and adds what else waits. False when nobody can ask any more.
    async fn gather(&mut self) -> bool {
        if self.gathered.is_empty() {
            match self.queue.recv().await {
                Some(work) => self.gathered.push_back(work),
                None => return false,
            }
        }
        let mut bytes: usize = self.gathered.iter().map(Work::bytes).sum();
        while self.gathered.len() < GATHER_MAX && bytes < GATHER_BYTES_MAX {
            let Ok(work) = self.queue.try_recv() else { break };
            bytes += work.bytes();
            self.gathered.push_back(work);
        }
        true
    }
}

impl Work {
    fn bytes(&self) -> usize {
        match &self.matter {
            Matter::Request { bytes, .. } => *bytes,
            Matter::Change(_) => 0,
        }
    }
}

/// Bytes in the log of what was drafted since `mark`.
fn drafted_bytes(draft: &Draft<'_>, mark: usize) -> usize {
    let mut drafted = Vec::new();
    Event::encode_all(draft.events().get(mark..).unwrap_or_default(), &mut drafted);
    drafted.len()
}

fn too_much() -> Refusal {
    Refusal::general_failure(format!(
        "this request and its answer are more than the {REQUEST_BYTES_MAX} bytes that one change may have, nothing was \
         done; hint: ask for less at once"
    ))
}

impl Ahead {
    fn forget_applied(&mut self, newest: Option<Stamp>) {
        let Some(newest) = newest.filter(|newest| newest.decider == self.decider) else { return };
        while self.pending.front().is_some_and(|(number, _)| *number <= newest.number) {
            self.pending.pop_front();
        }
    }
}

/// Whether the first group in flight came to be; waits for ever where none is.
async fn first_landed(flights: &mut VecDeque<Flight>) -> bool {
    match flights.front_mut() {
        Some(flight) => flight.landed.as_mut().await,
        None => std::future::pending().await,
    }
}
