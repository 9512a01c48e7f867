//! `kms bench` as a process: every server is measured by the same client, which shares none of its threads.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::stand::ClientFiles;

/// One call of `kms bench`.
#[derive(Clone, Debug)]
pub struct Bench<'a> {
    /// HOST:PORT.
    pub server: String,
    /// Who we are.
    pub client: &'a ClientFiles,
    /// What `--operation` takes.
    pub operation: &'a str,
    /// Connections, or VMs at once.
    pub connections: usize,
    /// Further words of its command line.
    pub words: Vec<String>,
}

/// What a load showed: of its JSON, what is looked at here.
#[derive(Clone, Debug, Deserialize)]
pub struct Figures {
    /// Requests or VMs that succeeded.
    pub done: u64,
    /// Of them in a second.
    pub per_second: f64,
    /// Microseconds.
    pub latency_us: Latency,
    /// Requests that failed.
    pub errors: u64,
    errors_by_reason: Vec<Reason>,
}

/// Microseconds.
#[derive(Clone, Debug, Deserialize)]
pub struct Latency {
    /// Half are faster.
    pub p50: u64,
    /// 99 of 100 are faster.
    pub p99: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Reason {
    example: String,
}

impl Bench<'_> {
    /// The same with further words of its command line.
    pub fn with(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// Runs for so long, after a second of warm-up.
    pub async fn run_for(mut self, time: Duration) -> anyhow::Result<Figures> {
        self.words.extend(["--seconds".to_owned(), time.as_secs_f64().to_string()]);
        self.run().await
    }

    /// Runs until so many requests are done, without a warm-up.
    pub async fn run_requests(mut self, requests: u64) -> anyhow::Result<Figures> {
        self.words.extend(["--requests".to_owned(), requests.to_string()]);
        self.words.extend(["--warmup", "0"].map(str::to_owned));
        self.run().await
    }

    /// Fails where a request failed: such a rate would say nothing.
    async fn run(self) -> anyhow::Result<Figures> {
        let Self { server, client, operation, connections, words } = self;
        let mut command = Command::new(&lab::programs().kms);
        command.args(["bench", &server, "-o", "json", "--operation", operation]);
        command.args(["--connections", &connections.to_string()]).args(words);
        command.arg("--cert").arg(&client.cert).arg("--key").arg(&client.key).arg("--ca").arg(&client.ca);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.context("running kms bench")?;
        let said = String::from_utf8_lossy(&output.stderr);
        let figures: Figures = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("kms bench {operation} at {server}: {}", said.trim()))?;
        if figures.errors > 0 {
            let first = figures.errors_by_reason.first().map_or("", |reason| reason.example.as_str());
            bail!("kms bench {operation} at {server}: {} requests failed, such as: {first}", figures.errors);
        }
        Ok(figures)
    }
}
