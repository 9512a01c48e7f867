//! The published KMIP test cases of what is built so far, run by `kms conform` against a real server.
//!
//! The cases are not part of the project: `KMIP_VECTORS` says where they are, else they are looked for in
//! `../shared/vectors` beside the project. Without them the test says so in one line and passes.

// Helpers end the test as a test itself does.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Output;

use lab::Lab;
use serde_json::Value;
use tokio::process::Command;

/// Families that must pass, at each of these versions.
const FAMILIES: [&str; 3] = ["SKLC", "SKFF", "OMOS"];
const VERSIONS: [&str; 4] = ["1.0", "1.1", "1.2", "1.4"];

/// Cases of the smallest set that proves anything; the published one has 90.
const CASES_MIN: u64 = 60;

/// Families of cryptographic operations, since 1.2.
const CRYPTOGRAPHIC: [&str; 3] = ["CS-BC", "CS-AC", "CS-RNG"];
const CRYPTOGRAPHIC_SINCE: [&str; 2] = ["1.2", "1.4"];
const CRYPTOGRAPHIC_CASES_MIN: usize = 48;

/// Their cases that do not pass, and why. No other may fail, and none of these may be forgotten once it passes.
const KNOWN: &[(&str, &str)] = &[
    ("CS-AC-M-1-12", RANDOM),
    ("CS-AC-M-8-14", "a Process Start Date on a Private Key, where KMIP 1.4 section 3.25 has none"),
    ("CS-AC-M-OAEP-1-14", RANDOM),
    ("CS-AC-M-OAEP-3-14", RANDOM),
    ("CS-AC-M-OAEP-5-14", RANDOM),
    ("CS-AC-M-OAEP-7-14", RANDOM),
    ("CS-AC-M-OAEP-9-14", RANDOM),
    ("CS-BC-M-13-12", RANDOM),
    ("CS-BC-M-13-14", RANDOM),
    ("CS-BC-M-6-12", "its ciphertext is one under another key; the same case of 1.4 has the right one"),
    ("CS-BC-M-GCM-3-14", "data in parts, which the server does not take yet"),
    ("CS-RNG-O-1-12", SEED),
    ("CS-RNG-O-1-14", SEED),
    ("CS-RNG-O-2-12", SEED),
    ("CS-RNG-O-2-14", SEED),
    ("CS-RNG-O-4-12", SEED),
    ("CS-RNG-O-4-14", SEED),
];
const RANDOM: &str = "what is computed has a random part, and the case prints another server's";
const SEED: &str =
    "a server uses a client's seed, a part of it, or none, or refuses it: ours is the third, CS-RNG-O-3";

fn vectors() -> Option<PathBuf> {
    let folder = std::env::var_os("KMIP_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// A lab, its programs built before it counts the time that a server takes to start.
async fn lab() -> Lab {
    lab::programs();
    Lab::start().await
}

/// `kms conform` with the lab's client, as JSON.
async fn conform(lab: &Lab, cases: &Path, address: &str, more: &[&str]) -> Output {
    let files = tempfile::tempdir().unwrap();
    let client = lab.client();
    let mut command = Command::new(&lab::programs().kms);
    command.arg("conform").arg(cases).arg(address).args(["-o", "json"]).args(more);
    for (option, pem) in [("--cert", &client.cert_pem), ("--key", &client.key_pem), ("--ca", &client.ca_pem)]
    {
        let file = files.path().join(option.trim_start_matches('-'));
        std::fs::write(&file, pem).unwrap();
        command.arg(option).arg(file);
    }
    command.output().await.unwrap()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_case_of_the_families_that_are_built_passes() {
    let Some(cases) = vectors() else {
        println!("skipped: no published test cases here; set KMIP_VECTORS to their folder");
        return;
    };
    let chosen: Vec<String> = FAMILIES
        .iter()
        .flat_map(|family| VERSIONS.map(|version| format!("--only={family}/{version}")))
        .collect();
    let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
    let lab = lab().await;
    let address = lab.node(0).kmip_address.to_string();
    // The second run proves that the first left no name behind.
    for _ in 0..2 {
        let output = conform(&lab, &cases, &address, &chosen).await;
        let report = report(&output);
        let failed: Vec<String> = report["cases"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|case| case["result"] == "failed")
            .map(|case| format!("{}: {}", case["name"], case["difference"]))
            .collect();
        assert!(failed.is_empty(), "{} cases differ:\n{}", failed.len(), failed.join("\n"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(report["passed"].as_u64().unwrap() >= CASES_MIN, "{}", report["table"]);
        for version in VERSIONS {
            for family in FAMILIES {
                let table = report["table"].as_array().unwrap();
                let there = |cell: &&Value| cell["version"] == version && cell["family"] == family;
                assert!(table.iter().any(|cell| there(&cell)), "no case of {family} at {version}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_case_of_cryptographic_operations_passes_but_those_that_cannot() {
    let Some(cases) = vectors() else {
        println!("skipped: no published test cases here; set KMIP_VECTORS to their folder");
        return;
    };
    let chosen: Vec<String> = CRYPTOGRAPHIC
        .iter()
        .flat_map(|family| CRYPTOGRAPHIC_SINCE.map(|version| format!("--only={family}/{version}")))
        .collect();
    let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
    let lab = lab().await;
    let output = conform(&lab, &cases, &lab.node(0).kmip_address.to_string(), &chosen).await;
    let report = report(&output);
    let of = |result: &str| {
        let all = report["cases"].as_array().unwrap().iter().filter(|case| case["result"] == result);
        let mut names: Vec<_> = all.map(|case| case["name"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    };
    let known: Vec<_> = KNOWN.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(of("failed"), known, "{}", report["cases"]);
    assert!(of("passed").len() >= CRYPTOGRAPHIC_CASES_MIN, "{}", report["table"]);
    for (name, why) in KNOWN {
        println!("{name} does not pass: {why}");
    }
}

/// A case of our own that no server can pass: it expects a Query to fail.
const IMPOSSIBLE: &str = r#"<KMIP>
<RequestMessage><RequestHeader><ProtocolVersion>
  <ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="4"/>
</ProtocolVersion><BatchCount type="Integer" value="1"/></RequestHeader>
<BatchItem><Operation type="Enumeration" value="Query"/><RequestPayload>
  <QueryFunction type="Enumeration" value="QueryOperations"/></RequestPayload></BatchItem></RequestMessage>
<ResponseMessage><ResponseHeader><ProtocolVersion>
  <ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="4"/>
</ProtocolVersion><TimeStamp type="DateTime" value="$NOW"/><BatchCount type="Integer" value="1"/></ResponseHeader>
<BatchItem><Operation type="Enumeration" value="Query"/>
  <ResultStatus type="Enumeration" value="OperationFailed"/>
  <ResultReason type="Enumeration" value="PermissionDenied"/></BatchItem></ResponseMessage>
</KMIP>"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_found_and_a_server_that_is_not_there_is_told_from_one_that_differs() {
    let cases = tempfile::tempdir().unwrap();
    std::fs::write(cases.path().join("X-M-1-14.xml"), IMPOSSIBLE).unwrap();
    let lab = lab().await;
    let address = lab.node(0).kmip_address.to_string();
    let output = conform(&lab, cases.path(), &address, &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let report = report(&output);
    assert_eq!(report["failed"], 1, "{report}");
    assert_eq!(report["cases"][0]["difference"]["path"], "response 1, item 1, Result Status");
    lab.node(0).kill().await;
    let output = conform(&lab, cases.path(), &address, &[]).await;
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}
