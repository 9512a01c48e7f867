//! KMIP 1.0 to 1.4 as types: tags, enumerations and attributes as tables in the order of the specification, objects,
//! messages, and one file an operation.
//!
//! Pure: opens no socket, reads no clock (but for feature `client`, the client that other programs use). What is read
//! keeps unknown tags and values; what is written is strictly for the version of the request.

mod absent;
pub mod attribute;
#[cfg(feature = "client")]
pub mod client;
pub mod enumeration;
pub mod leaks;
pub mod mask;
pub mod message;
pub mod object;
pub mod operations;
mod secret;
pub mod tag;
mod version;
mod vocabulary;

pub use attribute::{Attribute, AttributeName, StandardAttribute, TemplateAttribute};
pub use message::{
    RequestHeader, RequestItem, RequestMessage, ResponseHeader, ResponseItem, ResponseMessage,
};
pub use object::ManagedObject;
pub use operations::{RequestPayload, ResponsePayload};
pub use secret::Secret;
pub use ttlv::Tag;
pub use version::ProtocolVersion;
pub use vocabulary::Kmip;
