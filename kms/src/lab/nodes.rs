//! The lab's nodes while it runs: which servers live, and what is done to them on demand.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;

use super::description::at_lab;
use super::relay::{Link, Network};
use super::server::{self, READY_TIMEOUT, Server};
use super::setup::{Prepared, PreparedNode, name_of};
use super::{Stop, control};
use crate::admin::Admin;

/// Longest wait for a node to serve that is started again on demand; one without a quorum may never.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// All nodes of a lab. Its methods may be used at once; what they do to one node comes one after the other.
#[derive(Debug)]
pub(super) struct Nodes {
    program: PathBuf,
    slots: Vec<Slot>,
    network: Network,
    /// The numbers of those that end by themselves.
    ends: mpsc::UnboundedSender<usize>,
    /// What names this lab on a command line: nothing where it is found without.
    at: String,
    _held: Vec<TcpSocket>,
}

#[derive(Debug)]
struct Slot {
    prepared: PreparedNode,
    /// The last one that was started.
    server: Mutex<Option<Arc<Server>>>,
}

/// What became of a node's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    Frozen,
    /// Never started, or ended by us.
    Killed,
    /// It ended by itself.
    Ended,
}

impl Nodes {
    /// The nodes, none of them started, and the numbers of those that will end by themselves. Fails when their links
    /// cannot be carried.
    pub(super) fn new(
        program: PathBuf,
        prepared: Prepared,
        dir: &Path,
    ) -> anyhow::Result<(Arc<Self>, mpsc::UnboundedReceiver<usize>)> {
        let Prepared { nodes, links, held } = prepared;
        let (ends, ended) = mpsc::unbounded_channel();
        let network = Network::start(links)?;
        let slots = nodes.into_iter().map(|prepared| Slot { prepared, server: Mutex::default() }).collect();
        Ok((Arc::new(Nodes { program, slots, network, ends, at: at_lab(dir), _held: held }), ended))
    }

    /// All nodes, by number.
    pub(super) fn all(&self) -> impl Iterator<Item = &PreparedNode> {
        self.slots.iter().map(|slot| &slot.prepared)
    }

    /// How many of them are a majority.
    pub(super) fn majority(&self) -> usize {
        self.slots.len() / 2 + 1
    }

    /// Starts a node that has joined, and waits until it serves. Fails with its last lines when it ends or does not.
    pub(super) async fn start_and_wait(&self, number: usize) -> anyhow::Result<()> {
        let slot = self.slot(number)?;
        let server = self.spawn(slot)?;
        tokio::select! {
            ready = server::ready(slot.prepared.new.admin, READY_TIMEOUT) => match ready {
                Ok(()) => Ok(()),
                Err(reason) => bail!(
                    "{} did not serve within {} s: {reason}; its last lines:\n{}\nhint: the whole log is {}",
                    name_of(number), READY_TIMEOUT.as_secs(), server.last_lines(), slot.prepared.node.log().display()
                ),
            },
            _ = server.end() => Err(server.died().context(name_of(number))),
        }
    }

    /// Has a node join the cluster of the first one.
    pub(super) async fn join(&self, number: usize, first: &Admin) -> anyhow::Result<()> {
        self.slot(number)?.prepared.join(&self.program, first).await
    }

    fn spawn(&self, slot: &Slot) -> anyhow::Result<Arc<Server>> {
        let number = slot.prepared.number;
        let mut last = slot.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = last.as_ref().filter(|server| server.is_running()) {
            let hint =
                if server.is_frozen() { self.command("cont", number) } else { "kms lab status".to_owned() };
            bail!("{} runs already, process {}. hint: {hint}", name_of(number), server.pid());
        }
        let server = Arc::new(Server::start(&self.program, &slot.prepared.node)?);
        *last = Some(Arc::clone(&server));
        let (end, watched, ends) = (server.end(), Arc::downgrade(&server), self.ends.clone());
        tokio::spawn(async move {
            end.await;
            if watched.upgrade().is_some_and(|server| server.ended_by_itself()) {
                // A lab that no longer listens is ending.
                let _ = ends.send(number);
            }
        });
        Ok(server)
    }

    /// What to type for a node.
    pub(super) fn command(&self, what: &str, number: usize) -> String {
        format!("kms lab {what} {number}{}", self.at)
    }

