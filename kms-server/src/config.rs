//! The configuration: one TOML file, read and checked whole before anything binds, every mistake reported at once.
//!
//! The keys, with defaults and bounds, are one table in [`keys`]. An unknown key is a mistake.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use daemon::file::{self, Openness};
use daemon::log::Format;
use daemon::settings::{Mistake, Mistakes, Values};
use kmip::ProtocolVersion;

mod cluster;
pub mod keys;

pub(crate) use self::cluster::kmip_address;
pub use self::cluster::{Cluster, JoinPaths, Timing};
use crate::certificate::{UnixSeconds, utc};
use crate::identity::{self, Loaded};
use crate::root_key::{RootKey, Source};
use crate::session::Bounds;
use crate::tls::Profile;
use crate::tls::old::Old;

/// A checked configuration. Paths are absolute or relative to the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[node] name`.
    pub node: String,
    /// `[node] data_dir`.
    pub data_dir: PathBuf,
    /// `[kmip]`.
    pub kmip: Kmip,
    /// `[https] listen`; none where KMIP over HTTPS is not served.
    pub https_listen: Option<SocketAddr>,
    /// `[old_clients]`; none where there is no port for them.
    pub old_clients: Option<(SocketAddr, Old)>,
    /// `[listeners]` and `[notify]`; none where no tenant is told of its objects.
    pub notify: Option<Notify>,
    /// `[admin] listen`.
    pub admin_listen: SocketAddr,
    /// `[cluster]`, where this node is one of several or may become so.
    pub cluster: Option<Cluster>,
    /// The times of `[cluster]`, which hold for a lone node too.
    pub timing: Timing,
    /// `[root_key]`.
    pub root_key: Source,
    /// `[limits]`.
    pub limits: Limits,
    /// `[log]`.
    pub log: Log,
    /// `[audit] file`; none is the log.
    pub audit_file: Option<PathBuf>,
    /// `[snapshot]`.
    pub snapshot: Snapshot,
}

/// `[kmip]`: the port and what it shows.
#[derive(Clone, Debug)]
pub struct Kmip {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
    /// The file of the CA given to clients.
    pub ca: Option<PathBuf>,
    /// Certificate and key as they were read.
    pub loaded: Loaded,
    /// What of TLS is spoken, here and on `[https]`.
    pub tls: Profile,
}

/// `[listeners]` and `[notify]`: who is told of objects, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Each tenant's name with host:port.
    pub listeners: Vec<(String, String)>,
    /// PEM certificates of the CAs of the listeners' certificates.
    pub ca: PathBuf,
    /// Whether new objects are sent.
    pub put: bool,
    /// What is spoken.
    pub version: ProtocolVersion,
    /// Tries, after which something is dropped.
    pub attempts_max: u32,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How lines look.
    pub format: Format,
    /// error, warn, info, debug or trace.
    pub level: String,
}

/// `[snapshot]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Log entries between snapshots.
    pub every_entries: u64,
    /// Snapshots that are kept.
    pub keep: usize,
}

/// `[limits]`: the bounds that KMIP messages and objects are held to, and those of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bounds of each connection.
    pub connection: Bounds,
    /// The bounds of TTLV decoding.
    pub ttlv: ttlv::Limits,
    /// What one request, one object and one tenant may hold.
    pub core: kms_core::Limits,
    /// Connections at once.
    pub connections_max: usize,
    /// Time for a handshake.
    pub handshake_timeout: Duration,
    /// Time to finish after SIGTERM.
    pub drain_timeout: Duration,
    /// Seconds between a request's Time Stamp and our clock, past which the log speaks of it; never a refusal.
    pub clock_skew_s_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self::from_values(&keys::TABLE.defaults())
    }
}

