//! One node: its files, and its process when it runs.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpSocket;

use crate::{Answer, http, programs};

/// Longest wait for a started server to serve, unless it ends before.
pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait for a server to end that was told to: more than its drain timeout's default.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two looks at what the system does not report by itself.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Lines of a log that are shown when a test fails.
const LAST_LINES: usize = 25;

/// Section and key of a configuration, and the value as TOML.
pub(crate) type Settings = BTreeMap<(String, String), String>;

/// A node of the laboratory. All its methods take `&self`, so that a test may kill it while others use it.
#[derive(Debug)]
pub struct NodeHandle {
    /// node1, node2, …
    pub name: String,
    /// Its directory, with configuration, root key, certificates, data and log.
    pub dir: PathBuf,
    /// Where it serves KMIP. The same after every start.
    pub kmip_address: SocketAddr,
    /// Where it serves KMIP over HTTPS, in a laboratory that was built with it.
    pub https_address: SocketAddr,
    /// Where it serves /livez, /readyz and /metrics.
    pub admin_address: SocketAddr,
    /// Where the others of its cluster reach it; none for a lone node.
    pub link_address: Option<SocketAddr>,
    /// Its number in the cluster, once it has one.
    number: OnceLock<u64>,
    settings: Mutex<Settings>,
    environment: Mutex<BTreeMap<String, String>>,
    process: Mutex<Option<Process>>,
    launcher: Mutex<Vec<String>>,
    /// Where the lines of the last start begin in the log.
    log_start: Mutex<u64>,
    /// Bound and never listening: nobody else is given these ports, and the server can listen on them all the same.
    _ports: Vec<TcpSocket>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// The server's process: the child's, or with a launcher that of the child's child.
    pid: Pid,
}

/// A server that ended instead of serving.
#[derive(Clone, Debug)]
pub struct Refused {
    /// How it ended.
    pub status: ExitStatus,
    /// What it said since it was started.
    pub log: String,
}

impl NodeHandle {
    /// With `link_host` it is one of a cluster, whose links go out from and come in at that address.
    pub(crate) fn make(dir: PathBuf, name: String, settings: &Settings, link_host: Option<Ipv4Addr>) -> Self {
        let mut ports: Vec<_> = (0..3).map(|_| reserve(Ipv4Addr::LOCALHOST)).collect();
        let [kmip_address, admin_address, https_address] =
            [0, 1, 2].map(|at| ports[at].local_addr().unwrap());
        let mut all = Settings::new();
        let mut set = |section: &str, key: &str, value: String| {
            all.insert((section.to_owned(), key.to_owned()), value);
        };
        set("node", "name", quoted(&name));
        set("node", "data_dir", quoted("data"));
        set("kmip", "listen", quoted(&kmip_address.to_string()));
        set("kmip", "certificate", quoted("tls/server.pem"));
        set("kmip", "key", quoted("tls/server.key"));
        set("kmip", "ca", quoted("tls/ca.pem"));
        set("admin", "listen", quoted(&admin_address.to_string()));
        set("root_key", "file", quoted("root.key"));
        let link_address = link_host.map(|host| {
            let port = reserve(host);
            let address = port.local_addr().unwrap();
            ports.push(port);
            for key in ["listen", "advertise"] {
                set("cluster", key, quoted(&address.to_string()));
            }
            set("cluster", "source", quoted(&host.to_string()));
            set("cluster", "certificate", quoted("tls/node.pem"));
            set("cluster", "key", quoted("tls/node.key"));
            set("cluster", "ca", quoted("tls/cluster-ca.pem"));
            set("cluster", "ca_key", quoted("tls/cluster-ca.key"));
            address
        });
        all.extend(settings.clone());
        if let Some(listen) = all.get_mut(&("https".to_owned(), "listen".to_owned())) {
            *listen = quoted(&https_address.to_string());
        }
        Self {
            name,
            dir,
            kmip_address,
            https_address,
            admin_address,
            link_address,
            number: OnceLock::new(),
            settings: Mutex::new(all),
            environment: Mutex::default(),
            process: Mutex::default(),
            launcher: Mutex::default(),
            log_start: Mutex::default(),
            _ports: ports,
        }
    }

    /// Its number in the cluster. Panics when it has not joined.
    pub fn number(&self) -> u64 {
        *self.number.get().unwrap_or_else(|| panic!("{} has no number: it has not joined", self.name))
    }

