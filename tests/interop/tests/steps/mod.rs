//! A program of other people's client that tells of each step in a line of JSON.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use lab::LabClient;

use crate::client_files::ClientFiles;

/// Runs `program` of this package's Python files; fails the test where a step failed, or none was made.
pub(crate) fn all_work(
    of: &str,
    mut python: Command,
    program: &str,
    server: SocketAddr,
    dir: &Path,
    client: &LabClient,
) {
    let files = ClientFiles::write(dir, client);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(program);
    python.arg(path).args([server.ip().to_string(), server.port().to_string()]);
    let output = python.args([&files.certificate, &files.key, &files.ca]).output().unwrap();
    let mut steps = 0;
    let mut failed = String::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let told: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| told[field].as_str().unwrap();
        let line = format!("{of}: {}: {}\n", text("step"), text("outcome"));
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        steps += 1;
        if text("outcome") != "ok" {
            failed += &format!("{}: {}\n", text("step"), text("detail"));
        }
    }
    assert!(failed.is_empty(), "{failed}");
    assert!(output.status.success() && steps > 0, "{}", String::from_utf8_lossy(&output.stderr));
}
