//! The front before several nodes: one address for vCenter, behind which a node may be down. TLS goes through untouched
//! (`passthrough`); it never decides about keys, and never stands on kms-core or kms-server.
//!
//! - [`health`] says which nodes can be used, [`choose`] which of them gets a connection. Both are pure.
//! - [`judge`] is the one task that owns [`health`]: it hears what happens, has it judged, carries out what follows, and
//!   publishes from what connections choose ([`roster`]).
//! - [`probe`] asks a node whether it answers.
//! - [`listener`] accepts and counts, [`splice`] carries a client's bytes to a node and back.
//! - [`vip`] tells keepalived whether this front may hold the address.
//! - [`admin`] shows it all: `/livez`, `/readyz`, `/metrics`, `/api/v1/status`; [`operator`] takes orders on a socket.
//! - [`config`] reads the file, [`run`] is the program's life.

pub mod admin;
mod bounded;
pub mod choose;
pub mod clock;
pub mod config;
mod file;
mod front;
pub mod health;
pub mod judge;
pub mod limits;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod operator;
pub mod probe;
pub mod roster;
pub mod run;
pub mod splice;
pub mod status;
mod throttle;
pub mod vip;
