//! Starts the front as a process, and asks it how it is.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::node::Node;

/// How long anything may take that will certainly come: the machine may be busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at a condition.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Patient probes, so that a busy machine takes no node Down; tests of speed set their own.
pub(crate) const PATIENT: &str = "[health]\nprobe_timeout_ms = 20000\n";

const PROGRAM: &str = env!("CARGO_BIN_EXE_health-proxy");

pub(crate) struct Front {
    child: Child,
    pub(crate) dir: TempDir,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// Starts a front before `nodes`, and waits until it has probed each of them. `more` is added to its configuration.
    pub(crate) async fn start(nodes: &[&Node], more: &str) -> Self {
        let front = Self::start_unprobed(nodes, more).await;
        front
            .until("all nodes are Up", |status| {
                status["nodes"].as_array().unwrap().iter().all(|node| node["state"] == "Up")
            })
            .await;
        front
    }

    /// The same without waiting.
    pub(crate) async fn start_unprobed(nodes: &[&Node], more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(dir, &configuration(nodes, more)).await
    }

    /// Starts with this configuration in this directory.
    pub(crate) async fn start_in(dir: TempDir, text: &str) -> Self {
        Self::start_by(Command::new(PROGRAM), dir, text).await
    }

    /// The same with a clients' port that is open already, as systemd hands it over.
    pub(crate) async fn start_handed(dir: TempDir, text: &str, port: &TcpListener) -> Self {
        // Only the process itself knows the number that it must be told.
        let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 </dev/null";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, PROGRAM]).stdin(Stdio::from(OwnedFd::from(port.try_clone().unwrap())));
        Self::start_by(shell, dir, text).await
    }

    async fn start_by(mut program: Command, dir: TempDir, text: &str) -> Self {
        std::fs::write(dir.path().join("front.toml"), text).unwrap();
        let mut child = program
            .arg("--config")
            .arg(dir.path().join("front.toml"))
            .env("NOTIFY_SOCKET", dir.path().join("notify"))
            .env("WATCHDOG_USEC", "10000000")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap().push(line);
            }
        });
        let serving = until("the front serves", async || {
            let lines = log.lock().unwrap();
            let line = lines.iter().find(|line| line.contains("serving, mode "))?;
            serde_json::from_str::<Value>(line).ok()
        })
        .await;
        let address = |name: &str| serving[name].as_str().unwrap().parse().unwrap();
        let (listen, admin) = (address("listen"), address("admin"));
        Self { child, dir, listen, admin, log }
    }

    /// A client of it.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.listen).await.unwrap()
    }

    /// The name of the node that answers a new client, with the client.
    pub(crate) async fn client(&self) -> (TcpStream, String) {
        let mut client = self.connect().await;
        let name = ask(&mut client).await.unwrap();
        (client, name)
    }

    /// A new client of this node. Others are made, and kept until it is found, so that the node gets its turn.
    pub(crate) async fn client_of(&self, name: &str) -> TcpStream {
        let mut others = Vec::new();
        until("a client gets the node", async || {
            let (client, node) = self.client().await;
            if node == name {
                return Some(client);
            }
            others.push(client);
            None
        })
        .await
    }

    pub(crate) async fn status(&self) -> Value {
        let (code, body) = self.get("/api/v1/status").await;
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let stream = TcpStream::connect(self.admin).await.unwrap();
        http(stream, "GET", path).await
    }

    pub(crate) async fn order(&self, path: &str) -> (u16, String) {
        let stream = UnixStream::connect(self.path("admin.sock")).await.unwrap();
        http(stream, "POST", path).await
    }

    /// Waits until the status says so, and gives that one.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            let status = self.status().await;
            holds(&status).then_some(status)
        })
        .await
    }

    /// Waits until a node's state is this.
    pub(crate) async fn until_state(&self, name: &str, state: &str) -> Value {
        let status =
            self.until(&format!("{name} is {state}"), |status| node(status, name)["state"] == state).await;
        node(&status, name).clone()
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap() as i32)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(LIMIT, self.child.wait()).await.expect("the front ends").unwrap()
    }

    /// Writes another configuration and has it read; waits until the log says what came of it.
    pub(crate) async fn reload(&self, text: &str) -> String {
        let before = self.lines("SIGHUP").len();
        std::fs::write(self.path("front.toml"), text).unwrap();
        self.signal(Signal::SIGHUP);
        until("the log speaks of the reload", async || self.lines("SIGHUP").get(before).cloned()).await
    }

    /// Lines of the log with this in them.
    pub(crate) fn lines(&self, part: &str) -> Vec<String> {
        self.log.lock().unwrap().iter().filter(|line| line.contains(part)).cloned().collect()
    }
}

/// A configuration for these nodes on ports that are free.
pub(crate) fn configuration(nodes: &[&Node], more: &str) -> String {
    let mut text =
        "[front]\nlisten = \"127.0.0.1:0\"\ntrack_file = \"track\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
                    socket = \"admin.sock\"\n[log]\nformat = \"json\"\nlevel = \"debug\"\n[nodes]\n"
            .to_owned();
    for node in nodes {
        text.push_str(&format!("{} = \"{}\"\n", node.name, node.address));
    }
    text + more
}

/// One node of a status.
pub(crate) fn node<'a>(status: &'a Value, name: &str) -> &'a Value {
    status["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name).unwrap()
}

/// Asks who is there.
pub(crate) async fn ask(client: &mut TcpStream) -> std::io::Result<String> {
    let work = async {
        client.write_all(b"?").await?;
        let mut name = Vec::new();
        loop {
            match client.read_u8().await? {
                b'\n' => return Ok(String::from_utf8(name).unwrap()),
                byte => name.push(byte),
            }
        }
    };
    timeout(LIMIT, work).await.expect("a node answers")
}

/// Waits until the connection ends, and says how: None for an end in order.
pub(crate) async fn end(client: &mut TcpStream) -> Option<std::io::ErrorKind> {
    let mut byte = [0];
    match timeout(LIMIT, client.read(&mut byte)).await.expect("the connection ends") {
        Ok(0) => None,
        Ok(_) => panic!("a byte came instead of the end"),
        Err(error) => Some(error.kind()),
    }
}

/// Waits until `look` finds something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(LOOK_INTERVAL).await;
        }
    };
    timeout(LIMIT, search).await.unwrap_or_else(|_| panic!("not within {LIMIT:?}: {what}"))
}

async fn http(mut stream: impl AsyncRead + AsyncWrite + Unpin, method: &str, path: &str) -> (u16, String) {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: front\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    let work = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_string(&mut answer).await
    };
    timeout(LIMIT, work).await.expect("the front answers").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The resident memory of a process, in bytes.
pub(crate) fn resident(pid: Pid) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
