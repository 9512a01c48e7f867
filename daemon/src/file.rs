//! Reading files that an operator names, bounded, and secrets that others can read. What is said of it is the program's.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

/// Bytes of a certificate, key or configuration file.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Whom a secret file may be open to besides its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openness {
    /// Nobody: 0600 or less.
    OwnerOnly,
    /// The owner's group may read: 0640 or less.
    GroupMayRead,
}

/// Reads a file; none when it has more than [`FILE_BYTES_MAX`].
///
/// # Errors
/// What the system says.
pub fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    // A device or pipe says it has no bytes and then gives them without end.
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= FILE_BYTES_MAX).then_some(bytes))
}

/// The permission bits of a file that others may use more than `openness` allows; none of one that is well kept.
///
/// # Errors
/// What the system says, such as that it is not there.
pub fn too_open(path: &Path, openness: Openness) -> io::Result<Option<u32>> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
    let forbidden = match openness {
        Openness::OwnerOnly => 0o077,
        Openness::GroupMayRead => 0o037,
    };
    Ok((mode & forbidden != 0).then_some(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, vec![7; FILE_BYTES_MAX as usize]).unwrap();
        assert_eq!(read(&path).unwrap().map(|bytes| bytes.len() as u64), Some(FILE_BYTES_MAX));
        fs::write(&path, vec![7; FILE_BYTES_MAX as usize + 1]).unwrap();
        assert!(read(&path).unwrap().is_none());
        assert!(read(Path::new("/dev/zero")).unwrap().is_none());
    }

    #[test]
    fn a_secret_that_others_can_use_is_told_by_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "").unwrap();
        for (mode, owner_only, group_may_read) in [
            (0o600, None, None),
            (0o640, Some(0o640), None),
            (0o660, Some(0o660), Some(0o660)),
            (0o644, Some(0o644), Some(0o644)),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(too_open(&path, Openness::OwnerOnly).unwrap(), owner_only);
            assert_eq!(too_open(&path, Openness::GroupMayRead).unwrap(), group_may_read);
        }
        assert!(too_open(&dir.path().join("absent"), Openness::OwnerOnly).is_err());
    }
}
