//! Which node gets a connection or a request. Pure: load and a random number are given.
//!
//! The order of preference is the table in `rank`, one line each. Within a rank the node with the least load for its
//! weight gets it, and among equals chance decides, so that several fronts do not all take the first.

use std::cmp::Ordering;
use std::time::Duration;

use crate::health::{Node, NodeId, Standing, State};

/// Nodes that a request may have killed before it is given to no other: it is the request, not the nodes.
pub const KILLED_MAX: u32 = 2;

/// The share of a node at the beginning of its slow start, in thousandths. Not zero: it must be tried to warm up.
pub const SLOW_START_WEIGHT: u64 = 100;

/// The share of a node after its slow start, in thousandths.
pub const FULL_WEIGHT: u64 = 1000;

/// What a node is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A connection whose bytes are not read: it may bring reads and changes.
    Connection,
    /// A request that changes nothing.
    Read,
    /// A request that changes something.
    Change,
}

/// What is to be placed, and what is known from earlier tries.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What for.
    pub need: Need,
    /// Nodes that were tried already; they are not chosen again.
    pub tried: &'a [NodeId],
    /// Nodes that were lost while they had this very request. From [`KILLED_MAX`] on no further one gets it.
    pub killed: u32,
}

impl Wanted<'_> {
    /// A first try.
    pub fn new(need: Need) -> Wanted<'static> {
        Wanted { need, tried: &[], killed: 0 }
    }
}

/// A node that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which.
    pub node: NodeId,
    /// Its state: one that is Down is chosen when there is nothing better, and may well fail.
    pub state: State,
    /// What it is good for. A change given to one that is not [`Standing::Whole`] will be refused by it; who can wait
    /// for a majority may do so instead.
    pub standing: Standing,
}

/// Why no node was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoNode {
    /// Two nodes were lost with this request.
    #[error("the request was with {KILLED_MAX} nodes when they were lost, and is given to no other")]
    KilledTooMany,
    /// Those that would do were tried. Who has time left waits, and begins anew with nobody tried.
    #[error("every node that would do was tried")]
    AllTried,
    /// Nothing answers, not even a connect.
    #[error("no node answers")]
    NothingAnswers,
}

/// What the choice knows of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub node: NodeId,
    /// Its state.
    pub state: State,
    /// What it is good for, by its last word.
    pub standing: Standing,
    /// Whether something has been wrong with it since its last good probe: one that is frozen still
    /// connects.
    pub suspect: bool,
    /// Whether the last connect to it failed.
    pub proved_dead: bool,
    /// When its slow start began; None if it has its full share.
    pub slow_from: Option<Duration>,
}

impl Candidate {
    /// What there is to know of this node.
    pub fn of(node: &Node) -> Self {
        Self {
            node: node.id(),
            state: node.state(),
            standing: node.standing(),
            suspect: node.trouble_since().is_some(),
            proved_dead: node.is_proved_dead(),
            slow_from: node.slow_from(),
        }
    }

    fn can_write(&self) -> bool {
        self.state != State::Down && self.standing == Standing::Whole
    }
}

/// What to choose from: a value that the shell publishes and connections read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    candidates: Vec<Candidate>,
    slow_start: Duration,
}

impl Pool {
    /// These candidates; `slow_start` is how long a weight takes to rise.
    pub fn new(candidates: impl IntoIterator<Item = Candidate>, slow_start: Duration) -> Self {
        Self { candidates: candidates.into_iter().collect(), slow_start }
    }

