//! One suite for both logs, then what only the one on disk can show.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::log::METADATA_BYTES_MAX;
use super::sled_files::SyncData;
use super::*;

const ID: [u8; 16] = *b"\xd1log-for-testing";
pub(super) const ALL: usize = usize::MAX;

pub(super) fn entry(index: u64, bytes: impl Into<Vec<u8>>) -> Entry {
    Entry { index, bytes: bytes.into() }
}

pub(super) fn numbered(range: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    range.map(|index| entry(index, format!("entry {index}"))).collect()
}

/// Bytes that repeat nowhere, so that a swapped or missing piece shows.
pub(super) fn long(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Where a log lives, and how the process or the power ends under it.
pub(super) trait Bed {
    type Log: Log;
    fn log(&mut self) -> &mut Self::Log;
    fn crash(&mut self);
}

#[derive(Default)]
struct InMemory(MemoryLog);

impl Bed for InMemory {
    type Log = MemoryLog;
    fn log(&mut self) -> &mut MemoryLog {
        &mut self.0
    }
    fn crash(&mut self) {
        self.0 = std::mem::take(&mut self.0).crash();
    }
}

pub(super) struct OnDisk {
    pub(super) root: tempfile::TempDir,
    generation: u32,
    pub(super) log: Option<SledLog>,
}

impl OnDisk {
    pub(super) fn new() -> OnDisk {
        let root = tempfile::tempdir().unwrap();
        let log = Some(SledLog::open(&root.path().join("0"), Some(ID)).unwrap());
        OnDisk { root, generation: 0, log }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.root.path().join(self.generation.to_string())
    }

    /// As after kill -9: the log is never closed, and what its files hold now is moved on to a new directory.
    pub(super) fn kill(&mut self) -> PathBuf {
        std::mem::forget(self.log.take());
        let from = self.dir();
        self.generation += 1;
        copy_dir(&from, &self.dir());
        self.dir()
    }

    pub(super) fn open(&mut self) -> Result<(), LogError> {
        self.log = Some(SledLog::open(&self.dir(), None)?);
        Ok(())
    }
}

impl Bed for OnDisk {
    type Log = SledLog;
    fn log(&mut self) -> &mut SledLog {
        self.log.as_mut().unwrap()
    }
    fn crash(&mut self) {
        self.kill();
        self.open().unwrap();
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy_dir(&file.path(), &target)
        } else {
            copy(&file.path(), &target)
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
}

fn what_was_synced_survives_a_crash(bed: &mut impl Bed) {
    bed.log().append(&numbered(1..=3)).unwrap();
    bed.log().put_metadata(b"vote 1").unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    assert_eq!((bed.log().first(), bed.log().last()), (1, 3));
    assert_eq!(bed.log().read(1..4, ALL).unwrap(), numbered(1..=3));
    assert_eq!(bed.log().metadata(), Some(&b"vote 1"[..]));
    bed.log().append(&numbered(4..=5)).unwrap();
    bed.log().put_metadata(b"vote 2").unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    assert_eq!(bed.log().read(1..100, ALL).unwrap(), numbered(1..=5));
    assert_eq!(bed.log().metadata(), Some(&b"vote 2"[..]));
}

fn an_index_out_of_order_is_refused_and_nothing_is_added(bed: &mut impl Bed) {
    bed.log().append(&numbered(1..=2)).unwrap();
    for wrong in [vec![entry(2, "again")], vec![entry(4, "skips")], vec![entry(3, "fits"), entry(5, "skips")]]
    {
        let error = bed.log().append(&wrong).unwrap_err();
        assert!(matches!(error, LogError::OutOfOrder { .. }), "{error}");
    }
    assert_eq!(bed.log().last(), 2);
    bed.log().append(&numbered(3..=3)).unwrap();
    assert_eq!(bed.log().read(1..4, ALL).unwrap(), numbered(1..=3));
}

fn truncation_removes_the_end_and_the_place_is_written_anew(bed: &mut impl Bed) {
    bed.log().append(&numbered(1..=9)).unwrap();
    bed.log().sync().unwrap();
    bed.log().truncate_from(6).unwrap();
    bed.log().append(&[entry(6, "anew")]).unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    assert_eq!(bed.log().last(), 6);
    let mut expected = numbered(1..=5);
    expected.push(entry(6, "anew"));
    assert_eq!(bed.log().read(1..10, ALL).unwrap(), expected);
    bed.log().truncate_from(7).unwrap();
    bed.log().truncate_from(1).unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    assert_eq!((bed.log().first(), bed.log().last()), (1, 0));
    bed.log().append(&numbered(1..=1)).unwrap();
}

fn purging_removes_the_beginning_and_says_so(bed: &mut impl Bed) {
    bed.log().append(&numbered(1..=9)).unwrap();
    bed.log().purge_to(4).unwrap();
    bed.log().purge_to(2).unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    assert_eq!((bed.log().first(), bed.log().last()), (5, 9));
    assert_eq!(bed.log().read(5..10, ALL).unwrap(), numbered(5..=9));
    assert!(matches!(bed.log().read(4..6, ALL), Err(LogError::Purged { index: 4, first: 5 })));
    assert!(matches!(bed.log().truncate_from(4), Err(LogError::Purged { index: 4, first: 5 })));
    bed.log().purge_to(9).unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    assert_eq!((bed.log().first(), bed.log().last()), (10, 9));
    bed.log().append(&numbered(10..=11)).unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    assert_eq!(bed.log().read(10..12, ALL).unwrap(), numbered(10..=11));
}

fn purging_beyond_the_end_takes_over_a_snapshot_from_elsewhere(bed: &mut impl Bed) {
    bed.log().append(&numbered(1..=3)).unwrap();
    bed.log().purge_to(100).unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    assert_eq!((bed.log().first(), bed.log().last()), (101, 100));
    bed.log().append(&numbered(101..=102)).unwrap();
    assert_eq!(bed.log().read(101..103, ALL).unwrap(), numbered(101..=102));
}

fn reading_stops_at_its_bound_but_gives_one_entry(bed: &mut impl Bed) {
    let entries: Vec<_> = (1..=5).map(|index| entry(index, vec![index as u8; 100])).collect();
    bed.log().append(&entries).unwrap();
    assert_eq!(bed.log().read(1..6, 250).unwrap(), entries[..2]);
    assert_eq!(bed.log().read(2..6, 0).unwrap(), entries[1..2]);
    assert_eq!(bed.log().read(2..4, ALL).unwrap(), entries[1..3]);
    assert_eq!(bed.log().read(6..9, ALL).unwrap(), []);
}

fn a_large_entry_survives_a_crash(bed: &mut impl Bed) {
    let entries = [entry(1, long(4 << 20)), entry(2, ""), entry(3, long(8192 - 82)), entry(4, long(8193))];
    bed.log().append(&entries).unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    assert_eq!(bed.log().read(1..5, ALL).unwrap(), entries);
}

fn metadata_above_its_bound_is_refused(bed: &mut impl Bed) {
    bed.log().put_metadata(&[7; METADATA_BYTES_MAX]).unwrap();
    let error = bed.log().put_metadata(&[8; METADATA_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, LogError::MetadataTooLarge { .. }));
    assert_eq!(bed.log().metadata(), Some(&[7; METADATA_BYTES_MAX][..]));
}

fn many_changes_are_one_sync(bed: &mut impl Bed) {
    let before = bed.log().syncs();
    for index in 1..=64 {
        bed.log().append(&[entry(index, "gathered")]).unwrap();
    }
    bed.log().put_metadata(b"vote").unwrap();
    bed.log().sync().unwrap();
    bed.log().sync().unwrap();
    assert_eq!(bed.log().syncs() - before, 1);
}

macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod in_memory { $(#[test] fn $name() { super::$name(&mut super::InMemory::default()) })* }
        mod on_disk { $(#[test] fn $name() { super::$name(&mut super::OnDisk::new()) })* }
    };
}

suite!(
    what_was_synced_survives_a_crash,
    an_index_out_of_order_is_refused_and_nothing_is_added,
    truncation_removes_the_end_and_the_place_is_written_anew,
    purging_removes_the_beginning_and_says_so,
    purging_beyond_the_end_takes_over_a_snapshot_from_elsewhere,
    reading_stops_at_its_bound_but_gives_one_entry,
    a_large_entry_survives_a_crash,
    metadata_above_its_bound_is_refused,
    many_changes_are_one_sync,
);

#[test]
fn the_memory_twin_forgets_what_was_not_synced() {
    let mut log = MemoryLog::new();
    log.append(&numbered(1..=2)).unwrap();
    log.sync().unwrap();
    log.append(&numbered(3..=4)).unwrap();
    log.put_metadata(b"vote").unwrap();
    let mut log = log.crash();
    assert_eq!((log.last(), log.metadata()), (2, None));
    log.purge_to(2).unwrap();
    log.fail_next_sync();
    assert!(matches!(log.sync(), Err(LogError::Ended)));
    assert!(matches!(log.append(&numbered(3..=3)), Err(LogError::Ended)));
    assert_eq!(log.crash().read(1..9, ALL).unwrap(), numbered(1..=2));
}

/// What a log shows from outside.
fn state(log: &impl Log) -> (u64, u64, Option<Vec<u8>>, Vec<Entry>) {
    let (first, last) = (log.first(), log.last());
    (first, last, log.metadata().map(<[u8]>::to_vec), log.read(first..last + 1, ALL).unwrap())
}

#[test]
fn after_any_history_and_a_kill_the_log_is_one_it_has_been_since_the_last_sync() {
    for seed in 1..=6u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut below = |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % bound
        };
        let (mut bed, mut twin) = (OnDisk::new(), MemoryLog::new());
        let mut since_sync = vec![state(&twin)];
        for step in 0..250u64 {
            let (first, last) = (twin.first(), twin.last());
            let held = last + 1 - first;
            match below(20) {
                0..10 => {
                    let entries: Vec<_> = (1..=1 + below(3))
                        .map(|n| entry(last + n, vec![step as u8; below(40_000) as usize]))
                        .collect();
                    bed.log().append(&entries).unwrap();
                    twin.append(&entries).unwrap();
                }
                10 if held > 0 => {
                    let from = first + below(held);
                    bed.log().truncate_from(from).unwrap();
                    twin.truncate_from(from).unwrap();
                }
                11 => {
                    let to = first - 1 + below(held + 2);
                    bed.log().purge_to(to).unwrap();
                    twin.purge_to(to).unwrap();
                }
                12 => {
                    bed.log().put_metadata(&step.to_be_bytes()).unwrap();
                    twin.put_metadata(&step.to_be_bytes()).unwrap();
                }
                13 => {
                    bed.crash();
                    let found = state(bed.log());
                    assert!(since_sync.contains(&found), "seed {seed} step {step}");
                    // What was not synced may have been kept in part: go on from there.
                    twin = MemoryLog::new();
                    twin.purge_to(found.0 - 1).unwrap();
                    twin.append(&found.3).unwrap();
                    if let Some(metadata) = &found.2 {
                        twin.put_metadata(metadata).unwrap();
                    }
                    since_sync.clear();
                }
                _ => {
                    bed.log().sync().unwrap();
                    since_sync.clear();
                }
            }
            // An append of several entries may be kept in part.
            let now = state(&twin);
            for kept in last + 1..now.1 {
                let mut part = now.clone();
                part.1 = kept;
                part.3.truncate((kept + 1 - now.0) as usize);
                since_sync.push(part);
            }
            since_sync.push(now);
        }
        assert_eq!(state(bed.log()), state(&twin), "seed {seed}");
        assert_eq!(fs::read_dir(bed.dir().join("blobs")).unwrap().count(), 0);
    }
}

/// A file whose sync fails once it is told to.
struct FailingFile(Arc<AtomicBool>);

impl SyncData for FailingFile {
    fn sync_data(&self) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) { Err(io::Error::other("injected")) } else { Ok(()) }
    }
}

