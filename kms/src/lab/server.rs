//! One server as a process of the lab, kms-server or the front: started, watched, stopped.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hyper::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio::process::{ChildStdin, Command};
use tokio::sync::watch;

use super::Stop;
use crate::http;
use crate::print;

/// Longest wait for a server that was told to stop, before it is killed. More than its own drain time (10 s).
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait for the kernel to stop, or to end, all threads of a server.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks at threads, whose state the kernel tells only when asked.
const THREADS_INTERVAL: Duration = Duration::from_millis(2);

/// Longest wait for a started server to serve: a large log is read first.
pub(super) const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks at a server that does not serve yet.
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// Longest wait for an answer of /readyz.
const READY_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Lines of the log that are shown when a server ends by itself.
const LAST_LINES: usize = 15;

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// A program and its arguments that become the server; none where it is started as it is.
    pub(super) within: Vec<String>,
    /// Where it is started: the directory with all that is its own.
    pub(super) dir: PathBuf,
    /// Where its lines go.
    pub(super) log: PathBuf,
    /// Whether it is all processes that it has started, and not one of them is to live without the others.
    pub(super) with_children: bool,
    /// Files of its last run that would keep it from starting.
    pub(super) leftovers: Vec<PathBuf>,
}

impl Launch {
    /// One of our daemons, which reads this configuration and ends with us.
    pub(super) fn daemon(program: PathBuf, dir: PathBuf, config: PathBuf, log: PathBuf) -> Self {
        let arguments = vec!["--config".into(), config.into_os_string(), "--lifeline".into()];
        Launch { program, arguments, dir, log, ..Launch::default() }
    }

    /// What is executed.
    fn command(&self) -> Command {
        let mut words = self.within.iter().map(OsString::from);
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(&self.arguments);
        command
    }

    /// The program's name, for people.
    fn title(&self) -> String {
        self.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// A started server. Killed when it is dropped while it runs.
#[derive(Debug)]
pub(super) struct Server {
    pid: u32,
    /// How it ended, once it has.
    ended: watch::Receiver<Option<String>>,
    /// Whether we ended it.
    told: Arc<AtomicBool>,
    /// Whether it stands still, as we told it to.
    frozen: AtomicBool,
    /// The server ends when this closes (`--lifeline`), which the kernel does for us when this process is killed.
    _lifeline: ChildStdin,
    launch: Launch,
    /// Where this run's lines begin in the log.
    log_start: u64,
}

impl Server {
    /// Starts a server. Its lines go to its log.
    pub(super) fn start(launch: &Launch) -> anyhow::Result<Self> {
        let Launch { program, dir, log, leftovers, .. } = launch;
        for path in leftovers {
            // Most often it is not there.
            let _ = std::fs::remove_file(path);
        }
        let open = File::options().create(true).append(true).open(log);
        let file = open.with_context(|| format!("opening {}", log.display()))?;
        let log_start = file.metadata().map_or(0, |metadata| metadata.len());
        let mut child = launch
            .command()
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(file.try_clone().context("sharing the log")?)
            .stderr(file)
            // A group of its own: Ctrl-C in the terminal comes to us alone, and we stop it in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let lifeline = child.stdin.take().context("the server has no lifeline")?;
        let pid = child.id().context("the server ended before it began")?;
        let (sender, ended) = watch::channel(None);
        tokio::spawn(async move {
            let how = match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => format!("how is not known: {error}"),
            };
            sender.send_replace(Some(how));
        });
        let (told, frozen) = (Arc::default(), AtomicBool::new(false));
        Ok(Server { pid, ended, told, frozen, _lifeline: lifeline, launch: launch.clone(), log_start })
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has not ended; it may stand still.
    pub(super) fn is_running(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Whether it runs and stands still.
    pub(super) fn is_frozen(&self) -> bool {
        self.is_running() && self.frozen.load(Ordering::Relaxed)
    }

    /// Whether it has ended, and not because we told it to.
    pub(super) fn ended_by_itself(&self) -> bool {
        !self.is_running() && !self.told.load(Ordering::Relaxed)
    }

    /// Waits until it ends, and says how. Needs the server no longer.
    pub(super) fn end(&self) -> impl Future<Output = String> + Send + 'static {
        let mut ended = self.ended.clone();
        async move {
            let how = ended.wait_for(Option::is_some).await;
            // Who would say how is gone only when this process ends.
            how.ok().and_then(|how| how.clone()).unwrap_or_default()
        }
    }

    /// That it ended by itself, as an error with its last lines.
    pub(super) fn died(&self) -> anyhow::Error {
        let lines = self.last_lines();
        let lines = if lines.is_empty() { "(it said nothing)" } else { &lines };
        anyhow::anyhow!(
            "{} ended by itself ({}); its last lines:\n{lines}\nhint: the whole log is {}; started again, the lab keeps its keys",
            self.launch.title(),
            self.how(),
            self.launch.log.display()
        )
    }

    /// The same in one line.
    pub(super) fn died_line(&self) -> String {
        let lines = self.last_lines();
        let last = lines.lines().last().unwrap_or("it said nothing").trim().to_owned();
        format!("ended by itself ({}): {last}", self.how())
    }

    fn how(&self) -> String {
        self.ended.borrow().clone().unwrap_or_else(|| "still running".to_owned())
    }

    /// The last lines of this run.
    pub(super) fn last_lines(&self) -> String {
        last_lines(&self.launch.log, self.log_start).unwrap_or_default()
    }

    /// SIGKILL, and waits for the end.
    pub(super) async fn kill(&self) -> anyhow::Result<()> {
        self.told.store(true, Ordering::Relaxed);
        // One that stands still neither starts its children again nor puts anything in order when they are gone.
        self.signal(Signal::SIGSTOP);
        for child in self.children() {
            let _ = kill(child, Signal::SIGKILL);
        }
        self.signal(Signal::SIGKILL);
        let ended = tokio::time::timeout(SIGNAL_TIMEOUT, self.end()).await;
        ended
            .map(drop)
            .with_context(|| format!("process {} does not end: the system is busy with it", self.pid))
    }

    /// SIGSTOP: it stands still, its connections open. Waits until every thread does: the signal comes to one after
    /// the other, so the server may answer for a moment more.
    pub(super) async fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP);
        for child in self.children() {
            let _ = kill(child, Signal::SIGSTOP);
        }
        self.frozen.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + SIGNAL_TIMEOUT;
        while !self.stands_still() {
            if Instant::now() >= deadline {
                bail!("process {} does not stop: the system is busy with it", self.pid);
            }
            tokio::time::sleep(THREADS_INTERVAL).await;
        }
        Ok(())
    }

