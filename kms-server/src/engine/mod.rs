//! The replicated log, and what it asks of those who carry its messages.

mod calls;

pub use calls::{CallError, Calls};

/// A node's number in its cluster: counted from 1, never reused.
pub type NodeId = u64;
