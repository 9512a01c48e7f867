//! The front before several nodes: one address for vCenter, behind which a node may be down. TLS goes through untouched
//! (`passthrough`), or ends here and each request is kept until it is answered (`replay`). It never decides about keys, and
//! never stands on kms-core or kms-server.
//!
//! - [`health`] says which nodes can be used, [`choose`] which of them gets a connection. Both are pure.
//! - [`judge`] is the one task that owns [`health`]: it hears what happens, has it judged, carries out what follows, and
//!   publishes from what connections choose ([`roster`]).
//! - [`probe`] asks a node whether it answers.
//! - [`listener`] accepts and counts, [`splice`] carries a client's bytes to a node and back. In replay `replay` carries its
//!   requests, over `links` to our own nodes or as a client of nodes of another make (`third_party`), and [`operations`]
//!   counts them; [`client_files`] are what make the front such a client.
//! - [`vip`] tells keepalived whether this front may hold the address, by a process that outlives it.
//! - [`admin`] shows it all: the [`page`], its JSON and [`events`], `/livez`, `/readyz`, `/metrics`; [`clients`] and
//!   [`history`] are what it remembers for that. [`operator`] takes orders on a socket, and on the page from who has the
//!   [`token`].
//! - [`config`] reads the file, [`run`] is the program's life.

pub mod admin;
pub mod certificate;
pub mod choose;
pub mod client_files;
pub mod clients;
pub mod clock;
pub mod config;
pub mod events;
mod file;
mod front;
pub mod health;
pub mod history;
pub mod judge;
pub mod limits;
mod links;
pub mod listener;
pub mod metrics;
pub mod minutes;
pub mod operations;
pub mod operator;
mod orders;
pub mod page;
pub mod probe;
mod replay;
pub mod roster;
pub mod run;
pub mod splice;
pub mod status;
mod third_party;
pub mod token;
pub mod vip;
