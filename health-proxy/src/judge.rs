//! The one task that owns [`Health`]: it hears what happens, has it judged, publishes what follows and carries it out.
//!
//! It waits for nothing but its words and the time, so that no node, disk or client can hold it up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;
use tracing::{info, warn};

use crate::config::NodeAt;
use crate::front::Front;
use crate::health::{Action, Event, Health, NodeId, ProbeNumber, Service, Settings, State, Transition};
use crate::probe::{Probe, Prober};
use crate::roster::{Place, View};
use crate::status::{Seen, Status};
use crate::vip::Weight;

/// Words that wait for the judge. Outcomes of probes and orders wait to be taken; hints beyond it are lost.
pub(crate) const WORDS_MAX: usize = 4096;

/// What the judge is told or asked.
#[derive(Debug)]
pub(crate) enum Word {
    /// Something happened to a node.
    Happened(NodeId, Event),
    /// An administrator wants something of the node with this name.
    Order { name: String, order: Order, done: oneshot::Sender<Result<(), NoSuchNode>> },
    /// A reload: these nodes, settings and probes.
    Reload { nodes: Vec<NodeAt>, settings: Settings, prober: Prober, done: oneshot::Sender<()> },
    /// How everything is.
    Status(oneshot::Sender<Status>),
    /// The front ends: it wants no address any more.
    Ends { done: oneshot::Sender<()> },
    /// What sessions are left are reset.
    ResetAll { done: oneshot::Sender<()> },
}

/// What an administrator may want of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// That it becomes empty.
    Drain,
    /// That it is used again.
    Ready,
}

/// The configuration knows no node of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no node {name:?}; the nodes are {known}")]
pub struct NoSuchNode {
    name: String,
    known: String,
}

/// The task's own.
#[derive(Debug)]
pub(crate) struct Judge {
    front: Arc<Front>,
    health: Health,
    nodes: BTreeMap<NodeId, Known>,
    /// Nodes that a reload took out, for as long as they may have sessions.
    leaving: BTreeMap<NodeId, Arc<Place>>,
    /// Numbers are never given twice: a late word of one that is gone must not hit another.
    next_number: u32,
    words: mpsc::Receiver<Word>,
    answers: mpsc::Sender<Word>,
    weight: watch::Sender<Weight>,
    /// The front ends.
    ends: bool,
}

#[derive(Clone, Debug)]
struct Known {
    place: Arc<Place>,
    probe: Arc<Probe>,
}

