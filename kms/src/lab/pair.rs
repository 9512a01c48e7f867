//! Two fronts that hold one address in a network of the lab's own, with a keepalived for each: what is made for them
//! before they start, and what is done to them while they run.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use certs::Existing;

use super::client::{Asks, Client};
use super::control::{Action, ClientState, KeepalivedState, PairState};
use super::front::PreparedFront;
use super::place::{Place, Shows, Who};
use super::relay::{Link, Network};
use super::segment::{INTERFACE, Segment};
use super::server::{self, Launch};
use super::setup::{ClientFiles, PreparedNode};
use crate::front::{Host, Mode, Pair as Files, ROUTER_ID, keepalived};
use crate::{file, program};

/// keepalived's configuration in its front's folder.
const CONFIG: &str = "keepalived.conf";

/// Files by which keepalived says that it runs; the second is of its part that speaks VRRP.
const PIDS: [&str; 2] = ["keepalived.pid", "vrrp.pid"];

/// Longest wait for one of two to have the address when both run.
const HOLD_TIMEOUT: Duration = Duration::from_secs(20);

/// The two, which can be started.
#[derive(Debug)]
pub(super) struct PreparedPair {
    pub(super) fronts: [PreparedFront; 2],
    segment: Arc<Segment>,
    /// For each node the port of this machine in their network, and where it listens for links.
    links: Vec<(TcpListener, SocketAddr)>,
    keepalived: PathBuf,
    /// Has keepalived, which knows no `--lifeline`, end when we do.
    setpriv: PathBuf,
}

impl PreparedPair {
    /// Makes their network. Fails with what to do about it where this machine cannot.
    pub(super) fn segment(lab: &Path) -> anyhow::Result<(Arc<Segment>, PathBuf)> {
        let keepalived = program::system("keepalived", "keepalived")?;
        Ok((Arc::new(Segment::make(PreparedFront::last_host(lab))?), keepalived))
    }

    /// Opens the nodes' ports in it. Nothing is written yet.
    pub(super) fn new(
        lab: &Path,
        (segment, keepalived): (Arc<Segment>, PathBuf),
        nodes: &[PreparedNode],
    ) -> anyhow::Result<Self> {
        let listen = |node: &PreparedNode| {
            let listener =
                TcpListener::bind((segment.machine(), 0)).context("opening a port for the fronts")?;
            Ok((listener, node.new.link.listen))
        };
        Ok(PreparedPair {
            fronts: [1, 2].map(|number| PreparedFront::of_two(lab, number, segment.front(number))),
            links: nodes.iter().map(listen).collect::<anyhow::Result<_>>()?,
            segment,
            keepalived,
            setpriv: program::system("setpriv", "util-linux")?,
        })
    }

    /// Where the fronts reach the nodes, by number.
    fn nodes(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let at = |(listener, _): &(TcpListener, SocketAddr)| Ok(listener.local_addr()?);
        self.links.iter().map(at).collect()
    }

    fn launch_front(&self, front: &PreparedFront, program: PathBuf) -> Launch {
        Launch { within: self.segment.within(&Who::Front(front.number).to_string()), ..front.launch(program) }
    }

    fn launch_keepalived(&self, front: &PreparedFront) -> Launch {
        let in_dir = |name: &str| front.dir.join(name).into_os_string();
        let [pid, vrrp_pid] = PIDS;
        let mut within = self.segment.within(&Who::Front(front.number).to_string());
        within.extend([self.setpriv.display().to_string(), "--pdeathsig".to_owned(), "TERM".to_owned()]);
        let mut arguments: Vec<OsString> =
            ["--dont-fork", "--log-console", "--log-detail", "--vrrp", "--use-file"]
                .map(OsString::from)
                .to_vec();
        arguments.extend([
            in_dir(CONFIG),
            "--pid".into(),
            in_dir(pid),
            "--vrrp_pid".into(),
            in_dir(vrrp_pid),
        ]);
        Launch {
            program: self.keepalived.clone(),
            arguments,
            within,
            dir: front.dir.clone(),
            log: front.dir.join("keepalived.log"),
            with_children: true,
            leftovers: PIDS.map(|name| front.dir.join(name)).to_vec(),
        }
    }
}

/// The two while the lab runs.
#[derive(Debug)]
pub(super) struct Pair {
    fronts: [PreparedFront; 2],
    pub(super) keepaliveds: [Place; 2],
    segment: Arc<Segment>,
    network: Network,
    /// Where the fronts reach the nodes, by number.
    pub(super) nodes: Vec<SocketAddr>,
    client: Client,
}

