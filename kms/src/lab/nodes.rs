//! The lab's servers while it runs, the nodes' and the fronts': which live, and what is done to them on demand.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::mpsc;

use super::description::at_lab;
use super::front::PreparedFront;
use super::pair::{Pair, PreparedPair};
use super::place::{Life, Place, Shows, Who};
use super::relay::{Link, Network};
use super::server::{self, Launch, Server};
use super::setup::{Ports, Prepared, PreparedNode, name_of};
use super::{Stop, control};
use crate::admin::Admin;

/// All nodes of a lab, and its fronts. Its methods may be used at once; what they do to one comes one after the other.
#[derive(Debug)]
pub(super) struct Nodes {
    program: PathBuf,
    slots: Vec<Slot>,
    fronts: Vec<FrontSlot>,
    /// What two fronts have besides.
    pair: Option<Pair>,
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
    pub(super) front: Option<(PathBuf, PreparedFronts)>,
}

/// The fronts of a lab that has any.
#[derive(Debug)]
pub(super) enum PreparedFronts {
    One(PreparedFront),
    Two(PreparedPair),
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
        let place = |who, launch, shows| Place::new(who, launch, shows, ends.clone(), at_lab(dir));
        let slots = nodes.into_iter().map(|prepared| {
            let node = &prepared.node;
            let launch = Launch::daemon(programs.server.clone(), node.dir.clone(), node.config(), node.log());
            let shows = Shows::Ready(prepared.new.admin);
            Slot { place: place(Who::Node(prepared.number), launch, shows), prepared }
        });
        let slots = slots.collect();
        let (fronts, pair) = match programs.front {
            None => (Vec::new(), None),
            Some((program, PreparedFronts::One(prepared))) => {
                let launch = prepared.launch(program);
                let place = place(Who::Front(prepared.number), launch, Shows::Ready(prepared.admin));
                (vec![FrontSlot { place, prepared }], None)
            }
            Some((program, PreparedFronts::Two(prepared))) => {
                let (pair, places) = Pair::new(prepared, &program, place)?;
                let slots = pair.fronts().iter().cloned().zip(places);
                (slots.map(|(prepared, place)| FrontSlot { prepared, place }).collect(), Some(pair))
            }
        };
        Ok((Arc::new(Nodes { program: programs.server, slots, fronts, pair, network, _held: ports }), ended))
    }

    /// All nodes, by number.
    pub(super) fn all(&self) -> impl Iterator<Item = &PreparedNode> {
        self.slots.iter().map(|slot| &slot.prepared)
    }

    /// How many of them are a majority.
    pub(super) fn majority(&self) -> usize {
        self.slots.len() / 2 + 1
    }

    /// The fronts, where there are any.
    pub(super) fn fronts(&self) -> impl Iterator<Item = &PreparedFront> {
        self.fronts.iter().map(|front| &front.prepared)
    }

    /// What two fronts have besides.
    pub(super) fn pair(&self) -> Option<&Pair> {
        self.pair.as_ref()
    }

    /// Where clients connect: the one address of two fronts, the only front's, or that of the first node.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let front = self.fronts().next().map(|front| front.listen);
        let of_fronts = self.pair.as_ref().map(Pair::address).or(front);
        of_fronts.or_else(|| self.all().next().map(|node| node.new.kmip))
    }

    /// Where fronts reach the nodes, by number.
    pub(super) fn links(&self) -> Vec<SocketAddr> {
        match &self.pair {
            Some(pair) => pair.nodes.clone(),
            None => self.all().map(|node| node.new.link.listen).collect(),
        }
    }

    /// Starts a node that has joined, a front or what holds its address, and waits until it serves. Fails with its last lines when it ends or
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
            Who::Front(number) => match (number, self.fronts.as_slice()) {
                (0, [only]) => Ok(&only.place),
                (_, []) => bail!("this lab has no front. hint: it was started with --fronts 0"),
                (0, _) => bail!("this lab has two fronts. hint: they are front1 and front2"),
                (_, [_]) => {
                    bail!("this lab has one front. hint: it is front; two are started with --fronts 2")
                }
                (number, fronts) => fronts
                    .get(number - 1)
                    .map(|front| &front.place)
                    .context("no such front. hint: they are front1 and front2"),
            },
            Who::Keepalived(number) => {
                let pair = self.pair.as_ref().and_then(|pair| pair.keepaliveds.get(number.wrapping_sub(1)));
                pair.context("no keepalived runs in this lab: it holds the address of two fronts. hint: kms lab --fronts 2")
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

    /// Ends all servers in order, and takes away the network that some of them had.
    pub(super) async fn stop(&self, again: &mut Stop) -> anyhow::Result<()> {
        let fronts = self.fronts.iter().map(|front| &front.place);
        let keepaliveds = self.pair.iter().flat_map(|pair| &pair.keepaliveds);
        let places = self.slots.iter().map(|slot| &slot.place).chain(fronts).chain(keepaliveds);
        let servers: Vec<_> = places.filter_map(Place::server).collect();
        let stopped = server::stop(&servers, again).await;
        if let Some(pair) = &self.pair {
            pair.remove();
        }
        stopped
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
                Who::Front(number) => match &self.pair {
                    Some(pair) => pair.change_network(action, number, &place.command("heal")),
                    None => bail!(
                        "the only front of a lab has no network of its own that could be cut or slowed. hint: do it to the nodes, let the front stand still with {}, or start the lab with --fronts 2",
                        place.command("stop")
                    ),
                },
                Who::Keepalived(number) => bail!(
                    "{who} has the network of its front. hint: {}",
                    self.command("cut", Who::Front(number))
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

    /// The same of the fronts, where there are any.
    pub(super) fn front_states(&self) -> Vec<control::FrontState> {
        self.fronts.iter().map(|front| front.state(self.pair.as_ref())).collect()
    }

    /// The same of what two fronts have besides.
    pub(super) fn pair_state(&self) -> Option<control::PairState> {
        self.pair.as_ref().map(Pair::state)
    }
}

impl FrontSlot {
    fn state(&self, pair: Option<&Pair>) -> control::FrontState {
        use control::State;
        let FrontSlot { prepared, place } = self;
        let network = pair.map(|pair| pair.network_of(prepared.number));
        let (cut, holds, delay) = network.unwrap_or((false, true, Duration::ZERO));
        let state = match place.life() {
            Life::Running if cut => State::Cut,
            Life::Running if !delay.is_zero() => State::Slow,
            life => life.into(),
        };
        control::FrontState {
            name: place.who.to_string(),
            address: prepared.listen,
            admin: prepared.admin,
            socket: prepared.socket(),
            pid: place.pid(),
            dir: prepared.dir.clone(),
            state,
            holds,
            cut,
            slow_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        }
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
