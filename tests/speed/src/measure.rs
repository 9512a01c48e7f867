//! What is measured, and what it is held against. Rivals have their turns one after the other, A B A B …, and the
//! medians are compared: what else the machine does then falls on both.

use std::time::Duration;

use crate::bench::Bench;
use crate::pykmip::Pykmip;
use crate::stand::{EchoServer, Stand, words_for};
use crate::table::{Row, Table};

/// Connections on which Get is measured.
const GET_CONNECTIONS: usize = 16;
/// Connections on which Create is measured.
const CREATE_CONNECTIONS: usize = 64;
/// Machines that vCenter encrypts at once.
const VMS_AT_ONCE: usize = 4;
/// Keys that Get reads in turn.
const KEYS_READ: usize = 100;

/// Get beside the echo server.
const GET_RATIO_MIN: f64 = 0.7;
/// New connection and Get, beside the echo server.
const CONNECTION_RATIO_MIN: f64 = 0.85;
/// Get beside PyKMIP's server.
const PYKMIP_RATIO_MIN: f64 = 20.0;
/// Creates that one sync carries.
const CREATES_PER_SYNC_MIN: f64 = 4.0;
/// Memory of an idle server, MiB.
const IDLE_MIB_MAX: f64 = 30.0;

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Turns of each rival.
    pub rounds: usize,
    /// One turn.
    pub turn: Duration,
    /// Keys that are there when memory and start are looked at.
    pub keys: u64,
}

/// Measures everything. Fails where a server does not start or a request fails.
pub async fn measure(effort: Effort) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "cargo run --release -p speed   (--rounds N, --seconds S)\nCodec:  cargo bench -p ttlv; cargo bench -p kmip",
    );
    let stand = Stand::start().await?;
    table.add(Row::less_is_better("idle, nothing in it", resident_mib(&stand), "MiB", Some(IDLE_MIB_MAX)));
    reads(&stand, effort, &mut table).await?;
    drop(stand);
    creates(effort, &mut table).await?;
    machines(effort, &mut table).await?;
    many_keys(effort, &mut table).await?;
    Ok(table)
}

async fn reads(stand: &Stand, effort: Effort, table: &mut Table) -> anyhow::Result<()> {
    let ids = stand.make_keys(KEYS_READ).await?;
    let words = words_for(&ids);
    let answer = stand.lab.dir().join("answer.bin");
    std::fs::write(&answer, stand.get_answer(&ids[0]).await?)?;
    let echo = EchoServer::start(stand, &answer).await?;
    let ours = stand.bench("get", GET_CONNECTIONS, &words);
    let bound = Bench { server: echo.address.clone(), ..ours.clone() };

    let name = format!("Get, {GET_CONNECTIONS} persistent connections");
    let turns = Turns::take(effort, [ours.clone(), bound.clone()], &name).await?;
    let kept = turns.medians()[0];
    table.add(turns.row(Some(GET_RATIO_MIN), "echo server"));
    match Pykmip::start(stand).await? {
        Ok(pykmip) => {
            say("PyKMIP's Get");
            let mut rates = Vec::new();
            for _ in 0..effort.rounds.div_ceil(2) {
                rates.push(pykmip.bench(stand, GET_CONNECTIONS).run_for(effort.turn).await?.per_second);
            }
            let row = Row::rate(&name, kept, "/s")
                .beside("PyKMIP's server", median(rates))
                .target(PYKMIP_RATIO_MIN);
            table.add(row);
        }
        Err(skipped) => table.note(format!("Get beside PyKMIP's server: {skipped}")),
    }
    for (tls, target) in [("1.2", Some(CONNECTION_RATIO_MIN)), ("1.3", None)] {
        let new = ["--new-connection", "--tls", tls];
        let name = format!("new connection and Get, TLS {tls}");
        let rivals = [ours.clone().with(&new), bound.clone().with(&new)];
        let turns = Turns::take(effort, rivals, &name).await?;
        table.add(turns.row(target, "echo server"));
    }
    Ok(())
}

