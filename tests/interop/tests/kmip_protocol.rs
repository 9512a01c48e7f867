//! The demonstration client of the crate kmip-protocol against the server: two threads on one connection ask who the server
//! is, and make, activate, use, revoke and destroy a pair of RSA keys.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

mod client_files;

use std::process::{Command, Stdio};

use client_files::ClientFiles;
use interop::kmip_protocol_demo;
use lab::{Lab, NewClient};

/// What the program does at once.
const THREADS: usize = 2;
/// Of RSA-2048, and of what it asks the generator for.
const SIGNATURE_HEX_CHARS: usize = 512;
const RANDOM_HEX_CHARS: usize = 64;

#[tokio::test]
async fn the_demonstration_of_kmip_protocol_ends_without_an_error() {
    let demo = match tokio::task::spawn_blocking(kmip_protocol_demo).await.unwrap() {
        Ok(demo) => demo,
        Err(skip) => return skip.announce(),
    };
    let lab = Lab::start().await;
    let client = lab.add_client(NewClient::named("kmip-protocol")).await;
    let files = ClientFiles::write(&lab.dir().join("kmip-protocol"), &client);
    let address = lab.node(0).kmip_address;
    let mut program = Command::new(demo);
    program.arg("--ca-cert").arg(&files.ca);
    program.arg("--client-cert").arg(&files.certificate).arg("--client-key").arg(&files.key);
    program.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
    program.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || program.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    // Lines are: [time] (thread) LEVEL  text.
    let texts: Vec<&str> =
        said.lines().filter_map(|line| line.split_once("INFO")).map(|line| line.1.trim()).collect();
    let count = |is: &dyn Fn(&str) -> bool| texts.iter().filter(|text| is(text)).count();
    let hex = |chars: usize| {
        count(&|text| text.len() == chars && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    assert_eq!(count(&|text| text.starts_with("Server identification: kms-server")), THREADS, "{said}");
    assert_eq!(hex(RANDOM_HEX_CHARS), THREADS, "{said}");
    assert!(!said.contains("ERROR"), "{said}");
    assert_eq!(hex(SIGNATURE_HEX_CHARS), THREADS, "{said}");
}
