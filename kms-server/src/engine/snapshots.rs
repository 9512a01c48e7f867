//! Where snapshots are kept: files in production, memory in simulation, in the same form byte for byte.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::types::Frozen;
use crate::disk::snapshot::in_memory;
use crate::disk::{SnapshotError, SnapshotReader, SnapshotReceiver, Snapshots};

/// Snapshots that [`MemorySnapshots`] keeps.
const KEPT_IN_MEMORY: usize = 2;

/// The snapshots of a node. What is written or adopted survives a power cut from then on.
///
/// Everything may block.
pub trait SnapshotStore: Send + Sync + 'static {
    /// The newest snapshot that is whole and that the entries `log_first..=log_last` continue, to read its records.
    ///
    /// # Errors
    /// What [`Snapshots::choose`] says.
    fn choose(&self, log_first: u64, log_last: u64) -> Result<Option<SnapshotReader>, SnapshotError>;

    /// Writes one: `head`, then what was frozen.
    ///
    /// # Errors
    /// [`SnapshotError`]; there is no new snapshot then.
    fn write(&self, index: u64, head: &[u8], frozen: Frozen) -> Result<(), SnapshotError>;

    /// Removes all but the newest ones; gives the index of the oldest that is kept.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    fn prune(&self) -> Result<Option<u64>, SnapshotError>;

    /// Reads one from its beginning.
    ///
    /// # Errors
    /// [`SnapshotError`].
    fn read(&self, index: u64) -> Result<SnapshotReader, SnapshotError>;

    /// Opens one to be sent as it is; it stays readable when it is pruned.
    ///
    /// # Errors
    /// [`SnapshotError`].
    fn open(&self, index: u64) -> Result<SnapshotFile, SnapshotError>;

    /// Begins one that another node sends; one that was begun before is thrown away.
    ///
    /// # Errors
    /// [`SnapshotError`].
    fn receive(&self, index: u64) -> Result<Incoming, SnapshotError>;
}

/// The bytes of a snapshot on their way to another node.
#[derive(Clone, Debug)]
pub struct SnapshotFile(Bytes);

#[derive(Clone, Debug)]
enum Bytes {
    /// The bytes are not wanted: the snapshot is in place already.
    None,
    File(Arc<File>),
    Memory(Arc<Vec<u8>>),
}

impl SnapshotFile {
    /// For what is only spoken of.
    pub(super) fn none() -> Self {
        Self(Bytes::None)
    }

