//! Clients: each asks one request after the other, through a node of its choice, and tells the oracle what it hears. A
//! request whose outcome is not known is never sent again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kmip::RequestPayload;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{sleep, timeout};

use crate::invariants;
use crate::judge::{see_board, see_key};
use crate::network::{self, CLIENT, TAKEN, TAKEN_ALONE};
use crate::oracle::{Board, CREATED, DELETED, DESTROYED, KeyId};
use crate::plan::generator;
use crate::request::{self, Said};
use crate::world::{Phase, World};

/// How long a client waits for an answer: longer than a node waits for a leader.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6);

/// The longest that a client thinks between two requests.
const THINKS_MS_MAX: u64 = 60;

/// Bytes that large marks of one object come to at most.
const MARKS_BYTES_MAX: usize = 700_000;

/// What came back.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Nobody took the request.
    Nobody,
    /// It may have arrived.
    Lost,
    Answer {
        alone: bool,
        items: Vec<Said>,
    },
}

/// Sends one message through a node.
pub(crate) async fn ask(world: &World, client: usize, node: u64, payloads: Vec<RequestPayload>) -> Heard {
    let bytes = request::message(payloads);
    world.note(format_args!("c{client} asks n{node} {} bytes", bytes.len()));
    let asked = timeout(PATIENCE, network::ask(node, client as u64, CLIENT, &bytes)).await;
    let heard = match asked {
        Ok(Ok((status @ (TAKEN | TAKEN_ALONE), answer))) => {
            Heard::Answer { alone: status == TAKEN_ALONE, items: request::read(&answer) }
        }
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Heard::Nobody,
        Ok(Ok(_) | Err(_)) | Err(_) => Heard::Lost,
    };
    match &heard {
        Heard::Nobody => world.note(format_args!("c{client} finds nobody at n{node}")),
        Heard::Lost => world.note(format_args!("c{client} loses n{node}")),
        Heard::Answer { alone, items } => {
            let words = items.first().map_or("nothing", Said::word);
            world
                .note(format_args!("c{client} hears n{node} {} items, {words}, alone: {alone}", items.len()));
        }
    }
    heard
}

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    world: Arc<World>,
    me: usize,
    rng: StdRng,
    made: usize,
}

impl Client {
    pub(crate) fn new(world: Arc<World>, me: usize) -> Self {
        let rng = generator(world.plan.seed, &format!("client {me}"));
        Self { world, me, rng, made: 0 }
    }

    /// Asks until faults are over.
    pub(crate) async fn work(mut self) {
        while !self.world.is_in(Phase::Storm) {
            sleep(Duration::from_millis(20)).await;
        }
        while !self.world.is_in(Phase::Calm) {
            let node = self.any_node();
            match self.rng.random_range(0..100) {
                0..45 => self.bring_forward(node).await,
                45..57 => self.mark(node).await,
                57..65 => self.read_board(node).await,
                65..70 => self.ask_in_vain(node).await,
                _ => {
                    let count = self.world.oracle().keys.len();
                    if count > 0 {
                        let key = self.rng.random_range(0..count);
                        self.read_key(key, node).await;
                    }
                }
            }
            let thinks = self.rng.random_range(0..THINKS_MS_MAX);
            // A client is not always in a hurry; in simulated time.
            sleep(Duration::from_millis(thinks)).await;
        }
        self.world.working.fetch_sub(1, Ordering::Relaxed);
    }

    fn any_node(&mut self) -> u64 {
        self.rng.random_range(self.world.nodes())
    }

    /// Makes a key, or takes the next step with one of its own; and perhaps reads it back through another node at once.
    async fn bring_forward(&mut self, node: u64) {
        let unfinished = self.world.oracle().unfinished(self.me);
        let id = if unfinished.is_empty() || self.rng.random_bool(0.25) {
            self.made += 1;
            let goal = match self.rng.random_bool(0.5) {
                true => self.rng.random_range(CREATED..=DELETED),
                false => self.rng.random_range(CREATED..=DESTROYED),
            };
            let label = format!("key {}-{}", self.me, self.made);
            let named = self.rng.random_bool(0.5);
            self.world.oracle().add_key(label, named, self.me, goal)
        } else {
            unfinished[self.rng.random_range(0..unfinished.len())]
        };
        let acknowledged = self.take_step(id, node).await;
        if acknowledged && self.rng.random_bool(0.6) {
            let node = self.any_node();
            self.read_key(id, node).await;
        }
    }

