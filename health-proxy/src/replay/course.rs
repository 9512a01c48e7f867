//! The course of one request: to which node it is sent next, how, and when the client hears an error. Pure: time and the
//! choice of a node are given.
//!
//! | a sending came back as | so | next |
//! |---|---|---|
//! | answered | the client has its answer | – |
//! | not sent, NOT_TAKEN | it did nothing | another node; when all were tried, all again after a pause |
//! | LOST, refused as a call | it may have been carried out | another node, with `again` |
//! | its connection broke | the same, and the node may have died of it | another node, with `again`; after two, none |
//! | OUTRUN | it did nothing | when no sending may have been carried out: any node, with the new `seen` |
//! | not at all for long, or its node went Down | it may be carried out yet | another node as well, with `again` |
//!
//! The first answer counts, whichever sending it belongs to: the nodes' log sees to it that all give the same.
//!
//! Nodes of another make have no such log ([`Bounds::changes_once`]): there a change that may have been carried out goes to
//! no other node, and where nobody has it any more, the client hears at once.

use std::time::Duration;

use crate::choose::{Choice, KILLED_MAX, Need, NoNode, Wanted};
use crate::health::{NodeId, Standing};
use crate::links::Manner;

/// Nodes that have one request at once.
pub(crate) const SENDINGS_MAX: usize = 3;

/// Between the first two rounds over all nodes; doubled from round to round.
const ROUND_PAUSE: Duration = Duration::from_millis(20);

/// Between two rounds at most.
const ROUND_PAUSE_MAX: Duration = Duration::from_millis(320);

/// A read that every node refused, and that is so old, may be answered by one that cannot be sure to know all: an
/// election is over by then.
const ALONE_AFTER: Duration = Duration::from_secs(1);

/// The bounds of a course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Until the client hears an error.
    pub(crate) answer_wait: Duration,
    /// Until another node gets the request as well.
    pub(crate) resend_after: Duration,
    /// Whether nodes would carry out a change once more that is sent once more.
    pub(crate) changes_once: bool,
}

/// One request on its way.
#[derive(Debug)]
pub(crate) struct Course {
    need: Need,
    began: Duration,
    bounds: Bounds,
    seen: u64,
    /// What `seen` may become once it is known that no sending did anything.
    outrun: u64,
    /// Whether a sending that ended may have been carried out.
    perhaps: bool,
    killed: u32,
    under_way: Vec<Sending>,
    /// Nodes that are not asked again in this round.
    tried: Vec<NodeId>,
    rounds: u32,
    pause: Duration,
    not_before: Duration,
    reason: Option<String>,
    sendings: u32,
}

#[derive(Debug)]
struct Sending {
    node: NodeId,
    at: Duration,
    /// Its node went Down.
    stalled: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send it to this node.
    Send(NodeId, Manner),
    /// Wait for what comes, or until this time.
    Wait(Duration),
    /// Tell the client.
    GiveUp(GivenUp),
}

/// Why a request has no answer of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    /// Whether it may have been carried out.
    pub(crate) perhaps: bool,
    /// Whether nodes were lost with it.
    pub(crate) killed: bool,
    /// Whether it had its one sending, and that has ended.
    pub(crate) once: bool,
    /// What the last node said, for the log.
    pub(crate) reason: Option<String>,
}

impl Course {
    /// A request that came at `now`, before which nodes had remembered `seen` answers.
    pub(crate) fn new(need: Need, now: Duration, seen: u64, bounds: Bounds) -> Self {
        Self {
            need,
            began: now,
            bounds,
            seen,
            outrun: 0,
            perhaps: false,
            killed: 0,
            under_way: Vec::new(),
            tried: Vec::new(),
            rounds: 0,
            pause: ROUND_PAUSE,
            not_before: now,
            reason: None,
            sendings: 0,
        }
    }

