//! The laboratory: its directory, its authority, its nodes and clients.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use certs::{AltName, Authority, Existing, Issued, KeyKind, Profile, Subject};
use kmip::client::ClientConfig;
use tempfile::TempDir;

use crate::{LabClient, NewClient, NodeHandle};

/// The client that is there from the beginning, and its tenant.
const CLIENT: &str = "vc01";

/// What a laboratory is to be.
#[derive(Debug)]
pub struct Builder {
    nodes: usize,
    dir: Option<PathBuf>,
    settings: BTreeMap<(String, String), String>,
}

/// Running nodes, all with one authority and one server certificate, and clients that each of them knows.
#[derive(Debug)]
pub struct Lab {
    // Before the directory: servers end before their files go.
    nodes: Vec<NodeHandle>,
    dir: PathBuf,
    authority: Authority,
    ca_pem: String,
    client: LabClient,
    _temporary: Option<TempDir>,
}

impl Builder {
    /// Nodes, 1 at least; default 1. Each has a log of its own until nodes are joined.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Keeps everything in `dir`, which must be empty or absent; default: a temporary directory that goes with the
    /// laboratory.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// A key of every node's configuration, such as `("snapshot", "every_entries", "50")`; `value` is TOML, so a text
    /// has its quotes.
    pub fn set(mut self, section: &str, key: &str, value: impl Into<String>) -> Self {
        self.settings.insert((section.to_owned(), key.to_owned()), value.into());
        self
    }

    /// A key of `[limits]`.
    pub fn limit(self, key: &str, value: u64) -> Self {
        self.set("limits", key, value.to_string())
    }

    /// Makes all files, starts the nodes, and registers the default client, which has every right. Panics when
    /// anything of it fails.
    pub async fn start(self) -> Lab {
        let temporary = self.dir.is_none().then(|| tempfile::tempdir().unwrap());
        let dir = match (&self.dir, &temporary) {
            (Some(dir), _) => dir.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => unreachable!("one of the two is set"),
        };
        let authority =
            Authority::create("Lab CA", KeyKind::P256, crate::now_s(), Profile::Authority.days()).unwrap();
        let ca_pem = authority.cert_pem().unwrap();
        let server = server_certificate(&authority);
        let nodes: Vec<_> = (1..=self.nodes)
            .map(|number| {
                let name = format!("node{number}");
                let node_dir = dir.join(&name);
                write_node(&node_dir, &authority, &ca_pem, &server);
                NodeHandle::make(node_dir, name, &self.settings)
            })
            .collect();
        let new = NewClient::named(CLIENT);
        let (client, trusted) = new.make(&authority, &ca_pem);
        let lab = Lab { nodes, dir, authority, ca_pem, client, _temporary: temporary };
        for node in &lab.nodes {
            let started = node.start().await;
            started.unwrap_or_else(|refused| panic!("{} does not start: {refused}", node.name));
        }
        lab.register(&new, &trusted).await;
        lab
    }
}

impl Lab {
    /// One node with all defaults.
    pub async fn start() -> Lab {
        Lab::builder().start().await
    }

    /// A laboratory with other than the defaults.
    pub fn builder() -> Builder {
        Builder { nodes: 1, dir: None, settings: BTreeMap::new() }
    }

    /// A node, from 0. Panics when there are fewer.
    pub fn node(&self, index: usize) -> &NodeHandle {
        &self.nodes[index]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[NodeHandle] {
        &self.nodes
    }

    /// The directory with all nodes' directories.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The authority of the server certificate and of issued clients.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The authority's certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The default client, vc01, which has every right in the tenant vc01.
    pub fn client(&self) -> &LabClient {
        &self.client
    }

    /// The default client's configuration for the first node.
    pub fn client_config(&self) -> ClientConfig {
        self.config_of(&self.client)
    }

    /// A client's configuration for the first node.
    pub fn config_of(&self, client: &LabClient) -> ClientConfig {
        client.config(self.nodes[0].kmip_address.to_string())
    }

    /// Makes a client and registers it with every node. Panics when a node refuses it.
    pub async fn add_client(&self, new: NewClient) -> LabClient {
        let (client, trusted) = new.make(&self.authority, &self.ca_pem);
        self.register(&new, &trusted).await;
        client
    }

    /// A client that no node knows: everything is made and nobody told.
    pub fn stranger(&self, new: NewClient) -> LabClient {
        new.make(&self.authority, &self.ca_pem).0
    }

    /// Puts a new server certificate of the same authority into every node's files; the servers take it on SIGHUP or
    /// at their next start. Returns it, PEM.
    pub fn renew_server_certificate(&self) -> String {
        let server = server_certificate(&self.authority);
        for node in &self.nodes {
            write_server_certificate(&node.dir, &self.ca_pem, &server);
        }
        server.cert_pem
    }

    async fn register(&self, new: &NewClient, trusted_pem: &str) {
        for node in &self.nodes {
            let answer = node.operator("POST", "/v1/clients", &new.body(trusted_pem)).await.unwrap();
            assert_eq!(answer.status, 201, "{} refuses a client: {}", node.name, answer.body);
        }
    }
}

fn server_certificate(authority: &Authority) -> Issued {
    let alt_names = vec![AltName::Ip([127, 0, 0, 1].into()), AltName::Dns("localhost".to_owned())];
    let subject = Subject { common_name: "localhost".to_owned(), alt_names };
    authority.issue(Profile::Server, &subject, KeyKind::P256, crate::now_s()).unwrap()
}

fn write_node(dir: &Path, authority: &Authority, ca_pem: &str, server: &Issued) {
    DirBuilder::new().recursive(true).mode(0o700).create(dir.join("tls")).unwrap();
    certs::write_certificate(&dir.join("tls/ca.pem"), ca_pem, Existing::Replace).unwrap();
    certs::write_private_key(&dir.join("tls/ca.key"), &authority.key_pem().unwrap(), Existing::Replace)
        .unwrap();
    write_server_certificate(dir, ca_pem, server);
    write_root_key(&dir.join("root.key"));
}

fn write_server_certificate(dir: &Path, ca_pem: &str, server: &Issued) {
    let chain = format!("{}{ca_pem}", server.cert_pem);
    certs::write_private_key(&dir.join("tls/server.key"), &server.key_pem, Existing::Replace).unwrap();
    certs::write_certificate(&dir.join("tls/server.pem"), &chain, Existing::Replace).unwrap();
}

/// 32 random bytes in hexadecimal, and a line end.
fn write_root_key(path: &Path) {
    use std::io::{Read, Write};
    let mut bytes = [0_u8; 32];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    let mut line: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    line.push('\n');
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}