    pub(crate) fn set_number(&self, number: u64) {
        self.number.set(number).expect("a node gets its number once");
    }

    /// The address that its links come from and go to. Panics for a lone node.
    pub(crate) fn link_host(&self) -> IpAddr {
        self.link_address.expect("a node of a cluster").ip()
    }

    /// Changes a configuration key from the next start on; `value` is TOML, a text with its quotes.
    pub fn set(&self, section: &str, key: &str, value: impl Into<String>) {
        locked(&self.settings).insert((section.to_owned(), key.to_owned()), value.into());
    }

    /// Starts the server through a program such as strace from the next start on. The program must start the server
    /// as its one child and end when the server ends.
    pub fn launch_with(&self, launcher: &[&str]) {
        *locked(&self.launcher) = launcher.iter().map(|&word| word.to_owned()).collect();
    }

    /// A variable of the server's environment from the next start on; none takes it away.
    pub fn set_environment(&self, name: &str, value: Option<&str>) {
        let mut environment = locked(&self.environment);
        match value {
            Some(value) => environment.insert(name.to_owned(), value.to_owned()),
            None => environment.remove(name),
        };
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        let settings = locked(&self.settings);
        let value = &settings[&("node".to_owned(), "data_dir".to_owned())];
        self.dir.join(value.trim_matches('"'))
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("kms-server.toml")
    }

