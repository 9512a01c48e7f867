//! Snapshot files: what the log came to at one index, as a stream of opaque records.
//!
//! ```text
//! header   "KMSSNAP" version(1)  index(8)  count(8)  CRC-32C of these(4)
//! record   length(4)  CRC-32C of length and bytes(4)  bytes            `count` times
//! trailer  0xffffffff  CRC-32C of everything before the trailer(4)
//! ```
//! Numbers are big-endian. A file is written under a temporary name, synced, renamed, and the directory synced,
//! so a name that matches is a whole file; what is damaged later is refused with its place. Neither writing nor
//! reading holds more than one record in memory.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::snapshot_received::{INCOMING, SnapshotReceiver};
use super::{parent_of, partial_path, remove_if_there, sync_dir};

/// The most bytes one record may have; a longer one is refused when writing and taken for damage when reading.
pub const RECORD_BYTES_MAX: usize = 16 << 20;

/// Version byte of the header; a file with another version is refused.
const VERSION: u8 = 1;
const MAGIC: &[u8; 7] = b"KMSSNAP";
pub(super) const HEADER_BYTES: usize = 28;
pub(super) const TRAILER_LENGTH: u32 = u32::MAX;
const PREFIX: &str = "snapshot-";
const SUFFIX: &str = ".kms";

/// The snapshots of one data directory.
#[derive(Debug, Clone)]
pub struct Snapshots {
    dir: PathBuf,
    keep: usize,
}

/// Where a node starts from, as [`Snapshots::choose`] found it.
#[derive(Debug)]
pub struct Start {
    /// The snapshot to read first; none on a node that has not made one yet.
    pub snapshot: Option<SnapshotReader>,
    /// Newer snapshots that were refused, newest first; each is worth a warning.
    pub refused: Vec<SnapshotError>,
}

impl Snapshots {
    /// The snapshots in `dir`, of which the newest `keep` (at least 1) are kept.
    pub fn new(dir: &Path, keep: usize) -> Snapshots {
        Snapshots { dir: dir.to_owned(), keep: keep.max(1) }
    }

    /// The indexes of the snapshots there are, newest first.
    ///
    /// # Errors
    /// [`SnapshotError::Io`] when the directory cannot be read.
    pub fn indexes(&self) -> Result<Vec<u64>, SnapshotError> {
        let io = |source| SnapshotError::Io { path: self.dir.clone(), source };
        let mut indexes = Vec::new();
        for file in fs::read_dir(&self.dir).map_err(io)? {
            if let Some(index) = file.map_err(io)?.file_name().to_str().and_then(index_in_name) {
                indexes.push(index);
            }
        }
        indexes.sort_unstable_by(|a, b| b.cmp(a));
        Ok(indexes)
    }