#[test]
fn a_failed_sync_ends_the_process_and_is_never_retried() {
    let root = tempfile::tempdir().unwrap();
    let (fails, ends) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (file, seen) = (FailingFile(fails.clone()), ends.clone());
    let on_fatal = Box::new(move |what: &str| {
        assert!(what.contains("syncing the data file: injected"), "{what}");
        seen.fetch_add(1, Ordering::SeqCst);
    });
    let mut log =
        SledLog::open_with(&root.path().join("log"), Some(ID), on_fatal, |_| Box::new(file)).unwrap();
    log.append(&numbered(1..=1)).unwrap();
    log.sync().unwrap();
    log.append(&numbered(2..=2)).unwrap();
    fails.store(true, Ordering::SeqCst);
    assert!(matches!(log.sync(), Err(LogError::Ended)));
    fails.store(false, Ordering::SeqCst);
    assert!(matches!(log.sync(), Err(LogError::Ended)));
    assert!(matches!(log.append(&numbered(3..=3)), Err(LogError::Ended)));
    assert!(matches!(log.read(1..2, ALL), Err(LogError::Ended)));
    assert_eq!(ends.load(Ordering::SeqCst), 1);
}

#[test]
fn a_log_that_is_open_elsewhere_is_refused() {
    let bed = OnDisk::new();
    assert!(matches!(SledLog::open(&bed.dir(), Some(ID)), Err(LogError::Locked { .. })));
}

