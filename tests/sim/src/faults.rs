//! What goes wrong, and when: all of it from the seed, some of it aimed at a leader that has only just been elected.

use std::collections::BTreeSet;
use std::time::Duration;

use kms_server::engine::NodeId;
use rand::RngExt;
use rand::rngs::StdRng;
use turmoil::Sim;

use crate::network::host;
use crate::plan::generator;
use crate::watch::Seen;
use crate::world::World;

/// Faults at once; a cut of all power comes on top.
const ACTIVE_MAX: usize = 3;

/// One fault, until it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The power is cut: what was not synced is gone.
    Down(NodeId),
    /// Nothing passes between two nodes.
    Cut(NodeId, NodeId),
    /// Nothing passes from one node to another; the other way it does.
    CutOneWay(NodeId, NodeId),
    /// Everything between a node and all others is held back, and arrives at once later: as with a frozen node.
    Held(NodeId, NodeId),
    /// Messages are lost, and with each its connection.
    Loss,
    /// Messages take long.
    Slow,
}

/// Makes faults and takes them back.
#[derive(Debug)]
pub(crate) struct Faults {
    rng: StdRng,
    active: Vec<(Fault, Duration)>,
    next: Duration,
    made: u64,
    /// All power is cut as soon as a leader has carried something out.
    armed: bool,
}

impl Faults {
    pub(crate) fn new(world: &World) -> Self {
        let rng = generator(world.plan.seed, "faults");
        Self { rng, active: Vec::new(), next: Duration::ZERO, made: 0, armed: false }
    }

    /// How many were made.
    pub(crate) fn made(&self) -> u64 {
        self.made
    }

    /// Takes back what is over, and perhaps makes a new one.
    pub(crate) fn step(&mut self, sim: &mut Sim<'_>, world: &World, seen: &Seen) {
        let now = sim.elapsed();
        let over: Vec<Fault> =
            self.active.iter().filter(|(_, until)| *until <= now).map(|(fault, _)| *fault).collect();
        self.active.retain(|(_, until)| *until > now);
        for fault in over {
            end(sim, world, fault);
        }
        if seen.is_new && self.rng.random_bool(world.plan.strike) {
            self.strike(sim, world, seen);
        }
        if self.armed && seen.has_applied {
            self.armed = false;
            self.cut_power(sim, world, seen);
        }
        if now < self.next {
            return;
        }
        let mean = world.plan.between_faults.as_millis() as u64;
        self.next = now + Duration::from_millis(self.rng.random_range(mean / 4..mean * 2));
        if self.active.len() < ACTIVE_MAX {
            self.make(sim, world, seen);
        }
    }

    /// Mends everything.
    pub(crate) fn mend(&mut self, sim: &mut Sim<'_>, world: &World) {
        for (fault, _) in std::mem::take(&mut self.active) {
            end(sim, world, fault);
        }
    }

    /// Hits a leader in the moment of its election, when votes and first entries are on their way to the disks.
    fn strike(&mut self, sim: &mut Sim<'_>, world: &World, seen: &Seen) {
        let Some(leader) = seen.leader else { return };
        match self.rng.random_range(0..10) {
            0..4 => self.crash(sim, world, leader),
            4..7 => self.cut_power(sim, world, seen),
            _ => {
                let other = self.other_than(world, leader);
                self.crash(sim, world, other);
            }
        }
    }

    fn make(&mut self, sim: &mut Sim<'_>, world: &World, seen: &Seen) {
        let any = self.rng.random_range(world.nodes());
        let aimed = seen.leader.filter(|_| self.rng.random_bool(0.5)).unwrap_or(any);
        match self.rng.random_range(0..100) {
            0..28 => self.crash(sim, world, aimed),
            // In the moment when a client may hear that something is done.
            28..38 => self.armed = true,
            38..43 => self.each_from_each(sim, world),
            43..52 => {
                let other = self.other_than(world, aimed);
                self.on_links(sim, world, &[(aimed, other)], Fault::Cut);
            }
            52..62 => {
                let other = self.other_than(world, aimed);
                let way = if self.rng.random_bool(0.5) { (aimed, other) } else { (other, aimed) };
                self.on_links(sim, world, &[way], Fault::CutOneWay);
            }
            62..68 => self.on_all_links(sim, world, aimed, false, Fault::Cut),
            68..74 => {
                let reversed = self.rng.random_bool(0.5);
                self.on_all_links(sim, world, aimed, reversed, Fault::CutOneWay);
            }
            74..86 => self.on_all_links(sim, world, aimed, false, Fault::Held),
            86..94 => self.everywhere(sim, world, Fault::Loss),
            _ => self.everywhere(sim, world, Fault::Slow),
        }
    }

    fn other_than(&mut self, world: &World, node: NodeId) -> NodeId {
        let others: Vec<NodeId> = world.nodes().filter(|other| *other != node).collect();
        others[self.rng.random_range(0..others.len())]
    }

