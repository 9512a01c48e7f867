//! How the log's records look on disk, and the chain that gives away a missing one.
//!
//! Three kinds of record share one head: an entry, the metadata, and the mark (what was purged and
//! truncated). Every write takes the next sequence number. Each head also says which entry, metadata and
//! mark were the newest when it was written, and up to which number all was synced. So the newest record
//! found at start tells what else must be found, and any head on disk, even one that the store no longer
//! shows, tells up to where all must be there: the store below, sled, drops everything behind a damaged
//! message of its tail without a word.

use std::ops::Range;

/// A log's own random number, in front of every head; a client cannot guess it and so cannot forge a head
/// inside the bytes it stores.
pub(super) type LogId = [u8; 16];

/// Version byte of the heads that are written. Since version 2 every further piece of an entry has a head of its own, so
/// that what is left of a damaged log can be put together without the store below.
pub(super) const VERSION: u8 = 2;
/// The oldest version that is read; older and newer ones are refused.
pub(super) const VERSION_MIN: u8 = 1;

/// Bytes of a head on disk.
pub(super) const HEAD_BYTES: usize = 82;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Entry = 1,
    Metadata = 2,
    Mark = 3,
}

/// The kind in the head of a further piece of an entry, which is no record.
pub(super) const PIECE_KIND: u8 = 4;

/// The sequence numbers of the newest of each kind; 0 for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) entry: u64,
    pub(super) metadata: u64,
    pub(super) mark: u64,
}

/// A record's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The version it was written by.
    pub(super) version: u8,
    pub(super) kind: Kind,
    /// The entry's index; 0 for the other kinds.
    pub(super) index: u64,
    /// Number of this write.
    pub(super) sequence: u64,
    /// Everything up to this number was synced before this write.
    pub(super) synced: u64,
    /// The newest of each kind just before this write.
    pub(super) before: Newest,
    /// Bytes of the payload.
    pub(super) length: u32,
    /// CRC-32C over the head's fields and the payload.
    pub(super) checksum: u32,
}

impl Head {
    /// Encodes a head for `payload`, filling in length and checksum.
    pub(super) fn seal(mut self, id: &LogId, payload: &[u8]) -> [u8; HEAD_BYTES] {
        self.length = payload.len() as u32;
        let mut out = [0u8; HEAD_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(id);
        put(&[self.version, self.kind as u8]);
        for number in [
            self.index,
            self.sequence,
            self.synced,
            self.before.entry,
            self.before.metadata,
            self.before.mark,
        ] {
            put(&number.to_be_bytes());
        }
        put(&self.length.to_be_bytes());
        // Bytes 70..74 hold room for the term of the replicated log; zero in version 1.
        put(&[0; 4]);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&out[..CHECKSUM.start]), payload);
        out[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        let own = crc32c::crc32c(&out[..OWN_CHECKSUM.start]);
        out[OWN_CHECKSUM].copy_from_slice(&own.to_be_bytes());
        out
    }

    /// Decodes a head; the error says what was expected and what was found.
    pub(super) fn parse(id: &LogId, bytes: &[u8]) -> Result<Head, String> {
        let Some(bytes) = bytes.first_chunk::<HEAD_BYTES>() else {
            return Err(format!("expected a head of {HEAD_BYTES} bytes, got {}", bytes.len()));
        };
        if bytes[..16] != *id {
            return Err("the head does not begin with this log's identity".to_owned());
        }
        let own = number32(bytes, OWN_CHECKSUM);
        let computed = crc32c::crc32c(&bytes[..OWN_CHECKSUM.start]);
        if own != computed {
            return Err(format!("the head's checksum is {own:08x}, computed {computed:08x}"));
        }
        if !(VERSION_MIN..=VERSION).contains(&bytes[16]) {
            return Err(format!("expected record version {VERSION_MIN} to {VERSION}, got {}", bytes[16]));
        }
        let kind = match bytes[17] {
            1 => Kind::Entry,
            2 => Kind::Metadata,
            3 => Kind::Mark,
            other => return Err(format!("unknown kind of record {other}")),
        };
        Ok(Head {
            version: bytes[16],
            kind,
            index: number64(bytes, 18),
            sequence: number64(bytes, 26),
            synced: number64(bytes, 34),
            before: Newest {
                entry: number64(bytes, 42),
                metadata: number64(bytes, 50),
                mark: number64(bytes, 58),
            },
            length: number32(bytes, 66..70),
            checksum: number32(bytes, CHECKSUM),
        })
    }

    /// Checks a payload against the head that `head_bytes` holds.
    pub(super) fn check(&self, head_bytes: &[u8], payload: &[u8]) -> Result<(), String> {
        if payload.len() != self.length as usize {
            return Err(format!("expected {} bytes, found {}", self.length, payload.len()));
        }
        let Some(covered) = head_bytes.get(..CHECKSUM.start) else {
            return Err(format!("expected a head of {HEAD_BYTES} bytes, got {}", head_bytes.len()));
        };
        let computed = crc32c::crc32c_append(crc32c::crc32c(covered), payload);
        if computed != self.checksum {
            return Err(format!("the checksum is {:08x}, computed {computed:08x}", self.checksum));
        }
        Ok(())
    }

    /// With this the newest write there is: whether `found` is all that must be there, and nothing synced is missing.
    pub(super) fn account(&self, found: &Newest, synced_before: u64) -> Result<(), String> {
        if self.sequence < synced_before {
            let newest = self.sequence;
            return Err(format!(
                "write {synced_before} was synced, the newest that can be read is write {newest}"
            ));
        }
        let expected = self.after();
        for (kind, expected, found) in [
            ("entry", expected.entry, found.entry),
            ("metadata", expected.metadata, found.metadata),
            ("mark", expected.mark, found.mark),
        ] {
            if expected != found {
                return Err(format!(
                    "the newest {kind} is write {expected}, the newest that can be read is write {found}"
                ));
            }
        }
        Ok(())
    }

    /// The newest of each kind just after this write.
    pub(super) fn after(&self) -> Newest {
        let mut newest = self.before;
        match self.kind {
            Kind::Entry => newest.entry = self.sequence,
            Kind::Metadata => newest.metadata = self.sequence,
            Kind::Mark => newest.mark = self.sequence,
        }
        newest
    }
}

const CHECKSUM: Range<usize> = 74..78;
const OWN_CHECKSUM: Range<usize> = 78..82;

/// What was removed: the mark's payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// All entries up to here were purged.
    pub(super) purged_to: u64,
    /// Entries from here on with a lower sequence number than the mark's were truncated; `u64::MAX` for none.
    pub(super) truncated_from: u64,
}

impl Mark {
    pub(super) fn encode(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.purged_to.to_be_bytes());
        out[8..].copy_from_slice(&self.truncated_from.to_be_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Mark, String> {
        match <&[u8; 16]>::try_from(bytes) {
            Ok(bytes) => Ok(Mark { purged_to: number64(bytes, 0), truncated_from: number64(bytes, 8) }),
            Err(_) => Err(format!("expected a mark of 16 bytes, found {}", bytes.len())),
        }
    }
}

fn number64<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(out)
}

fn number32<const N: usize>(bytes: &[u8; N], range: Range<usize>) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[range]);
    u32::from_be_bytes(out)
}
