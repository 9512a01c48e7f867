//! What each front costs, all on the same core, with clients and servers on another: CPU time as the kernel counts it,
//! memory, and what is added to an answer's time. Fronts have their turns one after the other, and medians are compared.

mod cost;
mod stub;
mod through;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, ensure};
use comfy_table::{Table, presets};
use indicatif::ProgressBar;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use tokio::time::sleep;

use self::cost::{cpu_s, memory_kb};
use self::stub::Asker;
use self::through::Node;
use crate::faults::progress;
use crate::front::{Front, Make, Server, Wanted};

/// The core of the front that is measured.
const FRONT_CORE: usize = 0;

/// That of all else.
const LOAD_CORE: usize = 1;

/// Connections that stand while CPU per request is measured.
const CONNECTIONS: usize = 16;

/// Requests of one turn.
const REQUESTS: usize = 24_000;

/// Connections of one turn, and how many of them at once.
const NEW_CONNECTIONS: usize = 1_200;
const AT_ONCE: usize = 4;

/// Bytes of one turn.
const BULK_BYTES: usize = 512 << 20;

/// Idle connections that memory is measured with.
const IDLE: usize = 5_000;

/// Requests of one turn whose half is looked for.
const TIMED: usize = 4_000;

/// What a front that was just started, or has just got rid of connections, is given to come to rest.
const REST: Duration = Duration::from_millis(500);

/// What a replaying front may add to an answer, and cost beside one that passes through.
const REPLAY_ADDED_US_MAX: f64 = 60.0;
const REPLAY_COST_MAX: f64 = 1.5;

/// What is no worse than another may still cost so much more: medians differ by that from run to run.
const NOISE: f64 = 1.05;

/// Fronts that pass TLS on unread.
const PASSING: [Make; 3] = [Make::Passthrough, Make::HaproxyTcp, Make::Nginx];

/// What one front's turns showed.
#[derive(Debug, Default)]
struct Turns {
    request_us: Vec<f64>,
    connection_us: Vec<f64>,
    gigabyte_s: Vec<f64>,
    idle_kb: Vec<f64>,
    added_us: Vec<f64>,
}

/// Both tables.
#[derive(Debug)]
pub struct Speed {
    passing: Vec<(Make, Turns)>,
    /// Replay, and passthrough with the same node and clients.
    replay: Turns,
    beside: Turns,
    notes: Vec<String>,
    rounds: usize,
}

/// Puts the calling thread, and all that it starts from now on, on one core.
///
/// # Errors
/// Where there is no second core.
pub fn stay_aside() -> anyhow::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(LOAD_CORE)?;
    sched_setaffinity(Pid::from_raw(0), &cores)
        .context("two cores are needed: one for the front, one for all else; hint: nproc")
}

/// Measures everything.
///
/// # Errors
/// Where a front does not start, or a request fails.
pub async fn measure(rounds: usize) -> anyhow::Result<Speed> {
    let mut notes = Vec::new();
    let makes = PASSING.into_iter().filter(|make| match make.look() {
        Ok(()) => true,
        Err(why) => {
            notes.push(format!("skipped: {}: {why}", make.name()));
            false
        }
    });
    let makes: Vec<Make> = makes.collect();
    let bar = progress(rounds * (makes.len() + 1) + makes.len());
    let passing = pass(&makes, rounds, &bar).await?;
    let (replay, beside) = replay(rounds, &bar).await?;
    bar.finish_and_clear();
    Ok(Speed { passing, replay, beside, notes, rounds })
}

async fn pass(makes: &[Make], rounds: usize, bar: &ProgressBar) -> anyhow::Result<Vec<(Make, Turns)>> {
    let stub = stub::serve().await?;
    let servers = [Server { name: "kms1".to_owned(), kmip: stub, link: stub }];
    let mut fronts = Vec::new();
    for make in makes {
        let wanted = Wanted {
            make: *make,
            servers: &servers,
            probe: None,
            certificates: None,
            core: Some(FRONT_CORE),
        };
        fronts.push((*make, Front::start(&wanted).await?, Turns::default()));
    }
    // What a start costs is not to be measured, and no front says when it has settled.
    sleep(REST).await;
    for (make, front, turns) in &mut fronts {
        bar.set_message(format!("{}: memory", make.name()));
        turns.idle_kb.push(idle_kb(front).await?);
        bar.inc(1);
    }
    for round in 1..=rounds {
        for (make, front, turns) in &mut fronts {
            bar.set_message(format!("{}, {round} of {rounds}", make.name()));
            let address = front.address;
            let load = stub::requests(address, CONNECTIONS, REQUESTS / CONNECTIONS);
            turns.request_us.push(cpu(front, load).await? * 1e6 / REQUESTS as f64);
            let load = stub::connections(address, AT_ONCE, NEW_CONNECTIONS / AT_ONCE);
            turns.connection_us.push(cpu(front, load).await? * 1e6 / NEW_CONNECTIONS as f64);
            turns
                .gigabyte_s
                .push(cpu(front, stub::bulk(address, BULK_BYTES)).await? * 1e9 / BULK_BYTES as f64);
            let (direct, through) = (stub::p50(stub, TIMED).await?, stub::p50(address, TIMED).await?);
            turns.added_us.push((through.as_secs_f64() - direct.as_secs_f64()) * 1e6);
            bar.inc(1);
        }
    }
    Ok(fronts.into_iter().map(|(make, _, turns)| (make, turns)).collect())
}