    fn slot(&self, number: usize) -> anyhow::Result<&Slot> {
        let slot = number.checked_sub(1).and_then(|index| self.slots.get(index));
        slot.with_context(|| {
            format!("no node {number} in this lab. hint: it has the nodes 1 to {}", self.slots.len())
        })
    }

    fn running(&self, number: usize) -> anyhow::Result<Arc<Server>> {
        let server = self.slot(number)?.server().filter(|server| server.is_running());
        server.with_context(|| {
            format!("{} does not run. hint: {}", name_of(number), self.command("start", number))
        })
    }

    /// The last server of a node that ended by itself.
    pub(super) fn dead(&self, number: usize) -> Option<Arc<Server>> {
        self.slot(number).ok()?.server().filter(|server| server.ended_by_itself())
    }

    /// Nodes whose servers ended by themselves and were not started again.
    pub(super) fn ended_by_themselves(&self) -> usize {
        self.slots.iter().filter(|slot| slot.life() == Life::Ended).count()
    }

    /// Ends all servers in order.
    pub(super) async fn stop(&self, again: &mut Stop) -> anyhow::Result<()> {
        let servers: Vec<_> = self.slots.iter().filter_map(Slot::server).collect();
        server::stop(&servers, again).await
    }

    /// Does to a node what was asked, and says in words what came of it.
    pub(super) async fn act(&self, action: control::Action, number: usize) -> anyhow::Result<String> {
        use control::Action;
        let name = name_of(number);
        self.slot(number)?;
        Ok(match action {
            Action::Start => self.start_again(number).await?,
            Action::Kill => {
                self.running(number)?.kill().await?;
                format!("{name} is killed. It comes back with: {}", self.command("start", number))
            }
            Action::Stop => {
                self.running(number)?.freeze().await?;
                format!("{name} stands still. It goes on with: {}", self.command("cont", number))
            }
            Action::Cont => {
                self.running(number)?.thaw();
                format!("{name} goes on.")
            }
            Action::Cut => {
                self.network.change(number, |link| link.cut = true);
                format!(
                    "{name} is cut off from the other nodes; clients still reach it. Whole again with: {}",
                    self.command("heal", number)
                )
            }
            Action::Slow { ms } => {
                let delay = Duration::from_millis(ms);
                self.network.change(number, |link| link.delay = delay);
                format!(
                    "To and from {name} every byte takes {ms} ms longer. As before with: {}",
                    self.command("heal", number)
                )
            }
            Action::Heal => {
                self.network.change(number, |link| *link = Link::default());
                format!("The links of {name} are whole and fast.")
            }
        })
    }

    async fn start_again(&self, number: usize) -> anyhow::Result<String> {
        let slot = self.slot(number)?;
        let server = self.spawn(slot)?;
        let name = name_of(number);
        tokio::select! {
            ready = server::ready(slot.prepared.new.admin, START_TIMEOUT) => Ok(match ready {
                Ok(()) => format!("{name} serves, process {}.", server.pid()),
                Err(reason) => format!("{name} runs, process {}, and does not serve yet: {reason}", server.pid()),
            }),
            _ = server.end() => Err(server.died().context(name)),
        }
    }

    /// How every node is, as far as this process knows.
    pub(super) fn states(&self) -> Vec<control::NodeState> {
        self.slots.iter().map(|slot| slot.state(self.network.link(slot.prepared.number))).collect()
    }
}

impl Slot {
    fn server(&self) -> Option<Arc<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn life(&self) -> Life {
        match self.server() {
            Some(server) if server.is_frozen() => Life::Frozen,
            Some(server) if server.is_running() => Life::Running,
            Some(server) if server.ended_by_itself() => Life::Ended,
            Some(_) | None => Life::Killed,
        }
    }

    fn state(&self, link: Link) -> control::NodeState {
        use control::State;
        let PreparedNode { number, node, new, .. } = &self.prepared;
        let state = match self.life() {
            Life::Ended => State::Ended,
            Life::Killed => State::Killed,
            Life::Frozen => State::Stopped,
            Life::Running if link.cut => State::Cut,
            Life::Running if !link.delay.is_zero() => State::Slow,
            Life::Running => State::Serving,
        };
        let pid = self.server().filter(|server| server.is_running()).map(|server| server.pid());
        control::NodeState {
            number: *number,
            name: name_of(*number),
            kmip: new.kmip,
            admin: new.admin,
            link: new.link.advertise.clone(),
            pid,
            dir: node.dir.clone(),
            state,
            cut: link.cut,
            slow_ms: u64::try_from(link.delay.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
