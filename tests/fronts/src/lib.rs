//! Our front beside HAProxy and nginx, before the same nodes of ours, in one run: what clients notice when a node dies,
//! freezes, is cut off, restarted or slow ([`faults`]), and what each front costs ([`speed`]).
//!
//! `cargo run --release -p fronts -- faults` and `-- speed` print the tables; a short one of the first is a test.

mod cell;
mod crowd;
mod fault;
pub mod faults;
mod files;
mod front;
mod keys;
mod relay;
pub mod speed;

pub use cell::{Cell, Stand};
pub use crowd::Befell;
pub use fault::{Fault, Victim};
pub use faults::Faults;
pub use front::Make;
pub use keys::Verdict;
pub use speed::Speed;
