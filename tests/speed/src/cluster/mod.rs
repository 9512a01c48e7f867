//! Three nodes, beside etcd's three: the same machine, the same disk, all on loopback, in turns.
//!
//! What is held against etcd is asked on as many connections, spread in the same way over all nodes, by the same loop.
//! etcd speaks plain gRPC here, to its clients and between its nodes; our clients and links speak TLS.

mod etcd;
mod grpc;
mod keys;
mod kill;
mod kmip_load;
mod load;

use std::time::Duration;

use anyhow::Context;
use lab::Lab;

use crate::measure::{median, say};
use crate::table::{Row, Table};

use etcd::Etcd;
use kmip_load::Asker;
use load::{Client, Load};

/// Nodes of each cluster.
const NODES: usize = 3;
/// Connections on which Create and Get are measured.
const CONNECTIONS: usize = 64;
/// Keys that Get reads in turn.
const KEYS_READ: usize = 100;

/// Creates beside etcd's puts: more of them.
const CREATE_RATIO_MIN: f64 = 1.0;
/// Creates that one sync carries.
const CREATES_PER_SYNC_MIN: f64 = 3.0;
/// Get beside etcd's linearizable reads.
const GET_RATIO_MIN: f64 = 4.0;

/// A part of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ClusterPart {
    /// Create
    Creates,
    /// Get
    Gets,
    /// Leaders that are killed
    Kills,
    /// Many keys
    Keys,
}

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub struct ClusterEffort {
    /// Turns of each rival.
    pub rounds: usize,
    /// One turn.
    pub turn: Duration,
    /// Leaders that are killed.
    pub kills: usize,
    /// Keys that are there when memory and start are looked at.
    pub keys: usize,
    /// What is measured, where it is not all.
    pub only: Option<ClusterPart>,
}

impl ClusterEffort {
    fn wants(&self, part: ClusterPart) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

/// Measures everything. Fails where a server does not start or a request fails.
pub async fn measure_cluster(effort: ClusterEffort) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "cargo run --release -p speed -- cluster   (--rounds N, --seconds S, --kills N, --keys N, --only PART)",
    );
    if effort.wants(ClusterPart::Creates) || effort.wants(ClusterPart::Gets) {
        beside_etcd(effort, &mut table).await?;
    }
    if effort.wants(ClusterPart::Kills) {
        kill::measure(effort.kills, &mut table).await?;
    }
    if effort.wants(ClusterPart::Keys) {
        keys::measure(effort.keys, &mut table).await?;
    }
    Ok(table)
}

async fn beside_etcd(effort: ClusterEffort, table: &mut Table) -> anyhow::Result<()> {
    let lab = start().await;
    let etcd = match Etcd::start(&lab.dir().join("etcd")).await? {
        Ok(etcd) => {
            table.note(format!(
                "etcd is {}, three nodes with its defaults and data on the same disk, without TLS; a put is of {} bytes, \
                 as many as our log holds of a Create.",
                etcd.version(),
                etcd::VALUE_BYTES
            ));
            Some(etcd)
        }
        Err(missing) => {
            table.note(missing);
            None
        }
    };
    if effort.wants(ClusterPart::Creates) {
        creates(&lab, etcd.as_ref(), effort, table).await?;
    }
    if effort.wants(ClusterPart::Gets) {
        gets(&lab, etcd.as_ref(), effort, table).await?;
    }
    Ok(())
}

async fn creates(
    lab: &Lab,
    etcd: Option<&Etcd>,
    effort: ClusterEffort,
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut ours = Load::new(Asker::creates(lab, CONNECTIONS).await?);
    let mut theirs = match etcd {
        Some(etcd) => Some(Load::new(etcd.puts(CONNECTIONS).await?)),
        None => None,
    };
    let name = format!("Create (etcd: put), {CONNECTIONS} connections over {NODES} nodes");
    let mut turns = Turns::default();
    let mut per_sync = Vec::new();
    for round in 1..=effort.rounds {
        say(&format!("{name}, {round} of {}", effort.rounds));
        let before = syncs(lab).await?;
        let counted = ours.turn(effort.turn).await?;
        let after = syncs(lab).await?;
        let most = before.iter().zip(&after).map(|(before, after)| after - before).fold(0.0, f64::max);
        per_sync.push(counted.answered as f64 / most);
        turns.add(counted.per_second, turn_of(theirs.as_mut(), effort).await?);
    }
    table.add(turns.row(&name, CREATE_RATIO_MIN));
    let name = format!("Creates per sync of the node that syncs most, {CONNECTIONS} connections");
    table.add(Row::more_is_better(&name, median(per_sync), "", CREATES_PER_SYNC_MIN));
    Ok(())
}

async fn gets(
    lab: &Lab,
    etcd: Option<&Etcd>,
    effort: ClusterEffort,
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut ours = Load::new(Asker::gets(lab, CONNECTIONS, KEYS_READ).await?);
    let mut theirs = match etcd {
        Some(etcd) => Some(Load::new(etcd.gets(CONNECTIONS, KEYS_READ).await?)),
        None => None,
    };
    let name = format!("Get, linearizable, {CONNECTIONS} persistent connections over {NODES} nodes");
    let mut turns = Turns::default();
    for round in 1..=effort.rounds {
        say(&format!("{name}, {round} of {}", effort.rounds));
        let counted = ours.turn(effort.turn).await?;
        turns.add(counted.per_second, turn_of(theirs.as_mut(), effort).await?);
    }
    table.add(turns.row(&name, GET_RATIO_MIN));
    Ok(())
}

async fn turn_of<C: Client>(
    load: Option<&mut Load<C>>,
    effort: ClusterEffort,
) -> anyhow::Result<Option<f64>> {
    match load {
        Some(load) => Ok(Some(load.turn(effort.turn).await?.per_second)),
        None => Ok(None),
    }
}

/// Three nodes with nothing in them. Panics where the laboratory does.
async fn start() -> Lab {
    Lab::builder().nodes(NODES).start().await
}

/// Syncs of each node so far.
async fn syncs(lab: &Lab) -> anyhow::Result<Vec<f64>> {
    let mut counts = Vec::new();
    for node in lab.nodes() {
        let text = node.admin("/metrics").await?.body;
        let value = text.lines().find_map(|line| line.strip_prefix("kms_log_syncs_total "));
        counts.push(value.context("no kms_log_syncs_total")?.parse()?);
    }
    Ok(counts)
}

/// What we and perhaps a rival did, turn by turn.
#[derive(Default)]
struct Turns {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Turns {
    fn add(&mut self, ours: f64, theirs: Option<f64>) {
        self.ours.push(ours);
        self.theirs.extend(theirs);
    }

    fn row(self, name: &str, target: f64) -> Row {
        let ratios: Vec<_> = self.ours.iter().zip(&self.theirs).map(|(a, b)| a / b).collect();
        let row = Row::rate(name, median(self.ours), "/s").target(target);
        match ratios.is_empty() {
            true => row,
            false => row.beside("etcd", median(self.theirs)).spread(&ratios),
        }
    }
}
