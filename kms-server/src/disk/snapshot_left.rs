//! What is left of a snapshot, however damaged: each record has a checksum of its own, so a bad one costs itself alone.
//! For salvage; a node never starts from this.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::snapshot::{HEADER_BYTES, RECORD_BYTES_MAX, SnapshotReader, TRAILER_LENGTH};

/// Bytes looked at in one go while the next whole record is searched.
const WINDOW_BYTES: usize = 64 << 10;
/// Bytes in front of a record: length and checksum.
const RECORD_HEAD_BYTES: usize = 8;
/// Bytes of a record that say whether one may begin.
const BEGIN_BYTES: usize = 8;

/// What was found of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotLeft {
    /// Whether the file is as it was written.
    pub whole: bool,
    /// Records that were handed out.
    pub records: u64,
    /// Records that it was written with, where its header can still be read.
    pub announced: Option<u64>,
    /// Places at which records cannot be read; each may have held many.
    pub damaged: u64,
}

/// Hands out every record of the file whose checksum fits; `begins` says whether a record may begin with 8 such bytes.
///
/// # Errors
/// What the system said about the file.
pub fn read_snapshot_left(
    path: &Path,
    begins: impl Fn(&[u8]) -> bool,
    mut take: impl FnMut(Vec<u8>),
) -> io::Result<SnapshotLeft> {
    let announced = SnapshotReader::open(path).ok().map(|reader| reader.count());
    if is_whole(path) {
        let mut reader = SnapshotReader::open(path).map_err(io::Error::other)?;
        let mut records = 0;
        while let Some(record) = reader.next_record().map_err(io::Error::other)? {
            take(record);
            records += 1;
        }
        return Ok(SnapshotLeft { whole: true, records, announced, damaged: 0 });
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let (mut records, mut damaged, mut offset) = (0, 0, HEADER_BYTES as u64);
    let mut lost = false;
    while offset < length {
        if let Some(record) = record_at(&file, length, offset)? {
            offset += (RECORD_HEAD_BYTES + record.len()) as u64;
            take(record);
            (records, lost) = (records + 1, false);
            continue;
        }
        if is_trailer(&file, length, offset) {
            break;
        }
        damaged += u64::from(!lost);
        lost = true;
        match next_begin(&file, offset + 1, &begins)? {
            Some(next) => offset = next,
            None => break,
        }
    }
    Ok(SnapshotLeft { whole: false, records, announced, damaged })
}

fn is_whole(path: &Path) -> bool {
    let Ok(mut reader) = SnapshotReader::open(path) else { return false };
    loop {
        match reader.next_record() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// The record whose head stands at `offset`, if its checksum fits.
fn record_at(file: &File, file_bytes: u64, offset: u64) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; RECORD_HEAD_BYTES];
    if offset + RECORD_HEAD_BYTES as u64 > file_bytes {
        return Ok(None);
    }
    file.read_exact_at(&mut head, offset)?;
    let [l0, l1, l2, l3, checksum @ ..] = head;
    let length = u32::from_be_bytes([l0, l1, l2, l3]);
    let end = offset + RECORD_HEAD_BYTES as u64 + u64::from(length);
    if length as usize > RECORD_BYTES_MAX || end > file_bytes {
        return Ok(None);
    }
    let mut record = vec![0; length as usize];
    file.read_exact_at(&mut record, offset + RECORD_HEAD_BYTES as u64)?;
    let computed = crc32c::crc32c_append(crc32c::crc32c(&length.to_be_bytes()), &record);
    Ok((checksum == computed.to_be_bytes()).then_some(record))
}

fn is_trailer(file: &File, file_bytes: u64, offset: u64) -> bool {
    let mut length = [0; 4];
    offset + RECORD_HEAD_BYTES as u64 == file_bytes
        && file.read_exact_at(&mut length, offset).is_ok()
        && u32::from_be_bytes(length) == TRAILER_LENGTH
}

/// Where, from `from` on, the next head of a record may stand.
fn next_begin(file: &File, from: u64, begins: impl Fn(&[u8]) -> bool) -> io::Result<Option<u64>> {
    let mut window = vec![0; WINDOW_BYTES];
    let mut offset = from;
    loop {
        let read = file.read_at(&mut window, offset)?;
        let found = window[..read].windows(RECORD_HEAD_BYTES + BEGIN_BYTES);
        if let Some(at) = found.into_iter().position(|bytes| begins(&bytes[RECORD_HEAD_BYTES..])) {
            return Ok(Some(offset + at as u64));
        }
        let Some(advance) = read.checked_sub(RECORD_HEAD_BYTES + BEGIN_BYTES - 1).filter(|step| *step > 0)
        else {
            return Ok(None);
        };
        offset += advance as u64;
    }
}
