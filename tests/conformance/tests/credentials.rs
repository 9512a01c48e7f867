//! The published cases that send credentials, with a server that has credentials registered: a user name and password or a
//! device that is another client's is refused, as they expect (TC_111 and TC_112).
//!
//! Without the cases (`KMIP_VECTORS`) the test says so in one line and passes.

// Helpers end the test as a test itself does.
#![allow(clippy::unwrap_used, clippy::panic)]

use conformance::vectors;
use lab::{Lab, NewClient};
use tokio::process::Command;

/// TC_111 is there at 1.0, 1.1 and 1.2, TC_112 at 1.1 and 1.2.
const CASES: [&str; 5] = [
    "TC_111_10_Credential_Operation_Policy_Destroy_Date",
    "TC_111_11_Credential_Operation_Policy_Destroy_Date",
    "TC_111_12_Credential_Operation_Policy_Destroy_Date",
    "TC_112_11_Device_Credential_Operation_Policy_Destroy_Date",
    "TC_112_12_Device_Credential_Operation_Policy_Destroy_Date",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_published_cases_with_credentials_pass_where_these_are_registered() {
    let Some(cases) = vectors() else { return };
    lab::programs();
    let lab = Lab::start().await;
    // The users and devices of the cases, the second of each with a client of its own.
    let own = NewClient::named("fred").user("Fred", "password1").device("serNum123456", "secret");
    let client = lab.add_client(own).await;
    lab.add_client(NewClient::named("barney").user("Barney", "secret2").device("serNum101010", "passwd"))
        .await;
    let files = tempfile::tempdir().unwrap();
    let mut command = Command::new(&lab::programs().kms);
    command.arg("conform").arg(&cases).arg(lab.node(0).kmip_address.to_string());
    command.args(CASES.map(|case| format!("--only={case}"))).args(["-o", "json"]);
    for (option, pem) in [("--cert", &client.cert_pem), ("--key", &client.key_pem), ("--ca", &client.ca_pem)]
    {
        let file = files.path().join(option.trim_start_matches('-'));
        std::fs::write(&file, pem).unwrap();
        command.arg(option).arg(file);
    }
    let output = command.output().await.unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(report["passed"], CASES.len(), "{}", report["cases"]);
    assert!(output.status.success());
}
