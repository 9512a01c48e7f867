//! PyKMIP's two clients against the server, every operation that they have, at KMIP 1.0 to 1.4. Prints the table.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

mod client_files;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

use client_files::ClientFiles;
use interop::Python;
use lab::Lab;

const VERSIONS: [&str; 5] = ["1.0", "1.1", "1.2", "1.3", "1.4"];

/// What PyKMIP, or the version, does not have. Everything else must work.
#[rustfmt::skip]
const ABSENT: [(&str, &[&str]); 3] = [
    ("Add Attribute",            &["1.0", "1.1", "1.2", "1.3", "1.4"]),
    ("Get Attributes, all",      &["1.0",               "1.3", "1.4"]),
    ("Locate with Offset Items", &["1.0", "1.1", "1.2"]),
];

#[tokio::test]
async fn pykmips_clients_do_all_that_they_can_at_every_version() {
    let python = match Python::ready() {
        Ok(python) => python,
        Err(skip) => return skip.announce(),
    };
    let lab = Lab::start().await;
    let files = ClientFiles::write(&lab.dir().join("pykmip"), lab.client());
    let address = lab.node(0).kmip_address;
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/python/client_table.py");
    let output = python
        .command()
        .arg(program)
        .args([address.ip().to_string(), address.port().to_string()])
        .args([&files.certificate, &files.key, &files.ca])
        .output()
        .unwrap();
    let table = Table::read(&String::from_utf8(output.stdout).unwrap());
    std::io::stderr().write_all(table.text().as_bytes()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    table.check();
}

#[tokio::test]
async fn a_pykmip_client_of_kmip_2_0_is_told_that_it_is_too_new() {
    let python = match Python::ready() {
        Ok(python) => python,
        Err(skip) => return skip.announce(),
    };
    let lab = Lab::start().await;
    let files = ClientFiles::write(&lab.dir().join("pykmip"), lab.client());
    let said = locate_at_2_0(python.command(), &files, lab.node(0).kmip_address.port());
    assert_eq!(said.lines().next_back(), Some("INVALID_MESSAGE"), "{said}");
}

/// The Result Reason that a client of KMIP 2.0 is given.
fn locate_at_2_0(mut python: Command, files: &ClientFiles, port: u16) -> String {
    const PROGRAM: &str = "
import logging, sys
logging.disable(logging.CRITICAL)
from kmip.core import enums
from kmip.services.kmip_client import KMIPProxy
_, port, certificate, key, ca = sys.argv
client = KMIPProxy('127.0.0.1', int(port), key, certificate, 'CERT_REQUIRED', 'PROTOCOL_TLSv1_2', ca,
                   kmip_version=enums.KMIPVersion.KMIP_2_0)
client.open()
print(client.locate().result_reason.value.name)
";
    let port = port.to_string();
    let python = python.args(["-c", PROGRAM, &port]).args([&files.certificate, &files.key, &files.ca]);
    let output = python.output().unwrap();
    let said = [output.stderr, output.stdout].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// What became of each step at each version.
struct Table {
    steps: Vec<String>,
    /// Step and version -> outcome and detail.
    cells: BTreeMap<(String, String), (String, String)>,
}

impl Table {
    fn read(lines: &str) -> Self {
        let mut table = Self { steps: Vec::new(), cells: BTreeMap::new() };
        for line in lines.lines() {
            let cell: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |field: &str| cell[field].as_str().unwrap().to_owned();
            let step = text("step");
            if !table.steps.contains(&step) {
                table.steps.push(step.clone());
            }
            table.cells.insert((step, text("version")), (text("outcome"), text("detail")));
        }
        table
    }

    fn outcome(&self, step: &str, version: &str) -> &str {
        let cell = self.cells.get(&(step.to_owned(), version.to_owned()));
        cell.map_or("not tried", |(outcome, _)| outcome)
    }

    fn text(&self) -> String {
        let width = self.steps.iter().map(|step| step.chars().count()).max().unwrap_or(0);
        let mut text = format!("\n{:width$}", "PyKMIP 0.11.0");
        for version in VERSIONS {
            write!(text, "  {version:>9}").unwrap();
        }
        for step in &self.steps {
            write!(text, "\n{step:width$}").unwrap();
            for version in VERSIONS {
                let shown = match self.outcome(step, version) {
                    "absent" => "–",
                    other => other,
                };
                write!(text, "  {shown:>9}").unwrap();
            }
        }
        text.push('\n');
        let mut said = BTreeSet::new();
        for ((step, _), (outcome, detail)) in &self.cells {
            if outcome == "absent" && said.insert((step, detail)) {
                writeln!(text, "– {step}: {detail}").unwrap();
            }
        }
        text
    }

    fn check(&self) {
        let mut wrong = String::new();
        for ((step, version), (outcome, detail)) in &self.cells {
            if outcome == "failed" {
                writeln!(wrong, "{step} at KMIP {version}: {detail}").unwrap();
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
        for step in &self.steps {
            for version in VERSIONS {
                let absent = ABSENT.iter().any(|(name, at)| name == step && at.contains(&version));
                let expected = if absent { "absent" } else { "ok" };
                assert_eq!(self.outcome(step, version), expected, "{step} at KMIP {version}");
            }
        }
        assert!(ABSENT.iter().all(|(name, _)| self.steps.iter().any(|step| step == name)), "a step is gone");
    }
}
