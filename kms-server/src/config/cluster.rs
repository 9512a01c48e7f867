//! `[cluster]`: the links to other nodes, and how long things may take between them.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use daemon::settings::{Mistake, Mistakes, Values};

use super::keys;
use crate::certificate::UnixSeconds;
use crate::identity;
use crate::links::{BODY_BYTES_MAX, LinkIdentity};

/// Bytes of a request and of an answer that nodes pass on to each other at most, far below what a link takes.
const PASSED_ON_BYTES_MAX: usize = BODY_BYTES_MAX / 2;

/// `[cluster]` of a node that has links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where the others reach it, `host:port`.
    pub advertise: String,
    /// The file of its certificate.
    pub certificate: PathBuf,
    /// The file of its key.
    pub key: PathBuf,
    /// The file of the cluster's CA.
    pub ca: PathBuf,
    /// The file of the CA's key.
    pub ca_key: PathBuf,
    /// Where links go out from.
    pub source: Option<IpAddr>,
}

/// Where clients reach a node, as far as it knows itself: what it listens on, or, where that is every address, the host
/// of its links.
pub(crate) fn kmip_address(listen: SocketAddr, advertise: Option<&str>) -> String {
    match advertise.and_then(|advertise| advertise.rsplit_once(':')) {
        Some((host, _)) if listen.ip().is_unspecified() => format!("{host}:{}", listen.port()),
        _ => listen.to_string(),
    }
}

impl Cluster {
    /// The certificate, its key and the CA, read and held against each other; every mistake in one text.
    pub fn identity(&self, now: UnixSeconds) -> Result<LinkIdentity, String> {
        LinkIdentity::read(&self.ca, &self.certificate, &self.key, now).map_err(|mistakes| {
            let words: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            words.join("; ")
        })
    }
}

/// The times of `[cluster]`, and what holds when they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two signs of life of a leader.
    pub heartbeat: Duration,
    /// How long votes are waited for; nodes begin an election at moments spread over `election_max` less this.
    pub election_min: Duration,
    /// A leader that was silent for so long may be replaced.
    pub election_max: Duration,
    /// How long a request waits for a leader.
    pub leader_wait: Duration,
    /// Whether a node that reaches no majority gives out the keys it holds.
    pub reads_without_quorum: bool,
}

/// The files that a joining node gets, by its configuration; none of them is there yet.
#[derive(Clone, Debug)]
pub struct JoinPaths {
    /// `[node] data_dir`.
    pub data_dir: PathBuf,
    /// `[root_key] file`; none where a systemd credential brings it.
    pub root_key: Option<PathBuf>,
    /// `[kmip] certificate`.
    pub certificate: PathBuf,
    /// `[kmip] key`.
    pub key: PathBuf,
    /// `[kmip] ca`.
    pub client_ca: Option<PathBuf>,
    /// `[cluster] certificate`.
    pub node_certificate: PathBuf,
    /// `[cluster] key`.
    pub node_key: PathBuf,
    /// `[cluster] ca`.
    pub cluster_ca: PathBuf,
    /// `[cluster] ca_key`.
    pub cluster_ca_key: PathBuf,
    /// `[cluster] advertise`.
    pub advertise: String,
    /// Where clients will reach the node.
    pub kmip: String,
}

