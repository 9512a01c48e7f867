//! A node's birth: its keyring, its cluster where it founds one, and what a restore left for it.

use anyhow::{Context, bail};
use tracing::info;

use super::state::{Stamp, command};
use crate::backup;
use crate::disk::{DataDir, Log, SledLog, Snapshots};
use crate::engine::{Engine, Proposed};
use crate::entropy;
use crate::root_key::RootKey;
use crate::seal::Keyring;

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

/// Takes in what a restore or a salvage left in the data directory, before anything is served. Cut short, it begins
/// anew at the next start: to take a record in twice changes nothing.
///
/// Fails where the file is damaged, or this node does not lead its own new cluster.
pub(super) async fn take_in_restored(engine: &Engine, dir: &DataDir) -> anyhow::Result<()> {
    let Some(restored) = backup::pending(dir.path()).context("cannot read what was restored")? else {
        return Ok(());
    };
    let mut roles = engine.role();
    let term = roles.wait_for(|role| role.leads).await.context("the engine has ended")?.term;
    let decider = u64::from_be_bytes(entropy::array());
    let (mut number, mut records) = (0, 0);
    for events in restored.batches().context("cannot read what was restored")? {
        let events = events.context("cannot read what was restored")?;
        number += 1;
        records += events.len();
        let proposed = engine.propose(term, command(Stamp { decider, number }, &events)).await;
        if !matches!(proposed, Proposed::Applied { .. }) {
            bail!(
                "what was restored could not be taken in ({proposed:?}); hint: start again, nothing is lost"
            );
        }
    }
    restored.done().context("cannot remove what was restored and taken in")?;
    info!(records, "what was restored is taken in");
    Ok(())
}
