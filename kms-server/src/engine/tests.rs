//! Nodes in one process over links in memory. Most tests run on a paused clock, so they wait for conditions and cost no
//! time.

mod changes;
mod chaos;
mod elections;
mod faults;
mod lone;
mod proposals;
mod reads;
mod snapshots;
mod support;