impl JoinPaths {
    /// Reads the configuration at `path` as far as a joining node needs it: the files it names need not be there.
    pub fn read(path: &Path) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let found = match identity::read_file(path) {
            Ok(bytes) => {
                let base = path.parent().unwrap_or(Path::new(""));
                let values = keys::TABLE.parse(&String::from_utf8_lossy(&bytes), base, &mut mistakes);
                Self::from_values(&values, &mut mistakes)
            }
            Err(error) => {
                mistakes.push(Mistake::at(None, error.to_string()));
                None
            }
        };
        match found {
            Some(paths) if mistakes.is_empty() => Ok(paths),
            _ => Err(Mistakes { path: path.to_owned(), list: mistakes }),
        }
    }

    fn from_values(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let Some(links) = links(values, mistakes) else {
            if mistakes.is_empty() {
                let why = "is missing: a node that joins is one of a cluster";
                mistakes.push(Mistake::key(None, "cluster", "advertise", why));
            }
            return None;
        };
        let kmip = kmip_address(values.address("kmip", "listen"), Some(&links.advertise));
        Some(Self {
            data_dir: values.path("node", "data_dir")?,
            root_key: values.path("root_key", "file"),
            certificate: values.path("kmip", "certificate")?,
            key: values.path("kmip", "key")?,
            client_ca: values.path("kmip", "ca"),
            node_certificate: links.certificate,
            node_key: links.key,
            cluster_ca: links.ca,
            cluster_ca_key: links.ca_key,
            advertise: links.advertise,
            kmip,
        })
    }

    /// Every file that is written beside the configuration, and must not be there yet.
    pub fn all(&self) -> Vec<&Path> {
        let optional = [self.root_key.as_deref(), self.client_ca.as_deref()].into_iter().flatten();
        let files = [
            &self.certificate,
            &self.key,
            &self.node_certificate,
            &self.node_key,
            &self.cluster_ca,
            &self.cluster_ca_key,
        ];
        optional.chain(files.into_iter().map(PathBuf::as_path)).collect()
    }
}

/// The links, where `advertise` says that there are any; each file that is not named is a mistake.
fn links(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Cluster> {
    let advertise = values.text("cluster", "advertise")?;
    let mut file = |name| {
        let found = values.path("cluster", name);
        if found.is_none() {
            mistakes.push(Mistake::key(None, "cluster", name, "is missing, and needed with advertise"));
        }
        found
    };
    let (certificate, key, ca, ca_key) = (file("certificate"), file("key"), file("ca"), file("ca_key"));
    Some(Cluster {
        listen: values.address("cluster", "listen"),
        advertise,
        certificate: certificate?,
        key: key?,
        ca: ca?,
        ca_key: ca_key?,
        source: values.text("cluster", "source").and_then(|text| text.parse().ok()),
    })
}

/// `[cluster]` with the files it names looked at.
pub(super) fn cluster(values: &Values, now: UnixSeconds, mistakes: &mut Vec<Mistake>) -> Option<Cluster> {
    let links = links(values, mistakes)?;
    if let Err(why) = links.identity(now) {
        mistakes.push(Mistake::key(values.line("cluster", "certificate"), "cluster", "certificate", why));
    }
    for name in ["request_bytes_max", "response_bytes_max"] {
        if values.number::<usize>("limits", name) > PASSED_ON_BYTES_MAX {
            let why =
                format!("is more than {PASSED_ON_BYTES_MAX}, the most that nodes pass on to each other");
            mistakes.push(Mistake::key(values.line("limits", name), "limits", name, why));
        }
    }
    Some(links)
}

/// The times, held against each other.
pub(super) fn timing(values: &Values, mistakes: &mut Vec<Mistake>) -> Timing {
    let time = |name| values.time("cluster", name);
    let timing = Timing {
        heartbeat: time("heartbeat_ms"),
        election_min: time("election_min_ms"),
        election_max: time("election_max_ms"),
        leader_wait: time("leader_wait_ms"),
        reads_without_quorum: values.switch("cluster", "reads_without_quorum"),
    };
    if timing.election_min < 2 * timing.heartbeat {
        let line = values.line("cluster", "election_min_ms").or(values.line("cluster", "heartbeat_ms"));
        let why = "is less than twice heartbeat_ms: one late sign of life would cost a leader its office";
        mistakes.push(Mistake::key(line, "cluster", "election_min_ms", why));
    }
    if timing.election_max <= timing.election_min {
        let line = values.line("cluster", "election_max_ms").or(values.line("cluster", "election_min_ms"));
        let why = "is not more than election_min_ms: nodes would stand for election at the same moment";
        mistakes.push(Mistake::key(line, "cluster", "election_max_ms", why));
    }
    timing
}
