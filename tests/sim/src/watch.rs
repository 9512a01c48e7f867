//! What is looked at after every step: who leads, what was carried out, and what the logs hold.

use std::collections::{BTreeMap, BTreeSet};

use kms_server::engine::{NodeId, Role};

use crate::invariants;
use crate::world::{World, lock};

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Terms and nodes that led in them; openraft orders leaders by both.
    leaders: BTreeSet<(u64, NodeId)>,
    /// Hash of every entry that some node has carried out.
    committed: BTreeMap<u64, u64>,
    /// How far each node was at the last look, while it runs.
    applied: BTreeMap<NodeId, u64>,
}

/// Where the cluster stands after a step.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Who leads, of several the one that was elected last, as that node itself says.
    pub(crate) leader: Option<NodeId>,
    /// Whether it has only just come to lead.
    pub(crate) is_new: bool,
    /// Whether it has carried something out in this step, so that a client may hear of it now.
    pub(crate) has_applied: bool,
}

impl Watch {
    /// Looks at every running node.
    pub(crate) fn look(&mut self, world: &World) -> Seen {
        let mut seen = Seen::default();
        let mut highest = (0, 0);
        for node in world.nodes() {
            let Some(taker) = world.taker(node) else {
                self.applied.remove(&node);
                continue;
            };
            let role = taker.engine().role();
            let role = role.borrow();
            world.hold(invariants::no_node_stops_by_itself(node, role.ended.as_deref()));
            let has_applied = self.look_at_log(world, node, role.applied);
            if role.leads {
                let is_new = self.look_at_leader(world, node, &role);
                if (role.term, node) > highest {
                    highest = (role.term, node);
                    seen = Seen { leader: Some(node), is_new, has_applied };
                }
            }
        }
        seen
    }

    /// Whether it is a new one.
    fn look_at_leader(&mut self, world: &World, node: NodeId, role: &Role) -> bool {
        let last_so_far = self.leaders.last().is_none_or(|last| *last < (role.term, node));
        if !self.leaders.insert((role.term, node)) {
            return false;
        }
        world.note(format_args!("n{node} leads term {}", role.term));
        // One that was elected before another may learn of it later, and lacks what the other decided since.
        if last_so_far {
            let shadow = lock(&world.store(node).shadow);
            let first = shadow.entries.keys().next().copied().unwrap_or(role.last + 1);
            for (index, known) in self.committed.range(first..) {
                let here = shadow.entries.get(index).copied();
                world.hold(invariants::a_new_leader_holds_all_that_is_committed(node, *index, *known, here));
            }
        }
        true
    }

    /// Whether something was carried out.
    fn look_at_log(&mut self, world: &World, node: NodeId, applied: u64) -> bool {
        let before = self.applied.insert(node, applied);
        world.hold(invariants::what_a_node_has_applied_never_shrinks(node, before.unwrap_or(0), applied));
        let from = before.unwrap_or(0) + 1;
        if from > applied {
            return false;
        }
        world.note(format_args!("n{node} has applied {applied}"));
        let shadow = lock(&world.store(node).shadow);
        for (index, here) in shadow.entries.range(from..=applied) {
            let known = *self.committed.entry(*index).or_insert(*here);
            world.hold(invariants::nodes_agree_on_what_is_committed(node, *index, known, *here));
        }
        true
    }

    /// How often a leader was elected.
    pub(crate) fn elections(&self) -> usize {
        self.leaders.len()
    }
}
