//! The configuration: one TOML file, read and checked whole before anything binds, every mistake reported at once.
//!
//! The keys, with defaults and bounds, are one table in [`keys`]. An unknown key is a mistake.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use daemon::log::Format;
use daemon::settings::{Entry, Mistake, Mistakes, Values};

pub mod keys;
mod upstream;

use crate::client_files::ClientFiles;
use crate::file;
use crate::health::Settings;
use crate::limits::Limits;
use crate::probe::{Kind, Prober};
use crate::replay::{self, Replay, Upstream};
use crate::token::Token;

/// Nodes of one front. Each is probed several times a second, and all are looked at for each connection.
pub const NODES_MAX: usize = 64;

/// A checked configuration. Paths are absolute or relative to the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[front]`.
    pub front: FrontKeys,
    /// `[nodes]`, in the file's order.
    pub nodes: Vec<NodeAt>,
    /// `[probe]`: how nodes are asked, with certificates as they were read.
    pub prober: Prober,
    /// `[replay]`, with certificates as they were read; None for passthrough.
    pub(crate) replay: Option<Replay>,
    /// `[health]`.
    pub health: Settings,
    /// `[limits]`.
    pub limits: Limits,
    /// `[admin]`.
    pub admin: AdminKeys,
    /// `[log]`.
    pub log: LogKeys,
}

/// `[front]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontKeys {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Whether nodes are told the client's address by PROXY protocol v2.
    pub proxy_protocol: bool,
    /// The file for keepalived.
    pub track_file: Option<PathBuf>,
}

/// One line of `[nodes]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAt {
    /// The operator's name for it.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// The line in the file.
    pub line: usize,
}

/// `[admin]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminKeys {
    /// Where it shows itself.
    pub listen: SocketAddr,
    /// Where it takes orders.
    pub socket: Option<PathBuf>,
    /// Whose orders it takes on `listen`; none: nobody's.
    pub token: Option<Token>,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeys {
    /// How lines look.
    pub format: Format,
    /// error, warn, info, debug or trace.
    pub level: String,
}

impl Config {
    /// Reads and checks the file at `path`, and the files it names.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn read(path: &Path) -> Result<Self, Mistakes> {
        let text = match file::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                return Err(Mistakes::by_line(path, vec![Mistake::at(None, error.to_string())]));
            }
        };
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, base).map_err(|list| Mistakes::by_line(path, list))
    }

    /// Checks a file's text; relative paths start at `base`.
    fn parse(text: &str, base: &Path) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let values = keys::TABLE.parse(text, base, &mut mistakes);
        let nodes = nodes(&values, &mut mistakes);
        let front = front(&values, &nodes, &mut mistakes);
        let replay = replay(&values, &mut mistakes);
        let prober = match &replay {
            Some(replay) if !asks_for_probes(&values, &replay.upstream) => Some(replay.upstream.prober()),
            Some(_) | None => prober(&values, &mut mistakes),
        };
        let admin = admin(&values, front.listen, &mut mistakes);
        let log = LogKeys {
            format: Format::of(values.text("log", "format").as_deref()),
            level: values.text("log", "level").unwrap_or_default(),
        };
        match prober {
            Some(prober) if mistakes.is_empty() => Ok(Self {
                front,
                nodes,
                prober,
                replay,
                health: settings(&values),
                limits: limits(&values),
                admin,
                log,
            }),
            _ => Err(mistakes),
        }
    }

    /// What `--check-config` prints when all is good.
    pub fn summary(&self) -> String {
        let socket = match &self.admin.socket {
            Some(path) => path.display().to_string(),
            None => "none".to_owned(),
        };
        let track_file = match &self.front.track_file {
            Some(path) => path.display().to_string(),
            None => "none".to_owned(),
        };
        let mut text = format!(
            "configuration is good\n  clients      {}, {}\n  probe        {}\n  admin        {}\n  \
             socket       {socket}\n  track file   {track_file}\n",
            self.front.listen,
            self.mode_in_words(),
            self.prober,
            self.admin.listen
        );
        for node in &self.nodes {
            text.push_str(&format!("  node         {} at {}\n", node.name, node.address));
        }
        text
    }
}

