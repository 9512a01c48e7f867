//! KMIP's XML form, both ways (KMIP Additional Message Encodings 1.0 section 6.1).
//!
//! Elements are named by tag, `type` says the type (Structure where absent), `value` the value:
//!
//! ```xml
//! <Attribute>
//!   <AttributeName type="TextString" value="Cryptographic Usage Mask"/>
//!   <AttributeValue type="Integer" value="Encrypt Decrypt"/>
//! </Attribute>
//! <TTLV tag="0x540001" type="TextString" value="no name"/>
//! ```
//!
//! The public test cases are in this form, many messages to a document, with `$NOW` and other placeholders for what
//! is known only when they run: [`Document`] reads one message after the other, [`Placeholders`] fills them in.
//! Nothing here masks key material: this form is for tests and tools, never for logs.

mod error;
mod read;
pub(crate) mod value;
mod write;

pub use error::{Error, ErrorKind};
pub use read::{Document, Messages, ReadOptions, read, read_within};
pub use value::{NoPlaceholders, Placeholders};
pub use write::{write, write_all};

/// Elements that hold messages and are none themselves, as the public test cases have them.
const WRAPPERS: [&str; 2] = ["KMIP", "KmipTestCase"];

/// The element for what has no name of its own; its `tag` attribute says the tag.
const GENERIC: &str = "TTLV";
