//! From what is on disk to what is in memory: the newest whole snapshot, then the log behind it.

use anyhow::{Context, bail};
use kms_core::{Event, Objects};
use tracing::{info, warn};

use crate::clock::Clock;
use crate::disk::{DataDir, Log, SledLog, Snapshots};
use crate::root_key::RootKey;
use crate::seal::Keyring;

/// Bytes of log entries that are in memory at once while they are replayed.
const REPLAY_BYTES: usize = 4 << 20;

/// What a node begins with.
pub(super) struct Start {
    pub(super) objects: Objects,
    /// The last entry that `objects` holds.
    pub(super) applied: u64,
    /// The index of the newest snapshot; 0 where there is none.
    pub(super) snapshot: u64,
}

/// Opens the keyring, or makes it where nothing was ever sealed.
///
/// Fails where the log or a snapshot holds something and the keyring is gone: a new one could open nothing of it.
pub(super) fn keyring(
    root: RootKey,
    dir: &DataDir,
    log: &SledLog,
    snapshots: &Snapshots,
) -> anyhow::Result<Keyring> {
    let path = dir.keyring();
    if path.exists() {
        return Keyring::open(root, &path).context("cannot open the keyring");
    }
    if log.last() != 0 || !snapshots.indexes()?.is_empty() {
        bail!(
            "{} holds keys, but the keyring that opens them is gone: {} is missing; hint: put it back from a backup",
            dir.path().display(),
            path.display()
        );
    }
    Keyring::create(root, &path).context("cannot make the keyring")
}

/// Reads everything back.
///
/// Fails on damage that what is left cannot make good, with the file or entry and the way out.
pub(super) fn read(log: &SledLog, snapshots: &Snapshots, clock: &Clock) -> anyhow::Result<Start> {
    let began = std::time::Instant::now();
    let found = snapshots.choose(log.first(), log.last())?;
    for error in &found.refused {
        warn!("a snapshot was passed over, the log made good for it: {error}");
    }
    let mut objects = Objects::default();
    let mut applied = 0;
    if let Some(mut reader) = found.snapshot {
        applied = reader.index();
        while let Some(record) = reader.next_record()? {
            objects.restore(&record).with_context(|| format!("in the snapshot of entry {applied}"))?;
        }
    }
    let snapshot = applied;
    let last = log.last();
    while applied < last {
        let entries = log.read(applied + 1..last + 1, REPLAY_BYTES)?;
        if entries.is_empty() {
            bail!("the log ends at entry {applied}, and says it holds {last}");
        }
        for entry in entries {
            let events =
                Event::decode_all(&entry.bytes).with_context(|| format!("in entry {}", entry.index))?;
            for event in &events {
                objects.apply(event);
                if let Some(at) = event.at() {
                    clock.not_before(at);
                }
            }
            applied = entry.index;
        }
    }
    info!(
        objects = objects.len(),
        clients = objects.clients().count(),
        applied,
        snapshot,
        milliseconds = began.elapsed().as_millis(),
        "read what the disk holds"
    );
    Ok(Start { objects, applied, snapshot })
}
