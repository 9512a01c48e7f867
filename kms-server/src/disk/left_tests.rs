//! What is left of damaged logs and snapshots: all that is whole, and nothing that is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::log_tests::{Bed, OnDisk, entry, long};
use super::*;

fn left(dir: &Path) -> BTreeMap<u64, Vec<u8>> {
    let left = LogLeft::read(dir).unwrap();
    left.indexes().filter_map(|index| Some((index, left.entry(index)?))).collect()
}

/// 60 entries of which every tenth has many pieces, and what they are by index.
fn filled(bed: &mut OnDisk) -> BTreeMap<u64, Vec<u8>> {
    let mut all = BTreeMap::new();
    for index in 1..=60u64 {
        let mut bytes = format!("<{index:04}>").into_bytes();
        bytes.extend(long(if index.is_multiple_of(10) { 50_000 } else { 300 }));
        bed.log().append(&[entry(index, bytes.clone())]).unwrap();
        bed.log().sync().unwrap();
        all.insert(index, bytes);
    }
    all
}

#[test]
fn all_of_an_undamaged_log_is_left() {
    let mut bed = OnDisk::new();
    let all = filled(&mut bed);
    let dir = bed.kill();
    assert_eq!(left(&dir), all);
    fs::remove_file(dir.join("identity")).unwrap();
    assert_eq!(left(&dir), all);
}

#[test]
fn a_damaged_entry_is_lost_alone_and_the_log_is_not_touched() {
    let mut bed = OnDisk::new();
    let all = filled(&mut bed);
    let dir = bed.kill();
    let mut bytes = fs::read(dir.join("db")).unwrap();
    for lost in ["<0020>", "<0033>", "<0060>"] {
        for at in 0..bytes.len() - 6 {
            if bytes[at..at + 6] == *lost.as_bytes() {
                bytes[at + 100] ^= 1;
            }
        }
    }
    fs::write(dir.join("db"), &bytes).unwrap();
    let mut expected = all;
    for lost in [20, 33, 60] {
        expected.remove(&lost);
    }
    assert_eq!(left(&dir), expected);
    assert!(LogLeft::read(&dir).unwrap().indexes().eq(1..=60));
    assert_eq!(fs::read(dir.join("db")).unwrap(), bytes);
}

#[test]
fn what_was_truncated_is_not_left() {
    let mut bed = OnDisk::new();
    bed.log().append(&(1..=9).map(|index| entry(index, "old")).collect::<Vec<_>>()).unwrap();
    bed.log().sync().unwrap();
    bed.log().truncate_from(4).unwrap();
    bed.log().append(&[entry(4, "new"), entry(5, "new")]).unwrap();
    bed.log().sync().unwrap();
    let dir = bed.kill();
    let found: Vec<_> = left(&dir).into_iter().collect();
    let expected: Vec<_> =
        (1..=5u64).map(|index| (index, if index < 4 { b"old" } else { b"new" }.to_vec())).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_was_truncated_is_not_left_either_where_nothing_says_so_any_more() {
    let mut bed = OnDisk::new();
    bed.log().append(&(1..=9).map(|index| entry(index, "old")).collect::<Vec<_>>()).unwrap();
    bed.log().sync().unwrap();
    bed.log().truncate_from(4).unwrap();
    bed.log().append(&[entry(4, "new")]).unwrap();
    bed.log().sync().unwrap();
    let dir = bed.kill();
    // No mark is readable any more: each has its kind behind the log's name and the version.
    let id = fs::read(dir.join("identity")).unwrap();
    let mut bytes = fs::read(dir.join("db")).unwrap();
    for at in 0..bytes.len() - 18 {
        if bytes[at..at + 16] == id[..16] && bytes[at + 17] == 3 {
            bytes[at + 30] ^= 1;
        }
    }
    fs::write(dir.join("db"), bytes).unwrap();
    assert!(left(&dir).into_keys().eq(1..=4));
}

#[test]
fn records_around_a_damaged_one_are_left() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path(), 1);
    let records: Vec<Vec<u8>> =
        (0..200u32).map(|n| format!("record {n:04}{}", "x".repeat(500)).into()).collect();
    let mut writer = snapshots.create(7, 200).unwrap();
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap();
    let path = dir.path().join("snapshot-00000000000000000007.kms");
    let whole = fs::read(&path).unwrap();
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let mut found = Vec::new();
        let left =
            read_snapshot_left(&path, |begin| begin == b"record 0", |record| found.push(record)).unwrap();
        assert_eq!(left.records, found.len() as u64);
        (left, found)
    };
    let (left, found) = read(&whole);
    assert_eq!((left.whole, left.announced, left.damaged, &found), (true, Some(200), 0, &records));

    // In the length of one record, in another's bytes, and in the header.
    let place = |n: usize| whole.windows(11).position(|w| w == format!("record {n:04}").as_bytes()).unwrap();
    let mut bytes = whole.clone();
    bytes[place(3) - 7] ^= 0x40;
    bytes[place(100) + 300] ^= 1;
    let (left, found) = read(&bytes);
    let expected: Vec<_> = records
        .iter()
        .enumerate()
        .filter(|(n, _)| ![3, 100].contains(n))
        .map(|(_, record)| record.clone())
        .collect();
    assert_eq!((left.whole, left.announced, left.damaged), (false, Some(200), 2));
    assert_eq!(found, expected);
    bytes[10] ^= 1;
    let (left, found) = read(&bytes);
    assert_eq!((left.announced, found), (None, expected));

    let (left, found) = read(&whole[..place(150)]);
    assert_eq!((left.whole, left.damaged), (false, 1));
    assert_eq!(found, records[..150]);
}

#[test]
fn pieces_of_logs_from_before_they_had_heads_are_read() {
    use super::pieces::{Assembly, PieceHead};
    use super::record::{Head, Kind, Newest};
    let (id, payload) = ([9; 16], long(9000));
    let assembled = |version: u8, rest: &[u8]| {
        let head = Head {
            version,
            kind: Kind::Entry,
            index: 5,
            sequence: 7,
            synced: 6,
            before: Newest::default(),
            length: 0,
            checksum: 0,
        };
        let first = [&head.seal(&id, &payload)[..], &payload[..8000]].concat();
        let mut assembly = Assembly::begin(&id, 5, &first)?;
        assembly.add(&id, 1, rest)?;
        assembly.head.check(&assembly.head_bytes, &assembly.payload).map(|()| assembly.payload)
    };
    let piece = PieceHead { index: 5, sequence: 7, piece: 1 };
    assert_eq!(assembled(1, &payload[8000..]).as_ref(), Ok(&payload));
    assert_eq!(assembled(2, &piece.seal(&id, &payload[8000..])).as_ref(), Ok(&payload));
    assert!(assembled(2, &payload[8000..]).is_err());
    for other in
        [PieceHead { index: 6, ..piece }, PieceHead { sequence: 8, ..piece }, PieceHead { piece: 2, ..piece }]
    {
        let error = assembled(2, &other.seal(&id, &payload[8000..])).unwrap_err();
        assert!(error.starts_with("expected PieceHead"), "{error}");
    }
}