    /// The candidates.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Chooses a node. `load` says how many connections, or unanswered requests, a node has from this front; `random` is
    /// any number, new each time. With nobody tried and less than [`KILLED_MAX`] killed there is a choice as long as
    /// any node is Up or Draining, or Down but not proved dead.
    ///
    /// # Errors
    /// [`NoNode`] says why there is none.
    pub fn choose(
        &self,
        now: Duration,
        wanted: &Wanted<'_>,
        load: impl Fn(NodeId) -> u64,
        random: u64,
    ) -> Result<Choice, NoNode> {
        if wanted.killed >= KILLED_MAX {
            return Err(NoNode::KilledTooMany);
        }
        // A change that the writers were tried for is not refused by one that cannot write: a writer may do it yet.
        let writers_only = wanted.need == Need::Change && self.candidates.iter().any(Candidate::can_write);
        let ranked = || {
            let fit = self.candidates.iter().filter(move |candidate| !writers_only || candidate.can_write());
            fit.filter_map(|candidate| Some((rank(wanted.need, candidate)?, candidate)))
        };
        let untried = || ranked().filter(|(_, candidate)| !wanted.tried.contains(&candidate.node));
        let Some(best) = untried().map(|(rank, _)| rank).min() else {
            return Err(if ranked().next().is_some() { NoNode::AllTried } else { NoNode::NothingAnswers });
        };
        let weighed = || {
            untried().filter(|(rank, _)| *rank == best).map(|(_, candidate)| {
                (load(candidate.node), weight(candidate.slow_from, self.slow_start, now), candidate)
            })
        };
        let Some(least) = weighed().min_by(compare) else { return Err(NoNode::NothingAnswers) };
        let equals = || weighed().filter(|other| compare(other, &least) == Ordering::Equal);
        // Loads may have changed since, and `least` be the only one left.
        let count = equals().count().max(1) as u64;
        let nth = usize::try_from(random % count).unwrap_or(0);
        let (_, _, chosen) = equals().nth(nth).unwrap_or(least);
        Ok(Choice { node: chosen.node, state: chosen.state, standing: chosen.standing })
    }
}

/// How good a node is for this; less is better, and of two alike the one that nothing speaks against. None: not at all.
#[rustfmt::skip]
fn rank(need: Need, candidate: &Candidate) -> Option<(u8, bool)> {
    use {Need::*, Standing::*, State::*};
    let rank = match (candidate.state, candidate.standing, need) {
        (Up,       Whole,   _)                 => 0,
        // Not before all that can write; a change is refused here.
        (Draining, Whole,   Change)            => 1,
        // Keys never change: what a cut node holds is good, while a Draining one is about to be stopped.
        (Up,       Cut,     _)                 => 2,
        (Draining, Whole,   Connection | Read) => 3,
        (Draining, Cut,     _)                 => 4,
        // They refuse, but in KMIP's words.
        (Up,       Outside, _)                 => 5,
        (Draining, Outside, _)                 => 6,
        // It did connect: frozen, overloaded, or our probe is wrong. Better than nothing.
        (Down,     _,       _) if !candidate.proved_dead => 7,
        (Down,     _,       _)                 => return None,
    };
    Some((rank, candidate.suspect))
}

/// By load for its weight. One more is counted, so that an idle node in its slow start is not an equal of an idle one.
fn compare(one: &(u64, u64, &Candidate), other: &(u64, u64, &Candidate)) -> Ordering {
    let share = |load: u64, weight: u64| (u128::from(load) + 1) * u128::from(weight);
    share(one.0, other.1).cmp(&share(other.0, one.1))
}

/// The share of a node in thousandths: it rises evenly from [`SLOW_START_WEIGHT`] to [`FULL_WEIGHT`].
pub fn weight(slow_from: Option<Duration>, slow_start: Duration, now: Duration) -> u64 {
    let Some(from) = slow_from else { return FULL_WEIGHT };
    let gone = now.saturating_sub(from);
    if gone >= slow_start {
        return FULL_WEIGHT;
    }
    // Less than the whole, so that it is not zero and the quotient fits.
    let risen = u128::from(FULL_WEIGHT - SLOW_START_WEIGHT) * gone.as_nanos() / slow_start.as_nanos();
    SLOW_START_WEIGHT + u64::try_from(risen).unwrap_or(0)
}
