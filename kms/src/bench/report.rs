//! What a load showed: a row for people, or a JSON document.

use serde::Serialize;

use super::Arguments;
use super::load::Tally;
use crate::print::{self, Format};

/// The result. Latencies are those of requests that succeeded.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    server: String,
    operation: &'static str,
    /// What is counted: requests, or VMs.
    unit: &'static str,
    connections: u16,
    new_connection: bool,
    tls: String,
    /// From the end of the warm-up to the last answer.
    seconds: f64,
    /// That succeeded.
    done: u64,
    per_second: f64,
    latency_us: Latency,
    errors: u64,
    errors_by_reason: Vec<Error>,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

#[derive(Debug, Serialize)]
struct Error {
    reason: String,
    count: u64,
    /// The first of them.
    example: String,
}

impl Report {
    pub(super) fn new(arguments: &Arguments, server: &str, tls: String, tally: &Tally) -> Self {
        let latencies = &tally.latency_us;
        let seconds = tally.elapsed.as_secs_f64();
        let done = latencies.len();
        let error = |(reason, (count, example)): (&String, &(u64, String))| Error {
            reason: reason.clone(),
            count: *count,
            example: example.clone(),
        };
        let mut errors: Vec<_> = tally.errors.iter().map(error).collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        Self {
            server: server.to_owned(),
            operation: arguments.operation.as_str(),
            unit: arguments.operation.unit(),
            connections: arguments.connections,
            new_connection: arguments.new_connection,
            tls,
            seconds,
            done,
            per_second: if seconds > 0.0 { done as f64 / seconds } else { 0.0 },
            latency_us: Latency {
                p50: latencies.value_at_quantile(0.5),
                p90: latencies.value_at_quantile(0.9),
                p99: latencies.value_at_quantile(0.99),
                max: latencies.max(),
            },
            errors: errors.iter().map(|error| error.count).sum(),
            errors_by_reason: errors,
        }
    }

    /// Whether something was measured, and nothing failed.
    pub(super) fn is_good(&self) -> bool {
        self.errors == 0 && self.done > 0
    }

    pub(super) fn print(&self, format: Format) -> anyhow::Result<()> {
        if format == Format::Json {
            return print::json(self);
        }
        let Self { server, operation, unit, connections, .. } = self;
        let how = if self.new_connection { ", a new one for each request" } else { "" };
        print::heading(format!("{operation} at {server}"));
        let at_once = if *unit == "VMs" { "VMs at once" } else { "connections" };
        print::line(format!("{connections} {at_once}{how}; {}", self.tls));
        print::line("");
        let per_second = format!("{unit}/s");
        let header = [per_second.as_str(), "p50", "p90", "p99", "max", "done", "errors", "seconds"];
        let Latency { p50, p90, p99, max } = self.latency_us;
        let [p50, p90, p99, max] = [p50, p90, p99, max].map(milliseconds);
        let (done, errors) = (self.done.to_string(), self.errors.to_string());
        let rate = format!("{:.*}", usize::from(self.per_second < 100.0), self.per_second);
        let row = vec![rate, p50, p90, p99, max, done, errors, format!("{:.1}", self.seconds)];
        print::table(&header, [row]);
        if !self.errors_by_reason.is_empty() {
            print::line("");
            let rows = self.errors_by_reason.iter();
            let rows =
                rows.map(|error| vec![error.count.to_string(), error.reason.clone(), error.example.clone()]);
            print::table(&["errors", "reason", "the first"], rows);
        }
        Ok(())
    }
}

/// Microseconds as people read them.
fn milliseconds(micros: u64) -> String {
    let millis = micros as f64 / 1000.0;
    match micros {
        0..10_000 => format!("{millis:.2} ms"),
        _ => format!("{millis:.0} ms"),
    }
}
