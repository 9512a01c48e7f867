//! What can be wrong with text that should be KMIP's JSON form. Its author's fault, always.

use crate::xml;
use crate::{ItemType, Tag};

/// Where reading stopped, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {kind}")]
pub struct Error {
    /// Line and column, or the way to the item from the message on: `RequestMessage/BatchItem 2/Operation 1`, each with
    /// its number among all items of its structure, from 1.
    pub place: String,
    /// What is wrong.
    pub kind: ErrorKind,
}

/// What is wrong with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No well-formed JSON, or not of the shape that items have.
    #[error("no item in JSON: {0}")]
    NotJson(String),
    /// An object without a tag.
    #[error("an item needs a tag")]
    MissingTag,
    /// A tag that is neither 0x and six hex digits nor a tag's name.
    #[error("a tag is 0x and six hex digits or a tag's name, got {0:?}")]
    UnknownTag(String),
    /// A `type` that is none of KMIP's types.
    #[error("no type is called {0:?}")]
    UnknownType(String),
    /// A type other than Structure without a value.
    #[error("{0:?} needs a value; hint: is the type missing?")]
    MissingValue(ItemType),
    /// A name that the enumeration or mask does not have.
    #[error("{tag} has no value called {name:?}")]
    UnknownName {
        /// The tag whose names were looked at.
        tag: Tag,
        /// The name; empty where it may be key material.
        name: String,
    },
    /// A value that its type does not take. `text` is empty where it may be key material.
    #[error("no {item_type:?}: {text:?}; hint: numbers in a string are hex with 0x and all digits")]
    WrongValue {
        /// The item's type.
        item_type: ItemType,
        /// The value, its first characters.
        text: String,
    },
    /// Structures nested deeper than [`Limits::depth_max`](crate::Limits::depth_max).
    #[error("nested deeper than {0} levels")]
    TooDeep(u8),
    /// More items than [`Limits::items_max`](crate::Limits::items_max).
    #[error("more than {0} items")]
    TooManyItems(u32),
    /// More bytes than [`Limits::message_bytes_max`](crate::Limits::message_bytes_max).
    #[error("a text of {got} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes of the text.
        got: usize,
        /// The most that is taken.
        limit: usize,
    },
}

impl ErrorKind {
    /// Without what the author wrote, for what may be key material.
    pub(super) fn masked(self) -> Self {
        match self {
            Self::WrongValue { item_type, .. } => Self::WrongValue { item_type, text: String::new() },
            Self::UnknownName { tag, .. } => Self::UnknownName { tag, name: String::new() },
            other => other,
        }
    }

    /// What the two forms share in their values.
    pub(super) fn of_value(kind: xml::ErrorKind) -> Self {
        match kind {
            xml::ErrorKind::UnknownName { tag, name } => Self::UnknownName { tag, name },
            xml::ErrorKind::WrongValue { item_type, text } => Self::WrongValue { item_type, text },
            other => Self::NotJson(other.to_string()),
        }
    }
}
