//! What is left of a backup, however damaged: every chunk that is whole, and in it every item that is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::cipher::{BackupKey, WRAPPED_BYTES};
use super::error::BackupError;
use super::format::{
    FIRST_BYTES, Item, MANIFEST_BYTES_MAX, NONE_BEGINS, SEAL_BYTES, SEALED_CHUNK_BYTES, START_BYTES,
    TRAILER_BYTES,
};
use super::read::{Trailer, chunk_offset, io};
use super::report::SourceReport;
use crate::root_key::RootKey;

/// Hands out every item that can be read, data keys among them twice.
///
/// # Errors
/// What the system said about the file. That nothing can be read is not an error but in the report.
pub(super) fn read(
    path: &Path,
    root: &RootKey,
    mut take: impl FnMut(Item),
) -> Result<SourceReport, BackupError> {
    let mut report = SourceReport::new(path, "backup");
    let mut file = File::open(path).map_err(io(path, "opening it"))?;
    let length = file.metadata().map_err(io(path, "looking at it"))?.len();
    let trailer = Trailer::read(&mut file, path, length).ok();
    if trailer.is_none() {
        report.note("its end is missing or changed".to_owned());
    }
    let ends = trailer.is_some();
    let body_end = length - trailer.as_ref().map_or(0, |_| TRAILER_BYTES as u64);
    // Either copy of the backup key may be the damaged one, and so may be what says where the chunks begin.
    let at_end = trailer.as_ref().map(|trailer| (trailer.header_bytes, trailer.wrapped));
    let candidates: Vec<_> = at_end.into_iter().chain(header(&file)).collect();
    let Some(key) = candidates.iter().find_map(|(_, wrapped)| BackupKey::unwrap(root, wrapped)) else {
        report.note("its key cannot be unwrapped: damaged, or made under another root key".to_owned());
        report.damaged += 1;
        return Ok(report);
    };
    let reads = |header_bytes: &u64| {
        let chunks = Chunks { file: &file, key: &key, header_bytes: *header_bytes, body_end, ends };
        (0..chunks.count()).any(|number| matches!(chunks.read(number), Ok(Some(_))))
    };
    let Some(header_bytes) = candidates.iter().map(|(bytes, _)| *bytes).find(reads) else {
        report.note("no chunk of it can be read".to_owned());
        report.damaged += 1;
        return Ok(report);
    };
    let chunks = Chunks { file: &file, key: &key, header_bytes, body_end, ends };
    let mut items = Items { plain: Vec::new(), joined: false };
    let mut read = 0;
    for number in 0..chunks.count() {
        match chunks.read(number).map_err(io(path, "reading it"))? {
            Some(chunk) => {
                read += 1;
                items.feed(&chunk, &mut take);
            }
            None => {
                report.damaged += 1;
                items.joined = false;
            }
        }
    }
    let count = trailer.map_or(chunks.count(), |trailer| trailer.chunks);
    report.damaged = report.damaged.max(count.saturating_sub(read));
    report.read(format!("{read} of {count} chunks"));
    Ok(report)
}

/// Length of the header and the wrapped key in it, whether or not the header is as it was written.
fn header(file: &File) -> Option<(u64, [u8; WRAPPED_BYTES])> {
    let mut start = [0; START_BYTES];
    file.read_exact_at(&mut start, 0).ok()?;
    let manifest_bytes = u32::from_be_bytes(*start.last_chunk()?) as usize;
    if manifest_bytes > MANIFEST_BYTES_MAX {
        return None;
    }
    let mut wrapped = [0; WRAPPED_BYTES];
    file.read_exact_at(&mut wrapped, (START_BYTES + manifest_bytes) as u64).ok()?;
    Some(((START_BYTES + manifest_bytes + SEAL_BYTES) as u64, wrapped))
}

struct Chunks<'a> {
    file: &'a File,
    key: &'a BackupKey,
    header_bytes: u64,
    body_end: u64,
    /// Whether the last chunk is known to end at `body_end`.
    ends: bool,
}

impl Chunks<'_> {
    fn count(&self) -> u64 {
        self.body_end.saturating_sub(self.header_bytes).div_ceil(SEALED_CHUNK_BYTES as u64)
    }

    /// A chunk, if it is whole.
    fn read(&self, number: u64) -> io::Result<Option<Vec<u8>>> {
        let offset = chunk_offset(self.header_bytes, number);
        let length = self.body_end.saturating_sub(offset).min(SEALED_CHUNK_BYTES as u64);
        let mut sealed = vec![0; length as usize];
        self.file.read_exact_at(&mut sealed, offset)?;
        if let Some(chunk) = self.key.open(number, false, &sealed) {
            return Ok(Some(chunk));
        }
        // Where the end of the file is not to be trusted, something of it may stand behind the last chunk.
        let behind = if self.ends { 0 } else { TRAILER_BYTES.min(sealed.len()) };
        Ok((0..=behind).find_map(|cut| self.key.open(number, true, sealed.get(..sealed.len() - cut)?)))
    }
}

/// Items out of chunks, some of which may be missing.
struct Items {
    plain: Vec<u8>,
    /// Whether the next chunk continues `plain`.
    joined: bool,
}

impl Items {
    fn feed(&mut self, chunk: &[u8], take: &mut impl FnMut(Item)) {
        let Some((first, bytes)) = chunk.split_first_chunk::<FIRST_BYTES>() else { return };
        if self.joined {
            self.plain.extend_from_slice(bytes);
        } else {
            let first = u32::from_be_bytes(*first);
            if first == NONE_BEGINS {
                return;
            }
            self.plain = bytes.get(first as usize..).unwrap_or_default().to_vec();
            self.joined = true;
        }
        let mut at = 0;
        loop {
            match Item::decode(self.plain.get(at..).unwrap_or_default()) {
                Ok(Some((item, length))) => {
                    at += length;
                    take(item);
                }
                Ok(None) => break,
                // Authentic bytes that are no item: only a newer version writes them.
                Err(_) => {
                    self.joined = false;
                    break;
                }
            }
        }
        self.plain.drain(..at);
    }
}
