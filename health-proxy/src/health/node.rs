//! One node: what the front makes of what it is told about it.
//!
//! | state    | becomes  | when                                    | and then                                      |
//! |----------|----------|-----------------------------------------|-----------------------------------------------|
//! | Down     | Up       | `rise` probes in a row succeed          | slow start                                    |
//! | Down     | Up       | the first probe of all succeeds         | its full share at once: all nodes begin alike |
//! | Down     | Draining | the same, and Drain was asked           | sessions end                                  |
//! | Up       | Down     | `fall` probes in a row fail             | sessions are reset                            |
//! | Up       | Draining | Drain                                   | sessions end, after a while are reset         |
//! | Draining | Up       | Ready                                   | slow start, sessions stay                     |
//! | Draining | Down     | `fall` probes in a row fail             | sessions are reset                            |

use std::collections::VecDeque;
use std::time::Duration;

use super::history::{History, Outcome, bounded};
use super::report::{Action, Event, NodeId, ProbeNumber, Report, Standing, State, Transition};
use super::schedule::Schedule;
use super::settings::Settings;

/// One node, as the page and the choice see it.
#[derive(Clone, Debug)]
pub struct Node {
    id: NodeId,
    /// Whether probes say that it answers.
    answers: bool,
    drain_asked: bool,
    /// While it drains: when what is left is reset.
    drains_until: Option<Duration>,
    /// Probes in a row that spoke against `answers`.
    against: u32,
    /// Whether the last connect succeeded, a client's or a probe's.
    reachable: Option<bool>,
    report: Option<Report>,
    /// Since when something has been wrong; None while all is well.
    trouble_since: Option<Duration>,
    /// When it came Up; None if it has its full share from the start.
    slow_from: Option<Duration>,
    reason: String,
    /// When it was first looked at.
    known_since: Option<Duration>,
    schedule: Schedule,
    history: History,
}