impl Config {
    /// Reads and checks the file at `path`, and the files it names. Certificates are held against `now`.
    pub fn read(path: &Path, now: UnixSeconds) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let text = match identity::read_file(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                return Err(Mistakes::by_line(path, vec![Mistake::at(None, error.to_string())]));
            }
        };
        let base = path.parent().unwrap_or(Path::new(""));
        let values = keys::TABLE.parse(&text, base, &mut mistakes);
        let config = Self::from_values(&values, now, &mut mistakes);
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(Mistakes::by_line(path, mistakes)),
        }
    }

    /// What `--check-config` prints when all is good.
    pub fn summary(&self) -> String {
        let leaf = &self.kmip.loaded.leaf;
        let audit = match &self.audit_file {
            Some(path) => path.display().to_string(),
            None => "the log".to_owned(),
        };
        let root_key = match &self.root_key {
            Source::File(path) => format!("file {}", path.display()),
            Source::Credential(name) => format!("systemd credential {name}"),
        };
        let https = match self.https_listen {
            Some(address) => address.to_string(),
            None => "none".to_owned(),
        };
        let cluster = match &self.cluster {
            Some(cluster) => format!("links on {}, reached at {}", cluster.listen, cluster.advertise),
            None => "none, this node stands alone".to_owned(),
        };
        format!(
            "configuration is good\n  node         {}\n  data         {}\n  KMIP         {}\n  HTTPS        {https}\n  admin        {}\n  cluster      {cluster}\n  \
             certificate  {}, valid to {}\n  SHA-1        {}\n  SHA-256      {}\n  root key     {root_key}\n  \
             audit        {audit}\n",
            self.node,
            self.data_dir.display(),
            self.kmip.listen,
            self.admin_listen,
            leaf.subject,
            utc(leaf.not_after),
            hex::encode(leaf.sha1),
            hex::encode(leaf.sha256),
        )
    }

    /// Gives none when something is missing without which there is no configuration; that is then among `mistakes`.
    fn from_values(values: &Values, now: UnixSeconds, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let data_dir = values.path("node", "data_dir");
        if let Some(Err(why)) = data_dir.as_deref().map(check_data_dir) {
            mistakes.push(Mistake::key(values.line("node", "data_dir"), "node", "data_dir", why));
        }
        let kmip = kmip(values, now, mistakes);
        let root_key = root_key(values, mistakes);
        let admin_listen = values.address("admin", "listen");
        let kmip_listen = values.address("kmip", "listen");
        let https_listen = values.text("https", "listen").map(|_| values.address("https", "listen"));
        let old_listen =
            values.text("old_clients", "listen").map(|_| values.address("old_clients", "listen"));
        let ports = [
            ("kmip", Some(kmip_listen)),
            ("https", https_listen),
            ("old_clients", old_listen),
            ("admin", Some(admin_listen)),
        ];
        for (at, (section, address)) in ports.iter().enumerate() {
            let taken = ports[..at].iter().find(|(_, other)| other == address && address.is_some());
            if let (Some((other, _)), Some(address)) = (taken, address.filter(|address| address.port() != 0))
            {
                let why = format!("{address} is [{other}] listen too");
                mistakes.push(Mistake::key(values.line(section, "listen"), section, "listen", why));
            }
        }
        let old_clients = old_clients(values, mistakes);
        let notify = notify(values, mistakes);
        let cluster = cluster::cluster(values, now, mistakes);
        let timing = cluster::timing(values, mistakes);
        let audit_file = values.path("audit", "file");
        let directory =
            audit_file.as_deref().and_then(Path::parent).filter(|dir| !dir.as_os_str().is_empty());
        if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
            let why = format!("its directory {} is not there", directory.display());
            mistakes.push(Mistake::key(values.line("audit", "file"), "audit", "file", why));
        }
        Some(Self {
            node: values.text("node", "name")?,
            data_dir: data_dir?,
            kmip: kmip?,
            https_listen,
            old_clients,
            notify,
            admin_listen,
            cluster,
            timing,
            root_key: root_key?,
            limits: Limits::from_values(values),
            log: Log {
                format: Format::of(values.text("log", "format").as_deref()),
                level: values.text("log", "level")?,
            },
            audit_file,
            snapshot: Snapshot {
                every_entries: values.number("snapshot", "every_entries"),
                keep: values.number("snapshot", "keep"),
            },
        })
    }
}

impl Limits {
    fn from_values(values: &Values) -> Self {
        let time = |name| values.time("limits", name);
        let request_bytes_max = values.number("limits", "request_bytes_max");
        Self {
            connection: Bounds {
                request_bytes_max,
                pipelined_requests_max: values.number("limits", "pipelined_requests_max"),
                idle_timeout: time("idle_timeout_ms"),
                request_timeout: time("request_timeout_ms"),
                write_timeout: time("write_timeout_ms"),
            },
            ttlv: ttlv::Limits {
                message_bytes_max: request_bytes_max,
                depth_max: values.number("limits", "nesting_max"),
                items_max: values.number("limits", "items_max"),
            },
            core: kms_core::Limits {
                batch_items_max: values.number("limits", "batch_items_max"),
                attributes_per_object_max: values.number("limits", "attributes_per_object_max"),
                objects_per_tenant_max: values.number("limits", "objects_per_tenant_max"),
                locate_items_max: values.number("limits", "locate_items_max"),
                response_bytes_max: values.number("limits", "response_bytes_max"),
            },
            connections_max: values.number("limits", "connections_max"),
            handshake_timeout: time("handshake_timeout_ms"),
            drain_timeout: time("drain_timeout_ms"),
            clock_skew_s_max: values.number("limits", "clock_skew_s_max"),
        }
    }
}

