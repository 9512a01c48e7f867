//! What the lab needs before and after its servers start: directories of nodes, ports that are free, a client.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use certs::{AltName, Existing, KeyKind, Profile, Subject};
use tokio::net::TcpSocket;

use super::relay;
use crate::admin::{Admin, Client, NewClient, NewTrust, Right, Way};
use crate::client::pack::Pack;
use crate::node::{KMIP_PORT, LINK_PORT, NewLink, NewNode, Node, Settings, Shown};
use crate::{address, config, file, join, time};

/// The lab's client, which may do everything.
const CLIENT: Known = Known {
    name: "vcenter-lab",
    tenant: "lab",
    rights: &[Right::Read, Right::Create, Right::Change, Right::Destroy],
};

/// Nodes of a new lab.
const NODES: usize = 3;

/// Most nodes of a lab.
pub(super) const NODES_MAX: usize = 5;

/// From the KMIP port of one node to that of the next: between them are those of its link and its health checks.
const PORTS_APART: u16 = 10;

/// Nodes that can be started, and their ports.
#[derive(Debug)]
pub(super) struct Prepared {
    /// By number, from 1; those that have yet to join come last.
    pub(super) nodes: Vec<PreparedNode>,
    /// For each, the port at which the others know it, and where it really listens for them.
    pub(super) links: Vec<(TcpListener, SocketAddr)>,
    /// The nodes' own ports, held for as long as this lives.
    pub(super) ports: Ports,
}

/// One node.
#[derive(Debug)]
pub(super) struct PreparedNode {
    /// Its number in the lab, from 1, and in its cluster unless joins were broken off.
    pub(super) number: usize,
    pub(super) node: Node,
    pub(super) new: NewNode,
    /// Whether its directory is whole; else it has yet to join.
    pub(super) is_there: bool,
}

/// A node of the lab, which need not be there.
pub(super) fn node_in(dir: &Path, number: usize) -> Node {
    Node { dir: dir.join(name_of(number)) }
}

/// `node1` and so on.
pub(super) fn name_of(number: usize) -> String {
    format!("node{number}")
}

/// Takes the nodes that are there, adds those that are wanted, and sees that all ports are free. Makes the first node;
/// others are made when they join. Clients are shown a certificate for this machine, and for `vip` where there is one.
/// When anything is not as it must be, nothing is changed.
pub(super) fn prepare(
    dir: &Path,
    wanted: Option<usize>,
    port: Option<u16>,
    vip: Option<Ipv4Addr>,
) -> anyhow::Result<Prepared> {
    let there = (1..=NODES_MAX).take_while(|number| is_there(&node_in(dir, *number), *number)).count();
    let count = count(dir, there, wanted)?;
    let before: Vec<Option<Settings>> = (1..=count)
        .map(|number| match number <= there {
            true => node_in(dir, number).settings().map(Some),
            false => Ok(None),
        })
        .collect::<anyhow::Result<_>>()?;
    let mut ports = Ports::default();
    let kmip = kmip_ports(&mut ports, &before, port)?;
    let links = link_ports(&mut ports, &before, &kmip)?;
    let mut nodes = Vec::with_capacity(count);
    let mut targets = Vec::with_capacity(count);
    for (number, ((before, kmip), link)) in (1..).zip(before.iter().zip(kmip).zip(links)) {
        let new = new_node(&mut ports, number, before.as_ref(), kmip, &link)?;
        targets.push((link, new.link.listen));
        nodes.push((
            before,
            PreparedNode { number, node: node_in(dir, number), new, is_there: number <= there },
        ));
    }
    let shown = shown(vip);
    let nodes: Vec<PreparedNode> = nodes
        .into_iter()
        .map(|(before, node)| node.write(before.as_ref(), &shown))
        .collect::<anyhow::Result<_>>()?;
    show(&nodes, &shown)?;
    Ok(Prepared { nodes, links: targets, ports })
}

/// Whether a node's directory is whole. A joining node gets its number last.
fn is_there(node: &Node, number: usize) -> bool {
    let has_number = || node.data("node.json").is_file() || node.data("birth.json").is_file();
    node.config().is_file() && (number == 1 || has_number())
}

