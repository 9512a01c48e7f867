//! How a node's directory comes to be: whole for the first of a cluster, all but its secrets for one that joins.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::bail;
use certs::{AltName, Authority, Existing, KeyKind, Profile, Subject};

use super::Node;
use crate::{address, config, file, random, time};

/// What the configuration of a new node says.
#[derive(Clone, Debug)]
pub(crate) struct NewNode {
    /// Its name in logs.
    pub(crate) name: String,
    /// Where it listens for KMIP.
    pub(crate) kmip: SocketAddr,
    /// Where it listens for health checks.
    pub(crate) admin: SocketAddr,
    /// Its links with other nodes.
    pub(crate) link: NewLink,
}

/// How the nodes of a cluster reach a new one.
#[derive(Clone, Debug)]
pub(crate) struct NewLink {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// What the others are told: host and port.
    pub(crate) advertise: String,
    /// The address that its own links start from; none is the system's choice.
    pub(crate) source: Option<IpAddr>,
}

/// The certificate that clients see.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The addresses and names it is for; the first is the one that clients are told.
    pub(crate) addresses: Vec<AltName>,
    /// The kind of its key and of its authority's.
    pub(crate) key_kind: KeyKind,
}

/// The name of a cluster's authority.
const CLUSTER_AUTHORITY: &str = "kms cluster";

/// Keys that only nodes and fronts of one version see: the cheapest kind.
pub(crate) const LINK_KEY_KIND: KeyKind = KeyKind::P256;

/// The first node's number. Others are given theirs when they join.
const FIRST_NUMBER: u64 = 1;

impl Node {
    /// Makes the directory of a cluster's first node: authorities, certificates, root key, and last the configuration,
    /// so that a node whose configuration is there is whole. Keeps and refuses what is there.
    pub(crate) fn create(dir: &Path, new: &NewNode, shown: &Shown) -> anyhow::Result<Self> {
        let node = Node { dir: dir.to_owned() };
        let kept = [node.config(), node.root_key(), node.tls("ca.key"), node.data("")];
        if let Some(path) = kept.iter().find(|path| path.exists()) {
            bail!(
                "{} is there already and is kept. hint: a node's keys are in this directory; choose another one, or move it away",
                path.display()
            );
        }
        node.make_directories()?;
        let now = time::now_s();
        let authority = Authority::create(
            &format!("KMS CA of {}", new.name),
            shown.key_kind,
            now,
            Profile::Authority.days(),
        )?;
        let subject = Subject { common_name: common_name(new, shown), alt_names: shown.addresses.clone() };
        let server = authority.issue(Profile::Server, &subject, shown.key_kind, now)?;
        let ca_pem = authority.cert_pem()?;
        certs::write_private_key(&node.tls("ca.key"), &authority.key_pem()?, Existing::Refuse)?;
        certs::write_certificate(&node.tls("ca.pem"), &ca_pem, Existing::Refuse)?;
        certs::write_private_key(&node.tls("server.key"), &server.key_pem, Existing::Refuse)?;
        let chain = format!("{}{ca_pem}", server.cert_pem);
        certs::write_certificate(&node.tls("server.pem"), &chain, Existing::Refuse)?;
        node.found_cluster(&new.link.advertise)?;
        file::write(&node.root_key(), random::line()?.as_bytes(), file::PRIVATE, Existing::Refuse)?;
        file::write(&node.config(), config::text(new).as_bytes(), file::PUBLIC, Existing::Refuse)?;
        Ok(node)
    }

    /// Makes the authority of a cluster and the certificate of its first node, and has the data directory be born as
    /// that node's where it is empty. Replaces what an attempt that was broken off left.
    pub(crate) fn found_cluster(&self, advertise: &str) -> anyhow::Result<()> {
        let now = time::now_s();
        let authority = Authority::create(CLUSTER_AUTHORITY, LINK_KEY_KIND, now, Profile::Authority.days())?;
        let (host, _) = address::split(advertise, super::LINK_PORT)?;
        let subject = Subject { common_name: format!("node-{FIRST_NUMBER}"), alt_names: vec![host.parse()?] };
        let issued = authority.issue(Profile::Node, &subject, LINK_KEY_KIND, now)?;
        let ca_pem = authority.cert_pem()?;
        let chain = format!("{}{ca_pem}", issued.cert_pem);
        certs::write_private_key(&self.tls("cluster-ca.key"), &authority.key_pem()?, Existing::Replace)?;
        certs::write_certificate(&self.tls("cluster-ca.pem"), &ca_pem, Existing::Replace)?;
        certs::write_private_key(&self.tls("node.key"), &issued.key_pem, Existing::Replace)?;
        certs::write_certificate(&self.tls("node.pem"), &chain, Existing::Replace)?;
        if self.data("node.json").exists() {
            return Ok(());
        }
        // An empty directory without it would be taken for a lost disk, and refused.
        let birth = serde_json::json!({ "number": FIRST_NUMBER, "founds": true }).to_string();
        file::write(&self.data("birth.json"), birth.as_bytes(), file::PRIVATE, Existing::Replace)
    }

