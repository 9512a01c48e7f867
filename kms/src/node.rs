//! A node's directory: what lies where, how it is found, and how a new one is made.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use certs::{AltName, Authority, Existing, KeyKind, Profile, Subject};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::admin::Admin;
use crate::{config, file, time};

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

/// KMIP's port (IANA).
pub(crate) const KMIP_PORT: u16 = 5696;
/// The admin port.
pub(crate) const ADMIN_PORT: u16 = 5698;

/// `[kmip] listen` when it is not set.
pub(crate) fn kmip_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], KMIP_PORT))
}

/// `[admin] listen` when it is not set.
pub(crate) fn admin_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], ADMIN_PORT))
}

/// A node to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewNode {
    /// Its name in logs.
    pub(crate) name: String,
    /// The addresses and names its certificate is for.
    pub(crate) addresses: Vec<AltName>,
    /// Where it listens for KMIP.
    pub(crate) kmip: SocketAddr,
    /// Where it listens for health checks.
    pub(crate) admin: SocketAddr,
    /// Its keys.
    pub(crate) key_kind: KeyKind,
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

    /// Makes the directory of a new node: authority, server certificate, root key, and last the configuration, so that
    /// a node whose configuration is there is whole. Keeps and refuses what is there.
    pub(crate) fn create(dir: &Path, new: &NewNode) -> anyhow::Result<Self> {
        let node = Node { dir: dir.to_owned() };
        let kept = [node.config(), node.root_key(), node.tls("ca.key"), node.dir.join("data")];
        if let Some(path) = kept.iter().find(|path| path.exists()) {
            bail!(
                "{} is there already and is kept. hint: a node's keys are in this directory; choose another one, or move it away",
                path.display()
            );
        }
        for directory in [node.dir.clone(), node.tls(""), node.dir.join("data")] {
            file::private_directory(&directory)?;
        }
        let now = time::now_s();
        let authority = Authority::create(
            &format!("KMS CA of {}", new.name),
            new.key_kind,
            now,
            Profile::Authority.days(),
        )?;
        let subject = Subject { common_name: common_name(new), alt_names: new.addresses.clone() };
        let server = authority.issue(Profile::Server, &subject, new.key_kind, now)?;
        let ca_pem = authority.cert_pem()?;
        certs::write_private_key(&node.tls("ca.key"), &authority.key_pem()?, Existing::Refuse)?;
        certs::write_certificate(&node.tls("ca.pem"), &ca_pem, Existing::Refuse)?;
        certs::write_private_key(&node.tls("server.key"), &server.key_pem, Existing::Refuse)?;
        let chain = format!("{}{ca_pem}", server.cert_pem);
        certs::write_certificate(&node.tls("server.pem"), &chain, Existing::Refuse)?;
        file::write(&node.root_key(), root_key()?.as_bytes(), file::PRIVATE, Existing::Refuse)?;
        file::write(&node.config(), config::text(new).as_bytes(), file::PUBLIC, Existing::Refuse)?;
        Ok(node)
    }
}

/// The first address stands for the server where only one name fits.
fn common_name(new: &NewNode) -> String {
    let first = new.addresses.first().map(AltName::to_string);
    first.filter(|name| name.len() <= certs::COMMON_NAME_CHARS_MAX).unwrap_or_else(|| new.name.clone())
}

/// 32 random bytes as 64 hex characters and a line end.
fn root_key() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut *bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    text.push_str(&Zeroizing::new(hex::encode(bytes.as_slice())));
    text.push('\n');
    Ok(text)
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
    Ok(match name {
        AltName::Ip(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        AltName::Ip(IpAddr::V4(address)) => format!("{address}:{port}"),
        AltName::Dns(name) => format!("{name}:{port}"),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn new() -> NewNode {
        NewNode {
            name: "node1".into(),
            addresses: vec![
                AltName::Ip([127, 0, 0, 1].into()),
                AltName::Dns("kms.example.test".into()),
                AltName::Ip([192, 0, 2, 7].into()),
            ],
            kmip: kmip_listen(),
            admin: admin_listen(),
            key_kind: KeyKind::P256,
        }
    }

    #[test]
    fn a_new_node_is_whole_and_its_secrets_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::create(&dir.path().join("node1"), &new()).unwrap();
        for secret in [node.root_key(), node.tls("ca.key"), node.tls("server.key")] {
            let mode = std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", secret.display());
        }
        let root_key = std::fs::read_to_string(node.root_key()).unwrap();
        assert_eq!((root_key.len(), hex::decode(root_key.trim_end()).unwrap().len()), (65, 32));
        assert_eq!(node.socket().unwrap(), node.dir.join("data/admin.sock"));
        assert_eq!(certs::certificates_from_pem(&node.server_pem().unwrap()).unwrap().len(), 2);
        node.authority().unwrap();
    }

    #[test]
    fn a_node_that_is_there_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::create(dir.path(), &new()).unwrap();
        let before = std::fs::read(node.root_key()).unwrap();
        let error = Node::create(dir.path(), &new()).unwrap_err().to_string();
        assert!(error.contains("is kept"), "{error}");
        assert_eq!(std::fs::read(node.root_key()).unwrap(), before);
    }

    #[test]
    fn clients_are_sent_to_an_address_that_others_can_reach() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::create(dir.path(), &new()).unwrap();
        assert_eq!(public_address(&node.server_pem().unwrap(), 5696).unwrap(), "kms.example.test:5696");
    }

    #[test]
    fn a_directory_without_a_node_is_said_to_be_so() {
        let dir = tempfile::tempdir().unwrap();
        let which = Which { node: Some(dir.path().to_owned()) };
        assert!(which.find().unwrap_err().to_string().contains("no node in"));
    }
}