    /// Where the server's lines go.
    pub fn log_file(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// The operator's socket.
    pub fn admin_socket(&self) -> PathBuf {
        self.data_dir().join("admin.sock")
    }

    /// All that the server ever said.
    pub fn log_text(&self) -> String {
        std::fs::read(self.log_file())
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// What the server said since it was last started.
    pub fn log_of_last_start(&self) -> String {
        let log = std::fs::read(self.log_file()).unwrap_or_default();
        let start = usize::try_from(*locked(&self.log_start)).unwrap();
        String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned()
    }

    /// The server's process. Panics when it does not run.
    pub fn pid(&self) -> u32 {
        self.pid_if_running().expect("the server runs")
    }

    fn pid_if_running(&self) -> Option<u32> {
        let process = locked(&self.process);
        process.as_ref().map(|process| u32::try_from(process.pid.as_raw()).unwrap())
    }

    /// Starts the server and waits until /readyz says that it serves; says how long that took, or why the server ended
    /// instead. Panics when it runs already, or neither serves nor ends within three minutes.
    pub async fn start(&self) -> Result<Duration, Refused> {
        let began = Instant::now();
        self.spawn();
        loop {
            if let Some(status) = self.ended() {
                return Err(Refused { status, log: self.log_of_last_start() });
            }
            if self.is_ready().await {
                return Ok(began.elapsed());
            }
            assert!(
                began.elapsed() < READY_TIMEOUT,
                "{} neither serves nor ends within {READY_TIMEOUT:?}:\n{}",
                self.name,
                self.last_lines()
            );
            // Nothing reports readiness; it is asked for again.
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Starts the server and waits for nothing; see [`NodeHandle::start`].
    pub fn spawn(&self) {
        let mut process = locked(&self.process);
        assert!(process.is_none(), "{} runs already", self.name);
        self.write_config();
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        *locked(&self.log_start) = log.metadata().unwrap().len();
        let launcher = locked(&self.launcher).clone();
        let mut words = launcher.iter().map(PathBuf::from).chain([programs().server.clone()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("--config").arg(self.config_file()).arg("--lifeline");
        command.current_dir(&self.dir).envs(locked(&self.environment).iter());
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let parent = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let pid = if launcher.is_empty() { parent } else { only_child(parent) };
        *process = Some(Process { child, pid });
    }

    /// Joins the cluster that made the token, as a command that ends; says the node's number, or why not.
    pub async fn join(&self, token: &str) -> Result<u64, String> {
        self.write_config();
        let mut command = tokio::process::Command::new(&programs().server);
        command.arg("--config").arg(self.config_file()).args(["--join", token, "--name", &self.name]);
        let output = command.current_dir(&self.dir).stdin(Stdio::null()).output().await.unwrap();
        if !output.status.success() {
            return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = said.trim().rsplit(' ').next().and_then(|number| number.parse().ok());
        let number = number.ok_or_else(|| format!("joined, and said no number: {said}"))?;
        self.set_number(number);
        Ok(number)
    }

    fn write_config(&self) {
        std::fs::write(self.config_file(), self.config_text()).unwrap();
    }

    fn config_text(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        let settings = locked(&self.settings);
        for ((in_section, key), value) in settings.iter() {
            if in_section != section {
                section = in_section;
                writeln!(text, "[{section}]").unwrap();
            }
            writeln!(text, "{key} = {value}").unwrap();
        }
        text
    }

    /// Whether /readyz says that the server serves.
    pub async fn is_ready(&self) -> bool {
        http::get(self.admin_address, "/readyz").await.is_ok_and(|answer| answer.status == 200)
    }

    /// Asks the admin port.
    pub async fn admin(&self, path: &str) -> std::io::Result<Answer> {
        http::get(self.admin_address, path).await
    }

    /// Asks the operator's socket.
    pub async fn operator(&self, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        http::over_socket(&self.admin_socket(), method, path, body).await
    }

    /// How the server ended, where it has.
    fn ended(&self) -> Option<ExitStatus> {
        let mut process = locked(&self.process);
        let status = process.as_mut()?.child.try_wait().unwrap()?;
        *process = None;
        Some(status)
    }

    /// How and with what words the server ended, where it has since this was last asked.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.ended().map(|status| Refused { status, log: self.log_of_last_start() })
    }

    /// Waits until the server ends. Panics when it does not within half a minute, or does not run.
    pub async fn wait(&self) -> ExitStatus {
        let began = Instant::now();
        assert!(locked(&self.process).is_some(), "{} does not run", self.name);
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(began.elapsed() < STOP_TIMEOUT, "{} has not ended within {STOP_TIMEOUT:?}", self.name);
            // The system reports the end of a child only when asked.
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Whether it runs, paused or not.
    pub fn is_running(&self) -> bool {
        self.ended();
        locked(&self.process).is_some()
    }

    /// Whether it runs and is not paused.
    pub fn is_awake(&self) -> bool {
        self.is_running() && !self.has_stopped()
    }

    /// Sends a signal to the server. Panics when it does not run.
    pub fn signal(&self, signal: Signal) {
        let process = locked(&self.process);
        kill(process.as_ref().expect("the server runs").pid, signal).unwrap();
    }

    /// SIGKILL, and waits for the end.
    pub async fn kill(&self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.wait().await
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop_gracefully(&self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait().await
    }

    /// SIGSTOP: the server stands still, its connections open.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        // The signal is delivered thread by thread, so the server may answer for a moment more.
        let began = Instant::now();
        while !self.has_stopped() {
            assert!(began.elapsed() < Duration::from_secs(30), "{} does not stop", self.name);
            std::thread::yield_now();
        }
    }

    /// Whether every thread of the server stands still, as the kernel tells.
    fn has_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the server's threads");
        tasks.filter_map(Result::ok).all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            // The state stands behind the name, which is in brackets and may hold anything.
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 't']))
        })
    }

    /// SIGCONT, after [`NodeHandle::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Ends the server in order where it runs, and starts it again. Panics when it does not come back.
    pub async fn restart(&self) -> Duration {
        if self.is_running() {
            self.stop_gracefully().await;
        }
        self.start().await.unwrap_or_else(|refused| panic!("{} does not come back: {refused}", self.name))
    }

    /// Kilobytes of memory that the server holds: `VmRSS` of its /proc/PID/status.
    pub fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn last_lines(&self) -> String {
        let log = self.log_text();
        let mut last = VecDeque::with_capacity(LAST_LINES);
        for line in log.lines() {
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
        Vec::from(last).join("\n")
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the last lines of {}:\n{}", self.log_file().display(), self.last_lines());
        }
        if let Some(mut process) = locked(&self.process).take() {
            let _ = kill(process.pid, Signal::SIGKILL);
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:\n{}", self.status, self.log)
    }
}

fn reserve(host: Ipv4Addr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from((host, 0))).unwrap();
    socket
}

/// The process that a launcher started; waits until it is there.
fn only_child(parent: Pid) -> Pid {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let began = Instant::now();
    loop {
        let children = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
        if let Some(child) = children.split_ascii_whitespace().next() {
            return Pid::from_raw(child.parse().unwrap());
        }
        assert!(began.elapsed() < STOP_TIMEOUT, "the launcher started nothing");
        // Nothing reports a grandchild; it is looked for again.
        std::thread::sleep(LOOK_INTERVAL);
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// After a panic elsewhere the servers are to be ended all the same.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
