//! What both daemons are made of: what `kms-server` and `health-proxy` do alike as programs that stay up. It knows nothing
//! of keys, nodes and KMIP, so that the front can stand on it and never on the server.
//!
//! - [`command`] and [`settings`]: the command line that both have, and a configuration from a table of keys.
//! - [`log`], and [`throttle`] for the lines in it that strangers can cause.
//! - [`port`] for clients, [`bounded`] for HTTP, [`operator`] for who may give orders.
//! - [`mod@file`]: files that an operator names.
//! - [`life`]: what systemd is told, and when a parent is gone.

pub mod bounded;
pub mod command;
pub mod file;
pub mod life;
pub mod log;
pub mod operator;
pub mod port;
pub mod settings;
pub mod throttle;
