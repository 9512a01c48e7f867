//! What is left of a log, however damaged: found in its raw file, without the store that wrote it.
//!
//! The store gives up a whole page for one bad bit, and everything behind a bad message of its tail. Its file is only
//! read here, never opened as a store, so nothing of it is changed: each entry and each piece of one begins with the log's
//! own identity and carries a checksum, so whatever is whole is found wherever it lies, also what the store had already
//! purged and not yet written over. For salvage alone; a node never starts from this.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::pieces::{PIECE_BYTES, PIECE_HEAD_BYTES, PieceHead};
use super::record::{HEAD_BYTES, Head, Kind, LogId, Mark, PIECE_KIND, VERSION, VERSION_MIN};

/// Bytes looked at in one go.
const WINDOW_BYTES: usize = 1 << 20;

/// What is left of a log.
#[derive(Debug)]
pub struct LogLeft {
    file: File,
    id: LogId,
    /// By index, the newest write that was not truncated, and where copies of its first piece lie.
    entries: BTreeMap<u64, Copies>,
    /// Where the further pieces lie.
    pieces: HashMap<(u64, u64, u32), u64>,
}

#[derive(Debug)]
struct Copies {
    sequence: u64,
    offsets: Vec<u64>,
}

impl LogLeft {
    /// Looks through the log in `dir`; changes nothing there.
    ///
    /// Where the file that names the log is gone, the name is taken from what most entries begin with.
    ///
    /// # Errors
    /// What the system said about the data file, or that nothing in it is of a log.
    pub fn read(dir: &Path) -> io::Result<LogLeft> {
        let file = File::open(dir.join("db"))?;
        let id =
            match fs::read(dir.join("identity")).ok().and_then(|bytes| bytes.first_chunk::<16>().copied()) {
                Some(id) => id,
                None => most_frequent_id(&file)?
                    .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "nothing in it is of a log"))?,
            };
        let mut left = LogLeft { file, id, entries: BTreeMap::new(), pieces: HashMap::new() };
        let mut marks = Vec::new();
        let file = left.file.try_clone()?;
        windows(&file, |offset, window| {
            if window.starts_with(&id) {
                left.note(offset, window, &mut marks);
            }
        })?;
        for (from, sequence) in marks {
            left.entries.retain(|index, copies| *index < from || copies.sequence > sequence);
        }
        // The same where the mark of a truncation is gone: writes are numbered, so an entry that was written before one that
        // stands before it was cut off, and its place never written anew.
        let mut newest = 0;
        left.entries.retain(|_, copies| {
            newest = newest.max(copies.sequence);
            copies.sequence == newest
        });
        Ok(left)
    }

    /// The indexes of the entries of which anything was found, ascending; there may be gaps.
    pub fn indexes(&self) -> impl Iterator<Item = u64> {
        let mut indexes: Vec<u64> = self.entries.keys().copied().collect();
        indexes.extend(self.pieces.keys().map(|(index, _, _)| *index));
        indexes.sort_unstable();
        indexes.dedup();
        indexes.into_iter()
    }

    /// An entry, if one copy of all its pieces is whole.
    pub fn entry(&self, index: u64) -> Option<Vec<u8>> {
        let copies = self.entries.get(&index)?;
        copies.offsets.iter().find_map(|offset| self.assemble(*offset).ok().flatten())
    }

    fn note(&mut self, offset: u64, window: &[u8], marks: &mut Vec<(u64, u64)>) {
        if window.get(17) == Some(&PIECE_KIND) {
            if let Ok((head, _)) = PieceHead::open(&self.id, window) {
                self.pieces.insert((head.index, head.sequence, head.piece), offset);
            }
            return;
        }
        let Ok(head) = Head::parse(&self.id, window) else { return };
        match head.kind {
            Kind::Metadata => {}
            Kind::Mark => {
                let payload = window.get(HEAD_BYTES..HEAD_BYTES + head.length as usize).unwrap_or_default();
                if let (Ok(()), Ok(mark)) = (head.check(window, payload), Mark::decode(payload))
                    && mark.truncated_from != u64::MAX
                {
                    marks.push((mark.truncated_from, head.sequence));
                }
            }
            Kind::Entry => {
                let copies = self
                    .entries
                    .entry(head.index)
                    .or_insert(Copies { sequence: head.sequence, offsets: Vec::new() });
                // A place of the log that was written anew is what the newest write says, even if that is damaged.
                if head.sequence > copies.sequence {
                    *copies = Copies { sequence: head.sequence, offsets: Vec::new() };
                }
                if head.sequence == copies.sequence {
                    copies.offsets.push(offset);
                }
            }
        }
    }

    fn assemble(&self, offset: u64) -> io::Result<Option<Vec<u8>>> {
        let mut head_bytes = [0; HEAD_BYTES];
        self.file.read_exact_at(&mut head_bytes, offset)?;
        let Ok(head) = Head::parse(&self.id, &head_bytes) else { return Ok(None) };
        let length = head.length as usize;
        if length > super::log::ENTRY_BYTES_MAX {
            return Ok(None);
        }
        let mut payload = vec![0; length.min(PIECE_BYTES - HEAD_BYTES)];
        self.file.read_exact_at(&mut payload, offset + HEAD_BYTES as u64)?;
        for piece in 1.. {
            if payload.len() >= length {
                break;
            }
            let Some(at) = self.pieces.get(&(head.index, head.sequence, piece)) else { return Ok(None) };
            let mut value = vec![0; (length - payload.len() + PIECE_HEAD_BYTES).min(PIECE_BYTES)];
            self.file.read_exact_at(&mut value, *at)?;
            match PieceHead::open(&self.id, &value) {
                Ok((_, bytes)) => payload.extend_from_slice(bytes),
                Err(_) => return Ok(None),
            }
        }
        Ok(head.check(&head_bytes, &payload).is_ok().then_some(payload))
    }
}

/// The identity that most heads in the file have.
fn most_frequent_id(file: &File) -> io::Result<Option<LogId>> {
    let mut found: HashMap<LogId, u64> = HashMap::new();
    windows(file, |_, window| {
        // Only a head's own checksum makes it one; what is cheap to see comes first.
        let plausible = window.get(16).is_some_and(|version| (VERSION_MIN..=VERSION).contains(version))
            && window.get(17).is_some_and(|kind| (1..=3).contains(kind))
            && window.get(70..74) == Some(&[0; 4]);
        if plausible
            && let Some(id) = window.first_chunk::<16>()
            && Head::parse(id, window).is_ok()
        {
            *found.entry(*id).or_default() += 1;
        }
    })?;
    Ok(found.into_iter().max_by_key(|(_, count)| *count).map(|(id, _)| id))
}

/// Shows what begins at each offset of the file: at least a whole piece, less only at the file's end.
fn windows(mut file: &File, mut look: impl FnMut(u64, &[u8])) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let (mut window, mut offset) = (Vec::with_capacity(WINDOW_BYTES + PIECE_BYTES), 0);
    loop {
        let ended = file.take(WINDOW_BYTES as u64).read_to_end(&mut window)? == 0;
        let keep = if ended { 0 } else { PIECE_BYTES.min(window.len()) };
        let done = window.len() - keep;
        for at in 0..done {
            look(offset + at as u64, &window[at..]);
        }
        window.drain(..done);
        offset += done as u64;
        if ended {
            return Ok(());
        }
    }
}
