//! A laboratory of real servers: makes their certificates and configuration, starts them on free ports of 127.0.0.1,
//! waits until they serve, registers clients, and ends, kills and pauses them as a test wishes.
//!
//! It shares nothing with the server but its command line, its files and its ports. What goes wrong in the laboratory
//! itself ends the test with a panic; what a test may want to see go wrong, such as a server that refuses to start, is
//! a result. Every server is ended by its process id when the [`Lab`] is dropped, after a panic too, and by its
//! lifeline when the test process is killed; a test that fails shows the last lines of each server's log.
//!
//! ```no_run
//! # async fn example() {
//! let lab = lab::Lab::start().await;
//! let mut connection = kmip::client::Client::connect(&lab.client_config()).await.unwrap();
//! lab.node(0).kill().await;
//! lab.node(0).start().await.unwrap();
//! # }
//! ```

// A laboratory that cannot be set up has no caller who could do better than end the test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod builder;
mod client;
mod cluster;
mod files;
mod http;
mod laboratory;
mod network;
mod node;
mod programs;

pub use builder::Builder;
pub use client::{LabClient, NewClient, Right, Way};
pub use http::Answer;
pub use laboratory::Lab;
pub use network::{cut, cut_off, in_own_network};
pub use node::{NodeHandle, Refused};
pub use programs::{Programs, programs};

/// Seconds since 1970, as certificates want it.
pub fn now_s() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_secs()).unwrap()
}
