//! A front of any make as a process, before the same nodes: its configuration, its start and its end.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};

use crate::files::{self, Probe};

/// Where Debian's package puts nginx's module for TCP.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Longest wait for a front to listen.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Between two looks at what nothing reports.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A front to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Ours, `mode = "replay"`.
    Replay,
    /// Ours, `mode = "passthrough"`.
    Passthrough,
    /// HAProxy that looks whether a connect succeeds.
    HaproxyTcp,
    /// HAProxy that asks Discover Versions over mutual TLS, and cuts the sessions of a server that is down.
    HaproxyKmip,
    /// nginx's stream module, which looks at no server by itself.
    Nginx,
}

impl Make {
    /// All, in the order of the tables.
    pub const ALL: [Make; 5] =
        [Make::Replay, Make::Passthrough, Make::HaproxyKmip, Make::HaproxyTcp, Make::Nginx];

    /// The heading of its column.
    pub fn name(self) -> &'static str {
        match self {
            Make::Replay => "replay",
            Make::Passthrough => "passthrough",
            Make::HaproxyKmip => "HAProxy, KMIP check",
            Make::HaproxyTcp => "HAProxy, TCP check",
            Make::Nginx => "nginx stream",
        }
    }

    /// Why it cannot be run on this machine.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    pub fn look(self) -> Result<(), String> {
        let there = |program: &str| files::program(program).is_some();
        match self {
            Make::Replay | Make::Passthrough => Ok(()),
            Make::HaproxyKmip | Make::HaproxyTcp if there("haproxy") => Ok(()),
            Make::HaproxyKmip | Make::HaproxyTcp => {
                Err("haproxy is not installed (apt-get install haproxy)".to_owned())
            }
            Make::Nginx if there("nginx") && Path::new(NGINX_STREAM).is_file() => Ok(()),
            Make::Nginx => {
                Err("nginx with its stream module is not installed (apt-get install libnginx-mod-stream)"
                    .to_owned())
            }
        }
    }
}

/// Where one node is, as a front is told.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// kms1 and so on.
    pub(crate) name: String,
    /// Its port for clients.
    pub(crate) kmip: SocketAddr,
    /// Its port for links, which replay uses.
    pub(crate) link: SocketAddr,
}

/// How a front is to look at servers and to be pinned.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// Which.
    pub(crate) make: Make,
    /// What is behind it.
    pub(crate) servers: &'a [Server],
    /// The files for a probe with TLS; without them probes connect and no more.
    pub(crate) probe: Option<&'a Probe>,
    /// The folder with what `kms front certificate` wrote, for replay.
    pub(crate) certificates: Option<&'a Path>,
    /// The one core that it runs on.
    pub(crate) core: Option<usize>,
}

/// A front that serves, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Front {
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    child: Child,
    _dir: TempDir,
    _port: TcpSocket,
}

