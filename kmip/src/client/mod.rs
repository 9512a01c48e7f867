//! The client that the proxy, the drill, the conformance cases and the bench use: one TLS connection, one question
//! and one answer at a time, everything bounded and every failure told apart.
//!
//! The only part of this crate with a socket. It needs a tokio runtime with I/O and time.
//!
//! - [`ClientConfig`] says who the server is, how it is trusted, who we are, and how long we wait.
//! - [`Client::connect`] gives a [`Connection`]; [`Connection::call`] asks, [`Connection::one`] asks for one thing.
//! - [`vcenter`] asks as vCenter does and is as particular about the answers.

mod config;
mod connection;
mod error;
mod trust;
pub mod vcenter;

pub use config::{
    CONNECT_TIMEOUT_DEFAULT, ClientConfig, ClientConfigBuilder, HANDSHAKE_TIMEOUT_DEFAULT,
    REQUEST_TIMEOUT_DEFAULT, RESPONSE_BYTES_MAX_DEFAULT, TlsVersions,
};
pub use connection::{Client, Connection};
pub use error::{ClientError, Failure, Phase};
pub use trust::ServerTrust;
