//! Sealing at its wall: what opens, what does not, and what the file survives.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::*;

const ABOUT: SealContext<'_> = SealContext { id: "object-1", object_type: 2, tenant: "vc01" };

fn root(byte: u8) -> RootKey {
    RootKey::new(&[byte; 32])
}

fn keyring() -> (tempfile::TempDir, PathBuf, Keyring) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyring");
    let keyring = Keyring::create(root(1), &path).unwrap();
    (dir, path, keyring)
}

#[test]
fn what_was_sealed_opens_for_the_same_object_alone() {
    let (_dir, _, keyring) = keyring();
    let sealed = keyring.seal(&ABOUT, b"material").unwrap();
    assert_eq!(sealed.len(), 8 + 33);
    assert_eq!(&**keyring.open_sealed(&ABOUT, &sealed).unwrap(), b"material");
    for other in [
        SealContext { id: "object-2", ..ABOUT },
        SealContext { object_type: 7, ..ABOUT },
        SealContext { tenant: "vc02", ..ABOUT },
        SealContext { id: "object-1vc", tenant: "01", ..ABOUT },
    ] {
        assert!(matches!(keyring.open_sealed(&other, &sealed), Err(SealError::Refused { .. })), "{other:?}");
    }
}

#[test]
fn changed_or_cut_sealed_bytes_do_not_open() {
    let (_dir, _, keyring) = keyring();
    let sealed = keyring.seal(&ABOUT, b"material").unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(keyring.open_sealed(&ABOUT, &changed).is_err(), "byte {at}");
        assert!(keyring.open_sealed(&ABOUT, &sealed[..at]).is_err(), "cut at {at}");
    }
    let parts = Sealed::from_bytes(&sealed).unwrap();
    assert_eq!((parts.key_version, parts.to_bytes()), (1, sealed));
}

#[test]
fn no_two_seals_are_alike() {
    let (_dir, _, keyring) = keyring();
    assert_ne!(keyring.seal(&ABOUT, b"same").unwrap(), keyring.seal(&ABOUT, b"same").unwrap());
}

#[test]
fn a_rotated_keyring_opens_what_older_keys_sealed_also_after_a_restart() {
    let (_dir, path, keyring) = keyring();
    let old = keyring.seal(&ABOUT, b"old").unwrap();
    assert_eq!(keyring.rotate().unwrap(), 2);
    let new = keyring.seal(&ABOUT, b"new").unwrap();
    assert_eq!(Sealed::from_bytes(&new).unwrap().key_version, 2);
    drop(keyring);
    let keyring = Keyring::open(root(1), &path).unwrap();
    assert_eq!(keyring.current_version().unwrap(), 2);
    assert_eq!(&**keyring.open_sealed(&ABOUT, &old).unwrap(), b"old");
    assert_eq!(&**keyring.open_sealed(&ABOUT, &new).unwrap(), b"new");
}

#[test]
fn another_root_key_rewraps_without_touching_what_was_sealed() {
    let (_dir, path, keyring) = keyring();
    let sealed = keyring.seal(&ABOUT, b"material").unwrap();
    keyring.rewrap(root(2)).unwrap();
    assert!(matches!(Keyring::open(root(1), &path), Err(SealError::WrongRootKey { .. })));
    let keyring = Keyring::open(root(2), &path).unwrap();
    assert_eq!(&**keyring.open_sealed(&ABOUT, &sealed).unwrap(), b"material");
}

#[test]
fn a_data_key_seals_no_more_often_than_its_bound_also_across_restarts() {
    let (_dir, path, keyring) = keyring();
    let keyring = keyring.with_seals_per_data_key_max(3);
    let version =
        |keyring: &Keyring| Sealed::from_bytes(&keyring.seal(&ABOUT, b"x").unwrap()).unwrap().key_version;
    let versions: Vec<_> = (0..7).map(|_| version(&keyring)).collect();
    assert_eq!(versions, [1, 1, 1, 2, 2, 2, 3]);
    // What was reserved and not used is given up.
    let keyring = Keyring::open(root(1), &path).unwrap().with_seals_per_data_key_max(3);
    assert_eq!(version(&keyring), 4);
}

#[test]
fn threads_that_seal_at_once_keep_the_bound() {
    let (_dir, _, keyring) = keyring();
    let keyring = keyring.with_seals_per_data_key_max(10);
    let mut versions = std::thread::scope(|scope| {
        let seal = || (0..25).map(|_| keyring.seal(&ABOUT, b"x").unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(seal)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    versions.sort();
    let mut counts = std::collections::BTreeMap::new();
    for sealed in versions {
        *counts.entry(Sealed::from_bytes(&sealed).unwrap().key_version).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 10, "{counts:?}");
    assert!(counts.values().all(|count| *count == 10), "{counts:?}");
}

#[test]
fn a_damaged_keyring_is_told_from_a_wrong_root_key() {
    let (_dir, path, keyring) = keyring();
    keyring.rotate().unwrap();
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        assert!(matches!(Keyring::open(root(1), &path), Err(SealError::Damaged { .. })), "byte {at}");
        fs::write(&path, &whole[..at]).unwrap();
        assert!(matches!(Keyring::open(root(1), &path), Err(SealError::Damaged { .. })), "cut at {at}");
    }
    fs::write(&path, &whole).unwrap();
    let error = Keyring::open(root(9), &path).unwrap_err();
    assert!(error.to_string().contains("the root key does not open it"), "{error}");
}

#[test]
fn a_keyring_is_private_and_never_overwritten_and_shows_no_key() {
    let (_dir, path, keyring) = keyring();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(matches!(Keyring::create(root(1), &path), Err(SealError::Exists { .. })));
    let text = format!("{keyring:?}");
    assert!(text.starts_with("Keyring { path: ") && text.ends_with("keyring\", .. }"), "{text}");
}

#[test]
fn a_data_key_that_the_keyring_does_not_hold_is_named() {
    let (dir, _, keyring) = keyring();
    let other = Keyring::create(root(1), &dir.path().join("other")).unwrap();
    other.rotate().unwrap();
    let sealed = other.seal(&ABOUT, b"x").unwrap();
    assert!(matches!(keyring.open_sealed(&ABOUT, &sealed), Err(SealError::UnknownKey { version: 2 })));
}
