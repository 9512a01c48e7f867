//! The lab's servers while it runs, the nodes' and the front's: which live, and what is done to them on demand.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::mpsc;

use super::description::at_lab;
use super::front::PreparedFront;
use super::place::{Life, Place, Who};
use super::relay::{Link, Network};
use super::server::{self, Launch, Server};
use super::setup::{Ports, Prepared, PreparedNode, name_of};
use super::{Stop, control};
use crate::admin::Admin;

/// All nodes of a lab, and its front. Its methods may be used at once; what they do to one comes one after the other.
#[derive(Debug)]
pub(super) struct Nodes {
    program: PathBuf,
    slots: Vec<Slot>,
    front: Option<FrontSlot>,
    network: Network,
    _held: Ports,
}

#[derive(Debug)]
struct Slot {
    prepared: PreparedNode,
    place: Place,
}

#[derive(Debug)]
struct FrontSlot {
    prepared: PreparedFront,
    place: Place,
}

/// What a lab starts.
#[derive(Debug)]
pub(super) struct Programs {
    /// `kms-server`.
    pub(super) server: PathBuf,
    /// `health-proxy`, and what it needs; none in a lab without a front.
    pub(super) front: Option<(PathBuf, PreparedFront)>,
}

impl Nodes {
    /// The nodes, none of them started, and those whose servers will end by themselves. Fails when their links cannot be
    /// carried.
    pub(super) fn new(
        programs: Programs,
        prepared: Prepared,
        dir: &Path,
    ) -> anyhow::Result<(Arc<Self>, mpsc::UnboundedReceiver<Who>)> {
        let Prepared { nodes, links, ports } = prepared;
        let (ends, ended) = mpsc::unbounded_channel();
        let network = Network::start(links)?;
        let place = |who, launch, admin| Place::new(who, launch, admin, ends.clone(), at_lab(dir));
        let slots = nodes.into_iter().map(|prepared| {
            let node = &prepared.node;
            let launch = Launch {
                program: programs.server.clone(),
                dir: node.dir.clone(),
                config: node.config(),
                log: node.log(),
            };
            Slot { place: place(Who::Node(prepared.number), launch, prepared.new.admin), prepared }
        });
        let slots = slots.collect();
        let front = programs.front.map(|(program, prepared)| {
            let launch = prepared.launch(program);
            FrontSlot { place: place(Who::Front, launch, prepared.admin), prepared }
        });
        Ok((Arc::new(Nodes { program: programs.server, slots, front, network, _held: ports }), ended))
    }

    /// All nodes, by number.
    pub(super) fn all(&self) -> impl Iterator<Item = &PreparedNode> {
        self.slots.iter().map(|slot| &slot.prepared)
    }

    /// How many of them are a majority.
    pub(super) fn majority(&self) -> usize {
        self.slots.len() / 2 + 1
    }

    /// The front, where there is one.
    pub(super) fn front(&self) -> Option<&PreparedFront> {
        self.front.as_ref().map(|front| &front.prepared)
    }

    /// Starts a node that has joined, or the front, and waits until it serves. Fails with its last lines when it ends or
    /// does not.
    pub(super) async fn start_and_wait(&self, who: Who) -> anyhow::Result<()> {
        self.place(who)?.start_and_wait().await
    }

    /// Has a node join the cluster of the first one.
    pub(super) async fn join(&self, number: usize, first: &Admin) -> anyhow::Result<()> {
        self.slot(number)?.prepared.join(&self.program, first).await
    }

    /// What to type for one of them.
    pub(super) fn command(&self, what: &str, who: Who) -> String {
        self.place(who).map(|place| place.command(what)).unwrap_or_default()
    }

    fn place(&self, who: Who) -> anyhow::Result<&Place> {
        match who {
            Who::Node(number) => Ok(&self.slot(number)?.place),
            Who::Front => {
                let front = self.front.as_ref().map(|front| &front.place);
                front.context("this lab has no front. hint: it was started with --no-front")
            }
        }
    }

