//! The core at its wall: a request in, an outcome out. Every request goes through the wire's encoding, every event
//! through the log's, and every object through a snapshot's; see `common`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of a test fails as the test does"
)]
#![allow(unreachable_pub, reason = "the neighbours of a test module are in the same binary")]

mod attributes;
mod batches;
mod certificates;
mod certify;
mod columns;
mod common;
mod dates;
mod errors_allocation;
mod errors_archive;
mod errors_attributes;
mod errors_cryptography;
mod errors_objects;
mod errors_pairs;
mod errors_states;
mod fuzzed;
mod golden;
mod habits;
mod import_export;
mod later;
mod lifecycle;
mod limits;
mod locate;
mod pairs;
mod parts;
mod query;
mod random;
mod re_key;
mod replication;
mod split_keys;
mod tenants;
mod validate;
mod versions;
mod wrapping;