    pub(super) fn length(&self) -> std::io::Result<u64> {
        match &self.0 {
            Bytes::None => Ok(0),
            Bytes::File(file) => Ok(file.metadata()?.len()),
            Bytes::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// At most `bytes_max` bytes from `offset` on; fewer at the end.
    pub(super) fn read_at(&self, offset: u64, bytes_max: usize) -> std::io::Result<Vec<u8>> {
        match &self.0 {
            Bytes::None => Ok(Vec::new()),
            Bytes::File(file) => {
                let left = usize::try_from(self.length()?.saturating_sub(offset)).unwrap_or(usize::MAX);
                let mut bytes = vec![0; left.min(bytes_max)];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(bytes)
            }
            Bytes::Memory(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                Ok(rest[..rest.len().min(bytes_max)].to_vec())
            }
        }
    }
}

/// A snapshot on its way from another node; dropped before it is adopted it leaves nothing behind.
#[derive(Debug)]
pub struct Incoming(Place);

#[derive(Debug)]
enum Place {
    File(SnapshotReceiver),
    Memory { index: u64, bytes: Vec<u8>, store: MemorySnapshots },
}

impl Incoming {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        match &mut self.0 {
            Place::File(file) => file.write(bytes),
            Place::Memory { bytes: held, .. } => {
                held.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Checks all of it and puts it beside the others.
    pub(super) fn adopt(self) -> Result<(), SnapshotError> {
        match self.0 {
            Place::File(file) => file.adopt(),
            Place::Memory { index, bytes, store } => {
                let bytes = Arc::new(bytes);
                let mut reader = SnapshotReader::from_memory(Arc::clone(&bytes))?;
                if reader.index() != index {
                    return Err(other_index(index, reader.index()));
                }
                while reader.next_record()?.is_some() {}
                store.held().insert(index, bytes);
                Ok(())
            }
        }
    }
}

/// Snapshots as files of the data directory.
#[derive(Debug)]
pub struct Files(pub Snapshots);

impl SnapshotStore for Files {
    fn choose(&self, log_first: u64, log_last: u64) -> Result<Option<SnapshotReader>, SnapshotError> {
        self.0.forget_received()?;
        let found = self.0.choose(log_first, log_last)?;
        for error in &found.refused {
            tracing::warn!("a snapshot was passed over, the log made good for it: {error}");
        }
        Ok(found.snapshot)
    }

    fn write(&self, index: u64, head: &[u8], frozen: Frozen) -> Result<(), SnapshotError> {
        let mut writer = self.0.create(index, frozen.count + 1)?;
        writer.write(head)?;
        for record in frozen.records {
            writer.write(&record)?;
        }
        writer.finish()
    }

    fn prune(&self) -> Result<Option<u64>, SnapshotError> {
        self.0.prune()
    }

    fn read(&self, index: u64) -> Result<SnapshotReader, SnapshotError> {
        self.0.open(index)
    }

    fn open(&self, index: u64) -> Result<SnapshotFile, SnapshotError> {
        Ok(SnapshotFile(Bytes::File(Arc::new(self.0.open_file(index)?))))
    }

    fn receive(&self, index: u64) -> Result<Incoming, SnapshotError> {
        Ok(Incoming(Place::File(self.0.receive(index)?)))
    }
}

/// Snapshots in memory, which survive a crash as files do: a clone shares them.
#[derive(Clone, Debug, Default)]
pub struct MemorySnapshots {
    held: Arc<Mutex<BTreeMap<u64, Arc<Vec<u8>>>>>,
}

impl MemorySnapshots {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Indexes of the snapshots there are, oldest first.
    pub fn indexes(&self) -> Vec<u64> {
        self.held().keys().copied().collect()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Vec<u8>>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self, index: u64) -> Result<Arc<Vec<u8>>, SnapshotError> {
        self.held().get(&index).cloned().ok_or_else(|| SnapshotError::Io {
            path: PathBuf::from(format!("(in memory) {index}")),
            source: std::io::ErrorKind::NotFound.into(),
        })
    }
}

impl SnapshotStore for MemorySnapshots {
    fn choose(&self, log_first: u64, log_last: u64) -> Result<Option<SnapshotReader>, SnapshotError> {
        let Some(index) = self.held().keys().next_back().copied() else { return Ok(None) };
        let dir = PathBuf::from("(in memory)");
        if index.saturating_add(1) < log_first {
            let refused = String::new();
            return Err(SnapshotError::NotCovered { dir, from: index, log_first, refused });
        }
        if index > log_last {
            return Err(SnapshotError::AheadOfLog { path: dir, index, log_last });
        }
        self.read(index).map(Some)
    }

    fn write(&self, index: u64, head: &[u8], frozen: Frozen) -> Result<(), SnapshotError> {
        let records = std::iter::once(head.to_vec()).chain(frozen.records);
        let bytes = Arc::new(in_memory(index, frozen.count + 1, records));
        // Finds a wrong count.
        let mut reader = SnapshotReader::from_memory(Arc::clone(&bytes))?;
        while reader.next_record()?.is_some() {}
        self.held().insert(index, bytes);
        Ok(())
    }

    fn prune(&self) -> Result<Option<u64>, SnapshotError> {
        let mut held = self.held();
        while held.len() > KEPT_IN_MEMORY {
            held.pop_first();
        }
        Ok(held.keys().next().copied())
    }

    fn read(&self, index: u64) -> Result<SnapshotReader, SnapshotError> {
        SnapshotReader::from_memory(self.bytes(index)?)
    }

    fn open(&self, index: u64) -> Result<SnapshotFile, SnapshotError> {
        Ok(SnapshotFile(Bytes::Memory(self.bytes(index)?)))
    }

    fn receive(&self, index: u64) -> Result<Incoming, SnapshotError> {
        Ok(Incoming(Place::Memory { index, bytes: Vec::new(), store: self.clone() }))
    }
}

fn other_index(expected: u64, got: u64) -> SnapshotError {
    let what = format!("expected index {expected}, the header says {got}");
    SnapshotError::Damaged { path: PathBuf::from("(in memory)"), offset: 0, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frozen() -> Frozen {
        Frozen { count: 2, records: Box::new([vec![1; 3000], vec![2; 10]].into_iter()) }
    }

    #[test]
    fn a_snapshot_goes_from_any_store_to_any_other() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let files =
            |place: usize| Box::new(Files(Snapshots::new(dirs[place].path(), 1))) as Box<dyn SnapshotStore>;
        let stores = [files(0), Box::new(MemorySnapshots::new()), files(1), Box::new(MemorySnapshots::new())];
        stores[0].write(9, b"head", frozen()).unwrap();
        for (from, into) in [(0, 1), (1, 2), (2, 3)] {
            let file = stores[from].open(9).unwrap();
            // Pruned while it is sent.
            stores[from].write(10, b"head", frozen()).unwrap();
            stores[from].write(11, b"head", frozen()).unwrap();
            stores[from].prune().unwrap();
            assert!(stores[from].read(9).is_err());
            let (length, mut offset) = (file.length().unwrap(), 0);
            let mut incoming = stores[into].receive(9).unwrap();
            while offset < length {
                let piece = file.read_at(offset, 700).unwrap();
                offset += piece.len() as u64;
                incoming.write(&piece).unwrap();
            }
            incoming.adopt().unwrap();
            let mut reader = stores[into].choose(1, 9).unwrap().unwrap();
            let mut records = Vec::new();
            while let Some(record) = reader.next_record().unwrap() {
                records.push(record);
            }
            assert_eq!(records, [b"head".to_vec(), vec![1; 3000], vec![2; 10]]);
            assert!(matches!(stores[into].choose(1, 8), Err(SnapshotError::AheadOfLog { .. })));
            assert!(matches!(stores[into].choose(11, 12), Err(SnapshotError::NotCovered { .. })));
        }
    }
}