    fn slot(&self, number: usize) -> anyhow::Result<&Slot> {
        let slot = number.checked_sub(1).and_then(|index| self.slots.get(index));
        slot.with_context(|| {
            format!("no node {number} in this lab. hint: it has the nodes 1 to {}", self.slots.len())
        })
    }

    /// The last server of one that ended by itself.
    pub(super) fn dead(&self, who: Who) -> Option<Arc<Server>> {
        self.place(who).ok()?.dead()
    }

    /// Nodes whose servers ended by themselves and were not started again.
    pub(super) fn ended_by_themselves(&self) -> usize {
        self.slots.iter().filter(|slot| slot.place.life() == Life::Ended).count()
    }

    /// Ends all servers in order.
    pub(super) async fn stop(&self, again: &mut Stop) -> anyhow::Result<()> {
        let front = self.front.iter().map(|front| &front.place);
        let places = self.slots.iter().map(|slot| &slot.place).chain(front);
        let servers: Vec<_> = places.filter_map(Place::server).collect();
        server::stop(&servers, again).await
    }

    /// Does to one of them what was asked, and says in words what came of it.
    pub(super) async fn act(&self, action: control::Action, who: Who) -> anyhow::Result<String> {
        use control::Action;
        let place = self.place(who)?;
        match action {
            Action::Start => place.start_again().await,
            Action::Kill => place.kill().await,
            Action::Stop => place.freeze().await,
            Action::Cont => place.thaw(),
            Action::Cut | Action::Slow { .. } | Action::Heal => match who {
                Who::Node(number) => Ok(self.change_link(action, number)),
                Who::Front => bail!(
                    "the front has no links to other nodes that could be cut or slowed. hint: do it to the nodes, or let the front stand still: {}",
                    place.command("stop")
                ),
            },
        }
    }

    fn change_link(&self, action: control::Action, number: usize) -> String {
        use control::Action;
        let (name, heal) = (name_of(number), self.command("heal", Who::Node(number)));
        match action {
            Action::Cut => {
                self.network.change(number, |link| link.cut = true);
                format!(
                    "{name} is cut off from the other nodes; clients still reach it. Whole again with: {heal}"
                )
            }
            Action::Slow { ms } => {
                let delay = Duration::from_millis(ms);
                self.network.change(number, |link| link.delay = delay);
                format!("To and from {name} every byte takes {ms} ms longer. As before with: {heal}")
            }
            Action::Heal | Action::Start | Action::Kill | Action::Stop | Action::Cont => {
                self.network.change(number, |link| *link = Link::default());
                format!("The links of {name} are whole and fast.")
            }
        }
    }

    /// How every node is, as far as this process knows.
    pub(super) fn states(&self) -> Vec<control::NodeState> {
        self.slots.iter().map(|slot| slot.state(self.network.link(slot.prepared.number))).collect()
    }

    /// The same of the front, where there is one.
    pub(super) fn front_state(&self) -> Option<control::FrontState> {
        let FrontSlot { prepared, place } = self.front.as_ref()?;
        Some(control::FrontState {
            address: prepared.listen,
            admin: prepared.admin,
            socket: prepared.socket(),
            pid: place.pid(),
            dir: prepared.dir.clone(),
            state: place.life().into(),
        })
    }
}

impl Slot {
    fn state(&self, link: Link) -> control::NodeState {
        use control::State;
        let PreparedNode { number, node, new, .. } = &self.prepared;
        let state = match self.place.life() {
            Life::Running if link.cut => State::Cut,
            Life::Running if !link.delay.is_zero() => State::Slow,
            life => life.into(),
        };
        control::NodeState {
            number: *number,
            name: name_of(*number),
            kmip: new.kmip,
            admin: new.admin,
            link: new.link.advertise.clone(),
            pid: self.place.pid(),
            dir: node.dir.clone(),
            state,
            cut: link.cut,
            slow_ms: u64::try_from(link.delay.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