#[test]
fn no_entry_is_ever_written_outside_the_synced_file() {
    let mut bed = OnDisk::new();
    let mut next = 1;
    for round in 0..12u64 {
        for _ in 0..40 {
            let length = [10, 700, 8_110, 8_111, 30_000, 200_000][(next % 6) as usize];
            bed.log().append(&[entry(next, long(length))]).unwrap();
            next += 1;
        }
        bed.log().put_metadata(&[round as u8; METADATA_BYTES_MAX]).unwrap();
        bed.log().sync().unwrap();
        if round % 3 == 1 {
            next -= 17;
            bed.log().truncate_from(next).unwrap();
        }
        if round % 4 == 2 {
            let to = bed.log().last() - 20;
            bed.log().purge_to(to).unwrap();
        }
        assert_eq!(fs::read_dir(bed.dir().join("blobs")).unwrap().count(), 0);
    }
    bed.log().sync().unwrap();
    let (first, last) = (bed.log().first(), bed.log().last());
    bed.crash();
    assert_eq!((bed.log().first(), bed.log().last()), (first, last));
    assert_eq!(bed.log().read(first..last + 1, ALL).unwrap().len() as u64, last + 1 - first);
}

#[test]
fn a_purged_log_does_not_grow_without_bound() {
    let mut bed = OnDisk::new();
    let mut largest = 0;
    for round in 0..40u64 {
        let entries: Vec<_> = (1..=30).map(|n| entry(round * 30 + n, long(32 << 10))).collect();
        bed.log().append(&entries).unwrap();
        bed.log().sync().unwrap();
        bed.log().purge_to(round * 30 + 25).unwrap();
        largest = largest.max(fs::metadata(bed.dir().join("db")).unwrap().len());
    }
    // 40 MiB went through; at most some 2 MiB are held at a time.
    assert!(largest < 24 << 20, "the data file reached {largest} bytes");
}

