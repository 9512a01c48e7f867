//! PyKMIP's own integration suite against the server, at KMIP 1.0 to 1.4 at the same time, each version as a client
//! with a tenant of its own: the suite counts what Locate finds.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

mod client_files;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};

use client_files::ClientFiles;
use interop::Python;
use lab::{Lab, NewClient};

const VERSIONS: [&str; 5] = ["1.0", "1.1", "1.2", "1.3", "1.4"];

#[tokio::test]
async fn pykmips_integration_suite_passes_at_every_version() {
    let python = match Python::ready() {
        Ok(python) => python,
        Err(skip) => return skip.announce(),
    };
    let lab = Lab::start().await;
    let mut running = Vec::new();
    for version in VERSIONS {
        let home = lab.dir().join(format!("pykmip-{version}"));
        let client = lab.add_client(NewClient::named(format!("pykmip-{version}"))).await;
        let files = ClientFiles::write(&home, &client);
        configure(&home, lab.node(0).kmip_address.port(), &files);
        running.push((version, start(&python, &home, version)));
    }
    let mut failed = Vec::new();
    for (version, suite) in running {
        let output = suite.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let summary = text.lines().next_back().unwrap_or("it said nothing");
        writeln!(std::io::stderr(), "PyKMIP's integration suite at KMIP {version}: {summary}").unwrap();
        if !output.status.success() || !summary.contains(" passed") {
            failed.push(format!("KMIP {version}:\n{text}{}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// PyKMIP looks for its configuration in the home directory.
fn configure(home: &Path, port: u16, files: &ClientFiles) {
    let ClientFiles { certificate, key, ca } = files;
    let text = format!(
        "[client]\n\
         host=127.0.0.1\n\
         port={port}\n\
         certfile={}\n\
         keyfile={}\n\
         ca_certs={}\n\
         cert_reqs=CERT_REQUIRED\n\
         ssl_version=PROTOCOL_TLSv1_2\n\
         do_handshake_on_connect=True\n\
         suppress_ragged_eofs=True\n\
         username=None\n\
         password=None\n",
        certificate.display(),
        key.display(),
        ca.display(),
    );
    fs::create_dir_all(home.join(".pykmip")).unwrap();
    fs::write(home.join(".pykmip/pykmip.conf"), text).unwrap();
}

fn start(python: &Python, home: &Path, version: &str) -> Child {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
    python
        .command()
        .args(["-B", "-m", "pytest", "-p", "suite_plugin", "-p", "no:cacheprovider"])
        .args(["--quiet", "--tb=short", "--config", "client", "integration"])
        .current_dir(python.suite())
        .env("HOME", home)
        .env("PYTHONPATH", sources)
        .env("INTEROP_KMIP_VERSION", version)
        .env("INTEROP_EXPECTED", format!("{sources}/suite_expected_failures.txt"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
