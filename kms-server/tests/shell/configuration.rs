//! The configuration file: every mistake at once, with its line; good files with their defaults.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use daemon::settings::Mistakes;
use kms_server::config::{Config, Limits, keys};
use kms_server::root_key::Source;

use crate::support::*;

/// A directory with all that a configuration names, and the shortest configuration.
pub(crate) fn good(dir: &Path) -> PathBuf {
    Make { name: "kms.example.test", ..Make::default() }.make().write(dir, "server");
    std::fs::write(dir.join("root.key"), format!("{}\n", "5a".repeat(32))).unwrap();
    std::fs::set_permissions(dir.join("root.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    write(
        dir,
        "[node]\ndata_dir = \"data\"\n[kmip]\nlisten = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\n\
         key = \"server.key\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[root_key]\nfile = \"root.key\"\n",
    )
}

fn write(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("kms-server.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn mistakes(dir: &Path, text: &str) -> Mistakes {
    Config::read(&write(dir, text), now()).unwrap_err()
}

#[track_caller]
fn says(mistakes: &Mistakes, line: Option<usize>, parts: &[&str]) {
    let found = mistakes
        .list
        .iter()
        .any(|mistake| mistake.line == line && parts.iter().all(|part| mistake.message.contains(part)));
    assert!(found, "nothing at {line:?} says {parts:?}: {mistakes}");
}

#[test]
fn a_short_file_is_enough_and_paths_start_at_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::read(&good(dir.path()), now()).unwrap();
    assert_eq!(config.node, "node1");
    assert_eq!(config.data_dir, dir.path().join("data"));
    assert_eq!(config.root_key, Source::File(dir.path().join("root.key")));
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.limits.connection.request_bytes_max, 1 << 20);
    assert_eq!(config.limits.connection.idle_timeout, Duration::from_secs(300));
    assert_eq!(config.limits.connections_max, 4096);
    assert_eq!((config.snapshot.every_entries, config.snapshot.keep), (10_000, 2));
    assert!(config.summary().starts_with("configuration is good\n"));
    assert!(!config.summary().contains("5a5a"));
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    good(dir.path());
    std::fs::set_permissions(dir.path().join("root.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(dir.path().join("server.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let found = mistakes(
        dir.path(),
        "[node]\nname = \"no good\"\ndata_dir = \"gone/data\"\n[kmip]\nlisten = \"localhost\"\n\
         certificate = \"absent.pem\"\nkey = \"server.key\"\n[root_key]\nfile = \"root.key\"\n[limits]\n\
         conections_max = 5\nidle_timeout_ms = \"soon\"\nnesting_max = 1\n[log]\nformat = \"xml\"\n[lgo]\nx = 1\n\
         [audit]\nfile = \"gone/audit.log\"\n",
    );
    says(&found, Some(2), &["[node] name", "no name"]);
    says(&found, Some(3), &["[node] data_dir", "kms init"]);
    says(&found, Some(5), &["[kmip] listen", "got \"localhost\"", "hint: "]);
    says(&found, Some(6), &["[kmip] certificate", "absent.pem"]);
    says(&found, Some(7), &["[kmip] key", "mode 0644", "chmod 600"]);
    says(&found, Some(9), &["[root_key] file", "mode is 0644"]);
    says(&found, Some(11), &["conections_max", "did you mean connections_max?"]);
    says(&found, Some(12), &["idle_timeout_ms", "is an integer, got string"]);
    says(&found, Some(13), &["nesting_max", "from 8 to 255, got 1"]);
    says(&found, Some(15), &["[log] format", "text, json"]);
    says(&found, Some(16), &["[lgo] is no section", "did you mean log?"]);
    says(&found, Some(19), &["[audit] file", "gone"]);
    assert_eq!(found.list.len(), 12, "{found}");
}

#[test]
fn what_is_required_is_named_when_it_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let found = mistakes(dir.path(), "");
    for key in ["[node] data_dir", "[kmip] certificate", "[kmip] key", "[root_key] file"] {
        says(&found, None, &[key]);
    }
    assert_eq!(found.list.len(), 4, "{found}");
    let absent = Config::read(&dir.path().join("absent.toml"), now()).unwrap_err();
    says(&absent, None, &["absent.toml"]);
}

#[test]
fn broken_toml_is_one_of_the_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let found = mistakes(dir.path(), "[node]\nname = \n[limits]\nnesting = 4\n");
    says(&found, Some(2), &["no TOML"]);
    says(&found, Some(4), &["nesting_max"]);
}

#[test]
fn an_expired_certificate_and_a_key_of_another_pair_are_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let path = good(dir.path());
    Make { name: "old", dates: (-30, -1), ..Make::default() }.make().write(dir.path(), "old");
    std::fs::copy(dir.path().join("old.pem"), dir.path().join("server.pem")).unwrap();
    let found = Config::read(&path, now()).unwrap_err();
    says(&found, Some(5), &["expired at"]);
    says(&found, Some(5), &["does not belong"]);
    assert_eq!(found.list.len(), 2, "{found}");
}

#[test]
fn the_root_key_comes_from_exactly_one_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = good(dir.path());
    let text = std::fs::read_to_string(&path).unwrap();
    let both = mistakes(dir.path(), &format!("{text}credential = \"kms-root-key\"\n"));
    says(&both, Some(10), &["exactly one"]);
    let credential =
        mistakes(dir.path(), &text.replace("file = \"root.key\"", "credential = \"kms-root-key\""));
    says(&credential, Some(10), &["CREDENTIALS_DIRECTORY"]);
}

#[test]
fn the_printed_reference_is_toml_that_names_only_known_keys() {
    let dir = tempfile::tempdir().unwrap();
    let found = mistakes(dir.path(), &keys::TABLE.reference());
    let wrong: Vec<_> = found.list.iter().filter(|mistake| mistake.message.contains("is no")).collect();
    assert!(wrong.is_empty(), "{found}");
    assert!(keys::TABLE.reference().contains("connections_max = 4096"));
}

#[test]
fn ports_beside_kmip_are_held_to_what_they_need() {
    let dir = tempfile::tempdir().unwrap();
    let path = good(dir.path());
    let text = std::fs::read_to_string(&path).unwrap().replace("[kmip]", "[kmip]\ntls = \"suite-b-192\"");
    let found = mistakes(
        dir.path(),
        &format!(
            "{text}[https]\nlisten = \"127.0.0.1:7\"\n[old_clients]\nlisten = \"127.0.0.1:7\"\ntls_1_0 = true\n\
             [listeners]\narrays = \"192.0.2.40:5696\"\n"
        ),
    );
    says(&found, Some(6), &["[kmip] certificate", "P-384", "hint: "]);
    says(&found, Some(15), &["[old_clients] listen", "is [https] listen too"]);
    says(&found, Some(16), &["[old_clients] tls_1_0", "cbc = true"]);
    says(&found, Some(18), &["[notify] ca", "needed with [listeners]"]);
    assert_eq!(found.list.len(), 4, "{found}");
}