    /// Whether every thread stands still, as the kernel tells.
    fn stands_still(&self) -> bool {
        let children = self.children().into_iter().map(|child| child.to_string());
        [self.pid.to_string()].into_iter().chain(children).all(|pid| {
            let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
            tasks.filter_map(Result::ok).all(|task| {
                let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                // The state stands behind the name, which is in brackets and may hold anything; a dead one is still.
                stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 't', 'Z']))
            })
        })
    }

    /// The processes that its first thread has started and without which it is nothing.
    fn children(&self) -> Vec<Pid> {
        if !self.launch.with_children {
            return Vec::new();
        }
        let path = format!("/proc/{0}/task/{0}/children", self.pid);
        let children = std::fs::read_to_string(path).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
    }

    /// SIGCONT, after [`Server::freeze`].
    pub(super) fn thaw(&self) {
        self.frozen.store(false, Ordering::Relaxed);
        for child in self.children() {
            let _ = kill(child, Signal::SIGCONT);
        }
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().filter(|_| self.is_running()) {
            // It may have ended just now: then there is nobody to tell.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Tells servers to stop, all at once, frozen ones too; waits, and kills those that do not, or all when asked a second
/// time.
pub(super) async fn stop(servers: &[Arc<Server>], again: &mut Stop) -> anyhow::Result<()> {
    for server in servers {
        server.told.store(true, Ordering::Relaxed);
        server.signal(Signal::SIGTERM);
        server.thaw();
    }
    let all_ended = async {
        for server in servers {
            server.end().await;
        }
    };
    tokio::select! {
        () = all_ended => return Ok(()),
        () = tokio::time::sleep(STOP_TIMEOUT) => {
            print::note(format!("a server did not stop within {} s and is killed", STOP_TIMEOUT.as_secs()));
        }
        () = again.asked() => {}
    }
    for server in servers {
        server.kill().await?;
    }
    Ok(())
}

fn last_lines(log: &Path, start: u64) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(start))?;
    let mut last = VecDeque::with_capacity(LAST_LINES);
    for line in BufReader::new(file).lines() {
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(format!("  {}", line?));
    }
    Ok(Vec::from(last).join("\n"))
}

/// Waits until the process that served the node in `dir` has ended; another process with its number is none. One that
/// was left frozen goes on, so that it can notice that its lab is gone.
pub(super) async fn gone(pid: u32, dir: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + STOP_TIMEOUT;
    if let Some(pid) = i32::try_from(pid).ok().filter(|_| serves(pid, dir)) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
    }
    while serves(pid, dir) {
        if Instant::now() >= deadline {
            bail!("the server of a lab that was killed still runs, process {pid}. hint: stop it: kill {pid}");
        }
        tokio::time::sleep(READY_INTERVAL).await;
    }
    Ok(())
}

fn serves(pid: u32, dir: &Path) -> bool {
    let command_line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let dir = dir.as_os_str().as_encoded_bytes();
    !dir.is_empty() && command_line.windows(dir.len()).any(|part| part == dir)
}

