//! A front before the lab's nodes: its folder, where it listens, its configuration and its certificates.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use certs::Existing;
use serde::Deserialize;

use super::server::Launch;
use super::setup::{self, Ports};
use crate::front::Folder;
use crate::node::{KMIP_PORT, Node};
use crate::{file, random, time};

/// The configuration's name in the front's folder.
const CONFIG: &str = "front.toml";

/// The socket's name there.
const SOCKET: &str = "admin.sock";

/// The token's name there.
pub(super) const TOKEN: &str = "token";

/// The file for keepalived there.
const TRACK_FILE: &str = "vip";

/// The file there that says where the host of one of two was.
const LAST_HOST: &str = "host";

/// From the first node's KMIP port to the front's, out of the way of nodes that are yet to come.
const PORTS_ABOVE: u16 = 100;

/// From the front's port to its admin port: 5696 and 5699 where it is installed.
const ADMIN_ABOVE: u16 = 3;

/// Where a front of a lab is, and where it listens.
#[derive(Clone, Debug)]
pub(super) struct PreparedFront {
    /// 0 for the only one, else 1 or 2.
    pub(super) number: usize,
    pub(super) dir: PathBuf,
    /// Where it is reached, by clients and for its page.
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
    /// The file for keepalived, where there are two.
    pub(super) track_file: Option<PathBuf>,
}

/// What the lab needs to know of the configuration that it wrote.
#[derive(Deserialize)]
struct Settings {
    front: Listen,
    admin: Listen,
}

#[derive(Deserialize)]
struct Listen {
    listen: SocketAddr,
}

/// Where the front of the lab in `lab` takes orders; the first of two.
pub(super) fn socket_in(lab: &Path) -> PathBuf {
    let only = dir_in(lab).join(SOCKET);
    let first = lab.join("front1").join(SOCKET);
    if !only.exists() && first.exists() { first } else { only }
}

fn dir_in(lab: &Path) -> PathBuf {
    lab.join("front")
}

impl PreparedFront {
    /// Takes the ports: the last ones, else those above the first node's; any free ones where they are taken. Nothing is
    /// written yet.
    pub(super) fn new(
        lab: &Path,
        ports: &mut Ports,
        first: SocketAddr,
        given: Option<u16>,
    ) -> anyhow::Result<Self> {
        let dir = dir_in(lab);
        // A configuration that cannot be read is written anew all the same.
        let text = file::read_text(&dir.join(CONFIG)).ok();
        let last = text.and_then(|text| toml::from_str::<Settings>(&text).ok()).filter(|_| given.is_none());
        let above = |base: u16, by| if given == Some(0) { 0 } else { base.checked_add(by).unwrap_or(0) };
        let (listen, admin) = match last {
            Some(last) => (last.front.listen.port(), last.admin.listen.port()),
            None => {
                let listen = above(first.port(), PORTS_ABOVE);
                (listen, above(listen, ADMIN_ABOVE))
            }
        };
        let mut any = |usual| ports.hold(usual).or_else(|_| ports.hold(0)).context("finding a free port");
        Ok(PreparedFront { number: 0, listen: any(listen)?, admin: any(admin)?, dir, track_file: None })
    }

    /// One of two, 1 or 2, on a host of its own with this address.
    pub(super) fn of_two(lab: &Path, number: usize, host: Ipv4Addr) -> Self {
        let dir = lab.join(format!("front{number}"));
        let at = |port| SocketAddr::from((host, port));
        let track_file = Some(dir.join(TRACK_FILE));
        PreparedFront { number, listen: at(KMIP_PORT), admin: at(KMIP_PORT + ADMIN_ABOVE), dir, track_file }
    }

    /// The address of one of two in the lab's last run.
    pub(super) fn last_host(lab: &Path) -> Option<Ipv4Addr> {
        let text = file::read_text(&lab.join("front1").join(LAST_HOST)).ok()?;
        text.trim().parse().ok()
    }

    /// How it is started.
    pub(super) fn launch(&self, program: PathBuf) -> Launch {
        Launch::daemon(program, self.dir.clone(), self.dir.join(CONFIG), self.dir.join("server.log"))
    }

