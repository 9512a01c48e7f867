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
//! - On some damage it panics; that is caught while opening and becomes an error.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::log::{ENTRY_BYTES_MAX, Entry, Log, LogError, METADATA_BYTES_MAX};
use super::record::{HEAD_BYTES, Head, Kind, LogId, Mark, Newest};
use super::{OnFatal, parent_of, replace_file, sync_dir};

/// Bytes of one sled segment; sled writes a message above `SEGMENT_BYTES / 4 - 52` as a separate file.
///
/// Must never change for an existing log: sled refuses to open with another size.
const SEGMENT_BYTES: usize = 1 << 20;

/// The most bytes of one stored value. A leaf splits above 16 values and can reach about 20 by merging with a
/// neighbour, 160 KiB of the 256 KiB that a message may have.
const PIECE_BYTES: usize = 8 << 10;

/// Memory for sled's page cache; the log is read only at start and when another node lags.
const CACHE_BYTES: u64 = 8 << 20;

/// How many keys one purge step collects before it removes them.
const PURGE_KEYS_MAX: usize = 1024;

const DATA_FILE: &str = "db";
const IDENTITY_FILE: &str = "identity";
/// Last byte of the identity file until the first mark is durable; from then on an empty log is a lost one.
const BEING_MADE: u8 = 0;
const IN_USE: u8 = 1;
const METADATA_KEY: [u8; 2] = [0, 1];
const MARK_KEY: [u8; 2] = [0, 2];
const ENTRY_PREFIX: u8 = 1;

/// What can be synced; a file, or in tests a file that fails.
pub(super) trait SyncData: Send {
    fn sync_data(&self) -> io::Result<()>;
}

