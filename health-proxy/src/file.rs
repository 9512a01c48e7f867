//! Reading files that an operator names, bounded, and refusing secrets that others can read.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Bytes of a certificate, key or configuration file; larger ones are refused unread.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Who may use a secret file besides its owner: its group may read it, no more.
const FORBIDDEN_MODE: u32 = 0o037;

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
    let failed = |error| FileError::Read { path: path.to_owned(), error };
    let mut bytes = Zeroizing::new(Vec::new());
    // A device or pipe says it has no bytes and then gives them without end.
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 {
        0..=FILE_BYTES_MAX => Ok(bytes),
        _ => Err(FileError::TooLarge { path: path.to_owned() }),
    }
}

/// Reads a file with a private key; refuses one that others may read.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let metadata =
        std::fs::metadata(path).map_err(|error| FileError::Read { path: path.to_owned(), error })?;
    let mode = metadata.permissions().mode() & 0o7777;
    match mode & FORBIDDEN_MODE {
        0 => read(path),
        _ => Err(FileError::OpenToOthers { path: path.to_owned(), mode }),
    }
}
