//! Files on disk, whole or not at all: written and synced under another name, then put in place.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use certs::Existing;

/// Its owner alone.
pub(crate) const PRIVATE: u32 = 0o600;
/// Everyone may read it.
pub(crate) const PUBLIC: u32 = 0o644;

/// Writes a file under its name in one step, with this mode whatever the umask says.
pub(crate) fn write(path: &Path, content: &[u8], mode: u32, existing: Existing) -> anyhow::Result<()> {
    let name = path.file_name().with_context(|| format!("{} has no file name", path.display()))?;
    let temporary = path.with_file_name(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let put = || {
        write_synced(&temporary, content, mode)?;
        match existing {
            Existing::Replace => fs::rename(&temporary, path)?,
            // A link, unlike a rename, fails when the name is taken.
            Existing::Refuse => fs::hard_link(&temporary, path)?,
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    };
    let put: io::Result<()> = put();
    // Nothing is left under this name after a rename; else it is ours to remove.
    let _ = fs::remove_file(&temporary);
    match put {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
            "{} is there already and is kept. hint: move it away first if it is really to be replaced",
            path.display()
        ),
        put => put.with_context(|| format!("writing {}", path.display())),
    }
}

fn write_synced(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(PRIVATE).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes a directory, and those above it, that only its owner may enter. One that is there keeps its mode.
pub(crate) fn private_directory(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("making the directory {}", path.display()))
}

/// Reads a text file that a person gave; at most [`certs::PEM_BYTES_MAX`].
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    let length = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    if length > certs::PEM_BYTES_MAX as u64 {
        bail!("{} has {length} bytes, at most {} are read", path.display(), certs::PEM_BYTES_MAX);
    }
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        write(&path, b"first", PRIVATE, Existing::Refuse).unwrap();
        let error = write(&path, b"second", PRIVATE, Existing::Refuse).unwrap_err().to_string();
        assert!(error.contains("is kept"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_private_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        write(&path, b"x", PRIVATE, Existing::Replace).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
    }
}