    fn crash(&mut self, sim: &mut Sim<'_>, world: &World, node: NodeId) {
        // Back before anyone has missed it, or after an election or two.
        let short = self.rng.random_bool(0.4);
        let down = if short { self.rng.random_range(2..80) } else { self.rng.random_range(150..2500) };
        self.crash_for(sim, world, node, down);
    }

    fn crash_for(&mut self, sim: &mut Sim<'_>, world: &World, node: NodeId, down_ms: u64) {
        if world.taker(node).is_none() {
            return;
        }
        world.note(format_args!("n{node} loses power for {down_ms} ms"));
        world.set_taker(node, None);
        sim.crash(host(node));
        self.begin(sim, Fault::Down(node), down_ms);
    }

    /// All lose power at once. The leader, whose disk has the most, is often the last to come back.
    fn cut_power(&mut self, sim: &mut Sim<'_>, world: &World, seen: &Seen) {
        let leader_last = self.rng.random_bool(0.6);
        for node in world.nodes() {
            let late = leader_last && seen.leader == Some(node);
            let down_ms =
                if late { self.rng.random_range(1000..2500) } else { self.rng.random_range(4..200) };
            self.crash_for(sim, world, node, down_ms);
        }
    }

    fn on_all_links(
        &mut self,
        sim: &mut Sim<'_>,
        world: &World,
        node: NodeId,
        reversed: bool,
        fault: fn(NodeId, NodeId) -> Fault,
    ) {
        let others = world.nodes().filter(|other| *other != node);
        let links: Vec<_> =
            others.map(|other| if reversed { (other, node) } else { (node, other) }).collect();
        self.on_links(sim, world, &links, fault);
    }

    /// Nobody reaches anybody: no other is elected, and the leader goes on with what it had in flight.
    fn each_from_each(&mut self, sim: &mut Sim<'_>, world: &World) {
        let pairs = world.nodes().flat_map(|one| world.nodes().map(move |other| (one, other)));
        let links: Vec<_> = pairs.filter(|(one, other)| one < other).collect();
        self.on_links(sim, world, &links, Fault::Cut);
    }

    /// The same fault on these links for the same time, where there is none yet.
    fn on_links(
        &mut self,
        sim: &mut Sim<'_>,
        world: &World,
        links: &[(NodeId, NodeId)],
        fault: fn(NodeId, NodeId) -> Fault,
    ) {
        let lasts_ms = self.rng.random_range(60..2500);
        let taken: BTreeSet<(NodeId, NodeId)> =
            self.active.iter().filter_map(|(fault, _)| fault.link()).collect();
        for (from, to) in links {
            if taken.contains(&((*from).min(*to), (*from).max(*to))) {
                continue;
            }
            let fault = fault(*from, *to);
            world.note(format_args!("{fault:?} for {lasts_ms} ms"));
            let (a, b) = (host(*from), host(*to));
            match fault {
                Fault::Cut(..) => sim.partition(a, b),
                Fault::CutOneWay(..) => sim.partition_oneway(a, b),
                Fault::Held(..) => sim.hold(a, b),
                Fault::Down(_) | Fault::Loss | Fault::Slow => {}
            }
            self.begin(sim, fault, lasts_ms);
        }
    }

    fn everywhere(&mut self, sim: &mut Sim<'_>, world: &World, fault: Fault) {
        if self.active.iter().any(|(known, _)| *known == fault) {
            return;
        }
        let lasts_ms = self.rng.random_range(200..2500);
        world.note(format_args!("{fault:?} for {lasts_ms} ms"));
        match fault {
            Fault::Loss => sim.set_fail_rate(f64::from(self.rng.random_range(2..60)) / 1000.0),
            Fault::Slow => {
                sim.set_max_message_latency(Duration::from_millis(self.rng.random_range(30..250)));
            }
            Fault::Down(_) | Fault::Cut(..) | Fault::CutOneWay(..) | Fault::Held(..) => {}
        }
        self.begin(sim, fault, lasts_ms);
    }

    fn begin(&mut self, sim: &Sim<'_>, fault: Fault, lasts_ms: u64) {
        self.made += 1;
        self.active.push((fault, sim.elapsed() + Duration::from_millis(lasts_ms)));
    }
}

impl Fault {
    /// The link it is on, if it is on one.
    fn link(self) -> Option<(NodeId, NodeId)> {
        match self {
            Self::Cut(a, b) | Self::CutOneWay(a, b) | Self::Held(a, b) => Some((a.min(b), a.max(b))),
            Self::Down(_) | Self::Loss | Self::Slow => None,
        }
    }
}

fn end(sim: &mut Sim<'_>, world: &World, fault: Fault) {
    world.note(format_args!("{fault:?} is over"));
    match fault {
        Fault::Down(node) => sim.bounce(host(node)),
        Fault::Cut(a, b) => sim.repair(host(a), host(b)),
        Fault::CutOneWay(a, b) => sim.repair_oneway(host(a), host(b)),
        Fault::Held(a, b) => sim.release(host(a), host(b)),
        Fault::Loss => sim.set_fail_rate(0.0),
        Fault::Slow => sim.set_max_message_latency(world.plan.latency_max),
    }
}
