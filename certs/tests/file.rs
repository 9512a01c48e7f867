//! Certificates and keys on disk.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use certs::{
    Authority, Error, Existing, Fault, Issued, KeyKind, Profile, Subject, write_certificate,
    write_private_key,
};

const NOW: i64 = 1_767_225_600; // 2026-01-01 00:00:00 UTC

fn issued() -> Issued {
    let authority = Authority::create("test CA", KeyKind::P256, NOW, 10).unwrap();
    authority.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_private_key_is_for_its_owner_alone_and_a_certificate_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let issued = issued();
    for existing in [Existing::Refuse, Existing::Replace] {
        write_private_key(&key, &issued.key_pem, existing).unwrap();
        write_certificate(&cert, &issued.cert_pem, existing).unwrap();
        assert_eq!((mode(&key), mode(&cert)), (0o600, 0o644));
        assert_eq!(fs::read_to_string(&key).unwrap(), issued.key_pem.danger_expose());
        assert_eq!(fs::read_to_string(&cert).unwrap(), issued.cert_pem);
        assert_eq!(names(directory.path()), ["cert.pem", "key.pem"]);
    }
}

#[test]
fn a_replaced_private_key_is_narrow_though_the_old_one_was_wide() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key.pem");
    fs::write(&key, "old").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o666)).unwrap();
    write_private_key(&key, &issued().key_pem, Existing::Replace).unwrap();
    assert_eq!(mode(&key), 0o600);
}

#[test]
fn a_key_that_is_there_is_kept_when_it_must_not_be_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("ca.key");
    let first = issued();
    write_private_key(&key, &first.key_pem, Existing::Refuse).unwrap();
    let refused = write_private_key(&key, &issued().key_pem, Existing::Refuse).unwrap_err();
    assert!(matches!(refused, Error::AlreadyThere { .. }), "{refused}");
    assert!(refused.to_string().contains("ca.key is there already and is kept"), "{refused}");
    assert_eq!(fs::read_to_string(&key).unwrap(), first.key_pem.danger_expose());
    assert_eq!(names(directory.path()), ["ca.key"]);
}

#[test]
fn a_write_that_fails_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let taken = directory.path().join("taken");
    fs::create_dir(&taken).unwrap();
    let refused = write_private_key(&taken, &issued().key_pem, Existing::Replace).unwrap_err();
    assert!(matches!(refused, Error::Disk { .. }), "{refused}");
    assert_eq!(names(directory.path()), ["taken"]);
    let missing = directory.path().join("missing/key.pem");
    let refused = write_private_key(&missing, &issued().key_pem, Existing::Replace).unwrap_err();
    assert_eq!(refused.fault(), Fault::Machine);
    assert!(refused.to_string().contains("hint: see that the directory exists"), "{refused}");
    assert!(write_private_key(Path::new("/"), &issued().key_pem, Existing::Replace).is_err());
}
