//! How a backup file looks.
//!
//! ```text
//! header   "KMSBKUP" version(1)  length of the manifest(4)  manifest, JSON
//!          backup key wrapped by the root key(60)  tag of the backup key over all before(16)  CRC-32C of all before(4)
//! chunk    encrypted(64 KiB), tag(16)                        each but the last, which may be shorter
//!            plain: where the first item begins in it(4; 0xffffffff: none does)  bytes of items
//! trailer  wrapped backup key again(60)  bytes of the header(4)  chunks(8)  SHA-256 of all before(32)  "KMSBKEND"
//! item     kind(1)  length(4)  bytes: a data key (version(4), wrapped by the root key), or a record of kms-core
//! ```
//! Numbers are big-endian. A chunk's number, and whether it is the last, are part of what its tag covers: none can be left
//! out, moved or added. What all else hangs on stands twice, so that one bad sector does not cost the whole: the backup key
//! in header and trailer, the data keys before and behind the records; and each chunk says where to begin when the one
//! before it cannot be read. Neither writing nor reading holds more than one item and one chunk in memory.

use serde::{Deserialize, Serialize};

use super::cipher::{TAG_BYTES, WRAPPED_BYTES};
use crate::certificate::utc;

/// The version of the format that is written; newer ones are refused by name.
pub const VERSION: u8 = 1;

/// Bytes of items in one chunk.
pub(super) const CHUNK_BYTES: usize = (64 << 10) - FIRST_BYTES;
/// Bytes of one chunk in the file, but of the last.
pub(super) const SEALED_CHUNK_BYTES: usize = FIRST_BYTES + CHUNK_BYTES + TAG_BYTES;
/// Bytes in front of a chunk's items.
pub(super) const FIRST_BYTES: usize = 4;
/// No item begins in the chunk.
pub(super) const NONE_BEGINS: u32 = u32::MAX;
/// The most bytes of a manifest; it names each data key.
pub(super) const MANIFEST_BYTES_MAX: usize = 1 << 20;
/// The most bytes one item may have, as in a snapshot.
pub(super) const ITEM_BYTES_MAX: usize = crate::disk::snapshot::RECORD_BYTES_MAX;
pub(super) const ITEM_HEAD_BYTES: usize = 5;
pub(super) const MAGIC: &[u8; 7] = b"KMSBKUP";
pub(super) const END: &[u8; 8] = b"KMSBKEND";
/// Bytes before the manifest.
pub(super) const START_BYTES: usize = 12;
/// Bytes of the header behind the manifest.
pub(super) const SEAL_BYTES: usize = WRAPPED_BYTES + TAG_BYTES + 4;
pub(super) const SHA_BYTES: usize = 32;
pub(super) const TRAILER_BYTES: usize = WRAPPED_BYTES + 4 + 8 + SHA_BYTES + END.len();

/// What a backup says of itself, readable without any key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// When it was made, in seconds since 1970.
    pub made_at: i64,
    /// The name of the node that made it.
    pub node: String,
    /// The number of that node in its cluster.
    pub number: u64,
    /// The last entry of the log that it holds.
    pub index: u64,
    /// How many objects it holds, destroyed ones counted.
    pub objects: u64,
    /// How many clients it holds.
    pub clients: u64,
    /// The versions of the data keys it holds, ascending.
    pub data_keys: Vec<u32>,
    /// Tells one root key from another, and nothing about either.
    pub root_key_check: String,
    /// The program that wrote it.
    pub server: String,
}

impl std::fmt::Display for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "made {} by {} (node {}) at entry {}: {} objects, {} clients, {} data keys",
            utc(self.made_at),
            self.node,
            self.number,
            self.index,
            self.objects,
            self.clients,
            self.data_keys.len()
        )
    }
}

/// One thing that a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A data key, wrapped by the root key.
    DataKey {
        /// Its version.
        version: u32,
        /// As the keyring exports it.
        wrapped: Vec<u8>,
    },
    /// A record of kms-core: an object or a client.
    Record(Vec<u8>),
}

const DATA_KEY: u8 = 1;
const RECORD: u8 = 2;

impl Item {
    /// Appends the item.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut put = |kind: u8, parts: &[&[u8]]| {
            out.push(kind);
            let length: usize = parts.iter().map(|part| part.len()).sum();
            out.extend_from_slice(&(length as u32).to_be_bytes());
            parts.iter().for_each(|part| out.extend_from_slice(part));
        };
        match self {
            Item::DataKey { version, wrapped } => put(DATA_KEY, &[&version.to_be_bytes(), wrapped]),
            Item::Record(bytes) => put(RECORD, &[bytes]),
        }
    }

    /// Reads the item that `bytes` begin with, and how long it is; nothing when more bytes are needed.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Item, usize)>, String> {
        let Some((head, rest)) = bytes.split_first_chunk::<ITEM_HEAD_BYTES>() else { return Ok(None) };
        let [kind, l0, l1, l2, l3] = *head;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if length > ITEM_BYTES_MAX {
            return Err(format!("an item of {length} bytes, at most {ITEM_BYTES_MAX} are written"));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let item = match (kind, body.split_first_chunk::<4>()) {
            (RECORD, _) => Item::Record(body.to_vec()),
            (DATA_KEY, Some((version, wrapped))) => {
                Item::DataKey { version: u32::from_be_bytes(*version), wrapped: wrapped.to_vec() }
            }
            (other, _) => return Err(format!("an item of unknown kind {other}")),
        };
        Ok(Some((item, ITEM_HEAD_BYTES + length)))
    }
}
