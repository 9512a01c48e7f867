//! The front before several nodes: one address for vCenter, behind which a node may be down. So far its judgement alone,
//! which is pure; what touches the world is not here yet.
//!
//! [`health`] says which nodes can be used, [`choose`] which of them gets a connection or a request. The front never
//! decides about keys, and never stands on kms-core or kms-server.

pub mod choose;
pub mod health;
