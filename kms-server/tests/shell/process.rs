//! The program itself: exit codes, `--check-config`, and what each signal does.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::configuration::good;
use crate::support::{Make, client, connect};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kms-server"))
}

#[test]
fn check_config_says_good_or_lists_every_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let path = good(dir.path());
    let output = program().arg("--config").arg(&path).arg("--check-config").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("configuration is good\n"));
    assert!(!dir.path().join("data").exists(), "a check changes nothing");

    std::fs::write(&path, "[node]\nnmae = \"x\"\n").unwrap();
    let output = program().arg("--config").arg(&path).arg("--check-config").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("has 5 mistakes:") && text.contains("did you mean name?"), "{text}");

    assert_eq!(program().output().unwrap().status.code(), Some(2));
    assert_eq!(program().arg("--config-reference").output().unwrap().status.code(), Some(0));
}

#[test]
fn it_logs_why_it_refuses_reloads_its_certificate_on_sighup_and_ends_on_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    let path = good(dir.path());
    let notified = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    notified.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut server = program()
        .arg("--config")
        .arg(&path)
        .env("NOTIFY_SOCKET", dir.path().join("notify"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(server.id()).unwrap());
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut wait_for = |part: &str| lines.find(|line| line.contains(part)).unwrap();
    let mut word = [0; 64];
    let length = notified.recv(&mut word).unwrap();
    assert_eq!(&word[..length], b"READY=1\n");
    assert!(dir.path().join("data/admin.sock").exists());
    let serving = wait_for("serving");
    let address = serving.split_once("kmip=").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let unknown = Make { name: "test01", ..Make::default() }.make();
    let connector = client(&rustls::version::TLS12, Some((&[&unknown], &unknown.key)));
    assert!(runtime.block_on(connect(&connector, address)).is_err());
    let refused = wait_for("client certificate refused");
    for part in
        ["no registered client", "subject \"CN=test01\"", "issuer \"CN=test01\"", "address=127.0.0.1:"]
    {
        assert!(refused.contains(part), "{part} is not in {refused}");
    }

    kill(pid, Signal::SIGHUP).unwrap();
    wait_for("SIGHUP: the server certificate is unchanged");
    Make { name: "kms2.example.test", ..Make::default() }.make().write(dir.path(), "server");
    kill(pid, Signal::SIGHUP).unwrap();
    wait_for("SIGHUP: the server certificate changed from SHA-1");
    std::fs::write(dir.path().join("server.pem"), "no certificate").unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    wait_for("the server certificate in force stays");

    kill(pid, Signal::SIGTERM).unwrap();
    let length = notified.recv(&mut word).unwrap();
    assert_eq!(&word[..length], b"STOPPING=1\n");
    wait_for("drained");
    assert_eq!(server.wait().unwrap().code(), Some(0));
    assert!(!dir.path().join("data/admin.sock").exists());
}
