//! Other people's KMIP software, made ready for tests: PyKMIP's clients, its integration suite and its server, in a
//! Python virtual environment under Cargo's target directory. Where Python or its package index is missing, a test gets
//! a [`Skip`] to print instead.

mod pykmip_server;
mod python;
mod skip;

pub use pykmip_server::PykmipServer;
pub use python::Python;
pub use skip::Skip;
