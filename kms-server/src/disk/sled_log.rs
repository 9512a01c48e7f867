//! The log on sled 0.34.7, made safe.
//!
//! sled alone loses acknowledged writes in a power cut, and keeps silent about damage. What is done here
//! about it, each found in its source:
//!
//! - Its flush calls `sync_file_range`, which syncs neither the disk's cache nor the file's size. After each
//!   flush its data file is synced through a handle of our own, opened before sled's and never closed, so that
//!   no write error is reported to somebody else first.
//! - A message above a quarter of a segment goes to a file of its own under `blobs/`, which nothing syncs;
//!   a message may be a whole leaf. Records are cut into pieces so small that no leaf comes near ([`PIECE_BYTES`]).
//! - `conf`, `snap.*` and the directories are written unsynced or renamed without a directory sync: they are synced
//!   once here when the log is opened. `snap.*` only spares sled a scan; without it nothing is missing.
//! - At start it drops everything behind a damaged message of the tail, and stops reading a damaged segment,
//!   without an error. The heads of [`record`](super::record) give that away.
//! - It takes a `snap.*` that it was still writing when it was cut short for a damaged one: removed before it opens.
//! - On some damage it panics; that is caught while opening and becomes an error.

use std::fs::{self, File};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use super::log::{Entry, Log, LogError, METADATA_BYTES_MAX, check_append};
use super::pieces::{Assembly, PIECE_BYTES, PIECE_HEAD_BYTES, PieceHead, entry_key, parse_entry_key};
use super::record::{HEAD_BYTES, Head, Kind, LogId, Mark, Newest, VERSION};
use super::sled_files::{self as files, SyncData};
use super::{OnFatal, sync_dir};

/// How many keys one purge step collects before it removes them.
const PURGE_KEYS_MAX: usize = 1024;

const METADATA_KEY: [u8; 2] = [0, 1];
const MARK_KEY: [u8; 2] = [0, 2];

/// The log on disk, in a directory of its own.
pub struct SledLog {
    db: sled::Db,
    data: Box<dyn SyncData>,
    on_fatal: OnFatal,
    path: PathBuf,
    id: LogId,
    purged_to: u64,
    last: u64,
    sequence: u64,
    synced: u64,
    newest: Newest,
    metadata: Option<Vec<u8>>,
    syncs: u64,
    ended: bool,
}

impl std::fmt::Debug for SledLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledLog")
            .field("path", &self.path)
            .field("first", &self.first())
            .field("last", &self.last)
            .field("syncs", &self.syncs)
            .finish_non_exhaustive()
    }
}