#[test]
fn losing_what_sled_keeps_beside_its_data_file_loses_nothing() {
    let mut bed = OnDisk::new();
    bed.log().append(&numbered(1..=500)).unwrap();
    bed.log().sync().unwrap();
    bed.crash();
    bed.log().append(&numbered(501..=600)).unwrap();
    bed.log().purge_to(200).unwrap();
    bed.log().sync().unwrap();
    let dir = bed.kill();
    let mut lost = 0;
    for file in fs::read_dir(&dir).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if name == "conf" || name.starts_with("snap.") {
            fs::remove_file(file.path()).unwrap();
            lost += 1;
        }
    }
    assert_eq!(lost, 2);
    bed.open().unwrap();
    assert_eq!(bed.log().read(201..601, ALL).unwrap(), numbered(201..=600));
}

#[test]
fn a_log_in_memory_whose_disk_was_opened_again_writes_to_it_no_more() {
    let disk = MemoryDisk::new();
    let mut old = disk.open();
    old.append(&[Entry { index: 1, bytes: vec![1] }]).unwrap();
    old.put_metadata(b"old").unwrap();
    old.sync().unwrap();
    old.append(&[Entry { index: 2, bytes: vec![2] }]).unwrap();
    let mut new = disk.open();
    assert_eq!((new.last(), disk.last(), disk.metadata()), (1, 1, Some(b"old".to_vec())));
    assert!(matches!(old.sync(), Err(LogError::Ended)));
    new.truncate_from(1).unwrap();
    new.purge_to(7).unwrap();
    new.append(&[Entry { index: 8, bytes: vec![8] }]).unwrap();
    new.sync().unwrap();
    let newest = disk.open();
    assert_eq!((newest.first(), newest.last()), (8, 8));
    assert_eq!(newest.read(8..9, 1).unwrap(), [Entry { index: 8, bytes: vec![8] }]);
}
