//! KMIP's JSON form, both ways (KMIP Additional Message Encodings 1.0 section 4.1).
//!
//! Items are objects: `tag` names the tag, `type` the type (Structure where absent), `value` is the value, which for a
//! Structure is an array of items:
//!
//! ```json
//! {"tag": "Attribute", "value": [
//!   {"tag": "AttributeName", "type": "TextString", "value": "Cryptographic Usage Mask"},
//!   {"tag": "AttributeValue", "type": "Integer", "value": "Encrypt|Decrypt"},
//!   {"tag": "0x540001", "type": "TextString", "value": "no name"}]}
//! ```
//!
//! What is written is read again as it was. Nothing here masks key material: this form is for the wire, never for logs.

mod error;
mod read;
mod write;

pub use error::{Error, ErrorKind};
pub use read::read;
pub use write::write;
