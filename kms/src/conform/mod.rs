//! `kms conform`: runs the published KMIP test cases against any KMIP server and says where it differs.
//!
//! It knows the server by the wire alone and uses nothing of our own server, so that it can judge it. `case` reads,
//! `placeholder` binds, `compare` judges by the tables of `permitted`, `judge` runs, `report` tells.

mod case;
mod compare;
mod errata;
mod filter;
mod judge;
mod permitted;
mod placeholder;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use kmip::ProtocolVersion;
use kmip::client::{Client, ClientConfig, ClientError, Connection, ServerTrust};
use kmip::enumeration::{Operation, QueryFunction};
use ttlv::{Node, Value};

use crate::Outcome;
use crate::print::{self, Format};
use case::{Case, Plan};
use filter::Only;
use judge::{Leftovers, Wire};
use report::{Report, Row};

/// Cases from which on a run shows how far it is.
const PROGRESS_CASES_MIN: usize = 5;

/// Run the published KMIP test cases against a KMIP server
///
/// Takes the test cases of the OASIS profiles as XML files, in any folders under DIR, and sends each request to the
/// server, ours or another's. Responses must be as the case has them, but for what the profiles permit to vary. What
/// the server made for the cases of a family is destroyed after them, whether they passed or not. Run it against a
/// server for tests: the client must be allowed to create, change and destroy.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms conform cases 127.0.0.1:5696 --cert cert.pem --key key.pem --ca ca.pem
  kms conform cases kms1:5696 … --only SKLC --only SKFF/1.4   a family, and one at one version
  kms conform cases kms1:5696 … --show SKLC-M-1-14            one case with all its messages
  kms conform cases kms1:5696 … --clean -o json               after a run that was interrupted

Exit codes:
  0  every case that was run passed
  1  one did not, or none was run
  3  the server cannot be reached")]
pub(crate) struct Arguments {
    /// Where the cases are: XML files, in any folders
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The server
    #[arg(value_name = "HOST:PORT")]
    address: String,
    /// Our certificate with its chain, PEM
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The CA of the server's certificate, PEM
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Run only these: a family, a version, a name, or more of them with / between; may be repeated
    #[arg(long, value_name = "FAMILY/VERSION/NAME", num_args = 1..)]
    only: Vec<String>,
    /// Run only this case and print its messages; key material is masked
    #[arg(long, value_name = "CASE", conflicts_with = "only")]
    show: Option<String>,
    /// Before each case, destroy the objects that bear a name which it gives: what an interrupted run left
    #[arg(long)]
    clean: bool,
}

/// The server cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Unreachable(#[from] ClientError);

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    let mut line = Line { config: config(&arguments)?, connection: None };
    let cases = selected(&arguments)?;
    line.probe().await?;
    let mut rows = Vec::with_capacity(cases.len());
    let progress = progress(cases.len());
    let mut leftovers = Leftovers::default();
    for (at, case) in cases.iter().enumerate() {
        progress.set_message(case.label());
        rows.push(one(case, &arguments, &mut line, &mut leftovers).await);
        progress.inc(1);
        if cases.get(at + 1).is_none_or(|next| !case.leads_to(next)) {
            std::mem::take(&mut leftovers).destroy(case.version, &mut line).await;
        }
    }
    progress.finish_and_clear();
    let report = Report::new(&arguments.address, rows);
    match format {
        Format::Table => report.print(),
        Format::Json => print::json(&report)?,
    }
    Ok(if report.all_passed() { Outcome::Done } else { Outcome::ChecksFailed })
}

/// Runs one case on a connection of its own.
async fn one(case: &Case, arguments: &Arguments, line: &mut Line, leftovers: &mut Leftovers) -> Row {
    let exchanges = match &case.plan {
        Plan::Run(exchanges) => exchanges,
        Plan::Skip(reason) => {
            return Row::new(case, report::Outcome::Skipped { reason: reason.clone() }, 0, 0);
        }
    };
    line.connection = None;
    if arguments.clean {
        Leftovers::of_names(case.version, exchanges, line).await.destroy(case.version, line).await;
    }
    let started = Instant::now();
    let verdict = judge::run(case.version, exchanges, line, leftovers, now()).await;
    let milliseconds = started.elapsed().as_millis();
    let outcome = match verdict.difference {
        None => report::Outcome::Passed,
        Some(difference) => report::Outcome::Failed { difference },
    };
    let row = Row::new(case, outcome, verdict.steps.len(), milliseconds);
    if arguments.show.is_some() { row.showing(&verdict.steps) } else { row }
}

fn selected(arguments: &Arguments) -> anyhow::Result<Vec<Case>> {
    let cases = case::all(&arguments.directory)?;
    let only: Vec<Only> = arguments.only.iter().chain(&arguments.show).map(|text| Only::new(text)).collect();
    let choices = report::choices(&cases);
    let cases = filter::select(cases, &only);
    anyhow::ensure!(!cases.is_empty(), "no case is chosen. hint: there are {choices}");
    Ok(cases)
}

fn config(arguments: &Arguments) -> anyhow::Result<ClientConfig> {
    // A key server is often asked for by an address that its certificate does not carry; the CA is its own.
    let trust = ServerTrust::Ca { pem: read(&arguments.ca)?, verify_name: false };
    let builder = ClientConfig::builder(&arguments.address, trust);
    Ok(builder.identity_pem(read(&arguments.cert)?, read(&arguments.key)?).build()?)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// Shows nothing where standard error is no terminal.
fn progress(cases: usize) -> ProgressBar {
    if cases < PROGRESS_CASES_MIN {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(cases).unwrap_or(u64::MAX));
    match ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The way to the server; connects where it is not connected, again after a failure.
struct Line {
    config: ClientConfig,
    connection: Option<Connection>,
}

impl Line {
    /// Whether the server answers at all: with TLS 1.3 a client that it does not trust learns so at the first answer.
    async fn probe(&mut self) -> Result<(), Unreachable> {
        let operations = Value::Enumeration(QueryFunction::QueryOperations.number());
        let payload = vec![Node::new(kmip::tag::QUERY_FUNCTION, operations)];
        let query = judge::message(ProtocolVersion::V1_0, Operation::Query, payload);
        self.exchange(&query.encode()).await?;
        Ok(())
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>, ClientError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Client::connect(&self.config).await?,
        };
        let answer = connection.call_raw(request).await?;
        // After a failure it is of no more use.
        self.connection = Some(connection);
        Ok(answer)
    }
}

impl Wire for Line {
    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        self.exchange(request).await.map_err(|error| error.to_string())
    }
}