    async fn take_step(&self, id: KeyId, node: u64) -> bool {
        let (step, payload) = {
            let mut oracle = self.world.oracle();
            let key = &mut oracle.keys[id];
            let step = key.least + 1;
            key.most = step;
            (step, request::step(key, step))
        };
        let heard = ask(&self.world, self.me, node, vec![payload]).await;
        let mut oracle = self.world.oracle();
        let oracle = &mut *oracle;
        let (key, tally) = (&mut oracle.keys[id], &mut oracle.tally);
        let said = match heard {
            Heard::Nobody => Said::Unavailable,
            Heard::Lost => Said::Perhaps,
            Heard::Answer { mut items, .. } => items.pop().unwrap_or(Said::Perhaps),
        };
        let label = key.label.clone();
        let label = label.as_str();
        match said {
            Said::Done(unique_identifier) => {
                tally.acknowledged += 1;
                let same = key.unique_identifier.get_or_insert(unique_identifier.clone());
                let count = if *same == unique_identifier { 1 } else { 2 };
                self.world.hold(invariants::no_create_is_carried_out_twice(label, node, count));
                key.least = key.least.max(step);
                return true;
            }
            Said::Unavailable => {
                tally.failed += 1;
                key.most = step - 1;
                self.world
                    .hold(invariants::what_was_refused_is_not_carried_out(label, node, key.most, key.least));
            }
            Said::Perhaps => tally.unknown += 1,
            Said::NotFound => {
                let verdict = invariants::nothing_acknowledged_is_answered_item_not_found(label, node, false);
                self.world.hold(verdict);
            }
            other => {
                let answer = format!("step {step} is answered {other:?}");
                self.world.hold(invariants::a_valid_request_is_refused_only_for_want_of_a_majority(
                    label, node, &answer,
                ));
            }
        }
        false
    }

    async fn read_key(&mut self, id: KeyId, node: u64) {
        let (before, payload) = {
            let oracle = self.world.oracle();
            let key = &oracle.keys[id];
            let payload = match (&key.unique_identifier, self.rng.random_range(0..3)) {
                (Some(unique_identifier), 0) => request::get(unique_identifier),
                (Some(unique_identifier), 1) => request::get_attributes(unique_identifier),
                _ => request::locate(&key.label, key.named),
            };
            (key.least, payload)
        };
        let asked_attributes = matches!(payload, RequestPayload::GetAttributes(_));
        match ask(&self.world, self.me, node, vec![payload]).await {
            Heard::Answer { alone, mut items } => {
                let said = items.pop().unwrap_or(Said::Unavailable);
                see_key(&self.world, id, node, before, alone, asked_attributes, said);
            }
            Heard::Nobody | Heard::Lost => self.world.oracle().tally.unread += 1,
        }
    }

    /// Adds a mark to an object that others mark at the same time.
    async fn mark(&mut self, node: u64) {
        self.made += 1;
        let mark = format!("x-m{}-{}", self.me, self.made);
        let (board, payload) = {
            let mut oracle = self.world.oracle();
            let board = self.rng.random_range(0..oracle.boards.len());
            oracle.boards[board].asked.insert(mark.clone());
            let Board { unique_identifier, asked, .. } = &oracle.boards[board];
            // An object has a bound on the bytes of its attributes.
            let large = asked.len() * self.world.plan.mark_bytes < MARKS_BYTES_MAX;
            let bytes = if large { self.world.plan.mark_bytes } else { 1 };
            (board, request::add_mark(unique_identifier, &mark, bytes))
        };
        let heard = ask(&self.world, self.me, node, vec![payload]).await;
        let mut oracle = self.world.oracle();
        let oracle = &mut *oracle;
        let (board, tally) = (&mut oracle.boards[board], &mut oracle.tally);
        let said = match heard {
            Heard::Nobody => Said::Unavailable,
            Heard::Lost => Said::Perhaps,
            Heard::Answer { mut items, .. } => items.pop().unwrap_or(Said::Perhaps),
        };
        match said {
            Said::Done(_) => {
                tally.acknowledged += 1;
                board.there.insert(mark);
            }
            Said::Unavailable => {
                tally.failed += 1;
                board.asked.remove(&mark);
                let seen = u64::from(board.there.contains(&mark));
                self.world.hold(invariants::what_was_refused_is_not_carried_out(&mark, node, 0, seen));
            }
            Said::Perhaps => tally.unknown += 1,
            other => {
                let answer = format!("{mark} is answered {other:?}");
                self.world.hold(invariants::a_valid_request_is_refused_only_for_want_of_a_majority(
                    &board.label,
                    node,
                    &answer,
                ));
            }
        }
    }

    /// A change that comes to nothing: no entry of the log comes of it, and yet the leader decides it among those that are
    /// in flight.
    async fn ask_in_vain(&self, node: u64) {
        if let Heard::Answer { mut items, .. } =
            ask(&self.world, self.me, node, vec![request::destroy_nothing()]).await
            && let Some(said) = items.pop()
            && !matches!(said, Said::NotFound | Said::Unavailable | Said::Perhaps)
        {
            let answer = format!("it is answered {said:?}");
            self.world.hold(invariants::a_valid_request_is_refused_only_for_want_of_a_majority(
                "nothing", node, &answer,
            ));
        }
    }

    async fn read_board(&mut self, node: u64) {
        let (id, before, payload) = {
            let oracle = self.world.oracle();
            let id = self.rng.random_range(0..oracle.boards.len());
            let board = &oracle.boards[id];
            (id, board.there.clone(), request::get_attributes(&board.unique_identifier))
        };
        match ask(&self.world, self.me, node, vec![payload]).await {
            Heard::Answer { alone, mut items } => {
                let said = items.pop().unwrap_or(Said::Unavailable);
                see_board(&self.world, id, node, &before, alone, said);
            }
            Heard::Nobody | Heard::Lost => self.world.oracle().tally.unread += 1,
        }
    }
}
