//! Proving a backup: everything is read, and every key's material is opened once.

use std::path::Path;

use kms_core::{Object, Record};

use super::error::BackupError;
use super::format::Manifest;
use super::read::Reader;
use crate::root_key::RootKey;
use crate::seal::{Added, Opener, SealContext, SealError};

/// Reads a backup to its end and opens the material of each key in it; what it says of itself is then true.
///
/// # Errors
/// [`BackupError`], in words: whatever [`Reader`] refuses, a key that cannot be opened, a record that is none.
pub fn verify(path: &Path, root: &RootKey) -> Result<Manifest, BackupError> {
    check(path, root, |_| {})
}

/// The same, and shows each record on the way.
pub(super) fn check(
    path: &Path,
    root: &RootKey,
    mut look: impl FnMut(&Record),
) -> Result<Manifest, BackupError> {
    let mut reader = Reader::open(path, root)?;
    let mut opener = Opener::default();
    for (version, wrapped) in reader.data_keys() {
        let added = opener.add(root, *version, wrapped);
        if !matches!(added, Ok(Added::New)) {
            return Err(BackupError::Record {
                path: path.to_owned(),
                what: format!("data key {version}"),
                why: "the root key does not unwrap it".to_owned(),
            });
        }
    }
    while let Some(bytes) = reader.next_record()? {
        let record = Record::decode(&bytes).map_err(|error| BackupError::Record {
            path: path.to_owned(),
            what: "a record".to_owned(),
            why: error.to_string(),
        })?;
        if let Record::Object(object) = &record {
            opens(&opener, object).map_err(|error| unreadable(path, &object.id.to_string(), &error))?;
        }
        look(&record);
    }
    Ok(reader.manifest().clone())
}

/// Opens an object's material, if it has any; says whether there was.
pub(super) fn opens(opener: &Opener, object: &Object) -> Result<bool, SealError> {
    let Some(sealed) = &object.material else { return Ok(false) };
    let id = object.id.to_string();
    let about =
        SealContext { id: &id, object_type: object.object_type.number(), tenant: object.tenant.as_str() };
    opener.open_sealed(&about, sealed).map(|_| true)
}

fn unreadable(path: &Path, id: &str, error: &SealError) -> BackupError {
    BackupError::Unreadable { path: path.to_owned(), id: id.to_owned(), why: error.to_string() }
}