    /// Makes what a joining node has before it joins: directories and the configuration. Keeps and refuses a node that
    /// is there; what a join that was broken off left is replaced.
    pub(crate) fn create_joining(dir: &Path, new: &NewNode) -> anyhow::Result<Self> {
        let node = Node { dir: dir.to_owned() };
        let kept = [node.root_key(), node.data("birth.json"), node.data("node.json"), node.tls("server.key")];
        if let Some(path) = kept.iter().find(|path| path.exists()) {
            bail!(
                "{} is there already and is kept: a node has its keys in this directory. hint: choose another one, or move it away",
                path.display()
            );
        }
        node.make_directories()?;
        file::write(&node.config(), config::text(new).as_bytes(), file::PUBLIC, Existing::Replace)?;
        Ok(node)
    }

    fn make_directories(&self) -> anyhow::Result<()> {
        [self.dir.clone(), self.tls(""), self.data("")]
            .iter()
            .try_for_each(|path| file::private_directory(path))
    }
}

/// The first address stands for the server where only one name fits.
fn common_name(new: &NewNode, shown: &Shown) -> String {
    let first = shown.addresses.first().map(AltName::to_string);
    first.filter(|name| name.len() <= certs::COMMON_NAME_CHARS_MAX).unwrap_or_else(|| new.name.clone())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::super::{admin_listen, kmip_listen, link_listen, public_address};
    use super::*;

    fn new() -> NewNode {
        NewNode {
            name: "node1".into(),
            kmip: kmip_listen(),
            admin: admin_listen(),
            link: NewLink { listen: link_listen(), advertise: "192.0.2.7:5697".into(), source: None },
        }
    }

    fn shown() -> Shown {
        Shown {
            addresses: vec![
                AltName::Ip([127, 0, 0, 1].into()),
                AltName::Dns("kms.example.test".into()),
                AltName::Ip([192, 0, 2, 7].into()),
            ],
            key_kind: KeyKind::P256,
        }
    }

    fn mode(path: &PathBuf) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_node_is_whole_and_its_secrets_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::create(&dir.path().join("node1"), &new(), &shown()).unwrap();
        let keys = ["ca.key", "server.key", "cluster-ca.key", "node.key"].map(|name| node.tls(name));
        for secret in keys.iter().chain([&node.root_key(), &node.data("birth.json")]) {
            assert_eq!(mode(secret), 0o600, "{}", secret.display());
        }
        assert_eq!(mode(&node.data("")), 0o700);
        let root_key = std::fs::read_to_string(node.root_key()).unwrap();
        assert_eq!((root_key.len(), hex::decode(root_key.trim_end()).unwrap().len()), (65, 32));
        assert_eq!(node.socket().unwrap(), node.dir.join("data/admin.sock"));
        assert_eq!(certs::certificates_from_pem(&node.server_pem().unwrap()).unwrap().len(), 2);
        node.authority().unwrap();
    }

    #[test]
    fn a_new_node_founds_a_cluster_with_an_authority_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::create(dir.path().join("node1").as_path(), &new(), &shown()).unwrap();
        let birth: serde_json::Value =
            serde_json::from_slice(&std::fs::read(node.data("birth.json")).unwrap()).unwrap();
        assert_eq!(birth, serde_json::json!({ "number": 1, "founds": true }));
        let chain = std::fs::read_to_string(node.tls("node.pem")).unwrap();
        assert_eq!(certs::certificates_from_pem(&chain).unwrap().len(), 2, "leaf and authority");
        let leaf = certs::inspect(chain.as_bytes()).unwrap();
        assert_eq!((leaf.subject.as_str(), leaf.issuer.as_str()), ("CN=node-1", "CN=kms cluster"));
        assert!(leaf.is_for(&AltName::Ip([192, 0, 2, 7].into())));
        let settings = node.settings().unwrap().cluster.unwrap();
        assert_eq!((settings.listen, settings.advertise.as_str()), (link_listen(), "192.0.2.7:5697"));
    }

    #[test]
    fn a_node_that_is_there_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::create(dir.path(), &new(), &shown()).unwrap();
        let before = std::fs::read(node.root_key()).unwrap();
        let again = Node::create(dir.path(), &new(), &shown()).unwrap_err().to_string();
        let joining = Node::create_joining(dir.path(), &new()).unwrap_err().to_string();
        assert!(again.contains("is kept") && joining.contains("is kept"), "{again} {joining}");
        assert_eq!(std::fs::read(node.root_key()).unwrap(), before);
    }

    #[test]
    fn a_joining_node_has_a_configuration_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        for _ in ["a first join", "one after it was broken off"] {
            let node = Node::create_joining(dir.path(), &new()).unwrap();
            assert_eq!(node.settings().unwrap().cluster.unwrap().advertise, "192.0.2.7:5697");
            let made: Vec<_> =
                [node.tls(""), node.data("")].iter().flat_map(|dir| dir.read_dir().unwrap()).collect();
            assert!(made.is_empty(), "{made:?}");
        }
    }

    #[test]
    fn clients_are_sent_to_an_address_that_others_can_reach() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::create(dir.path(), &new(), &shown()).unwrap();
        assert_eq!(public_address(&node.server_pem().unwrap(), 5696).unwrap(), "kms.example.test:5696");
    }
}
