//! What nodes promise each other, read off the wire: a vote that was granted binds a node, whatever happens to it.
//!
//! openraft orders leaders by term and node: in one term a node of a higher number may still be elected after another,
//! so not the term is what a node is bound to, but term and node together.

use std::sync::Mutex;

use kms_server::engine::{NodeId, RAFT_VOTE};
use ttlv::{Budget, Limits, Reader, Tag};

use crate::invariants::{self, Verdict};
use crate::world::lock;

/// Tags of the engine's answer to a candidate.
const ASKED: Tag = Tag::new(0x54_0127);
const GRANTED: Tag = Tag::new(0x54_0128);
const VOTE: Tag = Tag::new(0x54_010e);

/// The highest vote that each node granted to another.
#[derive(Debug)]
pub(crate) struct Votes(Mutex<Vec<(u64, NodeId)>>);

impl Votes {
    pub(crate) fn new(nodes: usize) -> Self {
        Self(Mutex::new(vec![(0, 0); nodes]))
    }

    /// Looks at an answer that `node` gives, before it leaves.
    pub(crate) fn see(&self, node: NodeId, kind: u8, answer: &[u8]) -> Verdict {
        let Some(vote) = (kind == RAFT_VOTE).then(|| granted(answer)).flatten() else { return Ok(()) };
        let promised = &mut lock(&self.0)[node as usize - 1];
        let before = std::mem::replace(promised, vote.max(*promised));
        invariants::no_node_goes_back_on_its_vote(node, before, vote)
    }

    /// Looks at the vote that `node` finds on its disk when it starts.
    pub(crate) fn found(&self, node: NodeId, vote: (u64, NodeId)) -> Verdict {
        let promised = lock(&self.0)[node as usize - 1];
        invariants::a_node_that_starts_again_remembers_its_vote(node, promised, vote)
    }
}

/// Term and node of a vote that the answer grants.
fn granted(answer: &[u8]) -> Option<(u64, NodeId)> {
    let budget = Budget::new(Limits::default());
    let message = Reader::message(answer, &budget).ok().filter(|message| message.tag == ASKED)?;
    let mut reader = message.structure().ok()?;
    let mut vote = reader.required(VOTE).ok()?.structure().ok()?;
    let mut number = || vote.next_item().ok()??.long_integer().ok();
    let (term, node) = (number()? as u64, number()? as u64);
    let granted = reader.required(GRANTED).ok()?.boolean().ok()?;
    granted.then_some((term, node))
}