impl Pair {
    /// Nothing is started. `place` makes a place of a launch; gives those of the fronts too.
    pub(super) fn new(
        prepared: PreparedPair,
        program: &Path,
        place: impl Fn(Who, Launch, Shows) -> Place,
    ) -> anyhow::Result<(Self, [Place; 2])> {
        let nodes = prepared.nodes()?;
        let fronts = [0, 1].map(|index| {
            let front = &prepared.fronts[index];
            let launch = prepared.launch_front(front, program.to_owned());
            place(Who::Front(front.number), launch, Shows::Ready(front.admin))
        });
        let keepaliveds = [0, 1].map(|index| {
            let front = &prepared.fronts[index];
            let launch = prepared.launch_keepalived(front);
            place(Who::Keepalived(front.number), launch, Shows::File(front.dir.join(PIDS[1])))
        });
        let sources = prepared.fronts.iter().map(|front| front.listen.ip()).collect();
        let network = Network::of_others(prepared.links, sources)?;
        let (segment, client) = (prepared.segment, Client::default());
        Ok((Pair { fronts: prepared.fronts, keepaliveds, segment, network, nodes, client }, fronts))
    }

    /// Writes what keepalived reads: what `kms front init` would write for them.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let pair = Files {
            vip: self.segment.vip().into(),
            interface: INTERFACE.to_owned(),
            hosts: [1, 2].map(|number| IpAddr::V4(self.segment.front(number))),
            mode: Mode::Replay,
            nodes: Vec::new(),
            router_id: ROUTER_ID,
        };
        for (front, host) in self.fronts.iter().zip([Host::First, Host::Second]) {
            let track_file = front.track_file.as_deref().unwrap_or(&front.dir).display().to_string();
            let text = keepalived(&pair, host, &track_file);
            file::write(&front.dir.join(CONFIG), text.as_bytes(), file::PUBLIC, Existing::Replace)?;
        }
        Ok(())
    }

    /// Waits until the front that has the address serves there, and starts to ask it.
    pub(super) async fn serve(&self, client: &ClientFiles) -> anyhow::Result<()> {
        let page = SocketAddr::from((self.segment.vip(), self.fronts[0].admin.port()));
        server::ready(page, HOLD_TIMEOUT).await.map_err(|reason| {
            anyhow::anyhow!(
                "neither front serves at {} within {} s: {reason}. hint: front1/keepalived.log says what keepalived did; a firewall on this machine may keep it from its networks",
                self.segment.vip(),
                HOLD_TIMEOUT.as_secs()
            )
        })?;
        self.client.start(Asks::new(self.address(), client)?, &self.segment.namespace_file("client"))
    }

    /// Where clients connect.
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from((self.segment.vip(), self.fronts[0].listen.port()))
    }

    /// The folders of the two, with where they listen.
    pub(super) fn fronts(&self) -> &[PreparedFront; 2] {
        &self.fronts
    }

    /// Cuts, slows or heals a front's network, and says in words what came of it. `heal` is what to type then.
    pub(super) fn change_network(&self, action: Action, front: usize, heal: &str) -> anyhow::Result<String> {
        match action {
            Action::Cut => {
                self.segment.cut(front, true)?;
                Ok(format!(
                    "front{front}'s host is cut off: from clients, from the nodes and from the other. Whole again with: {heal}"
                ))
            }
            Action::Slow { ms } => {
                let delay = Duration::from_millis(ms);
                self.network.change(front, |link| link.delay = delay);
                Ok(format!(
                    "Between front{front} and the nodes every byte takes {ms} ms longer. As before with: {heal}"
                ))
            }
            Action::Heal | Action::Start | Action::Kill | Action::Stop | Action::Cont => {
                self.segment.cut(front, false)?;
                self.network.change(front, |link| *link = Link::default());
                Ok(format!("The network of front{front} is whole and fast."))
            }
        }
    }

    /// Whether a front's host is cut off, has the address, and by how much its links are slowed.
    pub(super) fn network_of(&self, front: usize) -> (bool, bool, Duration) {
        (self.segment.is_cut(front), self.segment.holds(front), self.network.link(front).delay)
    }

    /// How they are, besides the fronts themselves.
    pub(super) fn state(&self) -> PairState {
        let keepalived = |place: &Place| KeepalivedState {
            name: place.who.to_string(),
            pid: place.pid(),
            state: place.life().into(),
        };
        PairState {
            address: self.address(),
            keepaliveds: self.keepaliveds.iter().map(keepalived).collect(),
            client: self.client_state(),
        }
    }

    fn client_state(&self) -> ClientState {
        let address: Ipv4Addr = self.segment.client();
        self.client.state(address, self.segment.namespace("client"))
    }

    /// Takes their network away, once nothing runs in it any more.
    pub(super) fn remove(&self) {
        self.client.stop();
        self.segment.remove();
    }
}
