//! The files under sled: made, opened, scanned and synced in the order that a power cut asks for.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::log::LogError;
use super::record::{HEAD_BYTES, Head, LogId};
use super::{parent_of, replace_file, sync_dir};

/// Bytes of one sled segment; sled writes a message above `SEGMENT_BYTES / 4 - 52` as a separate file.
///
/// Must never change for an existing log: sled refuses to open with another size.
const SEGMENT_BYTES: usize = 1 << 20;

/// Memory for sled's page cache; the log is read only at start and when another node lags.
const CACHE_BYTES: u64 = 8 << 20;

const DATA_FILE: &str = "db";
const IDENTITY_FILE: &str = "identity";
/// Last byte of the identity file until the first mark is durable; from then on an empty log is a lost one.
const BEING_MADE: u8 = 0;
const IN_USE: u8 = 1;
/// What can be synced; a file, or in tests a file that fails.
pub(super) trait SyncData: Send {
    fn sync_data(&self) -> io::Result<()>;
}

impl SyncData for File {
    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// Makes sure that directory, data file and identity are there; says whether the log is being made.
pub(super) fn establish(dir: &Path, fresh_id: Option<LogId>) -> Result<(LogId, File, bool), LogError> {
    let io = |doing| move |source| LogError::Io { path: dir.to_owned(), doing, source };
    let broken = |what: &str| LogError::Broken { path: dir.to_owned(), what: what.to_owned() };
    let (data, identity) = (dir.join(DATA_FILE), dir.join(IDENTITY_FILE));
    if fresh_id.is_some() && !dir.exists() {
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
            let Some(fresh_id) = fresh_id else {
                return Err(broken("there is no log, and this node is not new"));
            };
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

/// Opens sled. Whoever calls has the directory to himself.
pub(super) fn open_sled(dir: &Path) -> Result<sled::Db, LogError> {
    remove_unfinished_snapshots(dir).map_err(|source| LogError::Io {
        path: dir.to_owned(),
        doing: "clearing unfinished files of sled",
        source,
    })?;
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

/// Removes `snap.*.generating`: what sled was writing when a start was killed, lost power or met a full disk.
///
/// sled writes under this name and renames, but skips another one (`.in___motion`) when it reads: it takes the half
/// file for its newest snapshot, and the whole log for damaged, for ever.
fn remove_unfinished_snapshots(dir: &Path) -> io::Result<()> {
    for file in fs::read_dir(dir)? {
        let file = file?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// Reads the raw data file for heads of this log, whether sled still shows them or not, and returns the highest
/// write number that any of them says was synced.
pub(super) fn scan(mut file: &File, id: &LogId) -> io::Result<u64> {
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

/// Notes that the first mark is durable.
pub(super) fn settle(dir: &Path, id: &LogId) -> Result<(), LogError> {
    replace_file(&dir.join(IDENTITY_FILE), &identity_bytes(id, IN_USE)).map_err(|source| LogError::Io {
        path: dir.to_owned(),
        doing: "writing the identity file",
        source,
    })
}
