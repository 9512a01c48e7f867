//! Other people's KMIP software, made ready for tests: PyKMIP's clients, its integration suite and its server, MongoDB's
//! client-side encryption and OpenStack Barbican's secret store in Python virtual environments, and the demonstration of
//! the crate kmip-protocol, all under Cargo's target directory. Where Python, Cargo or a package index is missing, a test
//! gets a [`Skip`] to print instead.

mod demo;
mod pykmip_server;
mod python;
mod skip;

pub use demo::kmip_protocol_demo;
pub use pykmip_server::PykmipServer;
pub use python::{Packages, Python};
pub use skip::Skip;
