//! Certificates and keys on disk: whole or not at all, and private ones never readable by others, not even for
//! the moment between making a file and narrowing its mode.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use openssl::rand::rand_bytes;

use crate::error::{Error, while_doing};
use crate::key::PrivateKeyPem;

/// Mode of a private key: its owner alone.
const PRIVATE_MODE: u32 = 0o600;
/// Mode of a certificate: everyone may read it.
const PUBLIC_MODE: u32 = 0o644;

/// What to do with a file of that name that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Keep it and fail: a key that is overwritten is gone.
    Refuse,
    /// Put the new one in its place in one step.
    Replace,
}

/// Writes a private key, mode 0600.
///
/// The file has its full content on disk under its name, or the name is untouched: it is written and synced
/// under a temporary name in the same directory, moved, and the directory is synced.
pub fn write_private_key(path: &Path, key: &PrivateKeyPem, existing: Existing) -> Result<(), Error> {
    write(path, key.danger_expose().as_bytes(), PRIVATE_MODE, existing)
}

/// Writes certificates in PEM, mode 0644, in the same way.
pub fn write_certificate(path: &Path, pem: &str, existing: Existing) -> Result<(), Error> {
    write(path, pem.as_bytes(), PUBLIC_MODE, existing)
}

fn write(path: &Path, content: &[u8], mode: u32, existing: Existing) -> Result<(), Error> {
    let temporary = Temporary(temporary_name(path)?);
    let failed = |doing, at: &Path| {
        let path = at.to_owned();
        move |source| Error::Disk { doing, path, source }
    };
    write_synced(&temporary.0, content, mode).map_err(failed("writing", &temporary.0))?;
    match existing {
        Existing::Replace => fs::rename(&temporary.0, path).map_err(failed("putting in place", path))?,
        // A link, unlike a rename, fails when the name is taken, with nothing in between.
        Existing::Refuse => fs::hard_link(&temporary.0, path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::AlreadyThere { path: path.to_owned() },
            _ => failed("putting in place", path)(source),
        })?,
    }
    drop(temporary);
    let directory = directory_of(path);
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("syncing", directory))
}

fn write_synced(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_MODE).open(path)?;
    file.write_all(content)?;
    // Sets the mode whatever the umask took away.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// A file that is gone, under this name, when it is dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove; else it is private and its name says what it was.
        let _ = fs::remove_file(&self.0);
    }
}

fn temporary_name(path: &Path) -> Result<PathBuf, Error> {
    let mut random = [0; 8];
    rand_bytes(&mut random).map_err(while_doing("choosing a temporary name"))?;
    let name = path.file_name().ok_or_else(|| Error::Disk {
        doing: "writing",
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "it has no file name"),
    })?;
    Ok(directory_of(path).join(format!(".{}.{}.new", name.to_string_lossy(), hex::encode(random))))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
