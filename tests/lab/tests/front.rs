//! `kms lab` with its front, as an operator meets it: the real programs, clients that know one address, and the commands
//! of another terminal.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kmip::client::{Client, ClientConfig, ClientError, Connection, ServerTrust};
use kmip::enumeration::ObjectType;
use kmip::operations::{create, locate};
use kmip::{Attribute, RequestPayload, ResponsePayload, StandardAttribute, TemplateAttribute};
use lab::programs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// Longest wait for what will certainly come: the machine may be busy.
const LIMIT: Duration = Duration::from_secs(120);

/// Between two looks at a condition.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Clients at once, so that every node has requests of some.
const CLIENTS: usize = 6;

/// Requests that each client has answered after a fault before it is taken to be over.
const ANSWERED_AFTER: u64 = 20;

/// Nodes that are frozen and woken, one after the other; `FREEZES=100` for the figure in docs/front.md.
const FREEZES: usize = 10;

/// A `kms lab` that runs.
struct Running {
    child: Child,
    dir: PathBuf,
    _temporary: tempfile::TempDir,
}

impl Running {
    async fn start(words: &[&str]) -> Self {
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
    fn description(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.dir.join("lab.json")).unwrap()).unwrap()
    }

    fn front_pid(&self) -> u64 {
        self.description()["front"]["pid"].as_u64().unwrap()
    }

    /// The lab's client, who knows the one address that the lab printed.
    fn client(&self) -> ClientConfig {
        let description = self.description();
        let read = |what: &str| std::fs::read(description["client"][what].as_str().unwrap()).unwrap();
        let trust = ServerTrust::Ca { pem: read("ca"), verify_name: true };
        let address = description["vip"].as_str().unwrap();
        ClientConfig::builder(address, trust).identity_pem(read("cert"), read("key")).build().unwrap()
    }

    /// `kms lab WORDS` in another terminal.
    async fn lab(&self, words: &[&str]) -> Output {
        kms(&["lab"]).args(words).arg("--dir").arg(&self.dir).output().await.unwrap()
    }

    /// `kms front WORDS` in another terminal.
    async fn front(&self, words: &[&str]) -> Output {
        let socket = self.dir.join("front/admin.sock");
        kms(&["front"]).args(words).arg("--socket").arg(socket).output().await.unwrap()
    }

    async fn front_status(&self) -> Value {
        let output = self.front(&["status", "--json"]).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)))
    }

    /// Requests that the front gave to more than one node.
    async fn resent(&self) -> u64 {
        let status = self.front_status().await;
        let operations = status["operations"].as_object().unwrap().values();
        operations.map(|operation| operation["resent"].as_u64().unwrap()).sum()
    }

    /// Requests that this node has answered.
    async fn served(&self, name: &str) -> u64 {
        let status = self.front_status().await;
        let mut nodes = status["nodes"].as_array().unwrap().iter();
        nodes.find(|node| node["name"] == name).unwrap()["served"].as_u64().unwrap()
    }

    /// Waits until other nodes were given requests that this one had, beyond as many as there were before.
    async fn resends(&self, frozen: &str, before: u64) {
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

    async fn node_is(&self, name: &str, state: &str) {
        until(&format!("{name} is {state}"), async || {
            let status = self.front_status().await;
            let nodes = status["nodes"].as_array().unwrap();
            nodes.iter().any(|node| node["name"] == name && node["state"] == state)
        })
        .await;
    }

    /// The name of the node that leads, or of one that does not.
    async fn node(&self, leads: bool) -> String {
        let output = self.lab(&["status", "--json"]).await;
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let nodes = status["nodes"].as_array().unwrap();
        let found = nodes.iter().find(|node| (node["role"] == "leader") == leads);
        found.unwrap_or_else(|| panic!("no such node: {status}"))["name"].as_str().unwrap().to_owned()
    }

    async fn end(mut self, signal: Signal) {
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
fn kms(words: &[&str]) -> Command {
    let mut command = Command::new(&programs().kms);
    command.args(words).env_remove("CARGO").env("NO_COLOR", "1");
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LIMIT, "not within {} s: {what}", LIMIT.as_secs());
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn new_key() -> RequestPayload {
    use ttlv::Value::{Enumeration, Integer};
    let attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, Enumeration(3)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Integer(0x0c)),
        Attribute::new(StandardAttribute::CryptographicLength, Integer(256)),
    ];
    let template_attribute = TemplateAttribute { names: Vec::new(), attributes };
    create::Request { object_type: ObjectType::SymmetricKey, template_attribute }.into()
}