impl SyncData for File {
    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }
}

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
    /// Opens the log in `dir`, or makes an empty one there if the directory is empty or missing.
    ///
    /// Every entry held is read and checked. `fresh_id` names a log that is made; it must be random and is not
    /// used for one that exists. A failed sync later calls [`fatal`](super::fatal).
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Broken`] when anything that was synced is not there or not as written,
    /// [`LogError::Locked`], [`LogError::Io`].
    pub fn open(dir: &Path, fresh_id: [u8; 16]) -> Result<SledLog, LogError> {
        Self::open_with(dir, fresh_id, Box::new(|what| super::fatal(what)), |file| Box::new(file))
    }

    pub(super) fn open_with(
        dir: &Path,
        fresh_id: LogId,
        on_fatal: OnFatal,
        syncing: impl FnOnce(File) -> Box<dyn SyncData>,
    ) -> Result<SledLog, LogError> {
        let io = |doing| move |source| LogError::Io { path: dir.to_owned(), doing, source };
        let broken = |what: String| LogError::Broken { path: dir.to_owned(), what };

        let (id, file, born) = establish(dir, fresh_id)?;
        let synced_before = scan(&file, &id).map_err(io("scanning the data file"))?;
        let db = open_sled(dir)?;
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
            replace_file(&dir.join(IDENTITY_FILE), &identity_bytes(&id, IN_USE))
                .map_err(io("writing the identity file"))?;
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

        if self.sequence < synced_before {
            return Err(LogError::Damaged {
                path: self.path.clone(),
                index: last + 1,
                what: format!(
                    "writes up to number {synced_before} were synced, the newest that can be read is number {}",
                    self.sequence
                ),
            });
        }
        let expected = newest_head.after();
        if expected.entry != found.entry {
            return Err(LogError::Damaged {
                path: self.path.clone(),
                index: last,
                what: format!(
                    "the newest entry was written as number {}, the newest that can be read is number {}",
                    expected.entry, found.entry
                ),
            });
        }
        if expected != found {
            return Err(self.broken(format!("expected {expected:?} as the newest writes, found {found:?}")));
        }
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
                    assembly.add(piece, &value).map_err(|what| self.damaged(index, what))?;
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
        for (piece, bytes) in (1u32..).zip(rest.chunks(PIECE_BYTES)) {
            batch.insert(&entry_key(entry.index, piece), bytes);
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
        if let Ok([ENTRY_PREFIX, i0, i1, i2, i3, i4, i5, i6, i7, p0, p1, p2, p3]) = <[u8; 13]>::try_from(key)
        {
            let index = u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]);
            return Ok((index, u32::from_be_bytes([p0, p1, p2, p3])));
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

/// An entry whose pieces are being gathered.
struct Assembly {
    head: Head,
    head_bytes: [u8; HEAD_BYTES],
    payload: Vec<u8>,
    next_piece: u32,
}

impl Assembly {
    fn begin(id: &LogId, index: u64, value: &[u8]) -> Result<Assembly, String> {
        let head = Head::parse(id, value)?;
        let Some((head_bytes, start)) = value.split_first_chunk::<HEAD_BYTES>() else {
            return Err(format!("expected a head of {HEAD_BYTES} bytes, got {}", value.len()));
        };
        if head.kind != Kind::Entry || head.index != index {
            return Err(format!("its place holds {:?} {}", head.kind, head.index));
        }
        let mut assembly = Assembly { head, head_bytes: *head_bytes, payload: Vec::new(), next_piece: 1 };
        assembly.take(start)?;
        Ok(assembly)
    }

    fn add(&mut self, piece: u32, bytes: &[u8]) -> Result<(), String> {
        if piece != self.next_piece {
            return Err(format!("expected piece {}, found piece {piece}", self.next_piece));
        }
        self.next_piece += 1;
        self.take(bytes)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.payload.len() + bytes.len() > self.head.length as usize {
            return Err(format!("expected {} bytes, found more", self.head.length));
        }
        self.payload.extend_from_slice(bytes);
        Ok(())
    }
}

/// Refuses entries that do not continue after `last` or are too large.
pub(super) fn check_append(last: u64, entries: &[Entry]) -> Result<(), LogError> {
    for (expected, entry) in (last + 1..).zip(entries) {
        if entry.index != expected {
            return Err(LogError::OutOfOrder { expected, got: entry.index });
        }
        if entry.bytes.len() > ENTRY_BYTES_MAX {
            return Err(LogError::EntryTooLarge { index: entry.index, length: entry.bytes.len() });
        }
    }
    Ok(())
}

/// Makes sure that directory, data file and identity are there; says whether the log is being made.
fn establish(dir: &Path, fresh_id: LogId) -> Result<(LogId, File, bool), LogError> {
    let io = |doing| move |source| LogError::Io { path: dir.to_owned(), doing, source };
    let broken = |what: &str| LogError::Broken { path: dir.to_owned(), what: what.to_owned() };
    let (data, identity) = (dir.join(DATA_FILE), dir.join(IDENTITY_FILE));
    if !dir.exists() {
        fs::DirBuilder::new().mode(0o700).create(dir).map_err(io("making the directory"))?;
        sync_dir(parent_of(dir)).map_err(io("syncing the directory above"))?;
    }
    let mut options = File::options();
    options.read(true).write(true);
    match fs::read(&identity) {
        Ok(bytes) => {
            let (id, state) = match bytes.split_first_chunk::<16>() {
                Some((id, [state @ (BEING_MADE | IN_USE)])) => (*id, *state),
                Some(_) | None => return Err(broken("the identity file is not one")),
            };
            let file = match options.open(&data) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(broken("the data file is not there, the identity file is"));
                }
                Err(error) => return Err(io("opening the data file")(error)),
            };
            Ok((id, file, state == BEING_MADE))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file =
                options.create(true).truncate(false).open(&data).map_err(io("making the data file"))?;
            if file.metadata().map_err(io("reading the data file's length"))?.len() != 0 {
                return Err(broken("the identity file is not there, the data file is"));
            }
            sync_dir(dir).map_err(io("syncing the directory"))?;
            replace_file(&identity, &identity_bytes(&fresh_id, BEING_MADE))
                .map_err(io("writing the identity file"))?;
            Ok((fresh_id, file, true))
        }
        Err(error) => Err(io("reading the identity file")(error)),
    }
}

fn identity_bytes(id: &LogId, state: u8) -> [u8; 17] {
    let mut out = [state; 17];
    out[..16].copy_from_slice(id);
    out
}

fn open_sled(dir: &Path) -> Result<sled::Db, LogError> {
    let config = sled::Config::new()
        .path(dir)
        .mode(sled::Mode::HighThroughput)
        .cache_capacity(CACHE_BYTES)
        .segment_size(SEGMENT_BYTES)
        .flush_every_ms(None);
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
            Err(LogError::Locked { path: dir.to_owned() })
        }
        Ok(Err(sled::Error::Io(source))) => {
            Err(LogError::Io { path: dir.to_owned(), doing: "opening with sled", source })
        }
        Ok(Err(error)) => Err(LogError::Broken { path: dir.to_owned(), what: format!("sled: {error}") }),
        Err(_) => {
            Err(LogError::Broken { path: dir.to_owned(), what: "sled gave up with a panic".to_owned() })
        }
    }
}

/// Reads the raw data file for heads of this log, whether sled still shows them or not, and returns the highest
/// write number that any of them says was synced.
fn scan(mut file: &File, id: &LogId) -> io::Result<u64> {
    const CHUNK_BYTES: usize = 1 << 20;
    io::Seek::seek(&mut file, io::SeekFrom::Start(0))?;
    let mut synced = 0;
    let mut window = Vec::with_capacity(CHUNK_BYTES + HEAD_BYTES);
    loop {
        let kept = window.len();
        if file.take(CHUNK_BYTES as u64).read_to_end(&mut window)? == 0 {
            return Ok(synced);
        }
        let mut at = 0;
        while let Some(found) = window[at..].iter().position(|byte| *byte == id[0]) {
            at += found;
            if window.len() - at < HEAD_BYTES {
                break;
            }
            if let Ok(head) = Head::parse(id, &window[at..]) {
                synced = synced.max(head.synced);
            }
            at += 1;
        }
        debug_assert!(kept < HEAD_BYTES);
        // A head may lie across the edge.
        window.drain(..window.len().saturating_sub(HEAD_BYTES - 1));
    }
}

/// Keys sort as the entries do.
fn entry_key(index: u64, piece: u32) -> [u8; 13] {
    let mut key = [ENTRY_PREFIX; 13];
    key[1..9].copy_from_slice(&index.to_be_bytes());
    key[9..].copy_from_slice(&piece.to_be_bytes());
    key
}

#[cfg(test)]
impl SledLog {
    /// Hands everything to the kernel without acknowledging it.
    pub(super) fn db_flush_without_sync(&self) {
        self.db.flush().unwrap();
    }
}
