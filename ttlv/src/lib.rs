//! TTLV (tag, type, length, value): the encoding of KMIP 1.0 to 1.4, both ways and bounded.
//!
//! Pure: opens no socket, reads no clock, knows no operation. Names of tags and enumerations come from the
//! caller through [`Vocabulary`].
//!
//! - [`Reader`] walks bytes without copying them and checks all it passes: lengths, padding, nesting, count.
//! - [`Writer`] appends items to one buffer.
//! - [`Node`] is an item on its own, for what has no type of its own.
//! - [`text`] shows messages in logs, key material masked.
//! - [`xml`] is KMIP's XML form and [`json`] its JSON form, both ways.

mod date;
mod error;
pub mod json;
mod names;
mod node;
mod reader;
mod tag;
pub mod text;
mod vocabulary;
mod writer;
pub mod xml;

pub use error::{Error, ErrorKind};
pub use node::{Node, Value};
pub use reader::{Budget, Item, Limits, Reader, frame_len};
pub use tag::{ItemType, Tag};
pub use vocabulary::{NoVocabulary, Vocabulary};
pub use writer::Writer;

/// Bytes of an item before its value: tag 3, type 1, length 4 (KMIP 1.4 section 9.1.1).
pub const HEADER_BYTES: usize = 8;