/// What befell the clients.
#[derive(Debug, Default)]
struct Befell {
    worst_gap: Duration,
    /// Keys that were created.
    created: u64,
    /// What went wrong, in words.
    failed: Vec<String>,
}

/// Clients that create keys without a pause, each over a connection that it keeps while it can.
struct Crowd {
    clients: JoinSet<Befell>,
    /// By client: requests answered.
    answered: Vec<Arc<AtomicU64>>,
    ends: tokio::sync::watch::Sender<bool>,
}

impl Crowd {
    async fn start(config: &ClientConfig) -> Self {
        let (ends, ended) = tokio::sync::watch::channel(false);
        let mut crowd = Crowd { clients: JoinSet::new(), answered: Vec::new(), ends };
        for _ in 0..CLIENTS {
            let answered: Arc<AtomicU64> = Arc::default();
            crowd.answered.push(Arc::clone(&answered));
            let (config, ended) = (config.clone(), ended.clone());
            crowd.clients.spawn(async move {
                let (mut befell, mut connection, mut last) = (Befell::default(), None, Instant::now());
                while !*ended.borrow() {
                    match ask(&config, &mut connection).await {
                        Ok(()) => {
                            // The first answer begins it.
                            if answered.fetch_add(1, Ordering::Relaxed) > 0 {
                                befell.worst_gap = befell.worst_gap.max(last.elapsed());
                            }
                            last = Instant::now();
                        }
                        Err(error) => {
                            befell.failed.push(error.to_string());
                            connection = None;
                        }
                    }
                }
                befell.created = answered.load(Ordering::Relaxed);
                befell
            });
        }
        crowd.more().await;
        crowd
    }

    /// Waits until every client was answered some times more.
    async fn more(&self) {
        let now = || self.answered.iter().map(|count| count.load(Ordering::Relaxed));
        let wanted: Vec<_> = now().map(|count| count + ANSWERED_AFTER).collect();
        until("every client is answered", async || {
            now().zip(&wanted).all(|(count, wanted)| count >= *wanted)
        })
        .await;
    }

    async fn end(self) -> Befell {
        self.ends.send_replace(true);
        let all = self.clients.join_all().await;
        Befell {
            worst_gap: all.iter().map(|befell| befell.worst_gap).max().unwrap(),
            created: all.iter().map(|befell| befell.created).sum(),
            failed: all.into_iter().flat_map(|befell| befell.failed).collect(),
        }
    }
}

async fn ask(config: &ClientConfig, connection: &mut Option<Connection>) -> Result<(), ClientError> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Client::connect(config).await?,
    };
    open.one(new_key()).await?;
    *connection = Some(open);
    Ok(())
}

