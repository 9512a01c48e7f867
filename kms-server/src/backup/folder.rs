//! What a data folder still holds, however damaged: its newest whole snapshot, then whatever can be read behind it, in the
//! order of the log. Nothing in the folder is changed, and nothing that is damaged ends the reading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kms_core::{Event, Id, Objects, Record};

use super::entry;
use super::pending::RESTORE_FILE;
use super::report::SourceReport;
use crate::disk::{LogLeft, read_snapshot_left};
use crate::engine::NodeId;
use crate::seal::keyring_rows_left;

/// First byte of each tag that the log and the snapshots use (private tags, 0x54….).
const PRIVATE_TAG: u8 = 0x54;
/// Second byte of the tags that are the engine's own and no record of kms-core.
const ENGINE_TAG: u8 = 0x01;
/// The TTLV type of a structure, in the fourth byte.
const STRUCTURE: u8 = 0x01;

/// A folder whose log was looked through.
#[derive(Debug)]
pub(super) struct Opened {
    snapshots: Vec<(u64, PathBuf)>,
    log: Option<LogLeft>,
    /// Term and leader of each entry that can be read.
    pub(super) written: BTreeMap<u64, (u64, NodeId)>,
    folder: Folder,
}

/// What was read of a folder.
#[derive(Debug)]
pub(super) struct Folder {
    /// What snapshots and log come to.
    pub(super) objects: Objects,
    /// Rows of the keyring's file, as they lie there.
    pub(super) keyring: Vec<(u32, Vec<u8>)>,
    /// Objects that events speak of, and that no readable event or record makes.
    pub(super) unmade: BTreeSet<Id>,
    pub(super) report: SourceReport,
}

/// The data directory that is meant: `path`, or `data` in it.
pub(super) fn data_dir_of(path: &Path) -> PathBuf {
    let inner = path.join("data");
    let lived_in = |dir: &Path| ["node.json", "log", "keyring"].iter().any(|name| dir.join(name).exists());
    if !lived_in(path) && lived_in(&inner) { inner } else { path.to_owned() }
}

/// Looks through a folder.
///
/// # Errors
/// What the system said about the directory itself.
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    let mut folder = Folder {
        objects: Objects::default(),
        keyring: Vec::new(),
        unmade: BTreeSet::new(),
        report: SourceReport::new(path, "data folder"),
    };
    let snapshots = snapshots(path)?;
    match keyring_rows_left(&path.join("keyring")) {
        Ok(rows) => folder.keyring = rows,
        Err(error) => folder.report.note(format!("its keyring cannot be read: {error}")),
    }
    let log = match LogLeft::read(&path.join("log")) {
        Ok(log) => Some(log),
        Err(error) => {
            folder.report.note(format!("its log cannot be read: {error}"));
            folder.report.damaged += 1;
            None
        }
    };
    let mut written = BTreeMap::new();
    if let Some(log) = &log {
        let readable = |index| Some((index, entry::read(&log.entry(index)?).ok()?.written));
        written.extend(log.indexes().filter_map(readable));
    }
    Ok(Opened { snapshots, log, written, folder })
}

impl Opened {
    /// Reads all that can be read. `newest` has for each index the highest term and leader that any folder's log has there.
    pub(super) fn read(mut self, newest: &BTreeMap<u64, (u64, NodeId)>) -> Folder {
        // Two entries at one place: the older leader's was never decided, nor was anything behind it in its log.
        let overtaken = self
            .written
            .iter()
            .find(|(index, written)| newest.get(index).is_some_and(|high| *high > **written));
        let overtaken = overtaken.map_or(u64::MAX, |(index, _)| *index);
        let folder = &mut self.folder;
        folder.replay(&self.snapshots, self.log.as_ref(), overtaken);
        folder.report.objects = folder.objects.len() as u64;
        folder.report.clients = folder.objects.clients().count() as u64;
        self.folder
    }
}

/// The snapshots of a folder, by index: those that were finished, those that were being written or received, and what a
/// restore left.
fn snapshots(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for file in fs::read_dir(path)? {
        let file = file?.path();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = [".partial", ".incoming"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let digits = name.strip_prefix("snapshot-").and_then(|name| name.strip_suffix(".kms"));
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(index) => found.push((index, file)),
            None if name == RESTORE_FILE => found.push((0, file)),
            None => {}
        }
    }
    found.sort();
    Ok(found)
}

