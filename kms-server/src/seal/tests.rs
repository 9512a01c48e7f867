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

/// The next data key, made and adopted as the log has it done; gives its version.
fn next(keyring: &Keyring) -> u32 {
    let (version, wrapped) = keyring.new_data_key().unwrap();
    keyring.adopt(version, &wrapped).unwrap();
    version
}

fn version(keyring: &Keyring) -> u32 {
    Sealed::from_bytes(&keyring.seal(&ABOUT, b"x").unwrap()).unwrap().key_version
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
fn a_keyring_with_a_new_data_key_opens_what_older_keys_sealed_also_after_a_restart() {
    let (_dir, path, keyring) = keyring();
    let old = keyring.seal(&ABOUT, b"old").unwrap();
    assert_eq!(next(&keyring), 2);
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
fn a_data_key_asks_for_the_next_after_its_share_and_seals_on_up_to_its_bound() {
    let (_dir, path, keyring) = keyring();
    let keyring = keyring.with_seals_per_data_key_max(6);
    let mut asks = Vec::new();
    for _ in 0..6 {
        asks.push(keyring.needs_new_key());
        assert_eq!(version(&keyring), 1);
    }
    assert_eq!(asks, [false, false, true, true, true, true]);
    for _ in 0..2 {
        let error = keyring.seal(&ABOUT, b"x").unwrap_err();
        assert!(matches!(error, SealError::UsedUp { version: 1, seals: 6 }), "{error}");
    }
    assert_eq!(next(&keyring), 2);
    assert!(!keyring.needs_new_key());
    assert_eq!(version(&keyring), 2);
    // What was reserved and not used is given up.
    drop(keyring);
    let keyring = Keyring::open(root(1), &path).unwrap().with_seals_per_data_key_max(6);
    assert!(keyring.needs_new_key());
    assert!(keyring.seal(&ABOUT, b"x").is_err());
}

#[test]
fn three_nodes_that_use_their_shares_stay_within_the_bound() {
    assert!(SEALS_SHARES * share(SEALS_PER_DATA_KEY_MAX) <= SEALS_PER_DATA_KEY_MAX);
    assert!(6 * share(SEALS_PER_DATA_KEY_MAX) <= 1 << 32, "NIST's limit");
}

#[test]
fn threads_that_seal_at_once_keep_the_bound() {
    let (_dir, _, keyring) = keyring();
    let keyring = keyring.with_seals_per_data_key_max(10);
    let sealed = std::thread::scope(|scope| {
        let seal = || (0..25).filter(|_| keyring.seal(&ABOUT, b"x").is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(seal)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(sealed, 10);
}

#[test]
fn a_new_data_key_seals_nothing_before_it_is_adopted() {
    let (_dir, path, keyring) = keyring();
    let (two, wrapped) = keyring.new_data_key().unwrap();
    let (again, another) = keyring.new_data_key().unwrap();
    assert_eq!((two, again, version(&keyring)), (2, 2, 1));
    assert_ne!(wrapped, another);
    keyring.adopt(two, &wrapped).unwrap();
    assert_eq!(version(&keyring), 2);
    assert_eq!(Keyring::open(root(1), &path).unwrap().current_version().unwrap(), 2, "it is in the file");
}

#[test]
fn a_data_key_is_adopted_once_however_often_the_log_is_replayed() {
    let (_dir, path, keyring) = keyring();
    let (two, wrapped) = keyring.new_data_key().unwrap();
    let (_, another) = keyring.new_data_key().unwrap();
    keyring.adopt(two, &wrapped).unwrap();
    let sealed = keyring.seal(&ABOUT, b"x").unwrap();
    let before = fs::read(&path).unwrap();
    keyring.adopt(two, &wrapped).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(matches!(keyring.adopt(two, &another), Err(SealError::Conflict { version: 2 })));
    assert!(keyring.open_sealed(&ABOUT, &sealed).is_ok());
    // Rewrapped, it is the same key, though the log has it as the old root key wrapped it.
    keyring.rewrap(root(2)).unwrap();
    keyring.adopt(two, &wrapped).unwrap();
    assert_eq!(keyring.export().unwrap().len(), 2);
}

#[test]
fn an_older_data_key_that_comes_late_opens_and_does_not_seal() {
    let (dir, _, keyring) = keyring();
    let other = Keyring::import(root(1), &dir.path().join("other"), &keyring.export().unwrap()).unwrap();
    let two = keyring.new_data_key().unwrap();
    keyring.adopt(two.0, &two.1).unwrap();
    let sealed = keyring.seal(&ABOUT, b"x").unwrap();
    let three = keyring.new_data_key().unwrap();
    other.adopt(three.0, &three.1).unwrap();
    assert!(matches!(other.open_sealed(&ABOUT, &sealed), Err(SealError::UnknownKey { version: 2 })));
    other.adopt(two.0, &two.1).unwrap();
    assert!(other.open_sealed(&ABOUT, &sealed).is_ok());
    assert_eq!(other.current_version().unwrap(), 3);
}

#[test]
fn an_imported_keyring_opens_what_the_others_sealed_and_asks_for_a_key_of_its_own() {
    let (dir, _, keyring) = keyring();
    next(&keyring);
    let sealed = keyring.seal(&ABOUT, b"material").unwrap();
    let path = dir.path().join("joined");
    let joined = Keyring::import(root(1), &path, &keyring.export().unwrap()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(&**joined.open_sealed(&ABOUT, &sealed).unwrap(), b"material");
    assert!(joined.needs_new_key(), "how often the key sealed elsewhere is not known");
    assert_eq!(version(&joined), 2, "it seals all the same");
    assert_eq!(next(&joined), 3);
    assert!(!joined.needs_new_key());
    drop(joined);
    let joined = Keyring::open(root(1), &path).unwrap();
    assert_eq!(joined.current_version().unwrap(), 3);
}

#[test]
fn keys_wrapped_by_another_root_key_are_neither_imported_nor_adopted() {
    let (dir, own, keyring) = keyring();
    next(&keyring);
    let keys = keyring.export().unwrap();
    let path = dir.path().join("joined");
    let error = Keyring::import(root(2), &path, &keys).unwrap_err();
    assert!(error.to_string().contains("the root key does not open it; hint: all nodes"), "{error}");
    assert!(!path.exists());
    let stranger = Keyring::create(root(2), &path).unwrap();
    assert!(matches!(stranger.adopt(2, &keys[1].1), Err(SealError::Unwrap { version: 2 })));
    assert!(
        matches!(keyring.adopt(3, &keys[1].1), Err(SealError::Unwrap { version: 3 })),
        "bound to its version"
    );
    assert!(matches!(keyring.adopt(3, b"short"), Err(SealError::Unwrap { version: 3 })));
    assert_eq!(Keyring::open(root(1), &own).unwrap().export().unwrap().len(), 2);
}

#[test]
fn no_keyring_is_imported_over_another_or_without_a_key_or_with_two_of_one_version() {
    let (dir, path, keyring) = keyring();
    let keys = keyring.export().unwrap();
    assert!(matches!(Keyring::import(root(1), &path, &keys), Err(SealError::Exists { .. })));
    let path = dir.path().join("joined");
    assert!(matches!(Keyring::import(root(1), &path, &[]), Err(SealError::NoKey)));
    let other = Keyring::create(root(1), &dir.path().join("other")).unwrap();
    let both = [keys, other.export().unwrap()].concat();
    assert!(matches!(Keyring::import(root(1), &path, &both), Err(SealError::Conflict { version: 1 })));
    assert!(!path.exists());
}

#[test]
fn a_sealed_answer_opens_for_its_token_alone_and_as_no_object() {
    let (_dir, _, keyring) = keyring();
    let sealed = keyring.seal_answer(&[7; 16], b"answer").unwrap();
    assert_eq!(&**keyring.open_answer(&[7; 16], &sealed).unwrap(), b"answer");
    assert!(keyring.open_answer(&[8; 16], &sealed).is_err());
    let id = "07".repeat(16);
    assert!(keyring.open_sealed(&SealContext { id: &id, object_type: 2, tenant: "" }, &sealed).is_err());
}

#[test]
fn a_damaged_keyring_is_told_from_a_wrong_root_key() {
    let (_dir, path, keyring) = keyring();
    next(&keyring);
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
    next(&other);
    let sealed = other.seal(&ABOUT, b"x").unwrap();
    assert!(matches!(keyring.open_sealed(&ABOUT, &sealed), Err(SealError::UnknownKey { version: 2 })));
}
