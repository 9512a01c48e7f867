//! A node's directory: what lies where and how it is found. How a new one is made is in `create`.

mod create;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use certs::{AltName, Authority};
use serde::Deserialize;
use zeroize::Zeroizing;

pub(crate) use create::{LINK_KEY_KIND, NewLink, NewNode, Shown};

use crate::admin::Admin;
use crate::{address, file};

/// The configuration's name in a node's directory.
const CONFIG: &str = "kms-server.toml";

/// Where an installed node lies.
const INSTALLED: &str = "/etc/kms-server";

/// Where `kms lab` lies without --dir.
pub(crate) const LAB: &str = "kms-lab";

/// Which node a command is for.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The node's directory [default: ./kms-lab/node1, else /etc/kms-server]
    #[arg(long, env = "KMS_NODE", value_name = "DIR", hide_env_values = true)]
    node: Option<PathBuf>,
}

impl Which {
    /// The node's operator API.
    pub(crate) fn admin(&self) -> anyhow::Result<Admin> {
        Ok(Admin::at(&self.find()?.socket()?))
    }

    /// Finds the node. A lab's directory stands for its first node.
    pub(crate) fn find(&self) -> anyhow::Result<Node> {
        let has_node = |dir: &Path| dir.join(CONFIG).is_file();
        if let Some(dir) = &self.node {
            let candidates = [dir.clone(), dir.join("node1")];
            return match candidates.into_iter().find(|dir| has_node(dir)) {
                Some(dir) => Ok(Node { dir }),
                None => bail!(
                    "no node in {}: there is no {CONFIG}. hint: name the directory that kms init or kms lab made",
                    dir.display()
                ),
            };
        }
        let candidates = [Path::new(LAB).join("node1"), PathBuf::from(INSTALLED), PathBuf::from(".")];
        match candidates.into_iter().find(|dir| has_node(dir)) {
            Some(dir) => Ok(Node { dir }),
            None => bail!(
                "no node here: neither ./{LAB}/node1 nor {INSTALLED} holds a {CONFIG}. hint: name it with --node DIR or KMS_NODE, or start one with kms lab"
            ),
        }
    }
}

/// A node's directory.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The directory.
    pub(crate) dir: PathBuf,
}

/// What this command needs to know of a node's configuration.
#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    pub(crate) node: NodeSettings,
    pub(crate) kmip: KmipSettings,
    #[serde(default)]
    pub(crate) admin: AdminSettings,
    /// Not there in the configuration of a node that stands alone.
    #[serde(default)]
    pub(crate) cluster: Option<ClusterSettings>,
}

/// `[node]`.
#[derive(Debug, Deserialize)]
pub(crate) struct NodeSettings {
    pub(crate) data_dir: PathBuf,
}

/// `[kmip]`.
#[derive(Debug, Deserialize)]
pub(crate) struct KmipSettings {
    #[serde(default = "kmip_listen")]
    pub(crate) listen: SocketAddr,
    pub(crate) certificate: PathBuf,
    #[serde(default)]
    pub(crate) key: Option<PathBuf>,
    #[serde(default)]
    pub(crate) ca: Option<PathBuf>,
}

/// `[admin]`.
#[derive(Debug, Deserialize)]
pub(crate) struct AdminSettings {
    #[serde(default = "admin_listen")]
    pub(crate) listen: SocketAddr,
}

impl Default for AdminSettings {
    fn default() -> Self {
        AdminSettings { listen: admin_listen() }
    }
}

/// `[cluster]`.
#[derive(Debug, Deserialize)]
pub(crate) struct ClusterSettings {
    #[serde(default = "link_listen")]
    pub(crate) listen: SocketAddr,
    pub(crate) advertise: String,
    #[serde(default)]
    pub(crate) ca: Option<PathBuf>,
    #[serde(default)]
    pub(crate) ca_key: Option<PathBuf>,
}

/// KMIP's port (IANA).
pub(crate) const KMIP_PORT: u16 = 5696;
/// The port of the links between nodes.
pub(crate) const LINK_PORT: u16 = 5697;
/// The admin port.
pub(crate) const ADMIN_PORT: u16 = 5698;

/// `[kmip] listen` when it is not set.
pub(crate) fn kmip_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], KMIP_PORT))
}

/// `[cluster] listen` when it is not set.
pub(crate) fn link_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], LINK_PORT))
}

/// `[admin] listen` when it is not set.
pub(crate) fn admin_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], ADMIN_PORT))
}

