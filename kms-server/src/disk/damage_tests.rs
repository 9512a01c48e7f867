//! Damage to the log's files: found and named, never cut off in silence.

use std::fs;
use std::path::Path;

use super::log_tests::{ALL, Bed, OnDisk, entry, long, numbered};
use super::*;

/// Offsets of `needle` in the raw data file.
fn places(dir: &Path, needle: &[u8]) -> Vec<usize> {
    let bytes = fs::read(dir.join("db")).unwrap();
    bytes.windows(needle.len()).enumerate().filter(|(_, w)| *w == needle).map(|(at, _)| at).collect()
}

fn flip(dir: &Path, at: usize) {
    let mut bytes = fs::read(dir.join("db")).unwrap();
    bytes[at] ^= 1;
    fs::write(dir.join("db"), bytes).unwrap();
}

#[test]
fn damage_in_the_middle_is_an_error_that_names_the_entry() {
    let mut bed = OnDisk::new();
    for index in 1..=40 {
        bed.log().append(&[entry(index, format!("payload-{index:04}-{}", "x".repeat(300)))]).unwrap();
        bed.log().sync().unwrap();
    }
    let dir = bed.kill();
    // Every copy, so that none that was rewritten elsewhere can stand in.
    let found = places(&dir, b"payload-0020");
    assert!(!found.is_empty());
    for at in found {
        flip(&dir, at + 50);
    }
    let error = bed.open().unwrap_err();
    assert!(matches!(error, LogError::Damaged { .. } | LogError::Broken { .. }), "{error}");
    assert!(error.to_string().contains("hint:"), "{error}");
}

#[test]
fn damage_that_sled_would_cut_off_in_silence_is_an_error() {
    for target in [5u64, 20, 30, 38, 39] {
        let mut bed = OnDisk::new();
        for index in 1..=40 {
            bed.log().append(&[entry(index, format!("payload-{index:04}"))]).unwrap();
            bed.log().sync().unwrap();
        }
        let dir = bed.kill();
        for at in places(&dir, format!("payload-{target:04}").as_bytes()) {
            flip(&dir, at);
        }
        let error = bed.open().unwrap_err();
        assert!(matches!(error, LogError::Damaged { .. } | LogError::Broken { .. }), "{target}: {error}");
    }
}

#[test]
fn a_torn_tail_that_was_never_acknowledged_is_cut() {
    let mut bed = OnDisk::new();
    bed.log().append(&numbered(1..=20)).unwrap();
    bed.log().sync().unwrap();
    let synced = fs::metadata(bed.dir().join("db")).unwrap().len();
    bed.log().append(&[entry(21, long(600 << 10))]).unwrap();
    bed.log().db_flush_without_sync();
    let dir = bed.kill();
    let file = fs::File::options().write(true).open(dir.join("db")).unwrap();
    file.set_len(synced + (300 << 10)).unwrap();
    bed.open().unwrap();
    assert_eq!(bed.log().read(1..99, ALL).unwrap(), numbered(1..=20));
    bed.log().append(&numbered(21..=22)).unwrap();
}

#[test]
fn a_lost_data_file_or_identity_is_an_error() {
    for lost in ["db", "identity"] {
        let mut bed = OnDisk::new();
        bed.log().append(&numbered(1..=3)).unwrap();
        bed.log().sync().unwrap();
        let dir = bed.kill();
        fs::remove_file(dir.join(lost)).unwrap();
        let error = bed.open().unwrap_err();
        assert!(matches!(error, LogError::Broken { .. }), "{error}");
    }
    let mut bed = OnDisk::new();
    let dir = bed.kill();
    fs::write(dir.join("db"), b"").unwrap();
    let error = bed.open().unwrap_err();
    assert!(matches!(error, LogError::Broken { .. }), "{error}");
}

#[test]
fn a_start_that_was_cut_short_does_not_stand_in_the_way_of_the_next() {
    for left in [&b""[..], b"half of what sled meant to write"] {
        let mut bed = OnDisk::new();
        bed.log().append(&numbered(1..=20)).unwrap();
        bed.log().sync().unwrap();
        let dir = bed.kill();
        let unfinished = dir.join("snap.00000000000FB4CB.generating");
        fs::write(&unfinished, left).unwrap();
        bed.open().unwrap();
        assert_eq!(bed.log().read(1..99, ALL).unwrap(), numbered(1..=20));
        assert!(!unfinished.exists());
    }
}
