//! `cargo run --release -p speed`: prints how fast the server is, and beside what.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use speed::{ClusterEffort, ClusterPart, Effort, echo, measure, measure_cluster};

/// How fast the server is, beside a bare TLS echo server and PyKMIP's server
#[derive(Debug, Parser)]
struct Arguments {
    /// Times that each of two rivals has its turn
    #[arg(long, global = true, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seconds of one turn
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Keys that are there when memory and start are looked at
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Three nodes, beside etcd's three
    Cluster {
        /// Leaders that are killed
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        kills: u16,
        /// Keys that are there when memory and start are looked at
        #[arg(long, default_value_t = 100_000)]
        keys: usize,
        /// Only one part of the table
        #[arg(long, value_enum)]
        only: Option<ClusterPart>,
    },
    /// The echo server alone; prints its address and ends when standard input closes
    Echo {
        /// The server's certificate chain, PEM
        #[arg(long)]
        cert: PathBuf,
        /// Its private key, PEM
        #[arg(long)]
        key: PathBuf,
        /// The CA of its clients, PEM
        #[arg(long)]
        ca: PathBuf,
        /// What every message is answered with
        #[arg(long)]
        answer: PathBuf,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Echo { cert, key, ca, answer }) => echo::serve(&cert, &key, &ca, &answer).await,
        Some(Part::Cluster { kills, keys, only }) => {
            let effort = ClusterEffort {
                rounds: usize::from(arguments.rounds),
                turn: Duration::from_secs(arguments.seconds),
                kills: usize::from(kills),
                keys,
                only,
            };
            measure_cluster(effort).await?.print();
            Ok(())
        }
        None => {
            let effort = Effort {
                rounds: usize::from(arguments.rounds),
                turn: Duration::from_secs(arguments.seconds),
                keys: arguments.keys,
            };
            let table = measure(effort).await?;
            table.print();
            Ok(())
        }
    }
}
