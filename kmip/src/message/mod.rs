//! Messages: a header and a batch of items (KMIP 1.4 chapters 6 and 7).
//!
//! Reading a request does not give up at the first bad payload: the item it stands in says what is wrong with it, and
//! its neighbours are answered. What a payload holds beyond its fields is kept in `unrecognised`.

mod credential;
mod extension;
mod request;
mod response;

use ttlv::{Error, Item, Reader, Writer};

use crate::{ProtocolVersion, tag};

pub use credential::{Credential, CredentialValue};
pub use extension::MessageExtension;
pub use request::{RequestHeader, RequestItem, RequestMessage};
pub use response::{Nonce, ResponseHeader, ResponseItem, ResponseMessage};

/// Room that is made before a message is written: most have less, and a buffer that grows while it is written costs more
/// than all the writing, and leaves copies behind.
const MESSAGE_BYTES: usize = 1024;

impl ProtocolVersion {
    /// Reads the Protocol Version that is next in a header (KMIP 1.4 section 6.1).
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Self::read_item(&reader.required(tag::PROTOCOL_VERSION)?)
    }

    /// Reads a Protocol Version structure.
    pub fn read_item(item: &Item<'_>) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let version = Self {
            major: reader.required(tag::PROTOCOL_VERSION_MAJOR)?.integer()?,
            minor: reader.required(tag::PROTOCOL_VERSION_MINOR)?.integer()?,
        };
        reader.finish()?;
        Ok(version)
    }

    /// Appends a Protocol Version structure.
    pub fn write(self, writer: &mut Writer<'_>) {
        writer.structure(tag::PROTOCOL_VERSION, |writer| {
            writer.integer(tag::PROTOCOL_VERSION_MAJOR, self.major);
            writer.integer(tag::PROTOCOL_VERSION_MINOR, self.minor);
        });
    }
}

/// How many items to make room for. The count is the sender's word, so it buys little; most messages have one item,
/// and a vector would begin with room for four.
fn items_capacity(batch_count: i32) -> usize {
    const ITEMS_AHEAD_MAX: i32 = 16;
    batch_count.clamp(1, ITEMS_AHEAD_MAX) as usize
}
