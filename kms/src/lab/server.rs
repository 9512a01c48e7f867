//! One kms-server as a process of the lab: started, watched, stopped.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hyper::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};

use super::Stop;
use crate::http;
use crate::node::Node;
use crate::print;

/// Longest wait for a server that was told to stop, before it is killed. More than its own drain time (10 s).
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait for a started server to serve: a large log is read first.
pub(super) const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks at a server that does not serve yet.
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// Longest wait for an answer of /readyz.
const READY_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Lines of the log that are shown when a server ends by itself.
const LAST_LINES: usize = 15;

/// A started server.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pid: u32,
    /// The server ends when this closes (`--lifeline`), which the kernel does for us when this process is killed.
    _lifeline: ChildStdin,
    log: PathBuf,
    /// Where this run's lines begin in the log.
    log_start: u64,
}

impl Server {
    /// Starts the server of a node. Its lines go to the node's log.
    pub(super) fn start(program: &Path, node: &Node) -> anyhow::Result<Self> {
        let log = node.log();
        let open = File::options().create(true).append(true).open(&log);
        let file = open.with_context(|| format!("opening {}", log.display()))?;
        let log_start = file.metadata().map_or(0, |metadata| metadata.len());
        let mut child = Command::new(program)
            .arg("--config")
            .arg(node.config())
            .arg("--lifeline")
            .current_dir(&node.dir)
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
        Ok(Server { child, pid, _lifeline: lifeline, log, log_start })
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it ends by itself, and says so as an error.
    pub(super) async fn ended(&mut self) -> anyhow::Result<anyhow::Error> {
        let status = self.child.wait().await.context("waiting for the server")?;
        Ok(self.died(status))
    }

    fn died(&self, status: ExitStatus) -> anyhow::Error {
        let lines = self.last_lines();
        let lines = if lines.is_empty() { "(it said nothing)" } else { &lines };
        anyhow::anyhow!(
            "kms-server ended by itself ({status}); its last lines:\n{lines}\nhint: the whole log is {}; started again, the lab keeps its keys",
            self.log.display()
        )
    }

    /// The last lines of this run.
    pub(super) fn last_lines(&self) -> String {
        last_lines(&self.log, self.log_start).unwrap_or_default()
    }

    /// Tells it to stop, waits, and kills it when it does not, or when asked a second time.
    pub(super) async fn stop(mut self, again: &mut Stop) -> anyhow::Result<()> {
        if self.child.try_wait().context("waiting for the server")?.is_some() {
            return Ok(());
        }
        if let Ok(pid) = i32::try_from(self.pid) {
            // It may have ended just now, which is what is wanted.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        tokio::select! {
            ended = self.child.wait() => return ended.map(|_| ()).context("waiting for the server"),
            () = tokio::time::sleep(STOP_TIMEOUT) => {
                print::note(format!("kms-server did not stop within {} s and is killed", STOP_TIMEOUT.as_secs()));
            }
            () = again.asked() => {}
        }
        self.child.kill().await.context("killing the server")
    }
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

/// Waits until the process that served the node in `dir` has ended; another process with its number is none.
pub(super) async fn gone(pid: u32, dir: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + STOP_TIMEOUT;
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
pub(super) async fn ready(admin: SocketAddr) -> Result<(), String> {
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        let asked = tokio::time::timeout(READY_ANSWER_TIMEOUT, ask_ready(admin)).await;
        match asked.unwrap_or_else(|_| Err("/readyz does not answer".to_owned())) {
            Ok(()) => return Ok(()),
            Err(reason) if Instant::now() >= deadline => return Err(reason),
            Err(_) => tokio::time::sleep(READY_INTERVAL).await,
        }
    }
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
        let node = Node { dir: dir.path().to_owned() };
        fs::write(node.log(), "a line of the run before\n").unwrap();
        let server = Server::start(&program, &node).unwrap();
        (dir, server)
    }

    #[tokio::test]
    async fn a_server_that_dies_is_reported_with_its_last_lines() {
        let (_dir, mut server) = start("echo 'error: the root key is gone' >&2; exit 7");
        let error = server.ended().await.unwrap().to_string();
        assert!(error.contains("exit status: 7") && error.contains("the root key is gone"), "{error}");
        assert!(!error.contains("run before"), "{error}");
    }

    #[tokio::test]
    async fn a_server_is_told_to_stop_before_it_is_killed() {
        let (dir, server) = start(
            "trap 'echo stopped > stopped; exit 0' TERM; echo ready > ready; while :; do sleep 0.05; done",
        );
        while !dir.path().join("ready").exists() {
            tokio::task::yield_now().await;
        }
        server.stop(&mut Stop::new().unwrap()).await.unwrap();
        assert!(dir.path().join("stopped").exists());
    }

    #[tokio::test]
    async fn a_server_left_by_a_killed_lab_is_waited_for() {
        let (dir, mut server) = start("cat; exit 0");
        // A process that was only just started may not show its arguments yet.
        while !serves(server.pid(), dir.path()) {
            tokio::task::yield_now().await;
        }
        assert!(!serves(server.pid(), Path::new("/elsewhere")), "another process is none of ours");
        server._lifeline = other_stdin();
        let Server { child, pid, .. } = &mut server;
        // It is our child here, so someone has to take its exit status for its number to be free.
        let (gone, ended) = tokio::join!(gone(*pid, dir.path()), child.wait());
        assert!(gone.is_ok() && ended.is_ok());
    }

    #[tokio::test]
    async fn a_server_ends_when_its_lifeline_is_cut() {
        let (_dir, mut server) = start("cat; exit 3");
        // What the kernel does when the lab is killed.
        let Server { child, _lifeline, .. } = &mut server;
        let replaced = std::mem::replace(_lifeline, other_stdin());
        drop(replaced);
        assert_eq!(child.wait().await.unwrap().code(), Some(3));
    }

    fn other_stdin() -> ChildStdin {
        let child = Command::new("true").stdin(Stdio::piped()).kill_on_drop(true).spawn();
        child.unwrap().stdin.take().unwrap()
    }
}