impl SledLog {
    /// Opens the log in `dir`, or makes an empty one there if it is empty or missing and `fresh_id` is given.
    ///
    /// Every entry held is read and checked. `fresh_id` names a log that is made; it must be random and is not
    /// used for one that exists. A failed sync later calls [`fatal`](super::fatal).
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Broken`] when anything that was synced is not there or not as written,
    /// [`LogError::Locked`], [`LogError::Io`].
    pub fn open(dir: &Path, fresh_id: Option<[u8; 16]>) -> Result<SledLog, LogError> {
        Self::open_with(dir, fresh_id, Box::new(|what| super::fatal(what)), |file| Box::new(file))
    }

    pub(super) fn open_with(
        dir: &Path,
        fresh_id: Option<LogId>,
        on_fatal: OnFatal,
        syncing: impl FnOnce(File) -> Box<dyn SyncData>,
    ) -> Result<SledLog, LogError> {
        let io = |doing| move |source| LogError::Io { path: dir.to_owned(), doing, source };
        let broken = |what: String| LogError::Broken { path: dir.to_owned(), what };

        let (id, file, born) = files::establish(dir, fresh_id)?;
        let synced_before = files::scan(&file, &id).map_err(io("scanning the data file"))?;
        let db = files::open_sled(dir)?;
        let blobs = fs::read_dir(dir.join("blobs")).map_err(io("listing blobs/"))?.count();
        if blobs != 0 {
            return Err(broken(format!(
                "expected no file under blobs/, found {blobs}: this version writes none"
            )));
        }
        // From here on nothing that sled wrote while opening can be lost by a power cut.
        File::open(dir.join("conf")).and_then(|conf| conf.sync_all()).map_err(io("syncing conf"))?;
        file.sync_all().map_err(io("syncing the data file"))?;
        sync_dir(dir).map_err(io("syncing the directory"))?;

        let mut log = SledLog {
            db,
            data: syncing(file),
            on_fatal,
            path: dir.to_owned(),
            id,
            purged_to: 0,
            last: 0,
            sequence: 0,
            synced: 0,
            newest: Newest::default(),
            metadata: None,
            syncs: 0,
            ended: false,
        };
        if born && log.db.is_empty() {
            log.mark(Mark { purged_to: 0, truncated_from: u64::MAX })?;
            log.sync()?;
        } else {
            log.recover(synced_before)?;
        }
        if born {
            files::settle(dir, &id)?;
        }
        Ok(log)
    }

    /// Finishes an interrupted purge or truncation, checks everything held, and learns where the log stands.
    fn recover(&mut self, synced_before: u64) -> Result<(), LogError> {
        let Some((mark_head, mark)) = self.small(MARK_KEY, Kind::Mark)? else {
            return Err(self.broken("the mark, which every log holds, is not there".to_owned()));
        };
        let mark = Mark::decode(&mark).map_err(|what| self.broken(what))?;
        self.purged_to = mark.purged_to;
        self.remove_keys(entry_key(0, 0), entry_key(mark.purged_to.saturating_add(1), 0))?;
        for index in self.truncated(&mark, mark_head.sequence)?.into_iter().rev() {
            self.remove_entry(index)?;
        }

        let mut newest_head = mark_head;
        let mut found = Newest { mark: mark_head.sequence, ..Newest::default() };
        if let Some((head, bytes)) = self.small(METADATA_KEY, Kind::Metadata)? {
            found.metadata = head.sequence;
            if head.sequence > newest_head.sequence {
                newest_head = head;
            }
            self.metadata = Some(bytes);
        }
        let mut last = mark.purged_to;
        let _ = self.walk(self.first()..u64::MAX, |head, _| {
            last = head.index;
            found.entry = head.sequence;
            if head.sequence > newest_head.sequence {
                newest_head = *head;
            }
            ControlFlow::Continue(())
        })?;
        self.last = last;
        self.sequence = newest_head.sequence;
        self.newest = found;

        newest_head.account(&found, synced_before).map_err(|what| self.damaged(last + 1, what))?;
        // What was read may never have been synced; what stands on it must not be acknowledged before it is.
        self.sync()
    }

    /// The indexes that a truncation was meant to remove and that are still there, ascending.
    fn truncated(&self, mark: &Mark, mark_sequence: u64) -> Result<Vec<u64>, LogError> {
        let mut stale = Vec::new();
        if mark.truncated_from == u64::MAX {
            return Ok(stale);
        }
        for pair in self.db.range(entry_key(mark.truncated_from, 0)..) {
            let (key, value) = pair.map_err(|error| self.broken(format!("sled could not read: {error}")))?;
            let (index, piece) = self.parse_key(&key)?;
            if piece == 0 {
                let head = Head::parse(&self.id, &value).map_err(|what| self.damaged(index, what))?;
                if head.sequence < mark_sequence {
                    stale.push(index);
                }
            }
        }
        Ok(stale)
    }

    /// Reads and checks entries in order, from `range.start`, until the range or the log ends or `visit` breaks.
    fn walk(
        &self,
        range: Range<u64>,
        mut visit: impl FnMut(&Head, Vec<u8>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, LogError> {
        let mut expected = range.start;
        let mut previous: Option<u64> = None;
        let mut open: Option<Assembly> = None;
        let mut finish = |done: Assembly, expected: &mut u64| -> Result<ControlFlow<()>, LogError> {
            let index = done.head.index;
            done.head.check(&done.head_bytes, &done.payload).map_err(|what| self.damaged(index, what))?;
            if let Some(previous) = previous
                && previous != done.head.before.entry
            {
                return Err(self.damaged(
                    index,
                    format!(
                        "it follows write number {}, the entry before it is {previous}",
                        done.head.before.entry
                    ),
                ));
            }
            previous = Some(done.head.sequence);
            *expected = index + 1;
            Ok(visit(&done.head, done.payload))
        };
        for pair in self.db.range(entry_key(range.start, 0)..entry_key(range.end, 0)) {
            let (key, value) = pair.map_err(|error| self.broken(format!("sled could not read: {error}")))?;
            let (index, piece) = self.parse_key(&key)?;
            if piece == 0 {
                if let Some(done) = open.take()
                    && finish(done, &mut expected)?.is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
                if index != expected {
                    return Err(self.damaged(expected, format!("it is not there, the next one is {index}")));
                }
                open =
                    Some(Assembly::begin(&self.id, index, &value).map_err(|what| self.damaged(index, what))?);
                continue;
            }
            match open.as_mut() {
                Some(assembly) if assembly.head.index == index => {
                    assembly.add(&self.id, piece, &value).map_err(|what| self.damaged(index, what))?;
                }
                Some(_) | None => {
                    return Err(
                        self.damaged(index, format!("piece {piece} is there, the first piece is not"))
                    );
                }
            }
        }
        match open {
            Some(done) => finish(done, &mut expected),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    /// Reads and checks the metadata or the mark.
    fn small(&self, key: [u8; 2], kind: Kind) -> Result<Option<(Head, Vec<u8>)>, LogError> {
        let value = self.db.get(key).map_err(|error| self.broken(format!("sled could not read: {error}")))?;
        let Some(value) = value else { return Ok(None) };
        let head = Head::parse(&self.id, &value)
            .and_then(|head| {
                head.check(&value, &value[HEAD_BYTES..])?;
                if head.kind == kind {
                    Ok(head)
                } else {
                    Err(format!("expected {kind:?}, found {:?}", head.kind))
                }
            })
            .map_err(|what| self.broken(format!("the {kind:?} record: {what}")))?;
        Ok(Some((head, value[HEAD_BYTES..].to_vec())))
    }

    /// A head for the next write, which then is the newest of its kind.
    fn next_head(&mut self, kind: Kind, index: u64, payload: &[u8]) -> [u8; HEAD_BYTES] {
        self.sequence += 1;
        let head = Head {
            version: VERSION,
            kind,
            index,
            sequence: self.sequence,
            synced: self.synced,
            before: self.newest,
            length: 0,
            checksum: 0,
        };
        self.newest = head.after();
        head.seal(&self.id, payload)
    }

    fn put_small(&mut self, key: [u8; 2], kind: Kind, payload: &[u8]) -> Result<(), LogError> {
        let mut value = self.next_head(kind, 0, payload).to_vec();
        value.extend_from_slice(payload);
        match self.db.insert(key, value) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.end(&format!("writing the {kind:?} record: {error}"))),
        }
    }

    fn mark(&mut self, mark: Mark) -> Result<(), LogError> {
        self.put_small(MARK_KEY, Kind::Mark, &mark.encode())
    }

    fn append_one(&mut self, entry: &Entry) -> Result<(), LogError> {
        let head = self.next_head(Kind::Entry, entry.index, &entry.bytes);
        let (with_head, rest) = entry.bytes.split_at(entry.bytes.len().min(PIECE_BYTES - HEAD_BYTES));
        let mut first = Vec::with_capacity(HEAD_BYTES + with_head.len());
        first.extend_from_slice(&head);
        first.extend_from_slice(with_head);
        // One batch an entry: sled recovers all of its pieces or none.
        let mut batch = sled::Batch::default();
        batch.insert(&entry_key(entry.index, 0), first);
        for (piece, bytes) in (1u32..).zip(rest.chunks(PIECE_BYTES - PIECE_HEAD_BYTES)) {
            let head = PieceHead { index: entry.index, sequence: self.sequence, piece };
            batch.insert(&entry_key(entry.index, piece), head.seal(&self.id, bytes));
        }
        if let Err(error) = self.db.apply_batch(batch) {
            return Err(self.end(&format!("writing entry {}: {error}", entry.index)));
        }
        self.last = entry.index;
        Ok(())
    }

    /// Removes one entry whole.
    fn remove_entry(&mut self, index: u64) -> Result<(), LogError> {
        let mut batch = sled::Batch::default();
        for key in self.db.range(entry_key(index, 0)..entry_key(index.saturating_add(1), 0)).keys() {
            match key {
                Ok(key) => batch.remove(key),
                Err(error) => return Err(self.end(&format!("removing entry {index}: {error}"))),
            }
        }
        match self.db.apply_batch(batch) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.end(&format!("removing entry {index}: {error}"))),
        }
    }

    /// Removes keys in no lasting order: the mark already says that they are gone.
    fn remove_keys(&mut self, from: [u8; 13], to: [u8; 13]) -> Result<(), LogError> {
        loop {
            let keys: Result<Vec<_>, _> = self.db.range(from..to).keys().take(PURGE_KEYS_MAX).collect();
            let removed = keys.and_then(|keys| {
                for key in &keys {
                    self.db.remove(key)?;
                }
                Ok(keys.len())
            });
            match removed {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(self.end(&format!("removing entries: {error}"))),
            }
        }
    }

    fn parse_key(&self, key: &[u8]) -> Result<(u64, u32), LogError> {
        if let Some(parsed) = parse_entry_key(key) {
            return Ok(parsed);
        }
        Err(self.broken(format!("expected the key of an entry, found {}", hex::encode(key))))
    }

    fn damaged(&self, index: u64, what: String) -> LogError {
        LogError::Damaged { path: self.path.clone(), index, what }
    }

    fn broken(&self, what: String) -> LogError {
        LogError::Broken { path: self.path.clone(), what }
    }

    /// The disk failed: the process ends here; a test's log refuses everything from here on.
    fn end(&mut self, what: &str) -> LogError {
        self.ended = true;
        (self.on_fatal)(&format!("log {}: {what}", self.path.display()));
        LogError::Ended
    }

    fn running(&self) -> Result<(), LogError> {
        if self.ended { Err(LogError::Ended) } else { Ok(()) }
    }
}

impl Log for SledLog {
    fn first(&self) -> u64 {
        self.purged_to + 1
    }

    fn last(&self) -> u64 {
        self.last
    }

    fn append(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        self.running()?;
        check_append(self.last, entries)?;
        entries.iter().try_for_each(|entry| self.append_one(entry))
    }

    fn truncate_from(&mut self, index: u64) -> Result<(), LogError> {
        self.running()?;
        if index < self.first() {
            return Err(LogError::Purged { index, first: self.first() });
        }
        if index > self.last {
            return Ok(());
        }
        self.newest.entry = 0;
        if index > self.first() {
            let mut sequence = 0;
            let _ = self.walk(index - 1..index, |head, _| {
                sequence = head.sequence;
                ControlFlow::Continue(())
            })?;
            self.newest.entry = sequence;
        }
        // The mark first: should the rest be interrupted, opening finishes it.
        self.mark(Mark { purged_to: self.purged_to, truncated_from: index })?;
        for stale in (index..=self.last).rev() {
            self.remove_entry(stale)?;
        }
        self.last = index - 1;
        Ok(())
    }

    fn purge_to(&mut self, index: u64) -> Result<(), LogError> {
        self.running()?;
        if index <= self.purged_to {
            return Ok(());
        }
        if index >= self.last {
            self.last = index;
            self.newest.entry = 0;
        }
        self.purged_to = index;
        self.mark(Mark { purged_to: index, truncated_from: u64::MAX })?;
        self.remove_keys(entry_key(0, 0), entry_key(index.saturating_add(1), 0))
    }

    fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, LogError> {
        self.running()?;
        let range = range.start..range.end.min(self.last.saturating_add(1));
        if range.is_empty() {
            return Ok(Vec::new());
        }
        if range.start < self.first() {
            return Err(LogError::Purged { index: range.start, first: self.first() });
        }
        let (mut entries, mut total) = (Vec::new(), 0usize);
        let stopped = self.walk(range.clone(), |head, bytes| {
            if !entries.is_empty() && total + bytes.len() > bytes_max {
                return ControlFlow::Break(());
            }
            total += bytes.len();
            entries.push(Entry { index: head.index, bytes });
            ControlFlow::Continue(())
        })?;
        let next = range.start + entries.len() as u64;
        if stopped.is_continue() && next != range.end {
            return Err(self.damaged(next, "it is not there".to_owned()));
        }
        Ok(entries)
    }

    fn put_metadata(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        self.running()?;
        if bytes.len() > METADATA_BYTES_MAX {
            return Err(LogError::MetadataTooLarge { length: bytes.len() });
        }
        self.put_small(METADATA_KEY, Kind::Metadata, bytes)?;
        self.metadata = Some(bytes.to_vec());
        Ok(())
    }

    fn metadata(&self) -> Option<&[u8]> {
        self.metadata.as_deref()
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.running()?;
        if self.sequence == self.synced {
            return Ok(());
        }
        if let Err(error) = self.db.flush() {
            return Err(self.end(&format!("flushing: {error}")));
        }
        if let Err(error) = self.data.sync_data() {
            return Err(self.end(&format!("syncing the data file: {error}")));
        }
        self.syncs += 1;
        self.synced = self.sequence;
        Ok(())
    }

    fn syncs(&self) -> u64 {
        self.syncs
    }
}

#[cfg(test)]
impl SledLog {
    /// Hands everything to the kernel without acknowledging it.
    pub(super) fn db_flush_without_sync(&self) {
        self.db.flush().unwrap();
    }
}