/// Waits until a node's /readyz says that it serves. Fails with the last reason why not.
pub(super) async fn ready(admin: SocketAddr, within: Duration) -> Result<(), String> {
    let deadline = Instant::now() + within;
    loop {
        let asked = tokio::time::timeout(READY_ANSWER_TIMEOUT, ask_ready(admin)).await;
        match asked.unwrap_or_else(|_| Err("/readyz does not answer".to_owned())) {
            Ok(()) => return Ok(()),
            Err(reason) if Instant::now() >= deadline => return Err(reason),
            Err(_) => tokio::time::sleep(READY_INTERVAL).await,
        }
    }
}

/// Waits until a server has written its file.
pub(super) async fn written(path: &Path, within: Duration) -> Result<(), String> {
    let deadline = Instant::now() + within;
    while !path.exists() {
        if Instant::now() >= deadline {
            return Err(format!("{} is not written", path.display()));
        }
        tokio::time::sleep(READY_INTERVAL).await;
    }
    Ok(())
}

async fn ask_ready(admin: SocketAddr) -> Result<(), String> {
    let stream = TcpStream::connect(admin).await.map_err(|error| format!("{admin}: {error}"))?;
    let answer = http::send(stream, Method::GET, "/readyz", None).await.map_err(|error| error.to_string())?;
    match answer.status.is_success() {
        true => Ok(()),
        false => Err(format!("/readyz says {}", String::from_utf8_lossy(&answer.body).trim())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program in a node's directory that does what the script says.
    fn start(script: &str) -> (tempfile::TempDir, Server) {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("server");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let (config, log) = (dir.path().join("config"), dir.path().join("server.log"));
        fs::write(&log, "a line of the run before\n").unwrap();
        let launch = Launch::daemon(program, dir.path().to_owned(), config, log);
        let server = Server::start(&launch).unwrap();
        (dir, server)
    }

    #[tokio::test]
    async fn a_server_that_dies_is_reported_with_its_last_lines() {
        let (_dir, server) = start("echo 'error: the root key is gone' >&2; exit 7");
        assert_eq!(server.end().await, "exit status: 7");
        assert!(server.ended_by_itself());
        let error = server.died().to_string();
        assert!(error.contains("exit status: 7") && error.contains("the root key is gone"), "{error}");
        assert!(!error.contains("run before"), "{error}");
        assert_eq!(server.died_line(), "ended by itself (exit status: 7): error: the root key is gone");
    }

    /// A server that is ready, and says when it is told to stop.
    async fn obedient() -> (tempfile::TempDir, Server) {
        let (dir, server) = start(
            "trap 'echo stopped > stopped; exit 0' TERM; echo ready > ready; while :; do sleep 0.05; done",
        );
        while !dir.path().join("ready").exists() {
            tokio::task::yield_now().await;
        }
        (dir, server)
    }

    #[tokio::test]
    async fn a_server_is_told_to_stop_before_it_is_killed() {
        let (dir, server) = obedient().await;
        stop(&[Arc::new(server)], &mut Stop::new().unwrap()).await.unwrap();
        assert!(dir.path().join("stopped").exists());
    }

    #[tokio::test]
    async fn a_frozen_server_stands_still_and_is_told_to_stop_all_the_same() {
        let (dir, server) = obedient().await;
        server.freeze().await.unwrap();
        assert!(server.is_frozen() && server.stands_still() && server.is_running());
        stop(&[Arc::new(server)], &mut Stop::new().unwrap()).await.unwrap();
        assert!(dir.path().join("stopped").exists());
    }

    #[tokio::test]
    async fn a_frozen_server_goes_on_and_a_killed_one_does_not() {
        let (dir, server) = obedient().await;
        server.freeze().await.unwrap();
        server.thaw();
        assert!(!server.is_frozen());
        server.kill().await.unwrap();
        assert!(!server.is_running() && !server.ended_by_itself());
        assert!(!dir.path().join("stopped").exists());
    }

    #[tokio::test]
    async fn a_server_left_by_a_killed_lab_is_waited_for() {
        let (dir, mut server) = start("cat; exit 0");
        // A process that was only just started may not show its arguments yet.
        while !serves(server.pid(), dir.path()) {
            tokio::task::yield_now().await;
        }
        assert!(!serves(server.pid(), Path::new("/elsewhere")), "another process is none of ours");
        server.freeze().await.unwrap();
        server._lifeline = other_stdin();
        gone(server.pid(), dir.path()).await.unwrap();
    }

    #[tokio::test]
    async fn a_server_ends_when_its_lifeline_is_cut() {
        let (_dir, mut server) = start("cat; exit 3");
        // What the kernel does when the lab is killed.
        server._lifeline = other_stdin();
        assert_eq!(server.end().await, "exit status: 3");
    }

    fn other_stdin() -> ChildStdin {
        let child = Command::new("true").stdin(Stdio::piped()).kill_on_drop(true).spawn();
        child.unwrap().stdin.take().unwrap()
    }
}