impl Judge {
    pub(crate) fn new(
        front: Arc<Front>,
        nodes: &[NodeAt],
        prober: &Prober,
        (answers, words): (mpsc::Sender<Word>, mpsc::Receiver<Word>),
        weight: watch::Sender<Weight>,
    ) -> Self {
        let settings = front.tuning.load().settings.clone();
        let mut judge = Self {
            front,
            health: Health::new(settings.clone(), []),
            nodes: BTreeMap::new(),
            leaving: BTreeMap::new(),
            next_number: 0,
            words,
            answers,
            weight,
            ends: false,
        };
        judge.renumber(nodes, prober);
        judge.health = Health::new(settings, judge.nodes.keys().copied());
        judge.publish();
        judge
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let now = self.front.clock.now();
            let wakes_at = self.health.wakes_at().unwrap_or(now + Duration::from_secs(1));
            let word = tokio::select! {
                word = self.words.recv() => word,
                () = sleep_until(self.front.clock.instant(wakes_at)) => None,
            };
            let now = self.front.clock.now();
            let actions = match word {
                None => self.health.tick(now),
                Some(Word::Happened(node, event)) => self.happened(now, node, event),
                Some(Word::Order { name, order, done }) => self.order(now, name, order, done),
                Some(Word::Reload { nodes, settings, prober, done }) => {
                    let actions = self.reload(now, &nodes, settings, &prober);
                    let _ = done.send(());
                    actions
                }
                Some(Word::Status(answer)) => {
                    // Who asked may have given up.
                    let _ = answer.send(self.status(now));
                    Vec::new()
                }
                Some(Word::Ends { done }) => {
                    self.ends = true;
                    let _ = done.send(());
                    Vec::new()
                }
                Some(Word::ResetAll { done }) => {
                    let all = self.nodes.values().map(|known| &known.place).chain(self.leaving.values());
                    all.for_each(|place| place.reset_sessions());
                    let _ = done.send(());
                    Vec::new()
                }
            };
            // First this: a connection that has chosen by what stood before looks again after it began to listen for
            // resets, so either it sees the change or it hears the reset.
            self.publish();
            for action in actions {
                self.carry_out(action);
            }
        }
    }

    fn happened(&mut self, now: Duration, node: NodeId, event: Event) -> Vec<Action> {
        match &event {
            Event::ProbeSucceeded { .. } => self.front.metrics.probed(self.name(node), true),
            Event::ProbeFailed { .. } => self.front.metrics.probed(self.name(node), false),
            _ => {}
        }
        self.health.on(now, node, event)
    }

    fn order(
        &mut self,
        now: Duration,
        name: String,
        order: Order,
        done: oneshot::Sender<Result<(), NoSuchNode>>,
    ) -> Vec<Action> {
        let found = self.nodes.iter().find(|(_, known)| known.place.name == name);
        let Some((id, _)) = found else {
            let names: Vec<_> = self.nodes.values().map(|known| known.place.name.as_str()).collect();
            let _ = done.send(Err(NoSuchNode { name, known: names.join(", ") }));
            return Vec::new();
        };
        let event = match order {
            Order::Drain => Event::Drain,
            Order::Ready => Event::Ready,
        };
        let actions = self.health.on(now, *id, event);
        let _ = done.send(Ok(()));
        actions
    }

    fn reload(
        &mut self,
        now: Duration,
        nodes: &[NodeAt],
        settings: Settings,
        prober: &Prober,
    ) -> Vec<Action> {
        self.renumber(nodes, prober);
        let ids: Vec<_> = self.nodes.keys().copied().collect();
        self.health.reload(now, settings, ids)
    }

    /// Gives nodes of the same name and address their number again, others a new one.
    fn renumber(&mut self, nodes: &[NodeAt], prober: &Prober) {
        let mut before = std::mem::take(&mut self.nodes);
        for node in nodes {
            let same = before
                .iter()
                .find(|(_, known)| (&known.place.name, known.place.address) == (&node.name, node.address));
            let id = same.map(|(id, _)| *id);
            let place = match id.and_then(|id| before.remove(&id)) {
                Some(known) => known.place,
                None => {
                    self.next_number += 1;
                    let id = NodeId(self.next_number);
                    Arc::new(Place::new(id, node.name.clone(), node.address))
                }
            };
            let probe = Arc::new(Probe::new(prober, node.address));
            self.nodes.insert(place.node, Known { place, probe });
        }
        self.leaving.extend(before.into_iter().map(|(id, known)| (id, known.place)));
    }

    fn publish(&mut self) {
        let pool = self.health.pool();
        let shown = self.front.view.load();
        let same_places = shown.places.len() == self.nodes.len()
            && self.nodes.keys().all(|id| shown.places.contains_key(id));
        if !same_places || shown.pool != pool {
            let places = match same_places {
                true => Arc::clone(&shown.places),
                false => {
                    let places = self.nodes.iter().map(|(id, known)| (*id, Arc::clone(&known.place)));
                    Arc::new(places.collect())
                }
            };
            self.front.view.store(Arc::new(View { pool, places }));
        }
        let weight = match (self.ends, self.health.service()) {
            (false, Service::Serving | Service::Degraded) => Weight::Holds,
            (false, Service::Down) | (true, _) => Weight::GivesUp,
        };
        self.weight.send_if_modified(|shown| std::mem::replace(shown, weight) != weight);
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Probe { node, probe, timeout } => self.probe(node, probe, timeout),
            Action::ResetSessions { node } => {
                if let Some(known) = self.nodes.get(&node) {
                    known.place.reset_sessions();
                } else if let Some(place) = self.leaving.remove(&node) {
                    place.reset_sessions();
                }
            }
            // What a session carries is not read, so it is not known when it idles between two requests: it may go on
            // until the bound. Nothing new comes, since the pool says so.
            Action::EndSessions { .. } | Action::KeepSessions { .. } => {}
            Action::Announce { node, change } => self.announce(node, &change),
        }
    }

    fn probe(&self, node: NodeId, number: ProbeNumber, timeout: Duration) {
        let Some(known) = self.nodes.get(&node) else { return };
        let (probe, answers) = (Arc::clone(&known.probe), self.answers.clone());
        tokio::spawn(async move {
            let event = match probe.ask(timeout).await {
                Ok(report) => Event::ProbeSucceeded { probe: number, report },
                Err(failed) => {
                    Event::ProbeFailed { probe: number, connected: failed.connected, reason: failed.reason }
                }
            };
            // The judge is gone only when the program ends.
            let _ = answers.send(Word::Happened(node, event)).await;
        });
    }

    fn announce(&self, node: NodeId, change: &Transition) {
        let (name, from, to, reason) = (self.name(node), change.from, change.to, &change.reason);
        self.front.metrics.changed(name, to);
        match to {
            State::Down => warn!(node = name, "{from} -> {to}: {reason}; its sessions are reset"),
            State::Up | State::Draining => info!(node = name, "{from} -> {to}: {reason}"),
        }
    }

    fn name(&self, node: NodeId) -> &str {
        let known = self.nodes.get(&node).map(|known| &known.place);
        known.or_else(|| self.leaving.get(&node)).map_or("a node that is gone", |place| &place.name)
    }

    fn status(&self, now: Duration) -> Status {
        let seen = self
            .nodes
            .iter()
            .map(|(id, known)| (*id, Seen { place: &known.place, not_after: known.probe.not_after() }));
        let places = seen.collect();
        Status::new(&self.front, &self.health, &places, now, |node| self.name(node).to_owned())
    }
}
