//! The front before the lab's nodes: its folder, its ports, its configuration and its certificates.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use certs::Existing;
use serde::Deserialize;

use super::server::Launch;
use super::setup::{self, Ports, PreparedNode};
use crate::front::Folder;
use crate::node::Node;
use crate::{file, time};

/// The configuration's name in the front's folder.
const CONFIG: &str = "front.toml";

/// The socket's name there.
const SOCKET: &str = "admin.sock";

/// From the first node's KMIP port to the front's, out of the way of nodes that are yet to come.
const PORTS_ABOVE: u16 = 100;

/// From the front's port to its admin port: 5696 and 5699 where it is installed.
const ADMIN_ABOVE: u16 = 3;

/// Where the front of a lab is, and where it listens.
#[derive(Clone, Debug)]
pub(super) struct PreparedFront {
    pub(super) dir: PathBuf,
    /// Where clients connect.
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
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

/// Where the front of the lab in `lab` takes orders.
pub(super) fn socket_in(lab: &Path) -> PathBuf {
    dir_in(lab).join(SOCKET)
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
        Ok(PreparedFront { listen: any(listen)?, admin: any(admin)?, dir })
    }

    /// How it is started.
    pub(super) fn launch(&self, program: PathBuf) -> Launch {
        Launch {
            program,
            dir: self.dir.clone(),
            config: self.dir.join(CONFIG),
            log: self.dir.join("server.log"),
        }
    }

    /// Where it takes orders.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join(SOCKET)
    }

    /// Writes its certificates, and its configuration. `node` is the first, which has the cluster's authority.
    pub(super) fn write<'a>(
        &self,
        node: &Node,
        nodes: impl Iterator<Item = &'a PreparedNode>,
    ) -> anyhow::Result<()> {
        file::private_directory(&self.dir)?;
        Folder::issue(node, "lab", time::now_s())?.write_over(&self.dir)?;
        let text = self.config(nodes);
        file::write(&self.dir.join(CONFIG), text.as_bytes(), file::PUBLIC, Existing::Replace)
    }

    fn config<'a>(&self, nodes: impl Iterator<Item = &'a PreparedNode>) -> String {
        let nodes: String = nodes
            .map(|node| format!("{} = \"{}\"\n", setup::name_of(node.number), node.new.link.listen))
            .collect();
        let PreparedFront { listen, admin, .. } = self;
        format!(
            r#"# Configuration of the lab's front, written anew at each start of the lab.
# Every key with its default: health-proxy --config-reference

[front]
listen = "{listen}"
mode = "replay"

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
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(dir: &Path, given: Option<u16>) -> (PreparedFront, setup::Prepared) {
        let mut lab = setup::prepare(dir, Some(1), Some(0)).unwrap();
        let first = lab.nodes[0].new.kmip;
        (PreparedFront::new(dir, &mut lab.ports, first, given).unwrap(), lab)
    }

    #[tokio::test]
    async fn the_front_keeps_its_ports_and_names_every_node() {
        let dir = tempfile::tempdir().unwrap();
        let (first, lab) = prepared(dir.path(), None);
        assert_ne!(first.listen, first.admin);
        let text = first.config(lab.nodes.iter());
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
}
