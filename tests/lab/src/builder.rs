//! What a laboratory is to be, and how it is made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use certs::{Authority, KeyKind, Profile};

use crate::node::Settings;
use crate::{Lab, NewClient, NodeHandle, files};

/// The client that is there from the beginning, and its tenant.
const CLIENT: &str = "vc01";

/// What a laboratory is to be.
#[derive(Debug)]
pub struct Builder {
    nodes: usize,
    cluster: Option<bool>,
    dir: Option<PathBuf>,
    settings: Settings,
    settings_of: Vec<(usize, String, String, String)>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self { nodes: 1, cluster: None, dir: None, settings: BTreeMap::new(), settings_of: Vec::new() }
    }

    /// Nodes, 1 at least; default 1. One is a lone node without links, more are one cluster: the first founds it and
    /// the others join.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// A cluster even where it has one node only, so that others can join it later.
    pub fn cluster(mut self) -> Self {
        self.cluster = Some(true);
        self
    }

    /// Lone nodes that know nothing of each other, each with a log of its own.
    pub fn apart(mut self) -> Self {
        self.cluster = Some(false);
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

    /// The same for one of the nodes, from 0.
    pub fn set_of(mut self, node: usize, section: &str, key: &str, value: impl Into<String>) -> Self {
        self.settings_of.push((node, section.to_owned(), key.to_owned(), value.into()));
        self
    }

    /// KMIP over HTTPS on every node, at its `https_address`.
    pub fn https(self) -> Self {
        // Each node puts its own address there.
        self.set("https", "listen", String::new())
    }

    /// A key of `[limits]`.
    pub fn limit(self, key: &str, value: u64) -> Self {
        self.set("limits", key, value.to_string())
    }

    /// Makes all files, starts the nodes, waits until each serves, and registers the default client, which has every
    /// right. Panics when anything of it fails.
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
        let new = NewClient::named(CLIENT);
        let (client, trusted) = new.make(&authority, &ca_pem);
        let cluster = self.cluster.unwrap_or(self.nodes > 1);
        let mut lab = Lab {
            nodes: Vec::new(),
            gone: BTreeSet::new(),
            cluster,
            settings: self.settings,
            dir,
            authority,
            ca_pem,
            client,
            _temporary: temporary,
        };
        let own = |node: usize| {
            let of_node = self.settings_of.iter().filter(move |(of, ..)| *of == node);
            of_node.map(|(_, section, key, value)| ((section.clone(), key.clone()), value.clone())).collect()
        };
        if cluster {
            lab.found(&own(0)).await;
            for node in 1..self.nodes {
                lab.join(&own(node)).await;
            }
            lab.start_all().await;
        } else {
            lab.start_apart((0..self.nodes).map(own).collect()).await;
        }
        lab.register(&new, &trusted).await;
        lab
    }
}

impl Lab {
    async fn start_apart(&mut self, own: Vec<Settings>) {
        let server = files::server_certificate(&self.authority);
        for settings in own {
            let node = self.make_node(&settings, None);
            files::write_node(&node.dir, &self.authority, &self.ca_pem, &server);
            self.nodes.push(node);
        }
        for node in &self.nodes {
            let started = node.start().await;
            started.unwrap_or_else(|refused| panic!("{} does not start: {refused}", node.name));
        }
    }

    /// The next node, with nothing on disk yet.
    pub(crate) fn make_node(&self, own: &Settings, link_host: Option<std::net::Ipv4Addr>) -> NodeHandle {
        let name = format!("node{}", self.nodes.len() + 1);
        let mut settings = self.settings.clone();
        settings.extend(own.clone());
        NodeHandle::make(self.dir.join(&name), name, &settings, link_host)
    }
}
