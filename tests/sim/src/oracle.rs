//! What the clients were told, and what can therefore be true.
//!
//! A key's owner brings it forward by one script, step by step, and each step leaves another state: so what is read of
//! a key says how far it is. The oracle keeps how far it is at least (acknowledged, or read before) and at most (asked
//! for and not refused). A step whose outcome is not known leaves a gap of one; the owner goes on when a read has
//! closed it.

use std::collections::BTreeSet;

/// Steps of a key's script, by the state they leave. Step 0: it is not there.
pub(crate) const CREATED: u64 = 1;
/// `x-v` is 1.
pub(crate) const ADDED: u64 = 2;
/// `x-v` is 2.
pub(crate) const MODIFIED: u64 = 3;
/// The State is Active.
pub(crate) const ACTIVATED: u64 = 4;
/// `x-v` is 3.
pub(crate) const MODIFIED_AGAIN: u64 = 5;
/// `x-v` is gone.
pub(crate) const DELETED: u64 = 6;
/// The State is Deactivated.
pub(crate) const REVOKED: u64 = 7;
/// The State is Destroyed.
pub(crate) const DESTROYED: u64 = 8;

/// Number of a key.
pub(crate) type KeyId = usize;

/// All that was said.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) keys: Vec<Key>,
    /// Objects that everyone marks.
    pub(crate) boards: Vec<Board>,
    pub(crate) tally: Tally,
}

/// How requests ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Changes that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Changes that were refused for want of a majority.
    pub(crate) failed: u64,
    /// Changes that may or may not have been carried out.
    pub(crate) unknown: u64,
    /// Reads that were answered, linearizable.
    pub(crate) reads: u64,
    /// Reads that were answered without a majority.
    pub(crate) stale: u64,
    /// Reads that got no answer, or a refusal.
    pub(crate) unread: u64,
}

/// A key and its owner's script.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its Name and its mark.
    pub(crate) label: String,
    /// Whether it has a Name; a mark it always has.
    pub(crate) named: bool,
    pub(crate) owner: usize,
    pub(crate) unique_identifier: Option<String>,
    /// Its material, once read.
    pub(crate) bytes: Option<Vec<u8>>,
    /// How far it is at least.
    pub(crate) least: u64,
    /// How far it can be.
    pub(crate) most: u64,
    /// How far its owner will bring it.
    pub(crate) goal: u64,
}

/// An object that clients add attributes to, all at once.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) label: String,
    pub(crate) unique_identifier: String,
    /// Marks that are there: acknowledged, or read.
    pub(crate) there: BTreeSet<String>,
    /// Marks that may be there.
    pub(crate) asked: BTreeSet<String>,
}

impl Oracle {
    pub(crate) fn add_key(&mut self, label: String, named: bool, owner: usize, goal: u64) -> KeyId {
        self.keys.push(Key {
            label,
            named,
            owner,
            unique_identifier: None,
            bytes: None,
            least: 0,
            most: 0,
            goal,
        });
        self.keys.len() - 1
    }

    /// Keys that this owner can bring forward: no outcome is open, and the goal is not reached.
    pub(crate) fn unfinished(&self, owner: usize) -> Vec<KeyId> {
        let open = |key: &Key| key.owner == owner && key.least == key.most && key.least < key.goal;
        (0..self.keys.len()).filter(|id| open(&self.keys[*id])).collect()
    }
}

impl Key {
    /// Whether anyone has asked for its destruction.
    pub(crate) fn may_be_destroyed(&self) -> bool {
        self.most >= DESTROYED
    }
}

/// How far a key is, by what is read of it.
pub(crate) fn place(state: &str, value: Option<&str>) -> Option<u64> {
    Some(match (state, value) {
        ("PreActive", None) => CREATED,
        ("PreActive", Some("1")) => ADDED,
        ("PreActive", Some("2")) => MODIFIED,
        ("Active", Some("2")) => ACTIVATED,
        ("Active", Some("3")) => MODIFIED_AGAIN,
        ("Active", None) => DELETED,
        ("Deactivated", None) => REVOKED,
        ("Destroyed", None) => DESTROYED,
        _ => return None,
    })
}