async fn replay(rounds: usize, bar: &ProgressBar) -> anyhow::Result<(Turns, Turns)> {
    let node = Node::start().await?;
    let fronts =
        [node.front(Make::Replay, FRONT_CORE).await?, node.front(Make::Passthrough, FRONT_CORE).await?];
    // As above: no front says when it has settled.
    sleep(REST).await;
    let mut all = [Turns::default(), Turns::default()];
    let direct = node.at(None)?;
    for round in 1..=rounds {
        bar.set_message(format!("replay, {round} of {rounds}"));
        for (front, turns) in fronts.iter().zip(&mut all) {
            let through = node.at(Some(front))?;
            let load = node.requests(&through, CONNECTIONS, REQUESTS / CONNECTIONS);
            turns.request_us.push(cpu(front, load).await? * 1e6 / REQUESTS as f64);
            let (direct, through) = (node.p50(&direct, TIMED).await?, node.p50(&through, TIMED).await?);
            turns.added_us.push((through.as_secs_f64() - direct.as_secs_f64()) * 1e6);
        }
        bar.inc(1);
    }
    let [replay, beside] = all;
    Ok((replay, beside))
}

/// Seconds of CPU that the front took for this load.
async fn cpu<E>(front: &Front, load: impl Future<Output = Result<(), E>>) -> anyhow::Result<f64>
where
    anyhow::Error: From<E>,
{
    let processes = front.processes();
    let before = cpu_s(&processes);
    load.await?;
    Ok(cpu_s(&processes) - before)
}

/// What one idle connection takes, after it has asked once.
async fn idle_kb(front: &Front) -> anyhow::Result<f64> {
    let processes = front.processes();
    // What the first connections make is there before.
    stub::requests(front.address, CONNECTIONS, 10).await?;
    // Their ends are to be over, which nobody outside sees.
    sleep(REST).await;
    let before = memory_kb(&processes);
    let mut idle = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        let mut asker = Asker::connect(front.address).await?;
        asker.ask(stub::GET).await?;
        idle.push(asker);
    }
    let after = memory_kb(&processes);
    drop(idle);
    // Back where it was, or others are measured while it clears up.
    // What ends connections in a front is seen by nobody outside.
    sleep(REST).await;
    ensure!(before > 0.0, "the kernel tells no memory of {processes:?}");
    Ok((after - before) / IDLE as f64)
}

/// A row: what, its turns, and its unit.
type Row = (&'static str, fn(&Turns) -> &Vec<f64>, &'static str);

const ROWS: [Row; 5] = [
    ("CPU per request", |turns| &turns.request_us, "µs"),
    ("CPU per connection", |turns| &turns.connection_us, "µs"),
    ("CPU per GB", |turns| &turns.gigabyte_s, "s"),
    ("memory per idle connection", |turns| &turns.idle_kb, "KB"),
    ("added to p50", |turns| &turns.added_us, "µs"),
];

impl Speed {
    /// Both tables, with what has to stand beside them.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut say = |line: &str| _ = writeln!(text, "{line}");
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        let names = self.passing.iter().map(|(make, _)| make.name());
        table.set_header(std::iter::once("").chain(names).chain(["beside the better", ""]));
        for (what, of, unit) in ROWS {
            let values: Vec<f64> = self.passing.iter().map(|(_, turns)| median(of(turns))).collect();
            let best = values.iter().skip(1).copied().min_by(f64::total_cmp);
            let (ratio, met) = match best {
                Some(best) => (digits(values[0] / best), verdict(values[0] <= best * NOISE)),
                None => (String::new(), ""),
            };
            let cells = values.iter().map(|value| format!("{} {unit}", digits(*value)));
            table.add_row(std::iter::once(what.to_owned()).chain(cells).chain([ratio, met.to_owned()]));
        }
        say(&table.to_string());
        say("");
        say(&self.replay_table().to_string());
        say("");
        for note in &self.notes {
            say(note);
        }
        say(&format!("Met: at most {NOISE} times the better of the others, as much as runs differ."));
        say(&format!(
            "Medians of {} turns, one front after the other; the front on one core, clients and servers on another. First table: a \
             server of plain TCP with messages of TLS's sizes, {CONNECTIONS} connections, {IDLE} idle ones, HAProxy with one \
             thread, nginx with one worker. Second: one node of ours, Get over TLS 1.3, {CONNECTIONS} connections.",
            self.rounds
        ));
        if cfg!(debug_assertions) {
            say("Profile dev, which says nothing of speed.");
        }
        say("Repeat: cargo run --release -p fronts -- speed");
        text
    }

    fn replay_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["", "replay", "passthrough, the same node", "target", ""]);
        let (own, beside) = (median(&self.replay.request_us), median(&self.beside.request_us));
        let most = REPLAY_COST_MAX * beside;
        table.add_row([
            "CPU per request".to_owned(),
            format!("{} µs", digits(own)),
            format!("{} µs", digits(beside)),
            format!("< {} µs, {REPLAY_COST_MAX} times passthrough", digits(most)),
            verdict(own < most).to_owned(),
        ]);
        let (own, beside) = (median(&self.replay.added_us), median(&self.beside.added_us));
        table.add_row([
            "added to p50".to_owned(),
            format!("{} µs", digits(own)),
            format!("{} µs", digits(beside)),
            format!("< {REPLAY_ADDED_US_MAX} µs"),
            verdict(own < REPLAY_ADDED_US_MAX).to_owned(),
        ]);
        table
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three digits or so.
fn digits(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
