//! An entry in pieces: the keys under which they lie, and putting them together again.

use super::record::{HEAD_BYTES, Head, Kind, LogId, PIECE_KIND, VERSION};

/// The most bytes of one stored value. A leaf splits above 16 values and can reach about 20 by merging with a
/// neighbour, 160 KiB of the 256 KiB that a message may have.
pub(super) const PIECE_BYTES: usize = 8 << 10;

/// Bytes of the head of a further piece: log(16) version(1) kind(1) index(8) sequence(8) piece(4) length(4), and CRC-32C
/// of these and the piece's bytes(4).
pub(super) const PIECE_HEAD_BYTES: usize = 46;
const PIECE_CHECKED_BYTES: usize = PIECE_HEAD_BYTES - 4;

const ENTRY_PREFIX: u8 = 1;

/// Which piece of which write this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PieceHead {
    pub(super) index: u64,
    /// The number of the write, as in the entry's head.
    pub(super) sequence: u64,
    /// Counted from 1: piece 0 has the entry's head.
    pub(super) piece: u32,
}

impl PieceHead {
    /// The head and the piece behind it.
    pub(super) fn seal(&self, id: &LogId, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(PIECE_HEAD_BYTES + bytes.len());
        out.extend_from_slice(id);
        out.extend_from_slice(&[VERSION, PIECE_KIND]);
        out.extend_from_slice(&self.index.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.piece.to_be_bytes());
        out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&out), bytes);
        out.extend_from_slice(&checksum.to_be_bytes());
        out.extend_from_slice(bytes);
        out
    }

    /// Takes a head and its piece from the front of `value`, which may go on behind them.
    pub(super) fn open<'a>(id: &LogId, value: &'a [u8]) -> Result<(PieceHead, &'a [u8]), String> {
        let Some((head, rest)) = value.split_first_chunk::<PIECE_HEAD_BYTES>() else {
            return Err(format!("expected a piece's head of {PIECE_HEAD_BYTES} bytes, got {}", value.len()));
        };
        let (checked, stored) = head.split_at(PIECE_CHECKED_BYTES);
        if !checked.starts_with(id) || checked[16..18] != [VERSION, PIECE_KIND] {
            return Err("a piece does not begin as this log's do".to_owned());
        }
        let number = |at: usize, bytes: usize| {
            checked[at..at + bytes].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let Some(bytes) = rest.get(..number(38, 4) as usize) else {
            return Err(format!("expected a piece of {} bytes, found {}", number(38, 4), rest.len()));
        };
        let computed = crc32c::crc32c_append(crc32c::crc32c(checked), bytes);
        if *stored != computed.to_be_bytes() {
            return Err(format!("a piece's checksum is {}, computed {computed:08x}", hex::encode(stored)));
        }
        let head = PieceHead { index: number(18, 8), sequence: number(26, 8), piece: number(34, 4) as u32 };
        Ok((head, bytes))
    }
}

/// An entry whose pieces are being gathered.
pub(super) struct Assembly {
    pub(super) head: Head,
    pub(super) head_bytes: [u8; HEAD_BYTES],
    pub(super) payload: Vec<u8>,
    next_piece: u32,
}

impl Assembly {
    pub(super) fn begin(id: &LogId, index: u64, value: &[u8]) -> Result<Assembly, String> {
        let head = Head::parse(id, value)?;
        let Some((head_bytes, start)) = value.split_first_chunk::<HEAD_BYTES>() else {
            return Err(format!("expected a head of {HEAD_BYTES} bytes, got {}", value.len()));
        };
        if head.kind != Kind::Entry || head.index != index {
            return Err(format!("its place holds {:?} {}", head.kind, head.index));
        }
        let mut assembly = Assembly { head, head_bytes: *head_bytes, payload: Vec::new(), next_piece: 1 };
        assembly.take(start)?;
        Ok(assembly)
    }

    pub(super) fn add(&mut self, id: &LogId, piece: u32, value: &[u8]) -> Result<(), String> {
        if piece != self.next_piece {
            return Err(format!("expected piece {}, found piece {piece}", self.next_piece));
        }
        self.next_piece += 1;
        // In version 1 only the first piece has a head.
        if self.head.version < VERSION {
            return self.take(value);
        }
        let expected = PieceHead { index: self.head.index, sequence: self.head.sequence, piece };
        let (head, bytes) = PieceHead::open(id, value)?;
        if head != expected || PIECE_HEAD_BYTES + bytes.len() != value.len() {
            return Err(format!("expected {expected:?}, found {head:?}"));
        }
        self.take(bytes)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.payload.len() + bytes.len() > self.head.length as usize {
            return Err(format!("expected {} bytes, found more", self.head.length));
        }
        self.payload.extend_from_slice(bytes);
        Ok(())
    }
}

/// Keys sort as the entries do.
pub(super) fn entry_key(index: u64, piece: u32) -> [u8; 13] {
    let mut key = [ENTRY_PREFIX; 13];
    key[1..9].copy_from_slice(&index.to_be_bytes());
    key[9..].copy_from_slice(&piece.to_be_bytes());
    key
}

/// The entry and piece that a key names, if it is one of an entry.
pub(super) fn parse_entry_key(key: &[u8]) -> Option<(u64, u32)> {
    let Ok([ENTRY_PREFIX, i0, i1, i2, i3, i4, i5, i6, i7, p0, p1, p2, p3]) = <[u8; 13]>::try_from(key) else {
        return None;
    };
    Some((u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]), u32::from_be_bytes([p0, p1, p2, p3])))
}
