//! How fast the server is: measured in one run beside a bare TLS echo server, which bounds what any server can do here,
//! and beside PyKMIP's server, in turns, as real processes of the same profile, by the same `kms bench`.
//!
//! `cargo run --release -p speed` prints the table of one node; with `-- cluster` that of three, beside etcd.
//! What it prints is this machine's, at this time: compare ratios.

mod bench;
mod cluster;
pub mod echo;
mod measure;
mod pykmip;
mod stand;
mod table;

pub use bench::{Bench, Figures};
pub use cluster::{ClusterEffort, ClusterPart, measure_cluster};
pub use measure::{Effort, measure};
pub use stand::Stand;
pub use table::{Row, Table};
