//! The laboratory: its directory, its authority, its nodes and clients.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use certs::Authority;
use kmip::client::ClientConfig;
use tempfile::TempDir;

use crate::node::{LOOK_INTERVAL, READY_TIMEOUT, Settings};
use crate::{Builder, LabClient, NewClient, NodeHandle, files};

/// Running nodes, all with one authority and one server certificate, and clients that each of them knows.
#[derive(Debug)]
pub struct Lab {
    // Before the directory: servers end before their files go.
    pub(crate) nodes: Vec<NodeHandle>,
    /// Nodes that were removed from the cluster, by index.
    pub(crate) gone: BTreeSet<usize>,
    /// Whether the nodes are one cluster.
    pub(crate) cluster: bool,
    /// What every node's configuration holds beside its own.
    pub(crate) settings: Settings,
    pub(crate) dir: PathBuf,
    pub(crate) authority: Authority,
    pub(crate) ca_pem: String,
    pub(crate) client: LabClient,
    pub(crate) _temporary: Option<TempDir>,
}

impl Lab {
    /// One node with all defaults.
    pub async fn start() -> Lab {
        Lab::builder().start().await
    }

    /// A laboratory with other than the defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A node, from 0. Panics when there are fewer.
    pub fn node(&self, index: usize) -> &NodeHandle {
        &self.nodes[index]
    }

    /// All nodes, those with them that were removed from the cluster.
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

    /// The default client's configuration for a node, from 0.
    pub fn config_at(&self, index: usize) -> ClientConfig {
        self.client.config(self.nodes[index].kmip_address.to_string())
    }

    /// A client's configuration for the first node.
    pub fn config_of(&self, client: &LabClient) -> ClientConfig {
        client.config(self.nodes[0].kmip_address.to_string())
    }

    /// Makes a client and registers it: with each lone node, or once with a cluster. Panics when a node refuses it.
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
        let server = files::server_certificate(&self.authority);
        for node in &self.nodes {
            files::write_server_certificate(&node.dir, &self.ca_pem, &server);
        }
        server.cert_pem
    }

    pub(crate) async fn register(&self, new: &NewClient, trusted_pem: &str) {
        let asked: Vec<_> = match self.cluster {
            true => self.awake().into_iter().take(1).collect(),
            false => (0..self.nodes.len()).collect(),
        };
        for node in asked.into_iter().map(|index| &self.nodes[index]) {
            let answer = node.operator("POST", "/v1/clients", &new.body(trusted_pem)).await.unwrap();
            assert_eq!(answer.status, 201, "{} refuses a client: {}", node.name, answer.body);
        }
        for index in self.awake() {
            self.await_client(&self.nodes[index], new.name()).await;
        }
    }

    /// Waits until a node lets the client in: it learns of it with the log.
    async fn await_client(&self, node: &NodeHandle, name: &str) {
        let (path, began) = (format!("/v1/clients/{name}"), Instant::now());
        loop {
            let answer = node.operator("GET", &path, "").await.unwrap();
            if answer.status == 200 {
                return;
            }
            assert!(began.elapsed() < READY_TIMEOUT, "{} never hears of {name}: {}", node.name, answer.body);
            // Nothing reports how far a node has got; it is asked again.
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}
