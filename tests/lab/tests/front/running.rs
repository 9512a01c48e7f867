//! A `kms lab` that runs, and what is done to it from another terminal.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use kmip::client::{ClientConfig, ServerTrust};
use lab::programs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};

/// Longest wait for what will certainly come: the machine may be busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Between two looks at a condition.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// A `kms lab` that runs.
pub(crate) struct Running {
    child: Child,
    pub(crate) dir: PathBuf,
    _temporary: tempfile::TempDir,
}

impl Running {
    pub(crate) async fn start(words: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("lab");
        let child = kms(&["lab", "--port", "0"])
            .args(words)
            .arg("--dir")
            .arg(&dir)
            .arg("--server")
            .arg(&programs().server)
            .arg("--front")
            .arg(&programs().front)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lab = Running { child, dir, _temporary: temporary };
        until("the lab serves", async || lab.dir.join("lab.json").exists()).await;
        lab
    }

    /// lab.json.
    pub(crate) fn description(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.dir.join("lab.json")).unwrap()).unwrap()
    }

    pub(crate) fn front_pid(&self) -> u64 {
        self.description()["front"]["pid"].as_u64().unwrap()
    }

    /// The lab's client, who knows the one address that the lab printed.
    pub(crate) fn client(&self) -> ClientConfig {
        let description = self.description();
        let read = |what: &str| std::fs::read(description["client"][what].as_str().unwrap()).unwrap();
        let trust = ServerTrust::Ca { pem: read("ca"), verify_name: true };
        let address = description["vip"].as_str().unwrap();
        ClientConfig::builder(address, trust).identity_pem(read("cert"), read("key")).build().unwrap()
    }

    /// `kms lab WORDS` in another terminal.
    pub(crate) async fn lab(&self, words: &[&str]) -> Output {
        kms(&["lab"]).args(words).arg("--dir").arg(&self.dir).output().await.unwrap()
    }

    /// `kms front WORDS` in another terminal.
    pub(crate) async fn front(&self, words: &[&str]) -> Output {
        let socket = self.dir.join("front/admin.sock");
        kms(&["front"]).args(words).arg("--socket").arg(socket).output().await.unwrap()
    }

    pub(crate) async fn front_status(&self) -> Value {
        let output = self.front(&["status", "--json"]).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)))
    }

    /// Requests that the front gave to more than one node.
    pub(crate) async fn resent(&self) -> u64 {
        let status = self.front_status().await;
        let operations = status["operations"].as_object().unwrap().values();
        operations.map(|operation| operation["resent"].as_u64().unwrap()).sum()
    }

    /// Requests that this node has answered.
    pub(crate) async fn served(&self, name: &str) -> u64 {
        let status = self.front_status().await;
        let mut nodes = status["nodes"].as_array().unwrap().iter();
        nodes.find(|node| node["name"] == name).unwrap()["served"].as_u64().unwrap()
    }

    /// Waits until other nodes were given requests that this one had, beyond as many as there were before.
    pub(crate) async fn resends(&self, frozen: &str, before: u64) {
        let began = Instant::now();
        while self.resent().await <= before {
            assert!(
                began.elapsed() < LIMIT,
                "{frozen} has no requests that others could be given: {}",
                self.front_status().await
            );
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    pub(crate) async fn node_is(&self, name: &str, state: &str) {
        until(&format!("{name} is {state}"), async || {
            let status = self.front_status().await;
            let nodes = status["nodes"].as_array().unwrap();
            nodes.iter().any(|node| node["name"] == name && node["state"] == state)
        })
        .await;
    }

    /// The name of the node that leads, or of one that does not.
    pub(crate) async fn node(&self, leads: bool) -> String {
        let output = self.lab(&["status", "--json"]).await;
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let nodes = status["nodes"].as_array().unwrap();
        let found = nodes.iter().find(|node| (node["role"] == "leader") == leads);
        found.unwrap_or_else(|| panic!("no such node: {status}"))["name"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn end(mut self, signal: Signal) {
        let front = self.description()["front"]["pid"].as_u64();
        kill(Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()), signal).unwrap();
        self.child.wait().await.unwrap();
        if let Some(pid) = front {
            let process = PathBuf::from(format!("/proc/{pid}"));
            until("the front has ended", async || !process.exists()).await;
        }
    }
}

/// The command with nothing that tells it of cargo: the programs are built.
pub(crate) fn kms(words: &[&str]) -> Command {
    let mut command = Command::new(&programs().kms);
    command.args(words).env_remove("CARGO").env("NO_COLOR", "1");
    command
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LIMIT, "not within {} s: {what}", LIMIT.as_secs());
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

pub(crate) fn is_process(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