impl Config {
    /// The mode, in words.
    pub fn mode(&self) -> &'static str {
        match self.upstream() {
            Some(Upstream::Ours(_)) => "replay",
            Some(Upstream::ThirdParty(_)) => "replay, reads only",
            None => "passthrough",
        }
    }

    /// What clients cannot count on, in words; none where they can count on all that the mode promises.
    pub fn caveat(&self) -> Option<&'static str> {
        self.upstream().and_then(Upstream::caveat)
    }

    fn upstream(&self) -> Option<&Upstream> {
        self.replay.as_ref().map(|replay| &replay.upstream)
    }

    fn mode_in_words(&self) -> &'static str {
        match self.upstream() {
            Some(Upstream::Ours(_)) => "requests replayed",
            Some(Upstream::ThirdParty(_)) => "reads replayed, changes sent once",
            None => "passed through",
        }
    }
}

fn nodes(values: &Values, mistakes: &mut Vec<Mistake>) -> Vec<NodeAt> {
    // The table takes addresses only.
    let node = |entry: &Entry| {
        let address = entry.text.parse().ok()?;
        Some(NodeAt { name: entry.name.clone(), address, line: entry.line })
    };
    let nodes: Vec<NodeAt> = values.entries(keys::NODES).filter_map(node).collect();
    for (place, node) in nodes.iter().enumerate() {
        let line = Some(node.line);
        if let Some(before) = nodes[..place].iter().find(|before| before.address == node.address) {
            let why = format!("{} is {} already; hint: one line a node", node.address, before.name);
            mistakes.push(Mistake::key(line, keys::NODES, &node.name, why));
        }
        if node.address.port() == 0 {
            let why = "port 0 cannot be connected to; hint: KMIP's is 5696";
            mistakes.push(Mistake::key(line, keys::NODES, &node.name, why));
        }
    }
    if nodes.len() > NODES_MAX {
        let why = format!("[{}] has {} nodes, {NODES_MAX} is the most", keys::NODES, nodes.len());
        mistakes.push(Mistake::at(None, why));
    }
    nodes
}

fn front(values: &Values, nodes: &[NodeAt], mistakes: &mut Vec<Mistake>) -> FrontKeys {
    let listen = values.address("front", "listen");
    if let Some(node) = nodes.iter().find(|node| node.address == listen) {
        let why = format!("{listen} is the node {} too: the front would connect to itself", node.name);
        mistakes.push(Mistake::key(values.line("front", "listen"), "front", "listen", why));
    }
    let track_file = values.path("front", "track_file");
    check_directory(values, "front", "track_file", mistakes);
    FrontKeys { listen, proxy_protocol: values.switch("front", "proxy_protocol"), track_file }
}

fn admin(values: &Values, front: SocketAddr, mistakes: &mut Vec<Mistake>) -> AdminKeys {
    let listen = values.address("admin", "listen");
    if listen.port() != 0 && listen == front {
        let why = format!("{listen} is [front] listen too; hint: 127.0.0.1:5699");
        mistakes.push(Mistake::key(values.line("admin", "listen"), "admin", "listen", why));
    }
    check_directory(values, "admin", "socket", mistakes);
    let token = values.path("admin", "token_file").map(|path| Token::read(&path)).transpose();
    let token = token.unwrap_or_else(|why| {
        mistakes.push(Mistake::key(values.line("admin", "token_file"), "admin", "token_file", why));
        None
    });
    AdminKeys { listen, socket: values.path("admin", "socket"), token }
}

/// The directory of a file that will be made must be there.
fn check_directory(values: &Values, section: &'static str, name: &'static str, mistakes: &mut Vec<Mistake>) {
    let path = values.path(section, name);
    let directory = path.as_deref().and_then(Path::parent).filter(|dir| !dir.as_os_str().is_empty());
    if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
        let why = format!("its directory {} is not there; hint: make it first", directory.display());
        mistakes.push(Mistake::key(values.line(section, name), section, name, why));
    }
}

