//! The shell around kms-core: everything of the key server that touches the world. `main.rs` only starts it.
//!
//! The way of a request: [`listener`] accepts, [`tls`] and [`trust`] say who it is, [`framing`] cuts one message,
//! [`session`] hands it to a [`session::Service`] and writes the answer; [`https`] does so for KMIP over HTTPS. Rules about keys are not in here: they are
//! kms-core's. Plain key material passes only through [`seal`] and [`cryptography`], never through logs, metrics or [`audit`].

pub mod admin;
pub mod audit;
pub mod backup;
pub mod certificate;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod cryptography;
pub mod disk;
pub mod engine;
pub mod entropy;
pub mod framing;
pub mod https;
pub mod identity;
pub mod join;
pub mod links;
pub mod listener;
pub mod metrics;
pub mod node;
pub mod operator;
mod planted;
pub mod root_key;
pub mod run;
pub mod seal;
pub mod session;
pub mod tls;
pub mod trust;
