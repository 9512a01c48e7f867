//! Snapshots: what is written is read, what is damaged is refused, and when an older one may stand in.

use std::fs;
use std::path::{Path, PathBuf};

use super::snapshot::RECORD_BYTES_MAX;
use super::*;

fn write(snapshots: &Snapshots, index: u64, records: &[&[u8]]) {
    let mut writer = snapshots.create(index, records.len() as u64).unwrap();
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap();
}

fn read_all(reader: &mut SnapshotReader) -> Result<Vec<Vec<u8>>, SnapshotError> {
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(record);
    }
    Ok(records)
}

fn file(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("snapshot-{index:020}.kms"))
}

fn damage(dir: &Path, index: u64, at: usize) {
    let mut bytes = fs::read(file(dir, index)).unwrap();
    bytes[at] ^= 0x10;
    fs::write(file(dir, index), bytes).unwrap();
}

#[test]
fn what_was_written_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path(), 2);
    let large = vec![7; 1 << 20];
    write(&snapshots, 12, &[b"one", b"", &large]);
    let mut reader = snapshots.open(12).unwrap();
    assert_eq!((reader.index(), reader.count()), (12, 3));
    assert_eq!(read_all(&mut reader).unwrap(), [b"one".to_vec(), vec![], large]);
    assert!(reader.next_record().unwrap().is_none());
    write(&snapshots, 13, &[]);
    assert!(snapshots.open(13).unwrap().next_record().unwrap().is_none());
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path(), 2);
    write(&snapshots, 1, &[b"first", b"second", b"third"]);
    let whole = fs::read(file(dir.path(), 1)).unwrap();
    let attempt = || snapshots.open(1).and_then(|mut reader| read_all(&mut reader));
    for at in 0..whole.len() {
        damage(dir.path(), 1, at);
        let error = attempt().unwrap_err();
        assert!(matches!(error, SnapshotError::Damaged { .. }), "byte {at}: {error}");
        fs::write(file(dir.path(), 1), &whole[..at]).unwrap();
        let error = attempt().unwrap_err();
        assert!(matches!(error, SnapshotError::Damaged { .. }), "cut at {at}: {error}");
        fs::write(file(dir.path(), 1), &whole).unwrap();
    }
    fs::write(file(dir.path(), 1), [&whole[..], b"x"].concat()).unwrap();
    assert!(attempt().unwrap_err().to_string().contains("more bytes follow its end"));
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_and_a_wrong_count_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path(), 2);
    let mut writer = snapshots.create(5, 2).unwrap();
    writer.write(b"one").unwrap();
    assert!(matches!(writer.finish(), Err(SnapshotError::WrongCount { missing: 1, .. })));
    let mut writer = snapshots.create(5, 0).unwrap();
    assert!(matches!(writer.write(b"one"), Err(SnapshotError::WrongCount { missing: -1, .. })));
    drop(writer);
    let mut writer = snapshots.create(5, 1).unwrap();
    let error = writer.write(&vec![0; RECORD_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, SnapshotError::RecordTooLarge { .. }));
    drop(writer);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_newest_are_kept_and_the_log_may_be_purged_to_the_oldest_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path(), 2);
    assert_eq!(snapshots.prune().unwrap(), None);
    for index in [10, 20, 30] {
        write(&snapshots, index, &[b"x"]);
    }
    let interrupted = dir.path().join("snapshot-00000000000000000040.kms.partial");
    fs::write(&interrupted, b"half").unwrap();
    assert_eq!(snapshots.prune().unwrap(), Some(20));
    assert_eq!(snapshots.indexes().unwrap(), [30, 20]);
    assert!(!interrupted.exists());
}

#[test]
fn an_older_snapshot_stands_in_only_while_the_log_continues_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path(), 2);
    assert!(snapshots.choose(1, 0).unwrap().snapshot.is_none());
    write(&snapshots, 10, &[b"ten"]);
    write(&snapshots, 20, &[b"twenty"]);
    let start = snapshots.choose(11, 25).unwrap();
    assert_eq!((start.snapshot.unwrap().index(), start.refused.len()), (20, 0));

    damage(dir.path(), 20, 40);
    let start = snapshots.choose(11, 25).unwrap();
    assert_eq!((start.snapshot.unwrap().index(), start.refused.len()), (10, 1));
    let error = snapshots.choose(12, 25).err().unwrap();
    assert!(matches!(error, SnapshotError::NotCovered { from: 10, log_first: 12, .. }), "{error}");
    assert!(error.to_string().contains("damaged at offset"), "{error}");

    damage(dir.path(), 10, 40);
    assert!(matches!(snapshots.choose(11, 25), Err(SnapshotError::NotCovered { from: 0, .. })));
    let start = snapshots.choose(1, 25).unwrap();
    assert_eq!((start.snapshot.is_none(), start.refused.len()), (true, 2));
}

#[test]
fn a_snapshot_ahead_of_the_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path(), 2);
    write(&snapshots, 10, &[b"ten"]);
    assert!(matches!(snapshots.choose(1, 9), Err(SnapshotError::AheadOfLog { index: 10, log_last: 9, .. })));
}

#[test]
fn a_snapshot_from_another_node_counts_when_all_of_it_is_there_and_right() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&Snapshots::new(there.path(), 2), 12, &[b"one", &[7; 5000]]);
    let bytes = fs::read(file(there.path(), 12)).unwrap();
    let snapshots = Snapshots::new(here.path(), 2);

    for wrong in [&bytes[..bytes.len() - 1], &[&bytes[..40], b"?", &bytes[41..]].concat()] {
        let mut receiver = snapshots.receive(12).unwrap();
        wrong.chunks(1000).for_each(|piece| receiver.write(piece).unwrap());
        assert!(matches!(receiver.adopt(), Err(SnapshotError::Damaged { .. })));
    }
    let mut receiver = snapshots.receive(13).unwrap();
    receiver.write(&bytes).unwrap();
    assert!(receiver.adopt().unwrap_err().to_string().contains("expected index 13"));
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);

    // One that this node writes and prunes meanwhile does not disturb it.
    let mut receiver = snapshots.receive(12).unwrap();
    receiver.write(&bytes[..1000]).unwrap();
    write(&snapshots, 5, &[b"own"]);
    snapshots.prune().unwrap();
    receiver.write(&bytes[1000..]).unwrap();
    receiver.adopt().unwrap();
    assert_eq!(snapshots.indexes().unwrap(), [12, 5]);
    assert_eq!(read_all(&mut snapshots.open(12).unwrap()).unwrap(), [b"one".to_vec(), vec![7; 5000]]);

    // What a crash left behind goes.
    std::mem::forget(snapshots.receive(20).unwrap());
    snapshots.forget_received().unwrap();
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 2);
}