fn prober(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Prober> {
    let mut wrong = |name, why: &str| {
        mistakes.push(Mistake::key(values.line("probe", name), "probe", name, why));
    };
    let path = |name| values.path("probe", name);
    let (certificate, key, ca) = (path("certificate"), path("key"), path("ca"));
    let server_name = values.text("probe", "server_name");
    let kind = match values.text("probe", "kind").as_deref() {
        Some("kmip") => Kind::Kmip,
        Some("tls") => Kind::Tls,
        Some("tcp") => Kind::Tcp,
        _ if certificate.is_some() => Kind::Kmip,
        _ => Kind::Tls,
    };
    let before = (kind == Kind::Kmip && certificate.is_none())
        || certificate.is_some() != key.is_some()
        || (server_name.is_some() && ca.is_none());
    if kind == Kind::Kmip && certificate.is_none() {
        wrong("kind", "kmip needs certificate and key; hint: kms client add, or kind = \"tls\"");
    }
    if certificate.is_some() != key.is_some() {
        let name = if certificate.is_some() { "certificate" } else { "key" };
        wrong(name, "certificate and key belong together, the other is not there");
    }
    if server_name.is_some() && ca.is_none() {
        wrong("server_name", "needs ca: a name in a certificate of nobody in particular says nothing");
    }
    if before {
        return None;
    }
    let files = ClientFiles { certificate, key, ca, server_name };
    match Prober::read(kind, &files) {
        Ok(prober) => Some(prober),
        Err(errors) => {
            for (name, why) in errors {
                wrong(name, &why);
            }
            None
        }
    }
}

/// What replay stands on; None for passthrough, and where there are mistakes.
fn replay(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Replay> {
    let mode = values.text("front", "mode");
    if mode.as_deref() != Some("replay") {
        return None;
    }
    if values.switch("front", "proxy_protocol") {
        let why =
            "has no place in replay: our nodes are told the client's address over their links, others never";
        let line = values.line("front", "proxy_protocol");
        mistakes.push(Mistake::key(line, "front", "proxy_protocol", why));
    }
    let upstream = upstream::upstream(values, mistakes);
    let needs = "replay needs it; hint: kms front certificate, or [front] mode = \"passthrough\"";
    let paths = needed(values, "replay", ["certificate", "key"], needs, mistakes);
    let ([certificate, key], upstream) = (paths?, upstream?);
    let files = replay::Files { certificate: &certificate, key: &key };
    let time = |name| values.time("replay", name);
    let bounds = replay::Bounds {
        answer_wait: time("answer_wait_ms"),
        resend_after: time("resend_after_ms"),
        changes_once: matches!(upstream, Upstream::ThirdParty(_)),
    };
    let sizes = replay::Sizes {
        request: values.number("replay", "request_bytes_max"),
        requests: values.number("replay", "requests_bytes_max"),
    };
    Replay::read(&files, upstream, bounds, sizes, time("message_timeout_ms"))
        .map_err(|errors| say(values, "replay", &errors, mistakes))
        .ok()
}

/// Whether nodes of another make are probed by `[probe]`. Our own never are.
fn asks_for_probes(values: &Values, upstream: &Upstream) -> bool {
    let paths = ["certificate", "key", "ca"].iter().any(|name| values.path("probe", name).is_some());
    let texts = ["kind", "server_name"].iter().any(|name| values.text("probe", name).is_some());
    matches!(upstream, Upstream::ThirdParty(_)) && (paths || texts)
}

/// These paths; none where one is not given.
fn needed<const N: usize>(
    values: &Values,
    section: &'static str,
    names: [&'static str; N],
    needs: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<[PathBuf; N]> {
    let paths: Vec<_> = names.iter().filter_map(|name| values.path(section, name)).collect();
    for name in names.iter().filter(|name| values.path(section, name).is_none()) {
        mistakes.push(Mistake::key(values.line(section, name), section, name, needs));
    }
    paths.try_into().ok()
}

/// Mistakes in files of a section, by key.
fn say(
    values: &Values,
    section: &'static str,
    errors: &[(&'static str, String)],
    mistakes: &mut Vec<Mistake>,
) {
    let say =
        |(name, why): &(&'static str, String)| Mistake::key(values.line(section, name), section, name, why);
    mistakes.extend(errors.iter().map(say));
}

fn settings(values: &Values) -> Settings {
    let time = |name| values.time("health", name);
    Settings {
        rise: values.number("health", "rise"),
        fall: values.number("health", "fall"),
        probe_interval: time("probe_interval_ms"),
        probe_timeout: time("probe_timeout_ms"),
        probe_gap_min: time("probe_gap_min_ms"),
        request_age_max: time("request_age_max_ms"),
        slow_start: time("slow_start_ms"),
        drain_time_max: time("drain_time_max_ms"),
    }
}

fn limits(values: &Values) -> Limits {
    let time = |name| values.time("limits", name);
    Limits {
        connections_max: values.number("limits", "connections_max"),
        connections_per_address_max: values.number("limits", "connections_per_address_max"),
        handshake_timeout: time("handshake_timeout_ms"),
        idle_timeout: time("idle_timeout_ms"),
        half_closed_timeout: time("half_closed_timeout_ms"),
        connect_timeout: time("connect_timeout_ms"),
        node_wait: time("node_wait_ms"),
        unacknowledged: time("unacknowledged_ms"),
        keepalive: time("keepalive_ms"),
        held_bytes_max: values.number("limits", "held_bytes_max"),
        drain_timeout: time("drain_timeout_ms"),
    }
}

#[cfg(test)]
mod tests;
