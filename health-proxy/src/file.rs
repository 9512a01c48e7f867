//! Reading files that an operator names, and what is said of those that cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use daemon::file::{self, FILE_BYTES_MAX, Openness};
use zeroize::Zeroizing;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} has more than {FILE_BYTES_MAX} bytes; hint: is it the right file?", path.display())]
    TooLarge { path: PathBuf },
    #[error(
        "{} is open to others than its owner (mode {mode:04o}); hint: chmod 600 {}", path.display(), path.display()
    )]
    OpenToOthers { path: PathBuf, mode: u32 },
}

/// Reads a file, at most [`FILE_BYTES_MAX`].
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let bytes = file::read(path).map_err(|error| FileError::Read { path: path.to_owned(), error })?;
    bytes.ok_or_else(|| FileError::TooLarge { path: path.to_owned() })
}

/// Reads a file with a private key; refuses one that others than its owner's group may read.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    match file::too_open(path, Openness::GroupMayRead) {
        Ok(None) => read(path),
        Ok(Some(mode)) => Err(FileError::OpenToOthers { path: path.to_owned(), mode }),
        Err(error) => Err(FileError::Read { path: path.to_owned(), error }),
    }
}
