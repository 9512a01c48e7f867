//! Histories of concurrent operations on a real cluster, and whether they are linearizable: whether some order of all
//! operations, each taking effect at one moment between its call and its answer, explains every answer.
//!
//! A [`Caller`] asks any node at random and notes when it asked and when it was answered. What was asked about one
//! [register](Register) or one [name](Name) is a history of its own, since an order of the whole is there exactly when
//! one of each part is; so the checker, which is a crate and not ours, has short ones to search. An operation whose
//! connection broke may take effect at any time later, or never.

// As in the laboratory: what cannot be set up ends the test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod ask;
mod caller;
mod fault;
mod history;
mod name;
mod operation;
mod register;
mod work;

pub use caller::Caller;
pub use fault::Fault;
pub use faults::Random;
pub use history::{History, Names, Prepared, Registers};
pub use name::{Holder, Id, Name, NameAsked};
pub use operation::{Answer, Operation, Unexplained, check};
pub use register::{Register, RegisterAsked};
