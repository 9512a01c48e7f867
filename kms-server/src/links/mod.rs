//! The links between nodes: calls over mutual TLS 1.3 under the cluster's own CA, many at once on one connection.
//!
//! Each node keeps one connection to each other node for its own calls ([`Links`]) and takes the others' calls
//! ([`serve()`]). Who calls is read from the certificate alone; whether that node is (still) a member is the
//! [`Handler`]'s decision. A stranger, who has no certificate yet, may send [`JOIN`] and nothing else ([`ask()`]). A front
//! may send [`FRONT_KINDS`], and nobody else may.
//! No session is resumed: the certificate would not be looked at again.
//!
//! Each end gives a sign of life when it has nothing else to say. An end that hears nothing for `silence_max` drops the
//! connection, so a frozen or cut node is known as such whether or not there are calls.

mod ask;
mod caller;
mod dial;
#[cfg(test)]
mod fuzzed;
mod identity;
mod outbox;
mod peer;
mod peers;
mod serve;
mod session;
mod verify;
mod wire;

pub use ask::{AskError, ask};
pub use caller::Caller;
pub use identity::{LinkIdentity, LinkIdentityError};
pub use peers::{Links, Settings};
pub use serve::{Bounds, Handler, serve};
pub use wire::{BODY_BYTES_MAX, LINK_VERSION, STRANGER_BODY_BYTES_MAX};

/// Calls of raft, from nodes only: the first and the last kind.
pub const RAFT_KINDS: std::ops::RangeInclusive<u8> = 0x01..=0x0f;

/// What a joining node sends: the only kind that a stranger may send.
pub const JOIN: u8 = 0x20;

/// A front hands over a client's request.
pub const FRONT_REQUEST: u8 = 0x30;

/// A front asks what the node can do.
pub const FRONT_STATUS: u8 = 0x31;

/// What fronts send, and nobody else may: the first and the last kind.
pub const FRONT_KINDS: std::ops::RangeInclusive<u8> = FRONT_REQUEST..=FRONT_STATUS;