    /// Begins the snapshot of what entries up to `index` came to, `count` records long.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn create(&self, index: u64, count: u64) -> Result<SnapshotWriter, SnapshotError> {
        SnapshotWriter::create(&self.path(index), index, count)
    }

    /// Begins a snapshot that another node sends, which holds what entries up to `index` came to.
    ///
    /// Another one that was begun and not finished is thrown away.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn receive(&self, index: u64) -> Result<SnapshotReceiver, SnapshotError> {
        self.forget_received()?;
        SnapshotReceiver::begin(&self.dir, self.path(index), index)
    }

    /// Throws away what another node sent and did not finish sending.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn forget_received(&self) -> Result<(), SnapshotError> {
        self.remove_with_suffix(INCOMING)
    }

    /// Opens one snapshot's file to send it as it is.
    ///
    /// The file stays readable when the snapshot is pruned meanwhile.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn open_file(&self, index: u64) -> Result<File, SnapshotError> {
        let path = self.path(index);
        File::open(&path).map_err(|source| SnapshotError::Io { path, source })
    }

    /// Finds the newest snapshot that is whole, given the entries `log_first..=log_last` of the log.
    ///
    /// Each candidate is read through and checked before it is handed out. A damaged one is passed over for an older
    /// one only while the log still holds everything after that one.
    ///
    /// # Errors
    /// [`SnapshotError::NotCovered`] when what is left, snapshots and log, does not join up; [`SnapshotError::AheadOfLog`]
    /// when the log ends before the snapshot does. A snapshot that came from another node may be ahead of the log: the
    /// caller who expects that says `u64::MAX` for `log_last`.
    pub fn choose(&self, log_first: u64, log_last: u64) -> Result<Start, SnapshotError> {
        let mut refused = Vec::new();
        for index in self.indexes()? {
            let checked = self.open(index).and_then(|mut reader| {
                while reader.next_record()?.is_some() {}
                self.open(index)
            });
            match checked {
                Ok(_) if index.saturating_add(1) < log_first => {
                    return Err(SnapshotError::NotCovered {
                        dir: self.dir.clone(),
                        from: index,
                        log_first,
                        refused: sentences(&refused),
                    });
                }
                Ok(_) if index > log_last => {
                    return Err(SnapshotError::AheadOfLog { path: self.path(index), index, log_last });
                }
                Ok(reader) => return Ok(Start { snapshot: Some(reader), refused }),
                Err(error) => refused.push(error),
            }
        }
        if log_first > 1 {
            let refused = sentences(&refused);
            return Err(SnapshotError::NotCovered { dir: self.dir.clone(), from: 0, log_first, refused });
        }
        Ok(Start { snapshot: None, refused })
    }

    /// Opens one snapshot for reading; its header is checked here, each record as it is read.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`], [`SnapshotError::Io`].
    pub fn open(&self, index: u64) -> Result<SnapshotReader, SnapshotError> {
        let reader = SnapshotReader::open(&self.path(index))?;
        if reader.index != index {
            return Err(
                reader.damaged(0, format!("expected index {index}, the header says {}", reader.index))
            );
        }
        Ok(reader)
    }

    /// Removes all but the newest `keep` snapshots, and what an interrupted write left behind.
    ///
    /// Returns the index of the oldest one kept: the log may be purged up to there and no further, so that the older
    /// snapshot can stand in for a damaged newer one.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn prune(&self) -> Result<Option<u64>, SnapshotError> {
        let indexes = self.indexes()?;
        for index in indexes.iter().skip(self.keep) {
            let path = self.path(*index);
            remove_if_there(&path).map_err(|source| SnapshotError::Io { path, source })?;
        }
        self.remove_with_suffix(".partial")?;
        sync_dir(&self.dir).map_err(|source| SnapshotError::Io { path: self.dir.clone(), source })?;
        Ok(indexes.get(..indexes.len().min(self.keep)).and_then(|kept| kept.last().copied()))
    }

    fn remove_with_suffix(&self, suffix: &str) -> Result<(), SnapshotError> {
        let io = |source| SnapshotError::Io { path: self.dir.clone(), source };
        for file in fs::read_dir(&self.dir).map_err(io)? {
            let file = file.map_err(io)?;
            let name = file.file_name();
            let unfinished = name.to_str().and_then(|name| name.strip_suffix(suffix)).and_then(index_in_name);
            if unfinished.is_some() {
                remove_if_there(&file.path()).map_err(io)?;
            }
        }
        Ok(())
    }

    fn path(&self, index: u64) -> PathBuf {
        self.dir.join(format!("{PREFIX}{index:020}{SUFFIX}"))
    }
}

/// A snapshot being written; dropped before [`finish`](SnapshotWriter::finish) it leaves nothing behind.
#[derive(Debug)]
pub struct SnapshotWriter {
    file: BufWriter<File>,
    dir: PathBuf,
    path: PathBuf,
    partial: PathBuf,
    left: u64,
    checksum: u32,
    finished: bool,
}

