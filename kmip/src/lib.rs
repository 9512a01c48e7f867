//! KMIP 1.0 to 1.4 as types and tables.
//!
//! Pure: opens no socket (but for feature `client`), reads no clock, decides nothing.

pub mod enumeration;
pub mod mask;
pub mod tag;
mod version;
mod vocabulary;

pub use ttlv::Tag;
pub use version::ProtocolVersion;
pub use vocabulary::Kmip;
