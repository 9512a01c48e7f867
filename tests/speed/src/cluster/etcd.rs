//! etcd's server, three processes on free ports of 127.0.0.1.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

use super::NODES;
use super::grpc::Connection;
use super::load::Client;

/// Bytes of a value: with its key and what etcd puts around them as many as a Create has in our log, 1,344: the new
/// object with its attributes and its sealed key, and the sealed answer.
pub(super) const VALUE_BYTES: usize = 1270;

/// Longest wait for a leader.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two tries.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Three nodes, ended when this is dropped.
pub(super) struct Etcd {
    addresses: Vec<SocketAddr>,
    version: String,
    _children: Vec<Child>,
}

impl Etcd {
    /// Starts them with their data in `dir`; says what is missing where etcd is not installed.
    pub(super) async fn start(dir: &Path) -> anyhow::Result<Result<Self, String>> {
        let Ok(told) = Command::new("etcd").arg("--version").output().await else {
            return Ok(Err(
                "skipped: beside etcd: it is not installed; hint: apt-get install etcd-server".to_owned()
            ));
        };
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let version = told.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or("?").to_owned();
        std::fs::create_dir_all(dir)?;
        let clients = free_addresses(NODES)?;
        let peers = free_addresses(NODES)?;
        let members: Vec<_> =
            peers.iter().enumerate().map(|(place, peer)| format!("etcd{place}=http://{peer}")).collect();
        let mut children = Vec::new();
        for (place, (client, peer)) in clients.iter().zip(&peers).enumerate() {
            let log = File::create(dir.join(format!("etcd{place}.log")))?;
            let (client, peer) = (format!("http://{client}"), format!("http://{peer}"));
            let child = Command::new("etcd")
                .args(["--name", &format!("etcd{place}")])
                .arg("--data-dir")
                .arg(dir.join(format!("etcd{place}")))
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
                .args(["--initial-cluster", &members.join(","), "--initial-cluster-state", "new"])
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
                .context("starting etcd")?;
            children.push(child);
        }
        let etcd = Self { addresses: clients, version, _children: children };
        etcd.wait().await.with_context(|| format!("its log is in {}", dir.display()))?;
        Ok(Ok(etcd))
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Puts of ever new keys, on connections spread over all nodes.
    pub(super) async fn puts(&self, connections: usize) -> anyhow::Result<Vec<Asker>> {
        self.all(connections, None).await
    }

    /// Linearizable gets of so many keys, which are put first.
    pub(super) async fn gets(&self, connections: usize, keys: usize) -> anyhow::Result<Vec<Asker>> {
        let mut connection = Connection::open(self.addresses[0]).await?;
        for number in 0..keys {
            connection.put(key(0, number).as_bytes(), &[0x5a; VALUE_BYTES]).await?;
        }
        self.all(connections, Some(keys)).await
    }

    async fn all(&self, connections: usize, keys: Option<usize>) -> anyhow::Result<Vec<Asker>> {
        let mut all = Vec::with_capacity(connections);
        for client in 1..=connections {
            let connection = Connection::open(self.addresses[client % self.addresses.len()]).await?;
            all.push(Asker { connection, client, keys, next: client });
        }
        Ok(all)
    }

    /// Until a put is answered.
    async fn wait(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let put = async { Connection::open(self.addresses[0]).await?.put(b"ready", b"").await };
            match tokio::time::timeout(READY_TIMEOUT, put).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) if began.elapsed() > READY_TIMEOUT => return Err(error),
                Err(_) => bail!("etcd does not answer"),
                // Nothing reports a leader; it is tried again.
                Ok(Err(_)) => tokio::time::sleep(RETRY_INTERVAL).await,
            }
        }
    }
}

/// As long as a Unique Identifier of ours.
fn key(client: usize, number: usize) -> String {
    format!("{client:08x}-0000-4000-8000-{number:012x}")
}

fn free_addresses(count: usize) -> anyhow::Result<Vec<SocketAddr>> {
    // All at once, so that they differ.
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    Ok(listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}

/// One connection, and what is asked on it.
pub(super) struct Asker {
    connection: Connection,
    client: usize,
    /// Keys that are read; otherwise new ones are put.
    keys: Option<usize>,
    next: usize,
}

impl Client for Asker {
    async fn ask(&mut self) -> anyhow::Result<()> {
        self.next += 1;
        match self.keys {
            Some(keys) => self.connection.get(key(0, self.next % keys).as_bytes(), VALUE_BYTES).await,
            None => self.connection.put(key(self.client, self.next).as_bytes(), &[0x5a; VALUE_BYTES]).await,
        }
    }
}
