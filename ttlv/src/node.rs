//! An item that owns its value: for what has no type of its own, such as attribute values and unknown tags.

use std::fmt;

use zeroize::Zeroize;

use crate::{Budget, Error, Item, ItemType, Limits, Reader, Tag, Writer};

/// An item and all below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its tag.
    pub tag: Tag,
    /// Its value.
    pub value: Value,
}

/// A value of any of KMIP's ten types. `Debug` shows the length of byte strings and big integers only, as they may
/// be key material.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's own names; units as in `Item`")]
pub enum Value {
    Structure(Vec<Node>),
    Integer(i32),
    LongInteger(i64),
    BigInteger(Vec<u8>),
    Enumeration(u32),
    Boolean(bool),
    TextString(String),
    ByteString(Vec<u8>),
    DateTime(i64),
    Interval(u32),
}

impl Node {
    /// A node with this tag and value.
    pub fn new(tag: Tag, value: Value) -> Self {
        Self { tag, value }
    }

    /// Decodes a whole message.
    ///
    /// Values take no more memory than the message; the nodes that hold them 40 bytes for each item, up to twice
    /// that while a list grows, so about 5 MiB at most with the default [`Limits::items_max`]. [`Reader`] takes none.
    pub fn decode(bytes: &[u8], limits: Limits) -> Result<Self, Error> {
        let budget = Budget::new(limits);
        Self::read(&Reader::message(bytes, &budget)?)
    }

    /// Copies an item and all below it.
    pub fn read(item: &Item<'_>) -> Result<Self, Error> {
        Ok(Self { tag: item.tag, value: Value::read(item)? })
    }

    /// Appends this node.
    pub fn write(&self, writer: &mut Writer<'_>) {
        self.value.write(self.tag, writer);
    }

    /// This node as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut Writer::new(&mut out));
        out
    }

    /// The first node with this tag among those inside a Structure.
    pub fn child(&self, tag: Tag) -> Option<&Node> {
        self.value.children().iter().find(|node| node.tag == tag)
    }
}

impl Value {
    /// Copies an item's value and all below it.
    pub fn read(item: &Item<'_>) -> Result<Self, Error> {
        Ok(match item.item_type {
            ItemType::Structure => {
                let mut reader = item.structure()?;
                let mut nodes = Vec::new();
                while let Some(item) = reader.next_item()? {
                    nodes.push(Node::read(&item)?);
                }
                Self::Structure(nodes)
            }
            ItemType::Integer => Self::Integer(item.integer()?),
            ItemType::LongInteger => Self::LongInteger(item.long_integer()?),
            ItemType::BigInteger => Self::BigInteger(item.big_integer()?.to_vec()),
            ItemType::Enumeration => Self::Enumeration(item.enumeration()?),
            ItemType::Boolean => Self::Boolean(item.boolean()?),
            ItemType::TextString => Self::TextString(item.text_string()?.to_owned()),
            ItemType::ByteString => Self::ByteString(item.byte_string()?.to_vec()),
            ItemType::DateTime => Self::DateTime(item.date_time()?),
            ItemType::Interval => Self::Interval(item.interval()?),
        })
    }

    /// Appends this value under `tag`.
    pub fn write(&self, tag: Tag, writer: &mut Writer<'_>) {
        match self {
            Self::Structure(nodes) => {
                writer.structure(tag, |writer| nodes.iter().for_each(|node| node.write(writer)));
            }
            Self::Integer(value) => writer.integer(tag, *value),
            Self::LongInteger(value) => writer.long_integer(tag, *value),
            Self::BigInteger(value) => writer.big_integer(tag, value),
            Self::Enumeration(value) => writer.enumeration(tag, *value),
            Self::Boolean(value) => writer.boolean(tag, *value),
            Self::TextString(value) => writer.text_string(tag, value),
            Self::ByteString(value) => writer.byte_string(tag, value),
            Self::DateTime(value) => writer.date_time(tag, *value),
            Self::Interval(value) => writer.interval(tag, *value),
        }
    }

    /// The type of this value.
    pub fn item_type(&self) -> ItemType {
        match self {
            Self::Structure(_) => ItemType::Structure,
            Self::Integer(_) => ItemType::Integer,
            Self::LongInteger(_) => ItemType::LongInteger,
            Self::BigInteger(_) => ItemType::BigInteger,
            Self::Enumeration(_) => ItemType::Enumeration,
            Self::Boolean(_) => ItemType::Boolean,
            Self::TextString(_) => ItemType::TextString,
            Self::ByteString(_) => ItemType::ByteString,
            Self::DateTime(_) => ItemType::DateTime,
            Self::Interval(_) => ItemType::Interval,
        }
    }

    /// The nodes inside a Structure; none for any other type.
    pub fn children(&self) -> &[Node] {
        match self {
            Self::Structure(nodes) => nodes,
            _ => &[],
        }
    }
}

impl Zeroize for Value {
    fn zeroize(&mut self) {
        match self {
            Self::Structure(nodes) => nodes.iter_mut().for_each(|node| node.value.zeroize()),
            Self::BigInteger(bytes) | Self::ByteString(bytes) => bytes.zeroize(),
            Self::TextString(text) => text.zeroize(),
            _ => {}
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure(nodes) => f.debug_list().entries(nodes).finish(),
            Self::Integer(value) => write!(f, "Integer({value})"),
            Self::LongInteger(value) => write!(f, "LongInteger({value})"),
            Self::BigInteger(value) => write!(f, "BigInteger({} bytes)", value.len()),
            Self::Enumeration(value) => write!(f, "Enumeration(0x{value:08x})"),
            Self::Boolean(value) => write!(f, "Boolean({value})"),
            Self::TextString(value) => write!(f, "TextString({value:?})"),
            Self::ByteString(value) => write!(f, "ByteString({} bytes)", value.len()),
            Self::DateTime(value) => write!(f, "DateTime({value})"),
            Self::Interval(value) => write!(f, "Interval({value})"),
        }
    }
}