impl Folder {
    /// Carries out entries and takes in snapshots in the order of their indexes.
    ///
    /// From entry `overtaken` on nothing is destroyed: a node whose log another one overtook may have it from a leader who
    /// never got it decided. What else stands there is harmless, and may be of another cluster that parted from this one.
    fn replay(&mut self, snapshots: &[(u64, PathBuf)], log: Option<&LogLeft>, overtaken: u64) {
        let whole = snapshots
            .iter()
            .rposition(|(_, path)| read_snapshot_left(path, |_| false, |_| {}).is_ok_and(|left| left.whole));
        let from = whole.and_then(|place| snapshots.get(place)).map_or(0, |(index, _)| *index);
        let mut snapshots = snapshots.iter().skip(whole.unwrap_or(0)).peekable();
        let indexes: Vec<u64> = log.into_iter().flat_map(LogLeft::indexes).collect();
        // Where no snapshot is whole, what the log's file still has of entries that were purged is better than nothing.
        let indexes = indexes.into_iter().filter(|index| whole.is_none() || *index > from);
        let mut expected = whole.map(|_| from + 1);
        for index in indexes {
            while let Some((_, path)) = snapshots.next_if(|(snapshot, _)| *snapshot < index) {
                self.take_snapshot(path);
            }
            self.report.missing(expected.map_or(0, |expected| index.saturating_sub(expected)));
            expected = Some(index + 1);
            match log.and_then(|log| log.entry(index)) {
                Some(entry) => self.carry_out(index, &entry, index >= overtaken),
                None => self.report.missing(1),
            }
        }
        for (_, path) in snapshots {
            self.take_snapshot(path);
        }
    }

    fn take_snapshot(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (mut records, mut unknown) = (0, 0);
        let mut objects = std::mem::take(&mut self.objects);
        let read = read_snapshot_left(path, is_record, |bytes| match taken_in(&mut objects, &bytes) {
            Some(true) => records += 1,
            Some(false) => {}
            None => unknown += 1,
        });
        self.objects = objects;
        match read {
            Ok(left) => {
                let announced = left.announced.unwrap_or(left.records);
                let lost = announced.saturating_sub(left.records).max(left.damaged);
                self.report.read(format!("{records} records of {name}"));
                if lost + unknown > 0 {
                    self.report.note(format!("{name}: {} records cannot be read", lost + unknown));
                    self.report.damaged += lost + unknown;
                } else if !left.whole {
                    self.report.note(format!("{name} is not whole, its records are"));
                }
            }
            Err(error) => {
                self.report.note(format!("{name} cannot be read: {error}"));
                self.report.damaged += 1;
            }
        }
    }

    fn carry_out(&mut self, index: u64, entry: &[u8], overtaken: bool) {
        let events = match entry::read(entry) {
            Ok(decided) => decided.events,
            Err(why) => {
                self.report.note(format!("entry {index} is whole, and says nothing known: {why}"));
                self.report.damaged += 1;
                return;
            }
        };
        self.report.entries += 1;
        for event in &events {
            match event {
                // Of no use to another cluster.
                Event::Answered { .. } => continue,
                Event::Destroyed { id, .. } if overtaken => {
                    self.report.note(format!(
                        "entry {index} would destroy {id}; another log has another entry there, so it does not count"
                    ));
                    continue;
                }
                Event::Created { .. } | Event::Removed { .. } => {}
                _ => self.unmade.extend(event.object().filter(|id| self.objects.object(*id).is_none())),
            }
            self.objects.apply(event);
        }
    }
}

/// Whether a record may begin so.
fn is_record(begin: &[u8]) -> bool {
    begin.first() == Some(&PRIVATE_TAG) && begin.get(3) == Some(&STRUCTURE)
}

/// Takes a record in; false for one that is not kms-core's or belongs to the running cluster alone, nothing for bytes that
/// are no record.
fn taken_in(objects: &mut Objects, bytes: &[u8]) -> Option<bool> {
    if bytes.get(..2) == Some(&[PRIVATE_TAG, ENGINE_TAG]) {
        return Some(false);
    }
    match Record::decode(bytes).ok()? {
        Record::Answer { .. } | Record::AnswersSeen { .. } => Some(false),
        Record::Object(_) | Record::Client(_) | Record::Event(_) => {
            objects.restore(bytes).ok().map(|()| true)
        }
    }
}
