//! Reading a backup, piece by piece, and refusing whatever is not exactly what was written.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::mem;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::cipher::{BackupKey, TAG_BYTES, WRAPPED_BYTES, root_key_check};
use super::error::BackupError;
use super::format::{
    END, FIRST_BYTES, Item, MAGIC, MANIFEST_BYTES_MAX, Manifest, SEAL_BYTES, SEALED_CHUNK_BYTES, SHA_BYTES,
    START_BYTES, TRAILER_BYTES, VERSION,
};
use crate::root_key::RootKey;

/// A backup being read: first its data keys, then record after record. Holds one chunk and one record in memory.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    length: u64,
    header_bytes: u64,
    chunks: u64,
    manifest: Manifest,
    data_keys: Vec<(u32, Vec<u8>)>,
    key: BackupKey,
    sha: Sha,
    next_chunk: u64,
    /// Items that were decrypted and not yet handed out, from `at` on.
    plain: Vec<u8>,
    at: usize,
    /// The record behind the data keys, read while looking for their end.
    peeked: Option<Vec<u8>>,
    records: u64,
    /// Data keys found behind the records.
    data_keys_again: usize,
}

struct Sha(Context);

impl std::fmt::Debug for Sha {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sha")
    }
}

impl Reader {
    /// Opens a backup: its form, its header and its data keys are checked here, each record as it is read.
    ///
    /// # Errors
    /// [`BackupError`], each in words: empty, no backup, of a newer format, cut off, under another root key, changed.
    pub fn open(path: &Path, root: &RootKey) -> Result<Reader, BackupError> {
        let Start { mut file, length, header } = Start::read(path)?;
        let damaged = |offset: u64, what: &str| damaged(path, offset, what.to_owned());
        let header = header?;
        let trailer = Trailer::read(&mut file, path, length)?;
        let ours = root_key_check(root);
        if header.manifest.root_key_check != ours {
            return Err(BackupError::OtherRootKey {
                path: path.to_owned(),
                backup: header.manifest.root_key_check.clone(),
                ours,
                manifest: header.manifest.to_string(),
            });
        }
        let Some(key) = BackupKey::unwrap(root, &header.wrapped) else {
            return Err(damaged(header.bytes.len() as u64, "the backup key in the header does not unwrap"));
        };
        if !key.is_header(header.tagged(), &header.tag) {
            return Err(damaged(START_BYTES as u64, "the manifest is not what was written"));
        }
        let header_bytes = header.bytes.len() as u64;
        let body = length.saturating_sub(header_bytes + TRAILER_BYTES as u64);
        let chunks = body.div_ceil(SEALED_CHUNK_BYTES as u64);
        if trailer.header_bytes != header_bytes || trailer.wrapped != header.wrapped {
            return Err(damaged(length - TRAILER_BYTES as u64, "its end is not the end of this backup"));
        }
        if trailer.chunks != chunks {
            let what = format!("it was written with {} chunks, there is room for {chunks}", trailer.chunks);
            return Err(BackupError::Truncated { path: path.to_owned(), what });
        }
        file.seek(SeekFrom::Start(header_bytes)).map_err(io(path, "reading it"))?;
        let mut sha = Context::new(&SHA256);
        sha.update(&header.bytes);
        let mut reader = Reader {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 18, file),
            length,
            header_bytes,
            chunks,
            manifest: header.manifest,
            data_keys: Vec::new(),
            key,
            sha: Sha(sha),
            next_chunk: 0,
            plain: Vec::new(),
            at: 0,
            peeked: None,
            records: 0,
            data_keys_again: 0,
        };
        reader.read_data_keys()?;
        Ok(reader)
    }

    /// What the backup says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its data keys, wrapped by the root key, ascending by version.
    pub fn data_keys(&self) -> &[(u32, Vec<u8>)] {
        &self.data_keys
    }

    /// The next record of kms-core, an object or a client; nothing after the last one, when the whole file was found
    /// right.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] with the offset of the chunk, [`BackupError::Truncated`], [`BackupError::Io`].
    pub fn next_record(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        if let Some(record) = self.peeked.take() {
            return Ok(Some(record));
        }
        loop {
            match self.next_item()? {
                Some(Item::Record(_)) if self.data_keys_again > 0 => {
                    return Err(self.inside("a record stands behind the data keys"));
                }
                Some(Item::Record(record)) => {
                    self.records += 1;
                    return Ok(Some(record));
                }
                Some(Item::DataKey { version, wrapped }) => {
                    let first = self.data_keys.get(self.data_keys_again);
                    if first.is_none_or(|first| first.0 != version || first.1 != wrapped) {
                        return Err(self.inside("the data keys behind the records are not those before"));
                    }
                    self.data_keys_again += 1;
                }
                None => return self.check_counts().map(|()| None),
            }
        }
    }

    fn read_data_keys(&mut self) -> Result<(), BackupError> {
        loop {
            match self.next_item()? {
                Some(Item::DataKey { version, wrapped }) => {
                    if self.data_keys.last().is_some_and(|last| last.0 >= version) {
                        // Without a record between them, the second run of data keys follows at once.
                        self.data_keys_again = 1;
                        return Ok(());
                    }
                    self.data_keys.push((version, wrapped));
                }
                Some(Item::Record(record)) => {
                    self.peeked = Some(record);
                    self.records = 1;
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    fn check_counts(&self) -> Result<(), BackupError> {
        let announced = self.manifest.objects + self.manifest.clients;
        if self.records != announced {
            return Err(self.inside(&format!("expected {announced} records, found {}", self.records)));
        }
        let versions: Vec<u32> = self.data_keys.iter().map(|(version, _)| *version).collect();
        if versions != self.manifest.data_keys || self.data_keys_again != versions.len() {
            return Err(self.inside(&format!(
                "expected the data keys {:?} twice, found {versions:?} and {} again",
                self.manifest.data_keys, self.data_keys_again
            )));
        }
        Ok(())
    }

    fn next_item(&mut self) -> Result<Option<Item>, BackupError> {
        loop {
            let rest = self.plain.get(self.at..).unwrap_or_default();
            match Item::decode(rest) {
                Ok(Some((item, length))) => {
                    self.at += length;
                    return Ok(Some(item));
                }
                Ok(None) if self.next_chunk < self.chunks => {
                    self.plain.drain(..self.at);
                    self.at = 0;
                    self.read_chunk()?;
                }
                Ok(None) if rest.is_empty() => return Ok(None),
                Ok(None) => return Err(self.inside("the last item is cut")),
                Err(what) => return Err(self.inside(&what)),
            }
        }
    }

    fn read_chunk(&mut self) -> Result<(), BackupError> {
        let number = self.next_chunk;
        let offset = chunk_offset(self.header_bytes, number);
        let last = number + 1 == self.chunks;
        let left = (self.length - TRAILER_BYTES as u64).saturating_sub(offset);
        let mut sealed = vec![0; left.min(SEALED_CHUNK_BYTES as u64) as usize];
        self.file.read_exact(&mut sealed).map_err(io(&self.path, "reading it"))?;
        self.sha.0.update(&sealed);
        let Some(chunk) = self.key.open(number, last, &sealed) else {
            if self.key.open(number, !last, &sealed).is_some() {
                let what = format!("chunk {} is there, what followed it is not", number + 1);
                return Err(BackupError::Truncated { path: self.path.clone(), what });
            }
            let what = format!("chunk {} of {} is not what was written there", number + 1, self.chunks);
            return Err(damaged(&self.path, offset, what));
        };
        self.plain.extend_from_slice(chunk.get(FIRST_BYTES..).unwrap_or_default());
        self.next_chunk += 1;
        if last { self.check_sum() } else { Ok(()) }
    }

    /// Holds the SHA-256 of the file against the one at its end.
    fn check_sum(&mut self) -> Result<(), BackupError> {
        let mut trailer = [0; TRAILER_BYTES];
        self.file.read_exact(&mut trailer).map_err(io(&self.path, "reading it"))?;
        let (before, rest) = trailer.split_at(TRAILER_BYTES - SHA_BYTES - END.len());
        self.sha.0.update(before);
        let computed = mem::replace(&mut self.sha.0, Context::new(&SHA256)).finish();
        if rest.get(..SHA_BYTES) != Some(computed.as_ref()) {
            let what = "every chunk is as it was written, the checksum at its end is another".to_owned();
            return Err(damaged(&self.path, self.length - (SHA_BYTES + END.len()) as u64, what));
        }
        Ok(())
    }

    fn inside(&self, what: &str) -> BackupError {
        let number = self.next_chunk.saturating_sub(1);
        damaged(&self.path, chunk_offset(self.header_bytes, number), what.to_owned())
    }
}

/// Where a chunk begins in the file.
pub(super) fn chunk_offset(header_bytes: u64, number: u64) -> u64 {
    header_bytes + number * SEALED_CHUNK_BYTES as u64
}

/// A file that begins as a backup does.
pub(super) struct Start {
    pub(super) file: File,
    pub(super) length: u64,
    /// What is wrong with the header does not matter to whoever only salvages.
    pub(super) header: Result<Header, BackupError>,
}

impl Start {
    pub(super) fn read(path: &Path) -> Result<Start, BackupError> {
        let not = |what| BackupError::NotABackup { path: path.to_owned(), what };
        let mut file = File::open(path).map_err(io(path, "opening it"))?;
        let metadata = file.metadata().map_err(io(path, "looking at it"))?;
        if metadata.is_dir() {
            return Err(not("it is a directory"));
        }
        if metadata.len() == 0 && metadata.is_file() {
            return Err(BackupError::Empty { path: path.to_owned() });
        }
        let mut start = [0; MAGIC.len() + 1];
        match file.read_exact(&mut start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(not("it is shorter than any backup"));
            }
            read => read.map_err(io(path, "reading it"))?,
        }
        let [magic @ .., version] = start;
        if magic != *MAGIC {
            return Err(not(match &magic {
                b"KMSSNAP" => "it is a snapshot of a node",
                b"KMSKEYS" => "it is a keyring",
                _ => "it begins otherwise",
            }));
        }
        if version > VERSION {
            return Err(BackupError::Newer { path: path.to_owned(), version });
        }
        let header = if version == VERSION {
            Header::read(&mut file, path)
        } else {
            Err(damaged(path, MAGIC.len() as u64, format!("there is no format {version}")))
        };
        Ok(Start { file, length: metadata.len(), header })
    }
}

/// The header, as far as it can be checked without a key.
pub(super) struct Header {
    pub(super) bytes: Vec<u8>,
    pub(super) manifest: Manifest,
    pub(super) wrapped: [u8; WRAPPED_BYTES],
    tag: [u8; TAG_BYTES],
}

impl Header {
    fn read(file: &mut File, path: &Path) -> Result<Header, BackupError> {
        let mut length = [0; 4];
        take(file, path, &mut length, "its header")?;
        let manifest_bytes = u32::from_be_bytes(length) as usize;
        if manifest_bytes > MANIFEST_BYTES_MAX {
            let what =
                format!("a manifest of {manifest_bytes} bytes, at most {MANIFEST_BYTES_MAX} are written");
            return Err(damaged(path, MAGIC.len() as u64 + 1, what));
        }
        let mut bytes = Vec::with_capacity(START_BYTES + manifest_bytes + SEAL_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&length);
        let mut rest = vec![0; manifest_bytes + SEAL_BYTES];
        take(file, path, &mut rest, "its header")?;
        bytes.extend_from_slice(&rest);
        let parts = || {
            let (covered, stored) = bytes.split_last_chunk::<4>()?;
            let (tagged, tag) = covered.split_last_chunk::<TAG_BYTES>()?;
            let (before, wrapped) = tagged.split_last_chunk::<WRAPPED_BYTES>()?;
            Some((covered, u32::from_be_bytes(*stored), *tag, *wrapped, before.get(START_BYTES..)?))
        };
        let Some((covered, stored, tag, wrapped, manifest)) = parts() else {
            return Err(damaged(path, 0, "the header is cut".to_owned()));
        };
        let computed = crc32c::crc32c(covered);
        if stored != computed {
            let what = format!("the header's checksum is {stored:08x}, computed {computed:08x}");
            return Err(damaged(path, 0, what));
        }
        let manifest = serde_json::from_slice(manifest)
            .map_err(|error| damaged(path, START_BYTES as u64, format!("the manifest: {error}")))?;
        Ok(Header { manifest, wrapped, tag, bytes })
    }

    /// What the tag is over.
    fn tagged(&self) -> &[u8] {
        self.bytes.get(..self.bytes.len() - TAG_BYTES - 4).unwrap_or_default()
    }
}

/// The end of a backup.
pub(super) struct Trailer {
    pub(super) wrapped: [u8; WRAPPED_BYTES],
    pub(super) header_bytes: u64,
    pub(super) chunks: u64,
}

impl Trailer {
    pub(super) fn read(file: &mut File, path: &Path, length: u64) -> Result<Trailer, BackupError> {
        let truncated = |what: &str| BackupError::Truncated { path: path.to_owned(), what: what.to_owned() };
        let Some(offset) = length.checked_sub(TRAILER_BYTES as u64) else {
            return Err(truncated("it ends before its end"));
        };
        file.seek(SeekFrom::Start(offset)).map_err(io(path, "reading its end"))?;
        let mut bytes = [0; TRAILER_BYTES];
        file.read_exact(&mut bytes).map_err(io(path, "reading its end"))?;
        if !bytes.ends_with(END) {
            return Err(truncated("the end that every backup has is not there"));
        }
        let parts = || {
            let (wrapped, rest) = bytes.split_first_chunk::<WRAPPED_BYTES>()?;
            let (header_bytes, rest) = rest.split_first_chunk::<4>()?;
            let (chunks, _) = rest.split_first_chunk::<8>()?;
            Some((*wrapped, u32::from_be_bytes(*header_bytes), u64::from_be_bytes(*chunks)))
        };
        let Some((wrapped, header_bytes, chunks)) = parts() else {
            return Err(truncated("it ends before its end"));
        };
        Ok(Trailer { wrapped, header_bytes: u64::from(header_bytes), chunks })
    }
}

fn take(file: &mut File, path: &Path, out: &mut [u8], what: &str) -> Result<(), BackupError> {
    match file.read_exact(out) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(BackupError::Truncated { path: path.to_owned(), what: format!("{what} is not whole") })
        }
        read => read.map_err(io(path, "reading it")),
    }
}

pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::Io { path, doing, source }
}

fn damaged(path: &Path, offset: u64, what: String) -> BackupError {
    BackupError::Damaged { path: path.to_owned(), offset, what }
}