impl SnapshotWriter {
    /// Begins a file of this form under any name.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn create(path: &Path, index: u64, count: u64) -> Result<SnapshotWriter, SnapshotError> {
        let partial = partial_path(path);
        let io = |source| SnapshotError::Io { path: partial.clone(), source };
        remove_if_there(&partial).map_err(io)?;
        let file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).map_err(io)?;
        let mut writer = SnapshotWriter {
            file: BufWriter::with_capacity(1 << 18, file),
            dir: parent_of(path).to_owned(),
            path: path.to_owned(),
            partial,
            left: count,
            checksum: 0,
            finished: false,
        };
        writer.put(&header(index, count))?;
        Ok(writer)
    }

    /// Adds the next record.
    ///
    /// # Errors
    /// [`SnapshotError::RecordTooLarge`], [`SnapshotError::WrongCount`] for one more than announced,
    /// [`SnapshotError::Io`].
    pub fn write(&mut self, record: &[u8]) -> Result<(), SnapshotError> {
        if record.len() > RECORD_BYTES_MAX {
            return Err(SnapshotError::RecordTooLarge { length: record.len() });
        }
        let Some(left) = self.left.checked_sub(1) else {
            return Err(SnapshotError::WrongCount { path: self.path.clone(), missing: -1 });
        };
        self.left = left;
        self.put(&record_head(record))?;
        self.put(record)
    }

    /// Syncs the file and gives it its name; on return it survives a power cut.
    ///
    /// A failed sync is an error here and not the end of the process: nothing was acknowledged on the strength of
    /// this file, and the log still holds what it would have replaced.
    ///
    /// # Errors
    /// [`SnapshotError::WrongCount`] for fewer records than announced, [`SnapshotError::Io`].
    pub fn finish(mut self) -> Result<(), SnapshotError> {
        if self.left > 0 {
            let missing = i64::try_from(self.left).unwrap_or(i64::MAX);
            return Err(SnapshotError::WrongCount { path: self.path.clone(), missing });
        }
        self.put(&trailer(self.checksum))?;
        let io = |source| SnapshotError::Io { path: self.partial.clone(), source };
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(io)?;
        fs::rename(&self.partial, &self.path).map_err(io)?;
        self.finished = true;
        sync_dir(&self.dir).map_err(|source| SnapshotError::Io { path: self.dir.clone(), source })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        self.file.write_all(bytes).map_err(|source| SnapshotError::Io { path: self.partial.clone(), source })
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort: the next `prune` removes it otherwise.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// The bytes of a whole snapshot, for a store that keeps them in memory.
pub(crate) fn in_memory(index: u64, count: u64, records: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = header(index, count);
    for record in records {
        bytes.extend_from_slice(&record_head(&record));
        bytes.extend_from_slice(&record);
    }
    let trailer = trailer(crc32c::crc32c(&bytes));
    bytes.extend_from_slice(&trailer);
    bytes
}

fn header(index: u64, count: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.push(VERSION);
    header.extend_from_slice(&index.to_be_bytes());
    header.extend_from_slice(&count.to_be_bytes());
    header.extend_from_slice(&crc32c::crc32c(&header).to_be_bytes());
    header
}

/// Length and checksum that stand before a record.
fn record_head(record: &[u8]) -> [u8; 8] {
    let length = (record.len() as u32).to_be_bytes();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&length), record).to_be_bytes();
    two(length, checksum)
}

fn trailer(checksum: u32) -> [u8; 8] {
    two(TRAILER_LENGTH.to_be_bytes(), checksum.to_be_bytes())
}

fn two(first: [u8; 4], second: [u8; 4]) -> [u8; 8] {
    let mut both = [0; 8];
    both[..4].copy_from_slice(&first);
    both[4..].copy_from_slice(&second);
    both
}

/// What a snapshot's bytes are read from.
enum Source {
    File(BufReader<File>),
    Memory(io::Cursor<std::sync::Arc<Vec<u8>>>),
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(out),
            Self::Memory(bytes) => {
                let at = usize::try_from(bytes.position()).unwrap_or(usize::MAX);
                let read = bytes.get_ref().get(at..).map_or(Ok(0), |mut rest| rest.read(out))?;
                bytes.set_position(bytes.position() + read as u64);
                Ok(read)
            }
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Memory(_) => "Memory",
        })
    }
}

/// A snapshot being read.
#[derive(Debug)]
pub struct SnapshotReader {
    file: Source,
    path: PathBuf,
    index: u64,
    count: u64,
    read: u64,
    offset: u64,
    checksum: u32,
    ended: bool,
}

impl SnapshotReader {
    /// Opens a snapshot file and checks its header.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`], [`SnapshotError::Io`].
    pub fn open(path: &Path) -> Result<SnapshotReader, SnapshotError> {
        let file = File::open(path).map_err(|source| SnapshotError::Io { path: path.to_owned(), source })?;
        Self::read_from(Source::File(BufReader::with_capacity(1 << 18, file)), path.to_owned())
    }

    /// Reads a snapshot whose bytes are in memory, and checks its header.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`].
    pub fn from_memory(bytes: std::sync::Arc<Vec<u8>>) -> Result<SnapshotReader, SnapshotError> {
        Self::read_from(Source::Memory(io::Cursor::new(bytes)), PathBuf::from("(in memory)"))
    }

    fn read_from(file: Source, path: PathBuf) -> Result<SnapshotReader, SnapshotError> {
        let mut reader =
            SnapshotReader { file, path, index: 0, count: 0, read: 0, offset: 0, checksum: 0, ended: false };
        let magic: [u8; 7] = reader.take()?;
        let [version] = reader.take()?;
        if magic != *MAGIC {
            return Err(reader.damaged(0, "it does not begin as a snapshot does".to_owned()));
        }
        if version != VERSION {
            return Err(reader.damaged(7, format!("expected version {VERSION}, got {version}")));
        }
        reader.index = u64::from_be_bytes(reader.take()?);
        reader.count = u64::from_be_bytes(reader.take()?);
        let computed = reader.checksum;
        let stored = u32::from_be_bytes(reader.take()?);
        if stored != computed {
            return Err(
                reader.damaged(0, format!("the header's checksum is {stored:08x}, computed {computed:08x}"))
            );
        }
        Ok(reader)
    }