async fn creates(effort: Effort, table: &mut Table) -> anyhow::Result<()> {
    const SYNCS: &str = "kms_log_syncs_total";
    const CREATES: &str = "kms_requests_total{operation=\"Create\",result=\"Success\"}";
    let stand = Stand::start().await?;
    let (mut rates, mut per_sync) = (Vec::new(), Vec::new());
    for round in 1..=effort.rounds {
        say(&format!("Create at {CREATE_CONNECTIONS} connections, {round} of {}", effort.rounds));
        let before = (stand.counter(CREATES).await?, stand.counter(SYNCS).await?);
        let figures = stand.bench("create", CREATE_CONNECTIONS, &[]).run_for(effort.turn).await?;
        let after = (stand.counter(CREATES).await?, stand.counter(SYNCS).await?);
        rates.push(figures.per_second);
        per_sync.push((after.0 - before.0) / (after.1 - before.1));
    }
    let name = format!("Create, {CREATE_CONNECTIONS} connections");
    table.add(Row::rate(&name, median(rates), "/s"));
    let name = format!("Creates per sync, {CREATE_CONNECTIONS} connections");
    table.add(Row::more_is_better(&name, median(per_sync), "", CREATES_PER_SYNC_MIN));
    Ok(())
}

async fn machines(effort: Effort, table: &mut Table) -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let (mut rates, mut latencies) = (Vec::new(), Vec::new());
    for round in 1..=effort.rounds {
        say(&format!("vCenter encrypts VMs, {round} of {}", effort.rounds));
        let bench = stand.bench("vcenter", VMS_AT_ONCE, &[]).with(&["--tls", "1.2"]);
        let figures = bench.run_for(effort.turn).await?;
        rates.push(figures.per_second);
        latencies.push(figures.latency_us.p99 as f64 / 1000.0);
    }
    let name = format!("VMs encrypted as by vCenter, {VMS_AT_ONCE} at once");
    table.add(Row::rate(&name, median(rates), "/s"));
    table.add(Row::less_is_better("one VM of them, p99", median(latencies), "ms", None));
    Ok(())
}

async fn many_keys(effort: Effort, table: &mut Table) -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let keys = effort.keys;
    say(&format!("{keys} keys"));
    stand.bench("create", CREATE_CONNECTIONS, &[]).run_requests(keys).await?;
    let name = format!("after {keys} Creates");
    table.add(Row::less_is_better(&name, resident_mib(&stand), "MiB", None));
    let took = stand.lab.node(0).restart().await;
    let name = format!("start with {keys} keys");
    table.add(Row::less_is_better(&name, took.as_secs_f64() * 1000.0, "ms", None));
    let name = format!("idle, {keys} keys, started anew");
    table.add(Row::less_is_better(&name, resident_mib(&stand), "MiB", None));
    Ok(())
}

fn resident_mib(stand: &Stand) -> f64 {
    stand.lab.node(0).resident_kb() as f64 / 1024.0
}

/// What two rivals did, turn by turn.
struct Turns {
    name: String,
    rates: [Vec<f64>; 2],
}

impl Turns {
    async fn take(effort: Effort, rivals: [Bench<'_>; 2], name: &str) -> anyhow::Result<Self> {
        let mut rates = [Vec::new(), Vec::new()];
        for round in 1..=effort.rounds {
            say(&format!("{name}, {round} of {}", effort.rounds));
            for (rival, rates) in rivals.iter().zip(&mut rates) {
                rates.push(rival.clone().run_for(effort.turn).await?.per_second);
            }
        }
        Ok(Self { name: name.to_owned(), rates })
    }

    fn medians(&self) -> [f64; 2] {
        self.rates.clone().map(median)
    }

    fn row(&self, target: Option<f64>, rival: &str) -> Row {
        let [ours, theirs] = self.medians();
        let ratios: Vec<_> = self.rates[0].iter().zip(&self.rates[1]).map(|(a, b)| a / b).collect();
        let row = Row::rate(&self.name, ours, "/s").beside(rival, theirs).spread(&ratios);
        match target {
            Some(target) => row.target(target),
            None => row,
        }
    }
}

/// The middle one, or of two the lower.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// What is being done, beside the table.
pub(crate) fn say(what: &str) {
    eprintln!("{what} …");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_of_two_the_lower() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![2.0, 1.0]), 1.0);
        assert!(median(vec![]).is_nan());
    }
}