/// How many keys there are.
async fn keys(config: &ClientConfig) -> u64 {
    let mut connection = Client::connect(config).await.unwrap();
    // Who pages is told how many there are.
    let first = locate::Request { offset_items: Some(0), maximum_items: Some(1), ..Default::default() };
    match connection.one(first).await.unwrap() {
        ResponsePayload::Locate(found) => u64::try_from(found.located_items.unwrap()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn is_process(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_the_front_is_served_while_nodes_are_killed_drained_and_taken_back() {
    let lab = Running::start(&[]).await;
    let config = lab.client();
    ask(&config, &mut None).await.unwrap();

    let drained = lab.front(&["drain", "node2"]).await;
    assert!(drained.status.success() && said(&drained).contains("node2 is drained"), "{}", said(&drained));
    lab.node_is("node2", "Draining").await;
    ask(&config, &mut None).await.unwrap();
    let shown = said(&lab.front(&["status"]).await);
    assert!(shown.starts_with("Serving on ") && shown.contains("Drained: node2"), "{shown}");
    let ready = lab.front(&["ready", "node2"]).await;
    assert!(ready.status.success(), "{}", said(&ready));
    lab.node_is("node2", "Up").await;
    let unknown = lab.front(&["drain", "node9"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said(&unknown).contains("the nodes are node1, node2, node3"), "{}", said(&unknown));

    let mut created = keys(&config).await;
    for (what, leads, does, undoes) in [
        ("kill -9 of a follower", false, "kill", "start"),
        ("kill -9 of the leader", true, "kill", "start"),
        ("a frozen follower", false, "stop", "cont"),
        ("a frozen leader", true, "stop", "cont"),
    ] {
        let crowd = Crowd::start(&config).await;
        let name = lab.node(leads).await;
        let done = lab.lab(&[does, &name]).await;
        assert!(done.status.success(), "{}", said(&done));
        lab.node_is(&name, "Down").await;
        crowd.more().await;
        // It comes back among requests, with some in it that others have carried out.
        let undone = lab.lab(&[undoes, &name]).await;
        assert!(undone.status.success(), "{}", said(&undone));
        lab.node_is(&name, "Up").await;
        crowd.more().await;
        let befell = crowd.end().await;
        created += befell.created;
        println!(
            "{what}, {CLIENTS} clients that create through the front: worst gap {} ms, {} failed requests",
            befell.worst_gap.as_millis(),
            befell.failed.len()
        );
        assert_eq!(befell.failed, Vec::<String>::new(), "{what}: a client noticed");
        assert_eq!(keys(&config).await, created, "{what}: a request was carried out twice, or not at all");
    }

    let front = lab.front_pid();
    assert!(lab.lab(&["kill", "front"]).await.status.success() && !is_process(front));
    assert_eq!(lab.front(&["status"]).await.status.code(), Some(3));
    assert!(said(&lab.lab(&["status"]).await).contains("killed"));
    assert!(lab.lab(&["start", "front"]).await.status.success());
    ask(&config, &mut None).await.unwrap();
    assert_ne!(lab.front_pid(), front);
    assert!(lab.lab(&["stop", "front"]).await.status.success());
    assert!(said(&lab.lab(&["status"]).await).contains("does not answer"));
    assert!(lab.lab(&["cont", "front"]).await.status.success());
    ask(&config, &mut None).await.unwrap();
    lab.end(Signal::SIGTERM).await;
}

/// A node that is frozen holds requests which others then carry out, and would carry them out itself when it wakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_frozen_node_had_in_hand_is_carried_out_once_when_it_wakes() {
    let freezes = std::env::var("FREEZES").map_or(FREEZES, |count| count.parse().unwrap());
    let lab = Running::start(&[]).await;
    let config = lab.client();
    let crowd = Crowd::start(&config).await;
    for number in 0..freezes {
        let name = lab.node(number % 2 == 0).await;
        let resent = lab.resent().await;
        assert!(lab.lab(&["stop", &name]).await.status.success());
        lab.resends(&name, resent).await;
        lab.node_is(&name, "Down").await;
        assert!(lab.lab(&["cont", &name]).await.status.success());
        lab.node_is(&name, "Up").await;
        // The next may be the same one, and one that came back is given few requests at first.
        let served = lab.served(&name).await;
        until(&format!("{name} is given requests"), async || lab.served(&name).await > served).await;
    }
    let resent = lab.resent().await;
    let befell = crowd.end().await;
    println!(
        "{freezes} freezes under {CLIENTS} clients that create: {} created, {resent} sent again, worst gap {} ms, {} failed",
        befell.created,
        befell.worst_gap.as_millis(),
        befell.failed.len()
    );
    assert_eq!(befell.failed, Vec::<String>::new(), "a client noticed");
    assert_eq!(keys(&config).await, befell.created, "a request was carried out twice, or not at all");
    lab.end(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_lab_that_is_killed_leaves_no_front_behind() {
    let lab = Running::start(&["--nodes", "1"]).await;
    ask(&lab.client(), &mut None).await.unwrap();
    lab.end(Signal::SIGKILL).await;
}

#[tokio::test]
async fn without_a_front_clients_go_to_the_first_node() {
    let lab = Running::start(&["--nodes", "1", "--fronts", "0"]).await;
    let description = lab.description();
    assert!(description["front"].is_null());
    assert_eq!(description["vip"], description["nodes"][0]["kmip"]);
    ask(&lab.client(), &mut None).await.unwrap();
    lab.end(Signal::SIGTERM).await;
}

#[tokio::test]
async fn what_init_writes_on_a_node_is_a_front_in_replay_with_all_it_needs() {
    let lab = Running::start(&["--nodes", "1", "--fronts", "0"]).await;
    let out = lab.dir.join("fronts");
    let words = "front init --vip 192.0.2.10 --interface eth0 --address 192.0.2.21 --peer 192.0.2.22";
    let mut init = kms(&words.split(' ').collect::<Vec<_>>());
    let output = init.arg("--node").arg(lab.dir.join("node1")).arg("--out").arg(&out).output().await.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let mut links = Vec::new();
    for host in ["front1", "front2"] {
        let dir = out.join(host);
        // As on a host, with its paths in this directory.
        let text = std::fs::read_to_string(dir.join("front.toml")).unwrap();
        std::fs::write(dir.join("front.toml"), text.replace("/run/health-proxy", dir.to_str().unwrap()))
            .unwrap();
        let mut check = Command::new(&programs().front);
        let output =
            check.arg("--check-config").arg("--config").arg(dir.join("front.toml")).output().await.unwrap();
        assert!(output.status.success() && said(&output).contains("requests replayed"), "{}", said(&output));
        links.push(std::fs::read(dir.join("link.pem")).unwrap());
    }
    assert_ne!(links[0], links[1], "each front has a certificate of its own");
    lab.end(Signal::SIGTERM).await;
}

#[tokio::test]
async fn what_init_writes_is_taken_by_keepalived_and_by_the_front() {
    let temporary = tempfile::tempdir().unwrap();
    let out = temporary.path().join("fronts");
    // keepalived takes no configuration for an interface that is not there, nor for lo.
    let interfaces = std::fs::read_dir("/sys/class/net").unwrap().map(|entry| entry.unwrap().file_name());
    let other = interfaces.map(|name| name.into_string().unwrap()).find(|name| name.starts_with('e'));
    let interface = other.clone().unwrap_or_else(|| "eth0".to_owned());
    let words = "front init --vip 192.0.2.10 --interface IF --address 192.0.2.21 --peer 192.0.2.22 --nodes 192.0.2.11,b=192.0.2.12";
    let output = kms(&words
        .split(' ')
        .map(|word| if word == "IF" { interface.as_str() } else { word })
        .collect::<Vec<_>>())
    .arg("--out")
    .arg(&out)
    .output()
    .await
    .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    for host in ["front1", "front2"] {
        let dir = out.join(host);
        // As on a host, with its paths in this directory; there is no node to give a certificate for the probe.
        let text = std::fs::read_to_string(dir.join("front.toml")).unwrap();
        let text = text.replace("/run/health-proxy", dir.to_str().unwrap());
        let kept = text
            .lines()
            .filter(|line| !["certificate", "key", "ca"].contains(&line.split(' ').next().unwrap()));
        std::fs::write(dir.join("front.toml"), kept.collect::<Vec<_>>().join("\n")).unwrap();
        let mut check = Command::new(&programs().front);
        let output =
            check.arg("--check-config").arg("--config").arg(dir.join("front.toml")).output().await.unwrap();
        assert!(
            output.status.success() && said(&output).contains("b at 192.0.2.12:5696"),
            "{}",
            said(&output)
        );

        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let mut check = Command::new("keepalived");
        check.env("PATH", path).arg("-t").arg("-f").arg(dir.join("keepalived.conf"));
        match check.output().await {
            Ok(_) if other.is_none() => {
                println!("skipped: there is no network interface to check keepalived's configuration for");
            }
            Ok(output) => assert!(output.status.success(), "{}", said(&output)),
            Err(_) => println!("skipped: keepalived is not installed, and its configuration is not checked"),
        }
    }
}
