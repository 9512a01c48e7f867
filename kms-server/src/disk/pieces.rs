//! An entry in pieces: the keys under which they lie, and putting them together again.

use super::record::{HEAD_BYTES, Head, Kind, LogId};

const ENTRY_PREFIX: u8 = 1;

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

    pub(super) fn add(&mut self, piece: u32, bytes: &[u8]) -> Result<(), String> {
        if piece != self.next_piece {
            return Err(format!("expected piece {}, found piece {piece}", self.next_piece));
        }
        self.next_piece += 1;
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
