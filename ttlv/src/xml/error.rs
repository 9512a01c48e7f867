//! What can be wrong with a document that should be KMIP's XML form. Its author's fault, always.

use crate::{ItemType, Tag};

/// Where in the document reading stopped, in which element, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}{}: {kind}", in_element(.element.as_deref()))]
pub struct Error {
    /// Line of the end of the element or text at fault, from 1.
    pub line: usize,
    /// Column there, in characters, from 1.
    pub column: usize,
    /// The innermost element that was open or opening.
    pub element: Option<String>,
    /// What is wrong.
    pub kind: ErrorKind,
}

fn in_element(element: Option<&str>) -> String {
    element.map(|element| format!(", in <{element}>")).unwrap_or_default()
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No well-formed XML.
    #[error("not well-formed XML: {0}")]
    NotXml(String),
    /// The document ends inside a message.
    #[error("the document ends inside this element")]
    Unclosed,
    /// An element that names no tag.
    #[error("no tag of this name is known; hint: <TTLV tag=\"0x540001\" …> takes any tag by number")]
    UnknownTag,
    /// A `tag` attribute that is absent, or neither 0x and six digits nor a tag's name.
    #[error("the tag attribute is 0x and six hex digits or a tag's name, got {0:?}")]
    WrongTag(String),
    /// A `type` attribute that is none of KMIP's types.
    #[error("no type is called {0:?}")]
    UnknownType(String),
    /// An element with a type and without a value.
    #[error("{0:?} needs a value attribute")]
    MissingValue(ItemType),
    /// An element with a value and without a type.
    #[error("a Structure has elements inside it, no value; hint: is the type attribute missing?")]
    ValueOfStructure,
    /// A name that the enumeration or mask does not have.
    #[error("{tag} has no value called {name:?}")]
    UnknownName {
        /// The tag whose names were looked at.
        tag: Tag,
        /// The name.
        name: String,
    },
    /// A value that its type does not take. `text` is empty where it may be key material.
    #[error("no {item_type:?}: {text:?}")]
    WrongValue {
        /// The element's type.
        item_type: ItemType,
        /// The value, its first characters.
        text: String,
    },
    /// An element inside an element that has a value.
    #[error("a {0:?} has nothing inside it")]
    InsideValue(ItemType),
    /// Text inside a message; KMIP's XML form has all values in attributes.
    #[error("text inside a message")]
    UnexpectedText,
    /// Not exactly one message, where one was asked for.
    #[error("expected one message, got {0}")]
    NotOne(usize),
    /// Structures nested deeper than [`Limits::depth_max`](crate::Limits::depth_max).
    #[error("nested deeper than {0} levels")]
    TooDeep(u8),
    /// More elements in the document than [`Limits::items_max`](crate::Limits::items_max).
    #[error("more than {0} items")]
    TooManyItems(u32),
    /// More bytes than [`Limits::message_bytes_max`](crate::Limits::message_bytes_max).
    #[error("a document of {got} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes of the document.
        got: usize,
        /// The most that is taken.
        limit: usize,
    },
}