    /// What is to be done at `now`. A node that it says to send to has it from then on.
    pub(crate) fn next(
        &mut self,
        now: Duration,
        choose: impl FnOnce(&Wanted<'_>) -> Result<Choice, NoNode>,
    ) -> Next {
        let until = self.began + self.bounds.answer_wait;
        let over = self.killed >= KILLED_MAX || self.had_its_sending();
        if now >= until || (over && self.under_way.is_empty()) {
            return Next::GiveUp(self.given_up());
        }
        if over || self.under_way.len() >= SENDINGS_MAX {
            return Next::Wait(until);
        }
        let hopes = self.under_way.iter().filter(|sending| !sending.stalled);
        let patient = hopes.map(|sending| sending.at + self.bounds.resend_after).max();
        let wait = patient.unwrap_or(now).max(self.not_before);
        if wait > now {
            return Next::Wait(wait.min(until));
        }
        let busy = self.under_way.iter().map(|sending| sending.node);
        let passed_over: Vec<_> = self.tried.iter().copied().chain(busy).collect();
        match choose(&Wanted { need: self.need, tried: &passed_over, killed: self.killed }) {
            Ok(choice) => Next::Send(choice.node, self.send(now, choice)),
            Err(_) => {
                self.rounds += 1;
                self.tried.clear();
                self.not_before = now + self.pause;
                self.pause = (self.pause * 2).min(ROUND_PAUSE_MAX);
                Next::Wait(self.not_before.min(until))
            }
        }
    }

    fn send(&mut self, now: Duration, choice: Choice) -> Manner {
        let again = self.perhaps || !self.under_way.is_empty();
        if !again {
            self.seen = self.seen.max(self.outrun);
        }
        let all_refused = self.rounds > 0 && now.saturating_sub(self.began) >= ALONE_AFTER;
        let alone = self.need == Need::Read && (choice.standing != Standing::Whole || all_refused);
        self.under_way.push(Sending { node: choice.node, at: now, stalled: false });
        self.sendings += 1;
        Manner { again, seen: self.seen, alone }
    }

    /// The node's sending did nothing.
    pub(crate) fn not_taken(&mut self, node: NodeId, why: String) {
        self.over(node);
        self.tried.push(node);
        self.reason = Some(why);
    }

    /// The node's sending may have been carried out.
    pub(crate) fn lost(&mut self, node: NodeId, why: String) {
        self.not_taken(node, why);
        self.perhaps = true;
    }

    /// The node's connection broke with the request on it.
    pub(crate) fn broke(&mut self, node: NodeId, why: String) {
        self.lost(node, why);
        self.killed += 1;
    }

    /// The node's sending did nothing, as so many answers are remembered. The same node may be the next.
    pub(crate) fn outrun(&mut self, node: NodeId, seen: u64) {
        self.over(node);
        self.outrun = self.outrun.max(seen);
    }

    /// The node went Down: its answer may come yet, but is not waited for.
    pub(crate) fn stalled(&mut self, node: NodeId) {
        self.under_way
            .iter_mut()
            .filter(|sending| sending.node == node)
            .for_each(|sending| sending.stalled = true);
    }

    /// How often it was sent.
    pub(crate) fn sendings(&self) -> u32 {
        self.sendings
    }

    /// Whether it must not be sent again, since it may have been carried out and would be once more.
    fn had_its_sending(&self) -> bool {
        let may_be_carried_out = self.perhaps || !self.under_way.is_empty();
        self.bounds.changes_once && self.need != Need::Read && may_be_carried_out
    }

    fn over(&mut self, node: NodeId) {
        self.under_way.retain(|sending| sending.node != node);
    }

    fn given_up(&self) -> GivenUp {
        GivenUp {
            perhaps: self.need != Need::Read && (self.perhaps || !self.under_way.is_empty()),
            killed: self.killed >= KILLED_MAX,
            once: self.had_its_sending() && self.under_way.is_empty(),
            reason: self.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
