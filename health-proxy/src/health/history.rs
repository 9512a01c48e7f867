//! What the page shows of a node's past: its last probes as bars, its states as a lane.

use std::collections::VecDeque;
use std::time::Duration;

use super::report::Transition;

/// Outcomes kept of each node: the page's bars. The oldest goes.
pub const OUTCOMES_MAX: usize = 60;

/// Transitions kept of each node. The page shows an hour; a node that changes more often loses the hour's beginning.
pub const TRANSITIONS_MAX: usize = 256;

/// Characters kept of a reason. A peer's words may be in it, so they must not grow our memory.
pub const REASON_CHARS_MAX: usize = 200;

/// How one probe went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When it ended, in time since start.
    pub at: Duration,
    /// How long it took; at most about the timeout.
    pub took: Duration,
    /// Why it failed, in words; None if it did not.
    pub failure: Option<String>,
}

/// The past of one node, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    outcomes: VecDeque<Outcome>,
    transitions: VecDeque<Transition>,
}

impl History {
    pub(super) fn outcome(&mut self, outcome: Outcome) {
        push(&mut self.outcomes, outcome, OUTCOMES_MAX);
    }

    pub(super) fn transition(&mut self, transition: Transition) {
        push(&mut self.transitions, transition, TRANSITIONS_MAX);
    }

    pub(super) fn outcomes(&self) -> &VecDeque<Outcome> {
        &self.outcomes
    }

    pub(super) fn transitions(&self) -> &VecDeque<Transition> {
        &self.transitions
    }
}

fn push<T>(kept: &mut VecDeque<T>, new: T, count_max: usize) {
    if kept.len() >= count_max {
        kept.pop_front();
    }
    kept.push_back(new);
}

/// The reason, within its bound.
pub(super) fn bounded(reason: String) -> String {
    match reason.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => reason[..end].to_owned(),
        None => reason,
    }
}
