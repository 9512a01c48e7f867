//! The shell at its walls: real handshakes, real sockets, real processes; the service behind it is a fake.

mod admin;
mod configuration;
mod connections;
mod handshakes;
mod operator;
mod process;
mod sessions;
mod support;
