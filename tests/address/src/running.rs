//! `kms lab --fronts 2` as its operator runs it, and what is done to it from another terminal.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use kmip::client::ClientConfig;
use lab::programs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::until;

/// Where `ip netns` keeps namespaces.
const NAMESPACES: &str = "/run/netns";

/// A lab that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    dir: PathBuf,
    description: Value,
    _temporary: tempfile::TempDir,
}

impl Running {
    /// Starts it with so many nodes, and waits until it serves. Panics when it does not.
    pub async fn start(nodes: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("lab");
        let mut child = kms(&["lab", "--port", "0", "--fronts", "2", "--nodes", nodes, "--dir"])
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
        until("the lab serves", async || {
            assert!(child.try_wait().unwrap().is_none(), "the lab has ended; its words are above");
            dir.join("lab.json").exists()
        })
        .await;
        let description = serde_json::from_slice(&std::fs::read(dir.join("lab.json")).unwrap()).unwrap();
        Running { child, dir, description, _temporary: temporary }
    }

    /// lab.json as it was at the start.
    pub fn description(&self) -> &Value {
        &self.description
    }

    /// `kmslab0` or the like: what the names of its networks begin with.
    pub fn network(&self) -> String {
        let client = self.description["pair"]["client_namespace"].as_str().unwrap();
        client.strip_suffix("-client").unwrap().to_owned()
    }

    /// The file that is the network namespace of its client.
    pub fn client_namespace(&self) -> PathBuf {
        Path::new(NAMESPACES).join(format!("{}-client", self.network()))
    }

    /// The lab's client at a node's own address, past the fronts, from 0. It has all the patience of the default.
    pub fn at_node(&self, index: usize, config: &ClientConfig) -> ClientConfig {
        config.with_address(self.description["nodes"][index]["kmip"].as_str().unwrap()).unwrap()
    }

    /// `kms lab WORDS`. Panics when it fails.
    pub async fn lab(&self, words: &str) -> String {
        let output = self.try_lab(words).await;
        assert!(output.status.success(), "kms lab {words}: {}", said(&output));
        said(&output)
    }

    /// The same, whatever comes of it.
    pub async fn try_lab(&self, words: &str) -> Output {
        let words: Vec<_> = words.split(' ').collect();
        kms(&["lab"]).args(words).arg("--dir").arg(&self.dir).output().await.unwrap()
    }

    /// `kms lab status`.
    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.lab("status --json").await).unwrap()
    }

    /// A front as `kms lab status` has it, 1 or 2.
    pub async fn front(&self, number: usize) -> Value {
        self.status().await["pair"]["fronts"][number - 1].clone()
    }

    /// The fronts whose hosts have the address.
    pub fn holders(&self) -> Vec<usize> {
        let vip = self.description["vip"].as_str().unwrap();
        let (vip, _) = vip.split_once(':').unwrap();
        let holds = |number: &usize| {
            let shown =
                ip(&format!("-n {}-front{number} -4 -o address show dev eth0", self.network())).unwrap();
            shown.split(['/', ' ']).any(|word| word == vip)
        };
        (1..=2).filter(holds).collect()
    }

    /// Waits until every server runs and both fronts serve, and one has the address. Says which.
    pub async fn whole(&self) -> usize {
        until("both fronts serve, and one has the address", async || {
            let status = self.status().await;
            let pair = &status["pair"];
            let all = |what: &str, key: &str, value: &str| {
                pair[what].as_array().unwrap().iter().all(|one| one[key] == value)
            };
            all("fronts", "service", "serving")
                && all("fronts", "state", "serving")
                && all("keepaliveds", "state", "serving")
                && self.holders().len() == 1
        })
        .await;
        self.holders()[0]
    }

    /// Pins the address to a front for whoever is in this namespace, for this machine where it is none.
    pub fn pin(&self, namespace: Option<&str>, front: usize) {
        let (vip, _) = self.description["vip"].as_str().unwrap().split_once(':').unwrap();
        let link = ip(&format!("-n {}-front{front} -o link show dev eth0", self.network())).unwrap();
        let mac = link.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
        let within = namespace.map(|namespace| format!("-n {namespace} ")).unwrap_or_default();
        let interface = if namespace.is_some() { "eth0".to_owned() } else { self.network() };
        ip(&format!("{within}neigh replace {vip} lladdr {mac} dev {interface} nud permanent")).unwrap();
    }

    /// Ends it, and waits until it has.
    pub async fn end(mut self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()), signal).unwrap();
        self.child.wait().await.unwrap();
    }
}

/// The command with nothing that tells it of cargo: the programs are built.
fn kms(words: &[&str]) -> Command {
    let mut command = Command::new(&programs().kms);
    command.args(words).env_remove("CARGO").env("NO_COLOR", "1");
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Where a program of the system is.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    all.map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// `ip WORDS`: what it says, on success or not.
pub fn ip(words: &str) -> Result<String, String> {
    let program = program("ip").ok_or("no ip")?;
    let output = std::process::Command::new(program).args(words.split(' ')).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The network namespaces of this machine whose names begin so.
pub fn namespaces(prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(NAMESPACES).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(prefix)).collect()
}
