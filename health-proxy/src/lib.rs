//! The front before several nodes: one address for vCenter, behind which a node may be down. Not here yet.
//!
//! This crate is empty on purpose, so that its place and its walls are known before its first line: it will choose a
//! healthy node and pass bytes on to it. It will never decide about keys, and must never stand on kms-core or
//! kms-server. Until it is here vCenter is told the address of the one node.
