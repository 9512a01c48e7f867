//! What can be wrong with bytes that should be TTLV. The sender's fault, always.

use crate::{ItemType, Tag};

/// Where in the message decoding stopped, at which tag, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}{}: {kind}", at_tag(*.tag))]
pub struct Error {
    /// Bytes from the start of the message to the item at fault.
    pub offset: usize,
    /// The item at fault, where its tag could be read, or the tag that was looked for.
    pub tag: Option<Tag>,
    /// What is wrong with it.
    pub kind: ErrorKind,
}

fn at_tag(tag: Option<Tag>) -> String {
    tag.map(|tag| format!(", tag {tag}")).unwrap_or_default()
}

/// What is wrong with an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fewer bytes than an item's header, or than its length promises.
    #[error("the item needs {needed} bytes, {left} are left")]
    Truncated {
        /// Bytes that the item says it has, with its padding.
        needed: usize,
        /// Bytes that its surroundings have left.
        left: usize,
    },
    /// A type that KMIP 1.x does not define.
    #[error("unknown item type 0x{0:02x}")]
    UnknownType(u8),
    /// A length that the item's type does not allow.
    #[error("a length of {length} is not one that {item_type:?} can have")]
    WrongLength {
        /// The type the item says it has.
        item_type: ItemType,
        /// The length the item says it has.
        length: usize,
    },
    /// Padding that is not zero (KMIP 1.4 section 9.1.1.3).
    #[error("padding is not zero")]
    WrongPadding,
    /// A Boolean that is neither 0 nor 1.
    #[error("a Boolean is 0 or 1, got 0x{0:016x}")]
    NotABoolean(u64),
    /// A Text String that is not UTF-8.
    #[error("a Text String is UTF-8, this one is not")]
    NotUtf8,
    /// Another type than the tag calls for.
    #[error("expected {expected:?}, got {got:?}")]
    WrongType {
        /// What the tag calls for.
        expected: ItemType,
        /// What was sent.
        got: ItemType,
    },
    /// An item that must be there is not.
    #[error("the item is missing")]
    Missing,
    /// An item that does not belong here, or not twice, or not in this order.
    #[error("the item does not belong here")]
    Unexpected,
    /// Bytes after the end of the message.
    #[error("{0} bytes after the end of the message")]
    TrailingBytes(usize),
    /// Deeper nesting than [`Limits::depth_max`](crate::Limits::depth_max).
    #[error("nested deeper than {0} levels")]
    TooDeep(u8),
    /// More items than [`Limits::items_max`](crate::Limits::items_max).
    #[error("more than {0} items")]
    TooManyItems(u32),
    /// A larger message than [`Limits::message_bytes_max`](crate::Limits::message_bytes_max).
    #[error("a message of {got} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes that the message says it has.
        got: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// A value that its tag does not allow.
    #[error("{0}")]
    WrongValue(&'static str),
}

impl Error {
    /// An error about the item with `tag` at `offset`.
    #[cold]
    pub fn new(offset: usize, tag: impl Into<Option<Tag>>, kind: ErrorKind) -> Self {
        Self { offset, tag: tag.into(), kind }
    }
}
