//! The program with backups: what it prints, its exit codes, and what it leaves in the data directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kms_core::{Client, Event, Objects, RegisteredClient, Rights, Tenant, Trust, TrustKind};
use kms_server::backup::{Backup, Made};
use kms_server::root_key::{RootKey, Source};
use kms_server::seal::Keyring;

use crate::configuration::good;

fn run(config: &Path, arguments: &[&str], paths: &[&Path]) -> (i32, String) {
    let program = env!("CARGO_BIN_EXE_kms-server");
    let Output { status, stdout, stderr } =
        Command::new(program).arg("--config").arg(config).args(arguments).args(paths).output().unwrap();
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// A backup with one client, under the configuration's root key.
fn backup(dir: &Path) -> PathBuf {
    let root = RootKey::load(&Source::File(dir.join("root.key")), None).unwrap();
    let keyring = Keyring::create(root.clone(), &dir.join("other-keyring")).unwrap();
    let mut objects = Objects::default();
    objects.apply(&Event::ClientRegistered {
        client: RegisteredClient {
            client: Client { name: "vc01".into(), tenant: Tenant::new("vc"), rights: Rights::default() },
            trust: Trust { kind: TrustKind::Pinned, certificate: vec![1] },
            credentials: kms_core::KnownCredentials::default(),
            registered_at: 1,
        },
    });
    let made = Made { at: 1_800_000_000, node: "node1".to_owned(), number: 1, index: 1 };
    let backup = Backup::new(&root, made, keyring.export().unwrap(), objects.records()).unwrap();
    let pieces: Vec<Vec<u8>> = backup.map(Result::unwrap).collect();
    let path = dir.join("kms.backup");
    fs::write(&path, pieces.concat()).unwrap();
    path
}

#[test]
fn verify_restore_and_salvage_print_what_they_did_and_exit_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let config = good(dir.path());
    let backup = backup(dir.path());
    let data = dir.path().join("data");

    let (code, text) = run(&config, &["--verify-backup"], &[&backup]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("whole, and every key in it opens; made 2027-01-15T08:00:00Z by node1"), "{text}");
    assert!(!data.exists());

    let (code, text) = run(&config, &["--restore"], &[&backup]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("0 objects and 1 clients") && text.contains("found the new cluster"), "{text}");
    assert!(data.join("birth.json").exists() && data.join("restore.kms").exists());

    let (code, text) = run(&config, &["--restore"], &[&backup]);
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("hint: with --lose-newer"), "{text}");
    let (code, text) = run(&config, &["--lose-newer", "--restore"], &[&backup]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("what was there before is now"), "{text}");

    let (code, text) = run(&config, &["--salvage"], &[&data, &backup]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("kms.backup: 0 objects, 1 clients; 1 of 1 chunks; nothing damaged"), "{text}");

    let mut bytes = fs::read(&backup).unwrap();
    bytes[50] ^= 1;
    fs::write(&backup, bytes).unwrap();
    for command in ["--verify-backup", "--restore"] {
        let (code, text) = run(&config, &[command], &[&backup]);
        assert_eq!(code, 4, "{text}");
        assert!(text.contains("damaged or changed") && text.contains("hint:"), "{text}");
    }
    let (code, text) = run(&config, &["--verify-backup"], &[Path::new("missing")]);
    assert_eq!(code, 3, "{text}");
    assert_eq!(run(&config, &["--lose-newer"], &[]).0, 2);
}