/// How many nodes the lab has from now on.
fn count(dir: &Path, there: usize, wanted: Option<usize>) -> anyhow::Result<usize> {
    match wanted {
        Some(wanted) if wanted < there => bail!(
            "the lab in {} has {there} nodes, and each holds a vote: {wanted} of them would never agree on anything. hint: leave out --nodes, or choose another directory with --dir",
            dir.display()
        ),
        Some(wanted) => Ok(wanted),
        None if there == 0 => Ok(NODES),
        // An even number is what a lab has that was ended while a node joined.
        None => Ok((there | 1).min(NODES_MAX)),
    }
}

/// Ports of 127.0.0.1 that are ours: bound and never listening, so that nobody else is given them while a server is
/// down, and it can listen on them all the same.
#[derive(Debug, Default)]
pub(super) struct Ports {
    taken: BTreeSet<u16>,
    held: Vec<TcpSocket>,
}

impl Ports {
    /// Keeps a port for a server; any free one for 0.
    pub(super) fn hold(&mut self, port: u16) -> io::Result<SocketAddr> {
        self.check(port)?;
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
        let address = socket.local_addr()?;
        self.taken.insert(address.port());
        self.held.push(socket);
        Ok(address)
    }

    /// Listens on a port; any free one for 0.
    fn listen(&mut self, port: u16) -> io::Result<TcpListener> {
        self.check(port)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        self.taken.insert(listener.local_addr()?.port());
        Ok(listener)
    }

    /// The system would let two of ours share one.
    fn check(&self, port: u16) -> io::Result<()> {
        match self.taken.contains(&port) {
            true => Err(io::ErrorKind::AddrInUse.into()),
            false => Ok(()),
        }
    }
}

/// The nodes' KMIP ports: as given, else the last ones, else 5696 and on. Where a new node's is not given by anyone, any
/// free one will do.
fn kmip_ports(
    ports: &mut Ports,
    before: &[Option<Settings>],
    given: Option<u16>,
) -> anyhow::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<SocketAddr> = Vec::with_capacity(before.len());
    let is_new = before.iter().all(Option::is_none);
    for (above, before) in before.iter().enumerate() {
        let above = |first: u16| {
            let above = u16::try_from(above).ok().and_then(|above| above.checked_mul(PORTS_APART));
            above.and_then(|above| first.checked_add(above)).with_context(|| {
                format!("port {first} leaves no room for all nodes below 65536. hint: --port 15696")
            })
        };
        let last = before.as_ref().map(|settings| settings.kmip.listen.port());
        let (port, is_wanted) = match (given, last, addresses.first()) {
            (Some(0), _, _) => (0, true),
            (Some(given), _, _) => (above(given)?, true),
            (None, Some(last), _) => (last, true),
            (None, None, Some(first)) => (above(first.port())?, is_new),
            (None, None, None) => (KMIP_PORT, true),
        };
        let held = match ports.hold(port) {
            Err(_) if !is_wanted => ports.hold(0),
            held => held,
        };
        addresses.push(held.with_context(|| {
            format!(
                "port {port} on 127.0.0.1 is taken. hint: another lab or key server runs here; stop it, or choose other ports: kms lab --port 15696 (0 for any)"
            )
        })?);
    }
    Ok(addresses)
}

/// The ports at which nodes know each other. They are in the cluster's memory, so a node keeps its own for ever.
fn link_ports(
    ports: &mut Ports,
    before: &[Option<Settings>],
    kmip: &[SocketAddr],
) -> anyhow::Result<Vec<TcpListener>> {
    let listen = |(before, kmip): (&Option<Settings>, &SocketAddr)| {
        let link = before.as_ref().and_then(|settings| settings.cluster.as_ref());
        let Some(link) = link else {
            let usual = kmip.port().checked_add(LINK_PORT - KMIP_PORT).unwrap_or(0);
            return ports.listen(usual).or_else(|_| ports.listen(0)).context("finding a free port");
        };
        let (_, port) = address::split(&link.advertise, LINK_PORT)?;
        ports.listen(port).with_context(|| {
            format!(
                "port {port} on 127.0.0.1 is taken, and it is where the lab's nodes know one of them. hint: stop what listens there (ss -ltnp), or use another lab with --dir"
            )
        })
    };
    before.iter().zip(kmip).map(listen).collect()
}

