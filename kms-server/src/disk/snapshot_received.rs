//! A snapshot that another node sends, piece by piece, into a file of its own name; it becomes a snapshot like any other
//! when all of it is there and was found right.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::sync_dir;
use super::{SnapshotError, SnapshotReader};

/// What the name of an unfinished one ends in. Another ending than that of a snapshot that this node writes itself, which
/// may be under way at the same time.
pub(super) const INCOMING: &str = ".incoming";

/// A snapshot that is coming in; dropped before [`adopt`](SnapshotReceiver::adopt) it leaves nothing behind.
#[derive(Debug)]
pub struct SnapshotReceiver {
    file: BufWriter<File>,
    dir: PathBuf,
    path: PathBuf,
    incoming: PathBuf,
    index: u64,
    adopted: bool,
}

impl SnapshotReceiver {
    pub(super) fn begin(dir: &Path, path: PathBuf, index: u64) -> Result<SnapshotReceiver, SnapshotError> {
        let mut name = path.clone().into_os_string();
        name.push(INCOMING);
        let incoming = PathBuf::from(name);
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&incoming)
            .map_err(|source| SnapshotError::Io { path: incoming.clone(), source })?;
        let file = BufWriter::with_capacity(1 << 18, file);
        Ok(SnapshotReceiver { file, dir: dir.to_owned(), path, incoming, index, adopted: false })
    }

    /// Adds the next bytes of the file.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.file.write_all(bytes).map_err(|source| SnapshotError::Io { path: self.incoming.clone(), source })
    }

    /// Checks the whole file, syncs it and gives it its name; on return it survives a power cut.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] for anything but a whole snapshot of the announced index, [`SnapshotError::Io`].
    pub fn adopt(mut self) -> Result<(), SnapshotError> {
        let io = |source| SnapshotError::Io { path: self.incoming.clone(), source };
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(io)?;
        let mut reader = SnapshotReader::open(&self.incoming)?;
        if reader.index() != self.index {
            let what = format!("expected index {}, the header says {}", self.index, reader.index());
            return Err(reader.damaged(0, what));
        }
        while reader.next_record()?.is_some() {}
        fs::rename(&self.incoming, &self.path).map_err(io)?;
        self.adopted = true;
        sync_dir(&self.dir).map_err(|source| SnapshotError::Io { path: self.dir.clone(), source })
    }
}

impl Drop for SnapshotReceiver {
    fn drop(&mut self) {
        if !self.adopted {
            // Best effort: the next one to come in, or the next start, removes it otherwise.
            let _ = fs::remove_file(&self.incoming);
        }
    }
}
