//! `kms doctor`: what is wrong between a client and a KMIP server, step by step, in words and with a fix.
//!
//! It looks from the client's side only, as vCenter would: address, TLS without a certificate, the certificate shown, TLS
//! versions, the client's pair, KMIP. Each step says what it saw; steps that need an earlier one are skipped after it.

mod address;
mod pair;
mod report;
mod talk;
mod tls;

use std::path::PathBuf;

use crate::lab::description::Description;
use crate::node;
use crate::print::{self, Format};
use crate::{Outcome, file};
use report::Report;

pub(crate) use address::Unreachable;

/// Say what is wrong between a client and a KMIP server, and how to put it right
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms doctor --lab
      the lab in ./kms-lab, with its client
  kms doctor 192.0.2.7:5696
      address, certificate, TLS versions
  kms doctor 192.0.2.7:5696 --cert cert.pem --key key.pem --ca ca.pem
      and whether this client is let in
  kms doctor 192.0.2.7:5696 --cert cert.pem --key key.pem --write
      and a key made, read and activated, as vCenter does

Works with any KMIP server. Without --write nothing is changed there.

Exit codes: 0 all is well, 1 a check did not pass, 3 nobody answers at the address")]
pub(crate) struct Arguments {
    /// The server, as vCenter is told: HOST:PORT, or HOST for port 5696
    #[arg(value_name = "HOST:PORT", required_unless_present = "lab")]
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

    /// The CA that the server's certificate should come from, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Make a key, read and activate it, as vCenter does for a VM; then destroy it, where the client may
    #[arg(long)]
    write: bool,
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    let (server, cert, key, ca) = match &arguments.lab {
        Some(dir) => {
            let Description { vip, client, .. } = Description::read(dir)?;
            (vip, Some(client.cert), Some(client.key), Some(client.ca))
        }
        None => (arguments.server.unwrap_or_default(), arguments.cert, arguments.key, arguments.ca),
    };
    let (host, port) = crate::address::split(&server, node::KMIP_PORT)?;
    let ca_pem = ca.as_deref().map(file::read_text).transpose()?;
    let pair = match (&cert, &key) {
        (Some(cert), Some(key)) => Some(pair::Pair::read(cert, key)?),
        _ => None,
    };
    let mut report = Report::new(&server, format);
    let result = examine(&mut report, &host, port, ca_pem.as_deref(), pair, arguments.write).await;
    report.finish()?;
    result?;
    Ok(if report.is_good() { Outcome::Done } else { Outcome::ChecksFailed })
}

async fn examine(
    report: &mut Report,
    host: &str,
    port: u16,
    ca_pem: Option<&str>,
    pair: Option<pair::Pair>,
    write: bool,
) -> Result<(), Unreachable> {
    // Our own files first: they need no server.
    if let Some(pair) = &pair {
        pair.check(report);
    }
    let address = address::check(report, host, port).await?;
    let Some(shown) = tls::check_without_certificate(report, host, address).await else {
        report.skip("KMIP", "the server shows no certificate");
        return Ok(());
    };
    tls::check_certificate(report, host, &shown, ca_pem);
    tls::check_versions(report, host, address).await;
    let Some(pair) = pair else {
        report.skip("KMIP", "needs a client certificate: --cert FILE --key FILE");
        return Ok(());
    };
    talk::check(report, address, &shown.chain, &pair, write).await;
    Ok(())
}

/// What is printed when all is looked at.
fn conclusion(bad: usize, warnings: usize) -> String {
    match (bad, warnings) {
        (0, 0) => "All is well.".to_owned(),
        (0, warnings) => format!("It works. {warnings} to look at."),
        (bad, _) => format!("{bad} not well."),
    }
}

/// Prints the conclusion under the findings.
fn conclude(bad: usize, warnings: usize) {
    print::line("");
    print::heading(conclusion(bad, warnings));
}
