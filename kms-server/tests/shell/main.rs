//! The shell at its walls: real handshakes, real sockets, real processes; the service behind it is a fake.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod admin;
mod backup;
mod configuration;
mod connections;
mod handshakes;
mod https;
mod old_clients;
mod operator;
mod process;
mod sessions;
mod suite_b;
mod support;
