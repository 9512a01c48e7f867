//! `kms conform`: runs the published KMIP test cases against any KMIP server and says where it differs.
//!
//! The crate `conform` judges; here are the way to the server and the words.

mod web;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use conform::filter::{self, Only};
use conform::report::{self, Report};
use conform::{Case, Encoding, Wire, case, judge};
use indicatif::{ProgressBar, ProgressStyle};
use kmip::ProtocolVersion;
use kmip::client::{Client, ClientConfig, ClientError, Connection, ServerTrust};
use kmip::enumeration::{Operation, QueryFunction};
use ttlv::{Node, Value};

use crate::Outcome;
use crate::print::{self, Format, Sign};
use web::Web;

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
  kms conform cases kms1:5696 … --https kms1:5695 --encoding json   all over HTTPS, as JSON
  kms conform cases kms1:5696 … --clean -o json               after a run that was interrupted
  kms conform cases kms1:5696 kms2:5696 …                     each request at the next node

Exit codes:
  0  every case that was run passed
  1  one did not, or none was run
  3  the server cannot be reached")]
pub(crate) struct Arguments {
    /// Where the cases are: XML files, in any folders
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The server; with several, the nodes of one cluster, each request goes to the next of them
    #[arg(value_name = "HOST:PORT", required = true)]
    addresses: Vec<String>,
    /// Our certificate with its chain, PEM
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The CA of the server's certificate, PEM
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Where the server takes KMIP over HTTPS, POST /kmip: cases that ask for it run there, each in its encoding; may be
    /// repeated for the nodes of a cluster
    #[arg(long, value_name = "HOST:PORT")]
    https: Vec<String>,
    /// Send all other cases over HTTPS too, in this encoding: ttlv, xml or json
    #[arg(long, value_name = "ENCODING", requires = "https")]
    encoding: Option<Encoding>,
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
    let mut line = Line::new(&arguments)?;
    let cases = selected(&arguments)?;
    line.probe().await?;
    let progress = progress(cases.len());
    let options = (arguments.clean, arguments.show.is_some());
    let begins = |case: &Case| {
        progress.set_message(case.label());
        progress.inc(1);
    };
    let rows = conform::run(&cases, &mut line, options, now, begins).await;
    progress.finish_and_clear();
    let report = Report::new(&arguments.addresses.join(", "), rows);
    match format {
        Format::Table => table(&report),
        Format::Json => print::json(&report)?,
    }
    Ok(if report.all_passed() { Outcome::Done } else { Outcome::ChecksFailed })
}

fn selected(arguments: &Arguments) -> anyhow::Result<Vec<Case>> {
    let cases = case::all(&arguments.directory)?;
    let only: Vec<Only> = arguments.only.iter().chain(&arguments.show).map(|text| Only::new(text)).collect();
    let choices = report::choices(&cases);
    let cases = filter::select(cases, &only);
    anyhow::ensure!(!cases.is_empty(), "no case is chosen. hint: there are {choices}");
    Ok(cases)
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

/// A report for people: the table, why cases were not run, the first difference of each that failed.
fn table(report: &Report) {
    for row in report.cases.iter().filter(|row| !row.messages.is_empty()) {
        print::heading(row.label());
        row.messages.iter().for_each(print::line);
    }
    let (header, rows) = report.grid();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    print::table(&header, rows);
    let of = |sign: Sign, wanted: fn(&report::Outcome) -> bool| {
        for (at, row) in report.cases.iter().filter(|row| wanted(&row.outcome)).enumerate() {
            if at == 0 {
                print::line("");
            }
            print::finding(sign, &row.label(), &row.outcome.words(), None);
        }
    };
    of(Sign::Skipped, |outcome| matches!(outcome, report::Outcome::Skipped { .. }));
    of(Sign::Bad, |outcome| matches!(outcome, report::Outcome::Failed { .. }));
    print::line("");
    let (passed, run, skipped) = (report.passed, report.passed + report.failed, report.skipped);
    let sign = if report.all_passed() { Sign::Good } else { Sign::Bad };
    print::finding(sign, &report.server, &format!("{passed} of {run} cases passed, {skipped} not run"), None);
}

/// The ways to the server's nodes; each request takes the next.
struct Line {
    ways: VecDeque<Way>,
    /// The same over HTTPS, where the operator named them.
    webs: VecDeque<Web>,
    /// How the operator wants cases carried that do not care; none for TTLV over TLS alone.
    wanted: Option<Encoding>,
    /// How the case that runs is carried.
    encoding: Option<Encoding>,
}

/// One node; connects where it is not connected, again after a failure.
struct Way {
    config: ClientConfig,
    connection: Option<Connection>,
}

impl Line {
    fn new(arguments: &Arguments) -> anyhow::Result<Self> {
        let [ca, cert, key] = [&arguments.ca, &arguments.cert, &arguments.key].map(|path| read(path));
        let (ca, cert, key) = (ca?, cert?, key?);
        let config = |address: &String| {
            // A key server is often asked for by an address that its certificate does not carry; the CA is its own.
            let trust = ServerTrust::Ca { pem: ca.clone(), verify_name: false };
            ClientConfig::builder(address, trust).identity_pem(cert.clone(), key.clone()).build()
        };
        let (mut ways, mut webs) = (VecDeque::new(), VecDeque::new());
        for address in &arguments.addresses {
            ways.push_back(Way { config: config(address)?, connection: None });
        }
        for address in &arguments.https {
            webs.push_back(Web::new(config(address)?));
        }
        Ok(Self { ways, webs, wanted: arguments.encoding, encoding: None })
    }

    /// Whether each node answers at all: with TLS 1.3 a client that it does not trust learns so at the first answer.
    async fn probe(&mut self) -> Result<(), Unreachable> {
        let operations = Value::Enumeration(QueryFunction::QueryOperations.number());
        let payload = vec![Node::new(kmip::tag::QUERY_FUNCTION, operations)];
        let query = judge::message(ProtocolVersion::V1_0, Operation::Query, payload).encode();
        for way in &mut self.ways {
            way.exchange(&query).await?;
        }
        Ok(())
    }
}

impl Way {
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
    fn begin(&mut self, case: &Case) -> Result<(), String> {
        let encoding = case.encoding;
        if case.is_asked() {
            return Err(conform::UNHEARD.to_owned());
        }
        if encoding.is_some() && self.webs.is_empty() {
            return Err(
                "not for this transport: it asks for HTTPS, which --https says where to find".to_owned()
            );
        }
        self.ways.iter_mut().for_each(|way| way.connection = None);
        self.webs.iter_mut().for_each(Web::hang_up);
        self.encoding = encoding.or(self.wanted);
        Ok(())
    }

    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        if let Some(encoding) = self.encoding {
            self.webs.rotate_left(1);
            let Some(web) = self.webs.back_mut() else { return Err("no node is named".to_owned()) };
            return web.ask(encoding, request).await;
        }
        self.ways.rotate_left(1);
        let Some(way) = self.ways.back_mut() else { return Err("no node is named".to_owned()) };
        way.exchange(request).await.map_err(|error| error.to_string())
    }
}
