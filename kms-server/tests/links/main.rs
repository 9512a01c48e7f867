//! The links between nodes at their wall: real sockets on the loopback, certificates made for each test, calls in and
//! answers out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation is a test's message, in its helpers too; one handler panics on purpose"
)]

mod bounds;
mod broken;
mod calls;
mod identity;
mod support;
mod trust;
mod wire;