fn kmip(values: &Values, now: UnixSeconds, mistakes: &mut Vec<Mistake>) -> Option<Kmip> {
    let ca = values.path("kmip", "ca");
    if let Some(Err(why)) = ca.as_deref().map(check_ca) {
        mistakes.push(Mistake::key(values.line("kmip", "ca"), "kmip", "ca", why));
    }
    let (certificate, key) = (values.path("kmip", "certificate")?, values.path("kmip", "key")?);
    let tls = Profile::of(values.text("kmip", "tls").as_deref());
    let read = Loaded::read(&certificate, &key, now).and_then(|loaded| {
        loaded.check_profile(&certificate, tls).map(|()| loaded).map_err(|error| vec![error])
    });
    match read {
        Ok(loaded) => {
            Some(Kmip { listen: values.address("kmip", "listen"), certificate, key, ca, loaded, tls })
        }
        Err(errors) => {
            for error in errors {
                let name = match &error {
                    identity::IdentityError::File(file) if file.path() == key => "key",
                    _ => "certificate",
                };
                mistakes.push(Mistake::key(values.line("kmip", name), "kmip", name, error));
            }
            None
        }
    }
}

fn old_clients(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<(SocketAddr, Old)> {
    let switch = |name| values.switch("old_clients", name);
    let old = Old {
        tls_1_0: switch("tls_1_0"),
        tls_1_1: switch("tls_1_1"),
        static_rsa: switch("static_rsa"),
        cbc: switch("cbc"),
    };
    for (name, on) in [("tls_1_0", old.tls_1_0), ("tls_1_1", old.tls_1_1)] {
        if on && !old.cbc {
            let why = "has no suite without AES-CBC; hint: cbc = true";
            mistakes.push(Mistake::key(values.line("old_clients", name), "old_clients", name, why));
        }
    }
    values.text("old_clients", "listen")?;
    Some((values.address("old_clients", "listen"), old))
}

fn notify(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Notify> {
    let listeners: Vec<_> =
        values.entries("listeners").map(|entry| (entry.name.clone(), entry.text.clone())).collect();
    if listeners.is_empty() {
        return None;
    }
    let Some(ca) = values.path("notify", "ca") else {
        let line = values.entries("listeners").next().map(|entry| entry.line);
        let why = "is needed with [listeners]; hint: the CA that made the listeners' certificates";
        mistakes.push(Mistake::key(line, "notify", "ca", why));
        return None;
    };
    if let Err(why) = check_ca(&ca) {
        mistakes.push(Mistake::key(values.line("notify", "ca"), "notify", "ca", why));
    }
    let minor = match values.text("notify", "version").as_deref() {
        Some("1.0") => 0,
        Some("1.1") => 1,
        Some("1.2") => 2,
        Some("1.3") => 3,
        _ => 4,
    };
    Some(Notify {
        listeners,
        ca,
        put: values.switch("notify", "put"),
        version: ProtocolVersion::new(1, minor),
        attempts_max: values.number("notify", "attempts_max"),
    })
}

fn root_key(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Source> {
    let mut wrong = |name, why: String| {
        mistakes.push(Mistake::key(values.line("root_key", name), "root_key", name, why));
        None
    };
    let (name, source) = match (values.path("root_key", "file"), values.text("root_key", "credential")) {
        (Some(_), Some(_)) => {
            return wrong("file", "exactly one of file and credential is allowed, both are there".to_owned());
        }
        (None, None) => {
            return wrong(
                "file",
                "exactly one of file and credential is needed, neither is there".to_owned(),
            );
        }
        (Some(path), None) => ("file", Source::File(path)),
        (None, Some(credential)) => ("credential", Source::Credential(credential)),
    };
    // Read whole, and wiped: what is wrong with it shall be said before anything binds.
    match RootKey::load(&source, credentials_directory().as_deref()) {
        Ok(_) => Some(source),
        Err(error) => wrong(name, error.to_string()),
    }
}

/// Where systemd puts a service's credentials, for [`RootKey::load`].
pub fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

fn check_ca(path: &Path) -> Result<(), String> {
    let pem = identity::read_file(path).map_err(|error| error.to_string())?;
    match certs::inspect(&pem) {
        Ok(found) if found.is_ca => Ok(()),
        Ok(found) => Err(format!("{} holds \"{}\", which is no CA (CA:TRUE)", path.display(), found.subject)),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn check_data_dir(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err(format!("{} is no directory", path.display())),
        Ok(_) => match file::too_open(path, Openness::OwnerOnly) {
            Ok(Some(mode)) => Err(format!(
                "{} is open to others than its owner (mode {mode:04o}); hint: chmod 700 {}",
                path.display(),
                path.display()
            )),
            _ => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            match parent {
                Some(parent) if !parent.is_dir() => Err(format!(
                    "neither {} nor {} is there; hint: kms init",
                    path.display(),
                    parent.display()
                )),
                _ => Ok(()),
            }
        }
        Err(error) => Err(format!("cannot look at {}: {error}", path.display())),
    }
}
