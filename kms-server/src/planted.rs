//! Faults of the replication, planted one at a time to see that the simulation would find them (`tests/sim`).
//!
//! Without the feature `planted`, which no program is built with, [`is`] is a constant and nothing of it is left.

/// A fault, by what a hurried hand would leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Entries count as durable before their sync.
    AcknowledgeBeforeSync,
    /// A read is answered from what this node has applied, current or not.
    ReadWithoutReadIndex,
    /// What was answered to a request is not kept in the log.
    TokenNotRemembered,
    /// A vote is given before it is on the disk.
    VoteNotSynced,
    /// Half of a snapshot's records are left out when it is taken over.
    SnapshotHalf,
}

/// Whether `fault` is planted in this process: its name stands in `KMS_PLANTED`.
#[cfg(feature = "planted")]
pub(crate) fn is(fault: Fault) -> bool {
    static PLANTED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let name = match fault {
        Fault::AcknowledgeBeforeSync => "acknowledge-before-sync",
        Fault::ReadWithoutReadIndex => "read-without-read-index",
        Fault::TokenNotRemembered => "token-not-remembered",
        Fault::VoteNotSynced => "vote-not-synced",
        Fault::SnapshotHalf => "snapshot-half",
    };
    PLANTED.get_or_init(|| std::env::var("KMS_PLANTED").ok()).as_deref() == Some(name)
}

/// None is.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_: Fault) -> bool {
    false
}
