//! The front as clients, nodes and operators meet it: the real program, before nodes that live in the test's process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are not seen as tests"
)]

mod activation;
mod authority;
mod bed;
mod command;
mod drain;
mod idle;
mod limits;
mod node;
mod page;
mod probes;
mod reload;
mod replay;
mod sessions;
mod slow;
mod third_party;
mod track;
