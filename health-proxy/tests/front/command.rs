//! The command line, and the page that shows what it prints.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_health-proxy")).args(arguments).output().unwrap()
}

fn check(text: &str) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("front.toml");
    fs::write(&path, text).unwrap();
    let output = run(&["--check-config", "--config", path.to_str().unwrap()]);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_good_configuration_is_summed_up_and_a_bad_one_ends_with_one() {
    let (code, out, _) = check("[nodes]\nkms1 = \"192.0.2.11:5696\"\n");
    assert_eq!(code, Some(0));
    assert!(out.contains("TLS handshake only") && out.contains("kms1 at 192.0.2.11:5696"), "{out}");
    let (code, out, error) = check("[nodes]\nkms1 = 5\n");
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(error.contains("front.toml has 1 mistake") && error.contains("line 2: [nodes] kms1"), "{error}");
}

#[test]
fn a_port_that_is_taken_is_named_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("front.toml");
    let text =
        format!("[front]\nlisten = \"{}\"\n[nodes]\na = \"192.0.2.11:5696\"\n", taken.local_addr().unwrap());
    fs::write(&path, text).unwrap();
    let output = run(&["--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("[front] listen") && said.contains("in use"), "{said}");
}

#[test]
fn a_front_on_a_lifeline_ends_when_whoever_holds_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("front.toml");
    let text = "[front]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[nodes]\na = \"192.0.2.11:5696\"\n";
    fs::write(&path, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_health-proxy"));
    command.args(["--lifeline", "--config", path.to_str().unwrap()]);
    let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Waiting lets go of its standard input, as the end of a parent does.
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input closed"));
}

#[test]
fn the_page_of_configuration_keys_is_what_the_front_says() {
    let reference = String::from_utf8(run(&["--config-reference"]).stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration-front.md");
    let page = fs::read_to_string(path).unwrap();
    let block = page.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```"));
    assert_eq!(block.map(|(block, _)| block), Some(reference.as_str()));
}
