//! What the fault tests share: a [`Load`] of clients of one server, a [`Crowd`] of clients of a cluster, a [`Ledger`] of every answer that they were given and that the
//! server must keep to, a [`Disk`] whose power can be cut, and reproducible chance.
//!
//! A fault is brought about, the server is started again, and the ledger is held against it. Each test prints one line
//! `fault | rounds | acknowledged | lost`, past the capture of the test harness, and `skipped: …` where this machine
//! lacks what the fault needs.

// As in the laboratory: what cannot be set up ends the test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod ask;
mod crowd;
mod disk;
mod ledger;
mod load;
mod random;
mod table;
mod trial;
mod turn;
mod verify;

use std::io::Write;

pub use ask::{activate, add_attribute, connect, create, create_marked, get, get_attributes, locate, works};
pub use crowd::{Crowd, Targets};
pub use disk::{Cutter, Disk};
pub use ledger::{Ledger, Tally};
pub use load::Load;
pub use random::Random;
pub use table::{Row, print_table};
pub use trial::Trial;

/// Prints the line of a fault.
pub fn report(fault: &str, rounds: usize, acknowledged: u64, lost: usize) {
    say(&format!("{fault} | {rounds} rounds | {acknowledged} acknowledged | {lost} lost"));
}

/// Prints a line although the harness captures what tests print.
pub fn say(line: &str) {
    // A closed standard output is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says that a test cannot be run here.
pub fn skipped(fault: &str, why: &str) {
    say(&format!("skipped: {fault}: {why}"));
}