    /// Where it takes orders.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join(SOCKET)
    }

    /// The file with what its page asks of who drains a node.
    pub(super) fn token(&self) -> PathBuf {
        self.dir.join(TOKEN)
    }

    /// Writes its certificates, a token, and its configuration. `node` is the first, which has the cluster's authority; the nodes
    /// are reached at these addresses, by number.
    pub(super) fn write(&self, node: &Node, nodes: &[SocketAddr]) -> anyhow::Result<()> {
        file::private_directory(&self.dir)?;
        let name = match self.number {
            0 => "lab".to_owned(),
            number => format!("lab{number}"),
        };
        Folder::issue(node, &name, time::now_s())?.write_over(&self.dir)?;
        let write = |name: &str, text: String| {
            file::write(&self.dir.join(name), text.as_bytes(), file::PUBLIC, Existing::Replace)
        };
        // As before where there is one: whoever has the page open goes on.
        if !self.token().exists() {
            file::write(&self.token(), random::line()?.as_bytes(), file::PRIVATE, Existing::Refuse)?;
        }
        if self.track_file.is_some() {
            write(LAST_HOST, format!("{}\n", self.listen.ip()))?;
        }
        write(CONFIG, self.config(nodes))
    }

    fn config(&self, nodes: &[SocketAddr]) -> String {
        let nodes: String =
            (1..).zip(nodes).map(|(number, at)| format!("{} = \"{at}\"\n", setup::name_of(number))).collect();
        // The address of two comes and goes, so each listens on all of its host.
        let (listen, admin, track_file) = match &self.track_file {
            None => (self.listen, self.admin, String::new()),
            Some(_) => {
                let any = |at: SocketAddr| SocketAddr::from((Ipv4Addr::UNSPECIFIED, at.port()));
                (any(self.listen), any(self.admin), format!("track_file = \"{TRACK_FILE}\"\n"))
            }
        };
        format!(
            r#"# Configuration of the lab's front, written anew at each start of the lab.
# Every key with its default: health-proxy --config-reference

[front]
listen = "{listen}"
mode = "replay"
{track_file}
[nodes]
{nodes}
[replay]
certificate = "server.pem"
key = "server-key.pem"
link_certificate = "link.pem"
link_key = "link-key.pem"
link_ca = "cluster-ca.pem"

[limits]
# A lab is ended by hand: nobody waits for its clients.
drain_timeout_ms = 500

[admin]
listen = "{admin}"
socket = "{SOCKET}"
token_file = "{TOKEN}"
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(dir: &Path, given: Option<u16>) -> (PreparedFront, setup::Prepared) {
        let mut lab = setup::prepare(dir, Some(1), Some(0), None).unwrap();
        let first = lab.nodes[0].new.kmip;
        (PreparedFront::new(dir, &mut lab.ports, first, given).unwrap(), lab)
    }

    #[tokio::test]
    async fn the_front_keeps_its_ports_and_names_every_node() {
        let dir = tempfile::tempdir().unwrap();
        let (first, lab) = prepared(dir.path(), None);
        assert_ne!(first.listen, first.admin);
        let nodes: Vec<_> = lab.nodes.iter().map(|node| node.new.link.listen).collect();
        let text = first.config(&nodes);
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["nodes"]["node1"].as_str(), Some(lab.nodes[0].new.link.listen.to_string().as_str()));
        drop(lab);
        std::fs::create_dir(&first.dir).unwrap();
        std::fs::write(first.dir.join(CONFIG), text).unwrap();
        let (second, lab) = prepared(dir.path(), None);
        assert_eq!((second.listen, second.admin), (first.listen, first.admin));
        drop(lab);
        let (other, _lab) = prepared(dir.path(), Some(0));
        assert_ne!(other.listen, first.listen, "other ports were asked for");
    }

    #[test]
    fn one_of_two_listens_wherever_its_host_is_reached_and_tells_keepalived() {
        let host = Ipv4Addr::new(198, 51, 100, 22);
        let front = PreparedFront::of_two(Path::new("/lab"), 2, host);
        let text = front.config(&[SocketAddr::from(([198, 51, 100, 1], 7))]);
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["front"]["listen"].as_str(), Some("0.0.0.0:5696"));
        assert_eq!(table["front"]["track_file"].as_str(), Some("vip"));
        assert_eq!(front.track_file.as_deref(), Some(Path::new("/lab/front2/vip")));
        assert_eq!((front.listen.ip(), front.admin.to_string()), (host.into(), "198.51.100.22:5699".into()));
    }
}
