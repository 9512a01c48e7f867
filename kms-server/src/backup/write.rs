//! Writing a backup: an iterator of pieces, for a file as for an HTTP body. Whoever takes them sets the pace.

use std::collections::VecDeque;
use std::{mem, vec};

use aws_lc_rs::digest::{Context, SHA256};
use kms_core::Record;

use super::cipher::{BackupKey, WRAPPED_BYTES, root_key_check};
use super::error::BackupError;
use super::format::{
    CHUNK_BYTES, END, FIRST_BYTES, ITEM_BYTES_MAX, ITEM_HEAD_BYTES, Item, MAGIC, MANIFEST_BYTES_MAX,
    Manifest, NONE_BEGINS, SHA_BYTES, VERSION,
};
use crate::root_key::RootKey;

/// What the maker says of a backup; the rest of the manifest follows from what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// When, in seconds since 1970.
    pub at: i64,
    /// The name of the node.
    pub node: String,
    /// Its number in the cluster.
    pub number: u64,
    /// The last entry of the log that the records hold.
    pub index: u64,
}

/// A backup being written: the pieces of the file in order, each of about 64 KiB.
///
/// After an error, or when it is dropped before its end, what was written is refused by every reader.
pub struct Backup {
    manifest: Manifest,
    key: BackupKey,
    wrapped: [u8; WRAPPED_BYTES],
    items: Box<dyn Iterator<Item = Item> + Send>,
    /// Items that wait for a chunk.
    waiting: Vec<u8>,
    /// Where items begin in `waiting`, ascending.
    begins: VecDeque<usize>,
    header_bytes: usize,
    chunks: u64,
    sha: Context,
    next: Next,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Header,
    Chunk,
    Trailer,
    Nothing,
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backup")
            .field("manifest", &self.manifest)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Backup {
    /// A backup of `records`, as they were at one index, under `root`.
    ///
    /// `data_keys` is what the keyring exports, taken after the records were: so no record can be sealed under a data
    /// key that is not among them. What belongs to the running cluster alone (answers, invitations, node numbers) is
    /// left out.
    ///
    /// # Errors
    /// [`BackupError::Unwritable`] when the manifest would exceed 1 MiB, or the cipher failed.
    pub fn new(
        root: &RootKey,
        made: Made,
        data_keys: Vec<(u32, Vec<u8>)>,
        records: Vec<Record>,
    ) -> Result<Backup, BackupError> {
        let Some((key, wrapped)) = BackupKey::random(root) else {
            return Err(unwritable("the cipher failed"));
        };
        let (mut objects, mut clients) = (0, 0);
        let mut records = records;
        records.retain(|record| {
            match record {
                Record::Object(_) => objects += 1,
                Record::Client(_) => clients += 1,
                Record::Event(_) | Record::Answer { .. } | Record::AnswersSeen { .. } => return false,
            }
            true
        });
        let manifest = Manifest {
            made_at: made.at,
            node: made.node,
            number: made.number,
            index: made.index,
            objects,
            clients,
            data_keys: data_keys.iter().map(|(version, _)| *version).collect(),
            root_key_check: root_key_check(root),
            server: concat!("kms-server ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        Ok(Backup {
            manifest,
            key,
            wrapped,
            items: Box::new(items(data_keys, records.into_iter())),
            waiting: Vec::with_capacity(2 * CHUNK_BYTES),
            begins: VecDeque::new(),
            header_bytes: 0,
            chunks: 0,
            sha: Context::new(&SHA256),
            next: Next::Header,
        })
    }

    /// What the backup says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn header(&mut self) -> Result<Vec<u8>, BackupError> {
        let manifest = serde_json::to_vec(&self.manifest)
            .map_err(|error| unwritable(&format!("the manifest: {error}")))?;
        if manifest.len() > MANIFEST_BYTES_MAX {
            return Err(unwritable(&format!("a manifest of {} bytes", manifest.len())));
        }
        let mut out = Vec::with_capacity(manifest.len() + 128);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&(manifest.len() as u32).to_be_bytes());
        out.extend_from_slice(&manifest);
        out.extend_from_slice(&self.wrapped);
        let Some(tag) = self.key.tag_header(&out) else { return Err(unwritable("the cipher failed")) };
        out.extend_from_slice(&tag);
        out.extend_from_slice(&crc32c::crc32c(&out).to_be_bytes());
        self.header_bytes = out.len();
        self.next = Next::Chunk;
        Ok(out)
    }

    fn chunk(&mut self) -> Result<Vec<u8>, BackupError> {
        let mut ended = false;
        while !ended && self.waiting.len() <= CHUNK_BYTES {
            match self.items.next() {
                Some(item) => {
                    let begin = self.waiting.len();
                    item.encode(&mut self.waiting);
                    let length = self.waiting.len() - begin - ITEM_HEAD_BYTES;
                    if length > ITEM_BYTES_MAX {
                        return Err(unwritable(&format!("a record of {length} bytes")));
                    }
                    self.begins.push_back(begin);
                }
                None => ended = true,
            }
        }
        let last = self.waiting.len() <= CHUNK_BYTES;
        let length = self.waiting.len().min(CHUNK_BYTES);
        let first = self.begins.front().copied().filter(|begin| *begin < length);
        let first = first.and_then(|begin| u32::try_from(begin).ok()).unwrap_or(NONE_BEGINS);
        let mut out = Vec::with_capacity(FIRST_BYTES + length + 16);
        out.extend_from_slice(&first.to_be_bytes());
        out.extend(self.waiting.drain(..length));
        self.begins.retain(|begin| *begin >= length);
        self.begins.iter_mut().for_each(|begin| *begin -= length);
        if self.key.seal(self.chunks, last, &mut out).is_none() {
            return Err(unwritable("the cipher failed"));
        }
        self.chunks += 1;
        if last {
            self.next = Next::Trailer;
        }
        Ok(out)
    }

    fn trailer(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(WRAPPED_BYTES + 12 + SHA_BYTES + END.len());
        out.extend_from_slice(&self.wrapped);
        out.extend_from_slice(&(self.header_bytes as u32).to_be_bytes());
        out.extend_from_slice(&self.chunks.to_be_bytes());
        self.sha.update(&out);
        let sha = mem::replace(&mut self.sha, Context::new(&SHA256)).finish();
        out.extend_from_slice(sha.as_ref());
        out.extend_from_slice(END);
        self.next = Next::Nothing;
        out
    }
}

impl Iterator for Backup {
    type Item = Result<Vec<u8>, BackupError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = match self.next {
            Next::Header => self.header(),
            Next::Chunk => self.chunk(),
            Next::Trailer => return Some(Ok(self.trailer())),
            Next::Nothing => return None,
        };
        match &piece {
            Ok(bytes) => self.sha.update(bytes),
            Err(_) => self.next = Next::Nothing,
        }
        Some(piece)
    }
}

/// The data keys, the records, and the data keys again: see [`format`](super::format).
fn items(
    data_keys: Vec<(u32, Vec<u8>)>,
    records: vec::IntoIter<Record>,
) -> impl Iterator<Item = Item> + Send {
    let keys = |keys: Vec<(u32, Vec<u8>)>| {
        keys.into_iter().map(|(version, wrapped)| Item::DataKey { version, wrapped })
    };
    let records = records.map(|record| {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        Item::Record(bytes)
    });
    keys(data_keys.clone()).chain(records).chain(keys(data_keys))
}

fn unwritable(what: &str) -> BackupError {
    BackupError::Unwritable { what: what.to_owned() }
}