impl Node {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            answers: false,
            drain_asked: false,
            drains_until: None,
            against: 0,
            reachable: None,
            report: None,
            trouble_since: None,
            slow_from: None,
            reason: "not probed yet".to_owned(),
            known_since: None,
            schedule: Schedule::default(),
            history: History::default(),
        }
    }

    /// Its number.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its state.
    pub fn state(&self) -> State {
        match (self.answers, self.drain_asked) {
            (false, _) => State::Down,
            (true, true) => State::Draining,
            (true, false) => State::Up,
        }
    }

    /// Why it is in this state, in words for a person.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether an administrator wants it empty; also while it is Down.
    pub fn drain_asked(&self) -> bool {
        self.drain_asked
    }

    /// What it last said of itself; also while it is Down. None for a third-party server.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// What it is good for, by its last word.
    pub fn standing(&self) -> Standing {
        self.report.as_ref().map_or(Standing::Whole, Report::standing)
    }

    /// Whether the last connect to it failed. One that was never tried is not proved dead.
    pub fn is_proved_dead(&self) -> bool {
        self.reachable == Some(false)
    }

    /// Since when something has been wrong with it; None while all is well.
    pub fn trouble_since(&self) -> Option<Duration> {
        self.trouble_since
    }

    /// When its slow start began; None if it has had its full share from the start. It may be long over.
    pub fn slow_from(&self) -> Option<Duration> {
        self.slow_from
    }

    /// When it was first looked at; None before that.
    pub fn known_since(&self) -> Option<Duration> {
        self.known_since
    }

    /// When it came into its state; None before it was looked at.
    pub fn state_since(&self) -> Option<Duration> {
        self.history.transitions().back().map(|change| change.at).or(self.known_since)
    }

    /// Its last probes, oldest first; at most [`super::OUTCOMES_MAX`].
    pub fn outcomes(&self) -> &VecDeque<Outcome> {
        self.history.outcomes()
    }

    /// Its last changes of state, oldest first; at most [`super::TRANSITIONS_MAX`].
    pub fn transitions(&self) -> &VecDeque<Transition> {
        self.history.transitions()
    }

    /// When [`Node::tick`] has something to do next.
    pub(super) fn wakes_at(&self, settings: &Settings) -> Option<Duration> {
        let times = [self.schedule.starts_at(settings), self.schedule.ends_at(settings), self.drains_until];
        times.into_iter().flatten().min()
    }

    pub(super) fn on(&mut self, now: Duration, event: Event, settings: &Settings, actions: &mut Vec<Action>) {
        match event {
            Event::ProbeSucceeded { probe, report } => {
                self.probe_succeeded(now, probe, report, settings, actions);
            }
            Event::ProbeFailed { probe, connected, reason } => {
                self.probe_failed(now, probe, connected, reason, settings, actions);
            }
            Event::Connected => self.reachable = Some(true),
            Event::ConnectFailed { .. } => {
                self.connect_failed(actions);
                self.trouble(now);
            }
            Event::EndedEarly => self.trouble(now),
            Event::RequestWaits { age } if age >= settings.request_age_max => {
                self.trouble(now.saturating_sub(age));
            }
            Event::RequestWaits { .. } => {}
            Event::Drain => self.drain(now, settings, actions),
            Event::Ready => self.ready(now, actions),
        }
    }

    /// Does what is due: a probe that took too long has failed, a drain is over, the next probe begins.
    pub(super) fn tick(&mut self, now: Duration, settings: &Settings, actions: &mut Vec<Action>) {
        self.known_since.get_or_insert(now);
        if let Some(probe) = self.schedule.under_way()
            && self.schedule.ends_at(settings).is_some_and(|end| end <= now)
        {
            // Nobody knows how far it came, so what was last seen stands.
            let connected = self.reachable != Some(false);
            let reason =
                format!("nothing was heard of the probe within {} ms", settings.probe_timeout.as_millis());
            self.probe_failed(now, probe, connected, reason, settings, actions);
        }
        if self.drains_until.is_some_and(|until| until <= now) {
            self.drains_until = None;
            actions.push(Action::ResetSessions { node: self.id });
        }
        if self.schedule.starts_at(settings).is_some_and(|start| start <= now) {
            let probe = self.schedule.start(now);
            actions.push(Action::Probe { node: self.id, probe, timeout: settings.probe_timeout });
        }
    }

    fn probe_succeeded(
        &mut self,
        now: Duration,
        probe: ProbeNumber,
        report: Option<Report>,
        settings: &Settings,
        actions: &mut Vec<Action>,
    ) {
        let Some(began) = self.schedule.end(probe) else { return };
        let first = self.history.outcomes().is_empty();
        self.history.outcome(Outcome { at: now, took: now.saturating_sub(began), failure: None });
        self.reachable = Some(true);
        self.report = report;
        // Trouble that came after this probe began is not answered by it.
        if !self.schedule.is_hurried() {
            self.trouble_since = None;
        }
        if self.answers {
            self.against = 0;
            return;
        }
        self.against += 1;
        if !first && self.against < settings.rise {
            return;
        }
        let reason = match first {
            true => "the first probe was answered".to_owned(),
            false => format!("{} probes in a row were answered", self.against),
        };
        let from = self.state();
        self.answers = true;
        self.against = 0;
        self.slow_from = (!first).then_some(now);
        self.changed(now, from, reason, settings, actions);
    }

    fn probe_failed(
        &mut self,
        now: Duration,
        probe: ProbeNumber,
        connected: bool,
        reason: String,
        settings: &Settings,
        actions: &mut Vec<Action>,
    ) {
        let Some(began) = self.schedule.end(probe) else { return };
        let reason = bounded(reason);
        let took = now.saturating_sub(began);
        self.history.outcome(Outcome { at: now, took, failure: Some(reason.clone()) });
        match connected {
            true => self.reachable = Some(true),
            false => self.connect_failed(actions),
        }
        if !self.answers {
            self.against = 0;
            self.reason = reason;
            return;
        }
        self.against += 1;
        // One lost packet or the end? Asked again at once, not an interval later.
        self.trouble(began);
        if self.against < settings.fall {
            return;
        }
        let reason = bounded(format!("{} probes in a row failed: {reason}", self.against));
        let from = self.state();
        self.answers = false;
        self.against = 0;
        self.schedule.calm();
        self.changed(now, from, reason, settings, actions);
    }

    /// Something is wrong with a node that counts as answering. That is no proof, but worth a probe; one that is Down is
    /// probed often enough.
    fn trouble(&mut self, since: Duration) {
        if self.answers {
            let known = self.trouble_since.unwrap_or(since);
            self.trouble_since = Some(known.min(since));
            self.schedule.hurry();
        }
    }

    /// A node that is Down may have sessions all the same, when there was nothing better; now it is proved dead.
    fn connect_failed(&mut self, actions: &mut Vec<Action>) {
        let before = self.reachable.replace(false);
        if !self.answers && before == Some(true) {
            actions.push(Action::ResetSessions { node: self.id });
        }
    }

    fn drain(&mut self, now: Duration, settings: &Settings, actions: &mut Vec<Action>) {
        if self.drain_asked {
            return;
        }
        let from = self.state();
        self.drain_asked = true;
        if from == State::Up {
            self.changed(now, from, "an administrator drains it".to_owned(), settings, actions);
        }
    }

    fn ready(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if !self.drain_asked {
            return;
        }
        let from = self.state();
        self.drain_asked = false;
        self.drains_until = None;
        if from == State::Draining {
            self.slow_from = Some(now);
            actions.push(Action::KeepSessions { node: self.id });
            self.announce(now, from, "an administrator wants it back".to_owned(), actions);
        }
    }

    /// What entering a state asks for.
    fn changed(
        &mut self,
        now: Duration,
        from: State,
        reason: String,
        settings: &Settings,
        actions: &mut Vec<Action>,
    ) {
        match self.state() {
            State::Up => {}
            State::Down => {
                self.drains_until = None;
                actions.push(Action::ResetSessions { node: self.id });
            }
            State::Draining => {
                let until = now.saturating_add(settings.drain_time_max);
                self.drains_until = Some(until);
                actions.push(Action::EndSessions { node: self.id, until });
            }
        }
        self.announce(now, from, reason, actions);
    }

    fn announce(&mut self, at: Duration, from: State, reason: String, actions: &mut Vec<Action>) {
        self.reason.clone_from(&reason);
        let change = Transition { at, from, to: self.state(), reason };
        self.history.transition(change.clone());
        actions.push(Action::Announce { node: self.id, change });
    }
}
