//! A backup at its wall: what was written is read again, and whatever else the file is, it is refused in words.

use std::fs;
use std::path::Path;

use super::test_bed::*;
use super::*;
use crate::root_key::RootKey;

fn refusal(path: &Path) -> BackupError {
    verify(path, &root()).unwrap_err()
}

/// Every error says which file, and what to do.
fn says(error: &BackupError, words: &str) {
    let text = error.to_string();
    assert!(text.contains(words) && text.contains("hint:") && text.contains(".backup"), "{text}");
}

#[test]
fn a_thousand_objects_come_back_byte_for_byte() {
    let bed = Bed::new();
    let mut events = bed.events(1000);
    events.push(kms_core::Event::Destroyed { id: id(500), at: 2000, state: kms_core::State::Destroyed });
    let path = bed.backup("a.backup", &events);
    let manifest = verify(&path, &root()).unwrap();
    assert_eq!((manifest.objects, manifest.clients, manifest.index), (1000, 1, 99));
    assert_eq!((manifest.made_at, manifest.number, manifest.data_keys.as_slice()), (NOW, 1, &[1][..]));

    let mut reader = Reader::open(&path, &root()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        records.push(record);
    }
    assert_eq!(records, kept(&applied(&events)));
}

#[test]
fn what_belongs_to_the_running_cluster_stays_out_of_a_backup() {
    let bed = Bed::new();
    let mut events = bed.events(3);
    events.push(kms_core::Event::Answered { token: [1; 16], at: 5, sealed: vec![1, 2, 3] });
    events.push(kms_core::Event::Invited { digest: [2; 32], at: 5, expires_at: 9, learner: false });
    let path = bed.backup("a.backup", &events);
    let mut reader = Reader::open(&path, &root()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        records.push(record);
    }
    assert_eq!(records, kept(&applied(&events)));
    assert_eq!(records.len(), 4);
}

#[test]
fn a_backup_of_nothing_is_a_backup() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &[]);
    assert_eq!(verify(&path, &root()).unwrap().objects, 0);
    let mut reader = Reader::open(&path, &root()).unwrap();
    assert_eq!(reader.data_keys().len(), 1);
    assert_eq!(reader.next_record().unwrap(), None);
}

#[test]
fn names_are_not_readable_in_the_file() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(50));
    let bytes = fs::read(path).unwrap();
    for secret in [&b"vm-7"[..], b"vc01", b"certificate"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(600));
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 3 * (64 << 10));
    let ends = (0..700).chain(whole.len() - 300..whole.len());
    for at in ends.chain((700..whole.len() - 300).step_by(4099)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = verify(&path, &root()).unwrap_err();
        assert!(!matches!(error, BackupError::OtherRootKey { .. } | BackupError::Io { .. }), "{at}: {error}");
        assert!(error.to_string().contains("hint:"), "{at}: {error}");
    }
}

#[test]
fn a_changed_chunk_is_named_with_its_place() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(600));
    let mut bytes = fs::read(&path).unwrap();
    bytes[100_000] ^= 0x80;
    fs::write(&path, bytes).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
    says(&error, "chunk 2 of 4 is not what was written there");
}

#[test]
fn chunks_that_were_exchanged_or_left_out_are_refused() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(600));
    let whole = fs::read(&path).unwrap();
    let chunk = (64 << 10) + 16;
    // The trailer says how long the header is.
    let at = whole.len() - 52;
    let header = u32::from_be_bytes(*whole[at..].first_chunk().unwrap()) as usize;
    let mut exchanged = whole.clone();
    for at in 0..chunk {
        exchanged.swap(header + at, header + chunk + at);
    }
    fs::write(&path, exchanged).unwrap();
    assert!(matches!(refusal(&path), BackupError::Damaged { .. }));
    let mut left_out = whole;
    left_out.drain(header..header + chunk);
    fs::write(&path, left_out).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, BackupError::Truncated { .. }), "{error}");
    says(&error, "it was written with 4 chunks, there is room for 3");
}

#[test]
fn a_backup_that_was_cut_off_is_refused() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(600));
    let whole = fs::read(&path).unwrap();
    for length in [13, 100, 1000, 70_000, 190_000, whole.len() - 113, whole.len() - 112, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, BackupError::Truncated { .. }), "{length}: {error}");
        says(&error, "it was cut off");
    }
    let mut longer = whole;
    longer.push(0);
    fs::write(&path, longer).unwrap();
    assert!(verify(&path, &root()).is_err());
}

#[test]
fn another_root_key_is_named_as_such_before_anything_is_opened() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(10));
    let error = verify(&path, &RootKey::new(&[0x22; 32])).unwrap_err();
    assert!(matches!(error, BackupError::OtherRootKey { .. }), "{error}");
    says(&error, "made under another root key");
    assert!(error.to_string().contains("by node1 (node 1) at entry 99: 10 objects, 1 clients"), "{error}");
}

#[test]
fn what_is_no_backup_is_refused_with_what_it_is() {
    let bed = Bed::new();
    let path = bed.path("a.backup");
    for (bytes, words) in [
        (&b"KMSSNAP\x01 and more"[..], "it is a snapshot of a node"),
        (b"KMSKEYS\x01 and more", "it is a keyring"),
        (b"-----BEGIN CERTIFICATE-----", "it begins otherwise"),
        (b"KMS", "it is shorter than any backup"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, BackupError::NotABackup { .. }), "{error}");
        says(&error, words);
    }
    let dir = bed.path("dir.backup");
    fs::create_dir(&dir).unwrap();
    says(&refusal(&dir), "it is a directory");
}

#[test]
fn an_empty_file_is_refused_as_empty() {
    let bed = Bed::new();
    let path = bed.path("a.backup");
    fs::write(&path, b"").unwrap();
    let error = refusal(&path);
    assert!(matches!(error, BackupError::Empty { .. }), "{error}");
    says(&error, "the file is empty");
}

#[test]
fn a_newer_format_is_refused_as_newer() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(3));
    let mut bytes = fs::read(&path).unwrap();
    bytes[7] = 2;
    fs::write(&path, bytes).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, BackupError::Newer { version: 2, .. }), "{error}");
    says(&error, "it has format 2, this server reads up to format 1");
}

#[test]
fn a_file_that_is_not_there_is_an_error_that_names_it() {
    let bed = Bed::new();
    let error = refusal(&bed.path("a.backup"));
    assert!(matches!(error, BackupError::Io { .. }), "{error}");
    assert!(error.to_string().contains("a.backup: opening it"), "{error}");
}

#[test]
fn a_key_that_cannot_be_opened_fails_the_proof() {
    let bed = Bed::new();
    let mut events = bed.events(5);
    if let Some(kms_core::Event::Created { material: Some(sealed), .. }) = events.last_mut() {
        *sealed.last_mut().unwrap() ^= 1;
    }
    let path = bed.backup("a.backup", &events);
    let error = refusal(&path);
    assert!(matches!(error, BackupError::Unreadable { .. }), "{error}");
    says(&error, &format!("the material of {} cannot be opened", id(5)));
}