/// All of a node's configuration. Ports that are of no interest to anyone but us are any free ones when the usual or last
/// ones are taken.
fn new_node(
    ports: &mut Ports,
    number: usize,
    before: Option<&Settings>,
    kmip: SocketAddr,
    link: &TcpListener,
) -> anyhow::Result<NewNode> {
    let mut any = |usual: u16| ports.hold(usual).or_else(|_| ports.hold(0)).context("finding a free port");
    let admin = match before {
        Some(settings) => settings.admin.listen.port(),
        None => kmip.port().checked_add(crate::node::ADMIN_PORT - KMIP_PORT).unwrap_or(0),
    };
    let own = before.and_then(|settings| settings.cluster.as_ref()).map_or(0, |link| link.listen.port());
    Ok(NewNode {
        name: name_of(number),
        kmip,
        admin: any(admin)?,
        link: NewLink {
            listen: any(own)?,
            advertise: link.local_addr()?.to_string(),
            source: Some(relay::source(number)),
        },
    })
}

impl PreparedNode {
    /// Puts on disk what is not there, or no longer true.
    fn write(self, before: Option<&Settings>, shown: &Shown) -> anyhow::Result<Self> {
        let PreparedNode { number, node, new, .. } = &self;
        match before {
            None if *number == 1 => {
                Node::create(&node.dir, new, shown)?;
            }
            // It is made when it joins.
            None => return Ok(self),
            Some(before) => {
                // A lab of before there were clusters.
                if before.cluster.is_none() {
                    node.found_cluster(&new.link.advertise)?;
                }
                let text = config::text(new);
                if file::read_text(&node.config())? != text {
                    file::write(&node.config(), text.as_bytes(), file::PUBLIC, Existing::Replace)?;
                }
            }
        }
        Ok(PreparedNode { is_there: true, ..self })
    }

    /// Has the node join the cluster of the node behind `first`. What a join that was broken off left is taken away.
    pub(super) async fn join(&self, program: &Path, first: &Admin) -> anyhow::Result<()> {
        join::clear_half_made(&self.node)?;
        let new = crate::admin::NewInvitation { valid_s: INVITATION_S, learner: false };
        let invitation = first.invite(new).await.context("inviting a node")?;
        join::join(program, &self.node.dir, &self.new, &invitation.token).await.map(drop)
    }
}

/// How long the lab's invitations are good for: it uses them at once.
const INVITATION_S: u64 = 300;

/// What clients of the lab are shown, by every node.
fn shown(vip: Option<Ipv4Addr>) -> Shown {
    let local = [AltName::Ip(Ipv4Addr::LOCALHOST.into()), AltName::Dns("localhost".to_owned())];
    let vip = vip.map(|vip| AltName::Ip(vip.into()));
    Shown { addresses: local.into_iter().chain(vip).collect(), key_kind: KeyKind::P256 }
}

/// Has every node that is there show a certificate for these names; the one it has, where that is such a one.
fn show(nodes: &[PreparedNode], shown: &Shown) -> anyhow::Result<()> {
    let Some(first) = nodes.first() else { return Ok(()) };
    let now = certs::inspect(first.node.server_pem()?.as_bytes())?;
    if now.alt_names == shown.addresses {
        return Ok(());
    }
    let authority = first.node.authority()?;
    let subject =
        Subject { common_name: Ipv4Addr::LOCALHOST.to_string(), alt_names: shown.addresses.clone() };
    let issued = authority.issue(Profile::Server, &subject, shown.key_kind, time::now_s())?;
    let chain = format!("{}{}", issued.cert_pem, authority.cert_pem()?);
    for node in nodes.iter().filter(|node| node.is_there).map(|node| &node.node) {
        certs::write_private_key(&node.tls("server.key"), &issued.key_pem, Existing::Replace)?;
        certs::write_certificate(&node.tls("server.pem"), &chain, Existing::Replace)?;
    }
    Ok(())
}

/// A client that the lab makes known.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) tenant: &'static str,
    pub(super) rights: &'static [Right],
}

/// Where a client's files are.
#[derive(Debug)]
pub(super) struct ClientFiles {
    pub(super) dir: PathBuf,
}

impl ClientFiles {
    pub(super) fn cert(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }
}

