//! How long a client gets no answer when the leader is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kmip::client::{Client, ClientConfig, Connection};
use lab::Lab;
use tokio::task::JoinSet;

use super::kmip_load::config;
use super::{NODES, start};
use crate::measure::{median, say};
use crate::stand::create_request;
use crate::table::{Row, Table};

/// Clients, by turns of each node.
const CLIENTS: usize = 2 * NODES;
/// The most that the median gap may be, s.
const MEDIAN_S_MAX: f64 = 1.0;
/// The most that the longest gap may be, s.
const WORST_S_MAX: f64 = 3.0;
/// How long a client waits for an answer before it asks another node; more than the longest gap may be, so that a node
/// that waits for a leader is not given up.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// How long everything is well before a leader is killed.
const CALM: Duration = Duration::from_millis(400);
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// Longest wait for all clients to be answered again.
const RECOVERY_TIME_MAX: Duration = Duration::from_secs(60);

/// What a client was answered.
#[derive(Debug, Default)]
struct Watched {
    /// Answers so far.
    answers: AtomicU64,
    /// The longest time between two of them, µs, since it was last set to 0.
    gap_us_max: AtomicU64,
}

/// Kills so many leaders.
pub(super) async fn measure(kills: usize, table: &mut Table) -> anyhow::Result<()> {
    let lab = start().await;
    let ends = Arc::new(AtomicBool::new(false));
    let watched: Vec<Arc<Watched>> = (0..CLIENTS).map(|_| Arc::default()).collect();
    let mut clients = JoinSet::new();
    for (number, watched) in watched.iter().enumerate() {
        let configs: Vec<_> =
            (0..NODES).map(|turn| config_of(&lab, number + turn)).collect::<Result<_, _>>()?;
        clients.spawn(work(configs, Arc::clone(watched), Arc::clone(&ends)));
    }
    let mut gaps = Vec::new();
    for kill in 1..=kills {
        say(&format!("the leader is killed, {kill} of {kills}"));
        gaps.push(gap(&lab, &watched).await?);
    }
    ends.store(true, Ordering::Relaxed);
    clients.join_all().await;
    let worst = gaps.iter().copied().fold(0.0, f64::max);
    let row = |what: &str, value, most| {
        let name =
            format!("leader killed -9, longest gap of {CLIENTS} clients that create: {what} of {kills}");
        Row::less_is_better(&name, value, "s", Some(most))
    };
    table.add(row("median", median(gaps), MEDIAN_S_MAX));
    table.add(row("worst", worst, WORST_S_MAX));
    Ok(())
}

fn config_of(lab: &Lab, number: usize) -> anyhow::Result<ClientConfig> {
    let address = config(lab, number).address().to_owned();
    Ok(lab.client().builder(address).request_timeout(ANSWER_TIME_MAX).build()?)
}

/// Kills the leader, waits until every client was answered again and the node is back; the longest gap, s.
async fn gap(lab: &Lab, watched: &[Arc<Watched>]) -> anyhow::Result<f64> {
    // Not awaited but lived through: gaps before the kill are no part of it, and the last node is back to follow.
    tokio::time::sleep(CALM).await;
    let node = lab.node(lab.leader().await);
    watched.iter().for_each(|watched| watched.gap_us_max.store(0, Ordering::Relaxed));
    node.kill().await;
    // One answer may have been under way; the second is a later leader's.
    let enough: Vec<_> = watched.iter().map(|watched| watched.answers.load(Ordering::Relaxed) + 2).collect();
    let began = Instant::now();
    while watched
        .iter()
        .zip(&enough)
        .any(|(watched, enough)| watched.answers.load(Ordering::Relaxed) < *enough)
    {
        ensure!(began.elapsed() < RECOVERY_TIME_MAX, "a client is not answered any more");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    let longest = watched.iter().map(|watched| watched.gap_us_max.load(Ordering::Relaxed)).max();
    let longest = Duration::from_micros(longest.context("no clients")?);
    if let Err(refused) = node.start().await {
        anyhow::bail!("{} does not come back: {refused}", node.name);
    }
    lab.wait_whole().await;
    Ok(longest.as_secs_f64())
}

/// Creates keys one after the other, on one connection for as long as it lasts, then at the next node.
async fn work(configs: Vec<ClientConfig>, watched: Arc<Watched>, ends: Arc<AtomicBool>) {
    let mut open: Option<Connection> = None;
    let mut last = Instant::now();
    let mut node = 0;
    while !ends.load(Ordering::Relaxed) {
        let mut connection = match open.take() {
            Some(connection) => connection,
            None => match Client::connect(&configs[node % configs.len()]).await {
                Ok(connection) => connection,
                Err(_) => {
                    node += 1;
                    continue;
                }
            },
        };
        if connection.one(create_request()).await.is_err() {
            node += 1;
            continue;
        }
        let us = u64::try_from(last.elapsed().as_micros()).unwrap_or(u64::MAX);
        last = Instant::now();
        watched.gap_us_max.fetch_max(us, Ordering::Relaxed);
        watched.answers.fetch_add(1, Ordering::Relaxed);
        open = Some(connection);
    }
}