impl Front {
    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) async fn start(wanted: &Wanted<'_>) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let port = reserve()?;
        let address = port.local_addr()?;
        let mut command = command(wanted, dir.path(), address)?;
        let log = std::fs::File::create(dir.path().join("log"))?;
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("starting {}", wanted.make.name()))?;
        let mut front = Self { address, child, _dir: dir, _port: port };
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = front.child.try_wait()? {
                bail!("{} ended, {status}: {}", wanted.make.name(), front.log());
            }
            ensure!(
                began.elapsed() < START_TIMEOUT,
                "{} does not listen: {}",
                wanted.make.name(),
                front.log()
            );
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Ok(front)
    }

    /// Its process and those that it started, such as nginx's worker.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.child.id().into_iter().collect();
        let mut next = 0;
        while let Some(parent) = all.get(next) {
            let path = format!("/proc/{parent}/task/{parent}/children");
            let children = std::fs::read_to_string(path).unwrap_or_default();
            all.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            next += 1;
        }
        all
    }

    /// What it said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self._dir.path().join("log")).unwrap_or_default()
    }

    /// Ends it in order, and waits.
    ///
    /// # Errors
    /// Where it cannot be told.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        self.terminate();
        self.child.wait().await?;
        Ok(())
    }

    fn terminate(&self) {
        // In order, as nginx's worker would outlive a master that is killed.
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.terminate();
        let began = Instant::now();
        while let Ok(None) = self.child.try_wait() {
            if began.elapsed() > Duration::from_secs(2) {
                break;
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
}

fn command(wanted: &Wanted<'_>, dir: &Path, address: SocketAddr) -> anyhow::Result<Command> {
    let (program, text) = match wanted.make {
        Make::Replay | Make::Passthrough => (lab::programs().front.clone(), ours(wanted, address)?),
        Make::HaproxyKmip | Make::HaproxyTcp => (installed("haproxy")?, haproxy(wanted, address)?),
        Make::Nginx => (installed("nginx")?, nginx(wanted, dir, address)),
    };
    let file = dir.join("front.conf");
    std::fs::write(&file, text)?;
    // Those that have no lifeline end with the thread that started them.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]);
    if let Some(core) = wanted.core {
        command.args(["taskset", "-c", &core.to_string()]);
    }
    command.arg(program);
    match wanted.make {
        Make::Replay | Make::Passthrough => command.arg("--lifeline").arg("--config").arg(file),
        Make::HaproxyKmip | Make::HaproxyTcp => command.arg("-db").arg("-f").arg(file),
        Make::Nginx => command.arg("-p").arg(dir).arg("-c").arg(file),
    };
    Ok(command)
}

fn installed(program: &str) -> anyhow::Result<std::path::PathBuf> {
    files::program(program).with_context(|| format!("{program} is not installed"))
}

/// All defaults but what a machine with one client's address needs.
fn ours(wanted: &Wanted<'_>, address: SocketAddr) -> anyhow::Result<String> {
    let replays = wanted.make == Make::Replay;
    let mode = if replays { "replay" } else { "passthrough" };
    let mut text = format!(
        "[front]\nlisten = \"{address}\"\nmode = \"{mode}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [limits]\nconnections_per_address_max = 16384\ndrain_timeout_ms = 100\n[log]\nlevel = \"warn\"\n"
    );
    if replays {
        let folder = wanted.certificates.context("replay needs certificates")?;
        text.push_str("[replay]\n");
        for (key, file) in [
            ("certificate", "server.pem"),
            ("key", "server-key.pem"),
            ("link_certificate", "link.pem"),
            ("link_key", "link-key.pem"),
            ("link_ca", "cluster-ca.pem"),
        ] {
            text.push_str(&format!("{key} = \"{}\"\n", folder.join(file).display()));
        }
    } else if let Some(probe) = wanted.probe {
        text.push_str(&format!(
            "[probe]\nkind = \"kmip\"\ncertificate = \"{}\"\nkey = \"{}\"\nca = \"{}\"\n",
            probe.cert.display(),
            probe.key.display(),
            probe.ca.display()
        ));
    } else {
        text.push_str("[probe]\nkind = \"tcp\"\n");
    }
    text.push_str("[nodes]\n");
    for server in wanted.servers {
        let at = if replays { server.link } else { server.kmip };
        text.push_str(&format!("{} = \"{at}\"\n", server.name));
    }
    Ok(text)
}

/// The numbers that ours has by default, where HAProxy has such numbers.
fn haproxy(wanted: &Wanted<'_>, address: SocketAddr) -> anyhow::Result<String> {
    let (mut check, mut how) = (String::new(), "check inter 200ms fall 2 rise 3".to_owned());
    if wanted.make == Make::HaproxyKmip {
        let probe = wanted.probe.context("the KMIP-shaped check needs a client's files")?;
        check = format!(
            "    option tcp-check\n    tcp-check connect default\n    tcp-check send-binary {}\n    tcp-check expect binary 42007b\n",
            files::discover_versions_hex()
        );
        how.push_str(&format!(
            " check-ssl crt {} ca-file {} verify required on-marked-down shutdown-sessions",
            probe.both.display(),
            probe.ca.display()
        ));
    }
    let servers: String = wanted
        .servers
        .iter()
        .map(|server| format!("    server {} {} {how}\n", server.name, server.kmip))
        .collect();
    Ok(format!(
        "global\n    maxconn 8192\n{}\ndefaults\n    mode tcp\n    balance leastconn\n    option redispatch 1\n    \
         retries 3\n    timeout connect 300ms\n    timeout check 250ms\n    timeout client 6m\n    timeout server 6m\n\
         listen kms\n    bind {address}\n{check}{servers}",
        if wanted.core.is_some() { "    nbthread 1" } else { "" }
    ))
}

fn nginx(wanted: &Wanted<'_>, dir: &Path, address: SocketAddr) -> String {
    let servers: String = wanted
        .servers
        .iter()
        .map(|server| format!("server {} max_fails=1 fail_timeout=1s; ", server.kmip))
        .collect();
    let log = dir.join("log");
    format!(
        "load_module {NGINX_STREAM};\ndaemon off;\nuser root;\nworker_processes 1;\npid nginx.pid;\nerror_log {} crit;\n\
         worker_rlimit_nofile 18000;\nevents {{ worker_connections 16384; }}\nstream {{\n  upstream kms {{ least_conn; \
         {servers}}}\n  server {{ listen {address} backlog=4096; proxy_pass kms; proxy_connect_timeout 300ms; \
         proxy_timeout 6m; }}\n}}\n",
        log.display()
    )
}

/// A port that nobody else is given, and that a front can listen on all the same.
fn reserve() -> anyhow::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(socket)
}