impl Node {
    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join(CONFIG)
    }

    /// The key that all others are sealed under.
    pub(crate) fn root_key(&self) -> PathBuf {
        self.dir.join("root.key")
    }

    /// The server's own lines, where the lab starts it.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// Its data directory, where nobody changed the configuration's.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.dir.join("data").join(name)
    }

    /// A file of the TLS directory.
    pub(crate) fn tls(&self, name: &str) -> PathBuf {
        self.dir.join("tls").join(name)
    }

    /// Reads the configuration as far as this command needs it; the server checks the rest.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let path = self.config();
        toml::from_str(&file::read_text(&path)?).with_context(|| {
            format!("{} is not understood. hint: kms-server --config FILE --check-config", path.display())
        })
    }

    /// The operator's socket. Relative paths in a configuration start at its directory.
    pub(crate) fn socket(&self) -> anyhow::Result<PathBuf> {
        Ok(self.dir.join(self.settings()?.node.data_dir).join("admin.sock"))
    }

    /// The chain that the server shows, leaf first, PEM.
    pub(crate) fn server_pem(&self) -> anyhow::Result<String> {
        file::read_text(&self.dir.join(self.settings()?.kmip.certificate))
    }

    /// The private key of that chain, PEM.
    pub(crate) fn server_key_pem(&self) -> anyhow::Result<Zeroizing<String>> {
        let path = self.settings()?.kmip.key.map_or_else(|| self.tls("server.key"), |key| self.dir.join(key));
        read_secret(&path, "the server's private key")
    }

    /// The cluster's own authority with its key, and the file of its certificate as the node has it, PEM: more than one
    /// while it is exchanged, the one that signs first. Every node of a cluster has both.
    pub(crate) fn cluster_authority(&self) -> anyhow::Result<(Authority, String)> {
        let Some(cluster) = self.settings()?.cluster else {
            bail!(
                "{} has no [cluster]: this node stands alone, and no cluster's CA is here that could sign. hint: name a node of a cluster with --node DIR, or make this one a cluster of one: docs/cluster.md, From a lone node",
                self.config().display()
            );
        };
        let ca = cluster.ca.map_or_else(|| self.tls("cluster-ca.pem"), |ca| self.dir.join(ca));
        let key = cluster.ca_key.map_or_else(|| self.tls("cluster-ca.key"), |key| self.dir.join(key));
        let key_pem = read_secret(&key, "the key of the cluster's CA")?;
        let ca_pem = file::read_text(&ca).context("reading the certificate of the cluster's CA")?;
        let authority = Authority::load(&ca_pem, &key_pem).with_context(|| {
            format!("loading the cluster's CA from {} and {}", ca.display(), key.display())
        })?;
        Ok((authority, ca_pem))
    }

    /// The authority's certificate that clients are given, PEM.
    pub(crate) fn ca_pem(&self) -> anyhow::Result<String> {
        let path = self.settings()?.kmip.ca.map_or_else(|| self.tls("ca.pem"), |ca| self.dir.join(ca));
        file::read_text(&path)
    }

    /// The authority with its key, to issue and sign.
    pub(crate) fn authority(&self) -> anyhow::Result<Authority> {
        let key = self.tls("ca.key");
        if !key.exists() {
            bail!(
                "{} is not there, and without it no certificate can be issued or signed. hint: run this on the node that was set up first, or trust the client's own certificate with --cert or --ca",
                key.display()
            );
        }
        let key_pem = Zeroizing::new(file::read_text(&key)?);
        Ok(Authority::load(&file::read_text(&self.tls("ca.pem"))?, &key_pem)?)
    }
}

/// Reads a node's secret file. The hint is for who may not, and for who looks on the wrong node.
fn read_secret(path: &Path, what: &str) -> anyhow::Result<Zeroizing<String>> {
    file::read_text(path).map(Zeroizing::new).map_err(|error| {
        let hint = match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::PermissionDenied) => "run this as root, or as the user of the node's server",
            Some(io::ErrorKind::NotFound) => "run this on another node of the cluster: each has it",
            _ => "kms-server --config FILE --check-config looks at all files of a node",
        };
        error.context(format!("reading {what}. hint: {hint}"))
    })
}

/// The address that clients connect to: the first of the certificate's that other machines can reach.
pub(crate) fn public_address(server_pem: &str, port: u16) -> anyhow::Result<String> {
    let names = certs::inspect(server_pem.as_bytes())?.alt_names;
    let is_local = |name: &&AltName| match name {
        AltName::Ip(address) => address.is_loopback(),
        AltName::Dns(name) => name.as_str() == "localhost" || name.starts_with("*."),
    };
    let name = names.iter().find(|name| !is_local(name)).or(names.first());
    let name = name.context("the server certificate names no address. hint: give --address")?;
    Ok(address::join(&name.to_string(), port))
}

/// The same of a certificate that may not be there or not be understood.
pub(crate) fn public_address_of(server_pem: Option<&str>, port: u16) -> Option<String> {
    public_address(server_pem?, port).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_node_is_said_to_be_so() {
        let dir = tempfile::tempdir().unwrap();
        let which = Which { node: Some(dir.path().to_owned()) };
        assert!(which.find().unwrap_err().to_string().contains("no node in"));
    }
}
