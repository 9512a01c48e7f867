//! KMIP over HTTPS on a cluster: the published cases in each encoding, made on one node and read on another.
//!
//! Where the published cases are, and what is done without them, is as in `published.rs`.

// Helpers end the test as a test itself does.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use conformance::vectors;
use lab::Lab;
use serde_json::Value;
use tokio::process::Command;

/// Encodings beside the Content-Type that each is known by.
const ENCODINGS: [&str; 3] = ["ttlv", "xml", "json"];

/// Cases of SKLC and OMOS, one family of each mandatory kind; the published set has 16 of them.
const CASES_MIN: u64 = 12;

async fn cluster() -> Lab {
    lab::programs();
    Lab::builder().nodes(3).https().start().await
}

/// `kms conform` at `node` over its HTTPS.
async fn conform(lab: &Lab, cases: &Path, node: usize, more: &[&str]) -> Value {
    let files = tempfile::tempdir().unwrap();
    let (client, node) = (lab.client(), lab.node(node));
    let mut command = Command::new(&lab::programs().kms);
    command.arg("conform").arg(cases).arg(node.kmip_address.to_string()).args(["-o", "json"]);
    command.arg("--https").arg(node.https_address.to_string()).args(more);
    for (option, pem) in [("--cert", &client.cert_pem), ("--key", &client.key_pem), ("--ca", &client.ca_pem)]
    {
        let file = files.path().join(option.trim_start_matches('-'));
        std::fs::write(&file, pem).unwrap();
        command.arg(option).arg(file);
    }
    let output = command.output().await.unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What differs in a report, as text.
fn failed(report: &Value) -> Vec<String> {
    let cases = report["cases"].as_array().unwrap().iter();
    let failed = cases.filter(|case| case["result"] == "failed");
    failed.map(|case| format!("{}: {}", case["name"], case["difference"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn published_cases_pass_in_each_encoding_on_each_node_of_a_cluster() {
    let Some(cases) = vectors() else { return };
    let lab = cluster().await;
    for (node, encoding) in ENCODINGS.into_iter().enumerate() {
        let chosen = ["--encoding", encoding, "--only=SKLC", "--only=OMOS"];
        let report = conform(&lab, &cases, node, &chosen).await;
        assert_eq!(failed(&report), [""; 0], "{encoding}");
        assert!(report["passed"].as_u64().unwrap() >= CASES_MIN, "{}", report["table"]);
    }
}