/// Makes the lab's client known, or sees that it is, and writes its trust pack, by which clients go to `address`. `node`
/// is the first, which has the authority.
pub(super) async fn client(
    admin: &Admin,
    node: &Node,
    address: SocketAddr,
    dir: &Path,
) -> anyhow::Result<ClientFiles> {
    let files = ClientFiles { dir: dir.join("client") };
    let client = make_known(admin, node, &CLIENT, &files).await?;
    let client_pem = file::read_text(&files.cert())?;
    // At each start, as the address may be another than before.
    Pack::new(&client, &address.to_string(), &node.server_pem()?, &node.ca_pem()?, &client_pem, None)?
        .write(&files.dir)?;
    Ok(files)
}

/// Makes a client known, or sees that it is. Its files are there before the nodes know it, so that a lab that is killed
/// between never knows a client whose key is lost.
pub(super) async fn make_known(
    admin: &Admin,
    node: &Node,
    who: &Known,
    files: &ClientFiles,
) -> anyhow::Result<Client> {
    let Known { name, tenant, rights } = who;
    let has_files = [files.cert(), files.key(), files.ca()].iter().all(|path| path.is_file());
    let known = match admin.client(name).await {
        Ok(client) => Some(client),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(known) = known {
        if has_files && is_pinned(&known, &file::read_text(&files.cert())?) {
            return Ok(known);
        }
        admin.remove_client(name).await?;
    }
    if !has_files {
        issue(node, name, files)?;
    }
    let new = NewClient {
        name: (*name).to_owned(),
        tenant: (*tenant).to_owned(),
        rights: rights.to_vec(),
        trust: NewTrust { kind: Way::Issued, pem: file::read_text(&files.cert())? },
        user: None,
        device: None,
    };
    match admin.add_client(&new).await {
        Ok(client) => Ok(client),
        Err(error) => bail!("making the client {name} known: {error}"),
    }
}

fn issue(node: &Node, name: &str, files: &ClientFiles) -> anyhow::Result<()> {
    file::private_directory(&files.dir)?;
    let authority = node.authority()?;
    let issued = authority.issue(Profile::Client, &Subject::named(name), KeyKind::P256, time::now_s())?;
    certs::write_private_key(&files.key(), &issued.key_pem, Existing::Replace)?;
    certs::write_certificate(&files.cert(), &issued.cert_pem, Existing::Replace)?;
    Ok(certs::write_certificate(&files.ca(), &authority.cert_pem()?, Existing::Replace)?)
}

/// Whether the node knows the client by this certificate.
fn is_pinned(client: &Client, pem: &str) -> bool {
    let plain = |text: &str| text.replace(':', "").to_ascii_lowercase();
    certs::inspect(pem.as_bytes())
        .is_ok_and(|certificate| plain(&certificate.sha256) == plain(&client.trust.sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prepared lab, with the nodes that have yet to join made as if they had.
    fn prepared(dir: &Path, nodes: Option<usize>, port: Option<u16>) -> Prepared {
        let prepared = prepare(dir, nodes, port, None).unwrap();
        for node in prepared.nodes.iter().filter(|node| !node.is_there) {
            Node::create_joining(&node.node.dir, &node.new).unwrap();
            std::fs::write(node.node.data("birth.json"), "{}").unwrap();
        }
        prepared
    }

    fn kept(prepared: &Prepared) -> Vec<Vec<u8>> {
        let first = &prepared.nodes[0].node;
        let secrets = [first.root_key(), first.tls("ca.key"), first.tls("server.pem"), first.tls("node.pem")];
        let configs = prepared.nodes.iter().map(|node| node.node.config());
        secrets.into_iter().chain(configs).map(|path| std::fs::read(path).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_lab_that_is_there_keeps_its_nodes_keys_certificates_and_ports() {
        let dir = tempfile::tempdir().unwrap();
        let first = prepared(dir.path(), None, Some(0));
        assert_eq!(first.nodes.len(), 3);
        let before = kept(&first);
        drop(first);
        let second = prepare(dir.path(), None, None, None).unwrap();
        assert!(second.nodes.iter().all(|node| node.is_there));
        assert_eq!(kept(&second), before);
    }

    #[tokio::test]
    async fn a_lab_grows_and_does_not_shrink() {
        let dir = tempfile::tempdir().unwrap();
        drop(prepared(dir.path(), Some(1), Some(0)));
        let grown = prepared(dir.path(), Some(3), None);
        let there: Vec<_> = grown.nodes.iter().map(|node| node.is_there).collect();
        assert_eq!(there, [true, false, false]);
        drop(grown);
        let error = prepare(dir.path(), Some(1), None, None).unwrap_err().to_string();
        assert!(error.contains("has 3 nodes") && error.contains("hint:"), "{error}");
    }

    #[tokio::test]
    async fn a_node_whose_join_was_broken_off_has_yet_to_join() {
        let dir = tempfile::tempdir().unwrap();
        let first = prepared(dir.path(), None, Some(0));
        std::fs::remove_file(first.nodes[2].node.data("birth.json")).unwrap();
        drop(first);
        let second = prepare(dir.path(), None, None, None).unwrap();
        assert_eq!((second.nodes.len(), second.nodes[2].is_there), (3, false));
    }

    #[tokio::test]
    async fn every_node_has_ports_and_a_source_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let lab = prepare(dir.path(), Some(5), Some(0), None).unwrap();
        let mut ports: Vec<_> = lab
            .nodes
            .iter()
            .flat_map(|node| [node.new.kmip.port(), node.new.admin.port(), node.new.link.listen.port()])
            .chain(lab.links.iter().map(|(known, _)| known.local_addr().unwrap().port()))
            .collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
        for (node, (known, target)) in lab.nodes.iter().zip(&lab.links) {
            assert_eq!(node.new.link.advertise, known.local_addr().unwrap().to_string());
            assert_eq!(node.new.link.listen, *target);
            assert_eq!(node.new.link.source, Some(relay::source(node.number)));
        }
    }

    #[tokio::test]
    async fn other_kmip_ports_are_written_and_links_stay_where_they_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let first = prepared(dir.path(), None, Some(0));
        let links =
            |lab: &Prepared| lab.nodes.iter().map(|node| node.new.link.advertise.clone()).collect::<Vec<_>>();
        let (known, kmip) = (links(&first), first.nodes[1].new.kmip);
        drop(first);
        let second = prepare(dir.path(), None, Some(0), None).unwrap();
        assert_eq!(links(&second), known);
        let settings = second.nodes[1].node.settings().unwrap();
        assert_eq!(settings.kmip.listen, second.nodes[1].new.kmip);
        assert_ne!(settings.kmip.listen, kmip);
    }

    #[tokio::test]
    async fn every_node_shows_a_certificate_for_the_address_of_two_fronts_while_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let vip = Ipv4Addr::new(198, 51, 100, 10);
        drop(prepared(dir.path(), None, Some(0)));
        let names = |vip| {
            let lab = prepare(dir.path(), None, None, vip).unwrap();
            let pem = lab.nodes[0].node.server_pem().unwrap();
            // Only the first of this test has one of its own.
            certs::inspect(pem.as_bytes()).unwrap()
        };
        let (with, again, without) = (names(Some(vip)), names(Some(vip)), names(None));
        assert!(with.is_for(&AltName::Ip(vip.into())) && with.sha256 == again.sha256);
        assert!(!without.is_for(&AltName::Ip(vip.into())) && without.is_for(&"localhost".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_lab_of_before_there_were_clusters_becomes_one() {
        let dir = tempfile::tempdir().unwrap();
        let first = prepared(dir.path(), Some(1), Some(0));
        let node = first.nodes[0].node.clone();
        drop(first);
        let text = std::fs::read_to_string(node.config()).unwrap();
        let (before, rest) = text.split_once("[cluster]").unwrap();
        let (_, after) = rest.split_once("[admin]").unwrap();
        std::fs::write(node.config(), format!("{before}[admin]{after}")).unwrap();
        std::fs::remove_file(node.data("birth.json")).unwrap();
        std::fs::write(node.data("node.json"), "{}").unwrap();
        std::fs::remove_dir_all(node.tls("cluster-ca.pem")).unwrap_or_default();
        prepare(dir.path(), None, None, None).unwrap();
        assert!(node.settings().unwrap().cluster.is_some() && node.tls("cluster-ca.key").is_file());
        assert!(!node.data("birth.json").exists(), "it was born long ago");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named_with_a_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let error = prepare(dir.path(), None, Some(port), None).unwrap_err().to_string();
        assert!(error.contains(&format!("port {port}")) && error.contains("--port"), "{error}");
        assert!(!dir.path().join("node1").exists(), "nothing is made");
    }
}