    /// The index of the last entry that the snapshot includes.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many records it holds.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The next record; nothing after the last one, when the whole file was found right.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] with the offset of the record, [`SnapshotError::Io`].
    pub fn next_record(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        if self.ended {
            return Ok(None);
        }
        let (start, whole) = (self.offset, self.checksum);
        let length_bytes: [u8; 4] = self.take()?;
        let length = u32::from_be_bytes(length_bytes);
        let stored = u32::from_be_bytes(self.take()?);
        if self.read == self.count {
            return self.end(start, length, stored, whole).map(|()| None);
        }
        if length as usize > RECORD_BYTES_MAX {
            return Err(self.damaged(
                start,
                format!("a record of {length} bytes, at most {RECORD_BYTES_MAX} are written"),
            ));
        }
        let mut record = vec![0; length as usize];
        self.fill(&mut record)?;
        let computed = crc32c::crc32c_append(crc32c::crc32c(&length_bytes), &record);
        if stored != computed {
            return Err(self
                .damaged(start, format!("the record's checksum is {stored:08x}, computed {computed:08x}")));
        }
        self.read += 1;
        Ok(Some(record))
    }

    fn end(&mut self, start: u64, length: u32, stored: u32, computed: u32) -> Result<(), SnapshotError> {
        if length != TRAILER_LENGTH {
            return Err(self.damaged(start, format!("expected the end after {} records", self.count)));
        }
        if stored != computed {
            return Err(
                self.damaged(start, format!("the file's checksum is {stored:08x}, computed {computed:08x}"))
            );
        }
        let after = self
            .file
            .read(&mut [0])
            .map_err(|source| SnapshotError::Io { path: self.path.clone(), source })?;
        if after != 0 {
            return Err(self.damaged(self.offset, "more bytes follow its end".to_owned()));
        }
        self.ended = true;
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let mut out = [0; N];
        self.fill(&mut out)?;
        Ok(out)
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), SnapshotError> {
        match self.file.read_exact(out) {
            Ok(()) => {
                self.checksum = crc32c::crc32c_append(self.checksum, out);
                self.offset += out.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged(self.offset, format!("expected {} more bytes, the file ends", out.len())))
            }
            Err(source) => Err(SnapshotError::Io { path: self.path.clone(), source }),
        }
    }

    pub(crate) fn damaged(&self, offset: u64, what: String) -> SnapshotError {
        SnapshotError::Damaged { path: self.path.clone(), offset, what }
    }
}

/// Why a snapshot could not be written, read or used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file is not what was written.
    #[error("snapshot {}: damaged at offset {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from the start.
        offset: u64,
        /// What was expected and what was found.
        what: String,
    },
    /// The log does not continue from the newest snapshot that can be used.
    #[error(
        "snapshots in {}: the newest whole one ends at entry {from}, the log begins at entry {log_first}: what lies between \
         is lost here{refused}; hint: restore this node from a backup or from the other nodes", dir.display()
    )]
    NotCovered {
        /// The directory.
        dir: PathBuf,
        /// The index of the snapshot that is left; 0 when none is.
        from: u64,
        /// The oldest entry of the log.
        log_first: u64,
        /// What was wrong with newer ones, each in a sentence.
        refused: String,
    },
    /// The snapshot knows more than the log.
    #[error(
        "snapshot {}: it includes entry {index}, the log ends at entry {log_last}: entries after the snapshot may be \
         lost; hint: was the log's directory replaced? restore this node from a backup or from the other nodes", path.display()
    )]
    AheadOfLog {
        /// The file.
        path: PathBuf,
        /// The snapshot's index.
        index: u64,
        /// The newest entry of the log.
        log_last: u64,
    },
    /// The caller gave a record above [`RECORD_BYTES_MAX`].
    #[error("snapshot: a record of {length} bytes, at most {RECORD_BYTES_MAX} are taken")]
    RecordTooLarge {
        /// Its bytes.
        length: usize,
    },
    /// The caller announced another number of records.
    #[error("snapshot {}: {missing} records fewer than announced", path.display())]
    WrongCount {
        /// The file.
        path: PathBuf,
        /// How many are missing; negative for too many.
        missing: i64,
    },
    /// The system refused.
    #[error("snapshot {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn index_in_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

fn sentences(refused: &[SnapshotError]) -> String {
    refused.iter().map(|error| format!("; {error}")).collect()
}
