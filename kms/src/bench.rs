//! `kms bench`: load on any KMIP server, and how fast it answered.
//!
//! Each connection is a closed loop: it asks, waits for the answer, checks it, and asks again. Questions are encoded
//! before the load begins and answers are walked, not built, so that what is measured is the server.

mod fault;
mod load;
mod prepare;
mod question;
mod report;
mod target;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use kmip::client::ClientError;

use crate::print::Format;
use crate::{Outcome, node};
use load::{Length, Load};
use prepare::Work;
use target::Target;

/// Keys that are made for the load where nothing else is said.
const KEYS_DEFAULT: usize = 100;

/// Measured seconds where neither --seconds nor --requests is given.
const SECONDS_DEFAULT: f64 = 10.0;

/// Longest load, in seconds: a day.
const SECONDS_MAX: f64 = 86_400.0;

/// Connections at once where nothing else is said.
const CONNECTIONS_DEFAULT: u16 = 16;

/// Put load on a KMIP server and say how fast it answers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms bench --lab
      Get on 16 connections for 10 s, at the lab in ./kms-lab
  kms bench --lab --operation vcenter --connections 4
      machines encrypted as vCenter does, four at once: 4 new connections, 16 messages each
  kms bench --lab --new-connection --tls 1.2
      a new connection for each Get
  kms bench 192.0.2.7:5696 --cert cert.pem --key key.pem --ca ca.pem --requests 1000
      another server; 1,000 requests, however long they take
  kms bench --lab --id UID -o json
      reads a key that is there, and makes none

Works with any KMIP server. The keys that it makes stay there, so use a lab.
Latency counts from the question (with --new-connection: from TCP) to the checked answer.

Exit codes: 0 done, 1 a request failed, 2 the command line is wrong, 3 nobody answers there")]
pub(crate) struct Arguments {
    /// The server: HOST:PORT, or HOST for port 5696
    #[arg(value_name = "HOST:PORT", required_unless_present = "lab", requires = "cert")]
    server: Option<String>,

    /// The lab that serves in DIR, with its client's files
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = node::LAB)]
    #[arg(conflicts_with_all = ["server", "cert", "key", "ca"])]
    lab: Option<PathBuf>,

    /// The client's certificate, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// The client's private key, PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// The CA of the server's certificate, PEM [default: any certificate is taken]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// What is asked
    #[arg(long, value_enum, default_value_t)]
    operation: Operation,

    /// Connections at once; with vcenter, machines at once
    #[arg(long, value_name = "N", default_value_t = CONNECTIONS_DEFAULT, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,

    /// A new connection for each request, instead of one for all
    #[arg(long)]
    new_connection: bool,

    /// How long is measured [default: 10, without --requests]
    #[arg(long, value_name = "S", conflicts_with = "requests", value_parser = seconds)]
    seconds: Option<Duration>,

    /// How many requests are measured (with vcenter: machines)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,

    /// How long the load runs before it is measured
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    warmup: Duration,

    /// The one TLS version that is offered [default: both]
    #[arg(long, value_enum)]
    tls: Option<Tls>,

    /// Keys that are made before, and then read in turn
    #[arg(long, value_name = "N", default_value_t = KEYS_DEFAULT, value_parser = at_least_one, conflicts_with = "id")]
    keys: usize,

    /// A symmetric key that is there, instead of new ones; may be repeated
    #[arg(long, value_name = "UID")]
    id: Vec<String>,
}

/// What a load asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Operation {
    /// Get of each key in turn
    #[default]
    Get,
    /// Create of an AES-256 key, as vCenter asks for it
    Create,
    /// Get Attributes: the State of each key in turn
    GetAttributes,
    /// Locate of ten symmetric keys
    Locate,
    /// Query for operations, objects and the server's information
    Query,
    /// Of 20 requests 14 Get, 3 Get Attributes, 1 Create, 1 Locate, 1 Query
    Mix,
    /// What vCenter does for one machine: 4 new connections, 16 messages
    Vcenter,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Create => "create",
            Self::GetAttributes => "get-attributes",
            Self::Locate => "locate",
            Self::Query => "query",
            Self::Mix => "mix",
            Self::Vcenter => "vcenter",
        }
    }

    /// What is counted.
    fn unit(self) -> &'static str {
        match self {
            Self::Vcenter => "VMs",
            _ => "requests",
        }
    }
}

/// A TLS version to be offered alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Tls {
    /// What vCenter was seen to speak
    #[value(name = "1.2")]
    V12,
    /// The newest
    #[value(name = "1.3")]
    V13,
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    if arguments.new_connection && arguments.operation == Operation::Vcenter {
        bail!(
            "vcenter opens its own connections, so --new-connection says nothing there. hint: leave it out"
        );
    }
    let target = Target::read(&arguments)?;
    let config = target.config()?;
    let tls = target::look(&config).await?;
    let progress = load::Progress::new(format);
    progress.say("Making keys");
    let work = prepare::work(&arguments, &config).await?;
    let load = Load {
        config,
        connections: usize::from(arguments.connections),
        new_connection: arguments.new_connection,
        warmup: arguments.warmup,
        length: match arguments.requests {
            Some(requests) => Length::Requests(requests),
            None => Length::Time(arguments.seconds.unwrap_or(Duration::from_secs_f64(SECONDS_DEFAULT))),
        },
    };
    let tally = match work {
        Work::Questions(questions) => load.ask(questions, &progress).await?,
        Work::Machines(vcenter) => load.encrypt(vcenter, &progress).await?,
    };
    progress.clear();
    let report = report::Report::new(&arguments, target.address(), tls, &tally);
    report.print(format)?;
    Ok(if report.is_good() { Outcome::Done } else { Outcome::ChecksFailed })
}

/// Whether nobody answers at the address.
pub(crate) fn is_unreachable(cause: &(dyn std::error::Error + 'static)) -> bool {
    matches!(cause.downcast_ref::<ClientError>(), Some(ClientError::Connect { .. }))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return Err(format!("expected 0 to {SECONDS_MAX} seconds"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "expected a number from 1 on".to_owned())
}
