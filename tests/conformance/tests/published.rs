//! The published KMIP test cases, all of them: against one node, twice; against three nodes, each request at another; and
//! against kms-core alone. What does not pass stands in `known.txt` with its reason, and `docs/conformance.md` is the table.

// Helpers end the test as a test itself does.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::Output;

use conform::report::Outcome;
use conform::{Difference, Report, case};
use conformance::alone::Alone;
use conformance::{known, page, vectors};
use lab::Lab;
use serde_json::Value;
use tokio::process::Command;

/// Cases of the smallest set that proves anything; the published one has 451.
const CASES_MIN: usize = 400;

/// A lab, its programs built before it counts the time that a server takes to start.
async fn lab(nodes: usize) -> Lab {
    lab::programs();
    let builder = Lab::builder().nodes(nodes).https();
    if nodes == 1 { builder.start().await } else { builder.cluster().start().await }
}

/// `kms conform` with the lab's client at all nodes, as JSON; cases of the HTTPS profiles run there.
async fn conform(lab: &Lab, cases: &Path) -> Output {
    let files = tempfile::tempdir().unwrap();
    let client = lab.client();
    let mut command = Command::new(&lab::programs().kms);
    command.arg("conform").arg(cases).args(["-o", "json"]);
    for node in lab.nodes() {
        command.arg(node.kmip_address.to_string());
        command.arg(format!("--https={}", node.https_address));
    }
    for (option, pem) in [("--cert", &client.cert_pem), ("--key", &client.key_pem), ("--ca", &client.ca_pem)]
    {
        let file = files.path().join(option.trim_start_matches('-'));
        std::fs::write(&file, pem).unwrap();
        command.arg(option).arg(file);
    }
    command.output().await.unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The report that `kms conform` printed.
fn report(output: &Output, cases: &[conform::Case]) -> Report {
    let json = json(output);
    let rows = json["cases"].as_array().unwrap().iter().zip(cases).map(|(row, case)| {
        assert_eq!(row["name"], case.name.as_str());
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let outcome = match row["result"].as_str().unwrap() {
            "passed" => Outcome::Passed,
            "skipped" => Outcome::Skipped { reason: text(&row["reason"]) },
            _ => {
                let [path, expected, got] =
                    ["path", "expected", "got"].map(|field| text(&row["difference"][field]));
                Outcome::Failed { difference: Difference { path, expected, got } }
            }
        };
        conform::Row::new(case, outcome, 0, 0)
    });
    Report::new("", rows.collect())
}

/// Fails where a run is not as `known.txt` has it.
fn check(report: &Report, except: &[&str]) {
    let surprises = known::surprises(report, except);
    assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
    assert!(report.passed + report.failed >= CASES_MIN, "{} cases were run", report.passed + report.failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_case_passes_at_one_node_but_those_that_cannot() {
    let Some(folder) = vectors() else { return };
    let cases = case::all(&folder).unwrap();
    let lab = lab(1).await;
    // The second run proves that the first left no name behind.
    for _ in 0..2 {
        let report = report(&conform(&lab, &folder).await, &cases);
        check(&report, &[]);
        let page = page::page(&report);
        if std::env::var("CONFORMANCE").is_ok_and(|it| it == "write") {
            std::fs::write(page::path(), &page).unwrap();
        }
        assert_eq!(page, std::fs::read_to_string(page::path()).unwrap(), "CONFORMANCE=write writes the page");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_case_passes_at_three_nodes_with_each_request_at_another() {
    let Some(folder) = vectors() else { return };
    let cases = case::all(&folder).unwrap();
    let lab = lab(3).await;
    check(&report(&conform(&lab, &folder).await, &cases), &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_case_passes_at_the_decision_alone() {
    let Some(folder) = vectors() else { return };
    let cases = case::all(&folder).unwrap();
    let rows = conform::run(&cases, &mut Alone::default(), (false, false), lab::now_s, |_| {}).await;
    check(&Report::new("kms-core", rows), &[]);
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
    let lab = lab(1).await;
    let output = conform(&lab, cases.path()).await;
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!(report["failed"], 1, "{report}");
    assert_eq!(report["cases"][0]["difference"]["path"], "response 1, item 1, Result Status");
    lab.node(0).kill().await;
    let output = conform(&lab, cases.path()).await;
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}
