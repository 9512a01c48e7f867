//! A message as text for logs and people: an indented tree of names, key material masked, of bounded length.
//!
//! ```text
//! RequestMessage
//!   BatchItem
//!     Operation (Enumeration) Create
//!     UniqueBatchItemID (ByteString) 0x514c4b4301000000
//! ```
//!
//! All values below a tag that [`Vocabulary::is_secret`] names are shown as `(32 bytes, masked)`; what is there and
//! how long it is stays visible. Text strings are quoted and escaped, so that a peer cannot forge a line of a log.

use std::fmt::{self, Write as _};

use crate::names::{self, ATTRIBUTE_NAME};
use crate::{Budget, Error, Item, ItemType, Limits, Node, Reader, Tag, Value, Vocabulary, date};

/// Default of [`Text::bytes_max`]: a batch of a few items, far from what fills a log. 16 KiB.
pub const TEXT_BYTES_MAX: usize = 16 << 10;

/// Bytes of one byte string or big integer that are shown before an ellipsis. 64.
pub const SHOWN_BYTES_MAX: usize = 64;

/// Characters of one text string that are shown before an ellipsis. 256.
pub const SHOWN_CHARS_MAX: usize = 256;

/// The last line of a text that was cut at its bound.
const ELLIPSIS: &str = "…\n";

/// Something that `Display`s as text.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    source: Source<'a>,
    vocabulary: &'a dyn Vocabulary,
    bytes_max: usize,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Node(&'a Node),
    Item(Item<'a>),
    Message(&'a [u8], Limits),
}

/// The text of a tree.
pub fn node<'a>(node: &'a Node, vocabulary: &'a dyn Vocabulary) -> Text<'a> {
    Text { source: Source::Node(node), vocabulary, bytes_max: TEXT_BYTES_MAX }
}

/// The text of an item and all below it, read as it is shown, without a tree.
///
/// Draws on the item's [`Budget`] as any other reading does. What cannot be read is shown as a line that begins
/// with `!` and is the last.
pub fn item<'a>(item: &Item<'a>, vocabulary: &'a dyn Vocabulary) -> Text<'a> {
    Text { source: Source::Item(*item), vocabulary, bytes_max: TEXT_BYTES_MAX }
}

/// The text of a whole message, as [`item`] with a budget of its own.
pub fn message<'a>(bytes: &'a [u8], limits: Limits, vocabulary: &'a dyn Vocabulary) -> Text<'a> {
    Text { source: Source::Message(bytes, limits), vocabulary, bytes_max: TEXT_BYTES_MAX }
}

impl Text<'_> {
    /// Bytes of the whole text, default [`TEXT_BYTES_MAX`]; over it lines are left out and the last line is `…`.
    #[must_use]
    pub fn bytes_max(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.bytes_max.saturating_sub(ELLIPSIS.len());
        let mut out = Out { f, left, vocabulary: self.vocabulary };
        let top = Place { depth: 0, attribute_name: None, secret: false };
        let stopped = match self.source {
            Source::Node(node) => out.node(node, top),
            Source::Item(item) => out.item(&item, top),
            Source::Message(bytes, limits) => {
                let budget = Budget::new(limits);
                match Reader::message(bytes, &budget) {
                    Ok(item) => out.item(&item, top),
                    Err(error) => Err(Stop::Unreadable(error)),
                }
            }
        };
        match stopped {
            Ok(()) => Ok(()),
            Err(Stop::Full) => out.f.write_str(ELLIPSIS),
            Err(Stop::Unreadable(error)) => {
                let line = format!("! {error}\n");
                out.f.write_str(if line.len() <= out.left { &line } else { ELLIPSIS })
            }
            Err(Stop::Fmt(error)) => Err(error),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why the text ends before the message does.
enum Stop {
    Full,
    Unreadable(Error),
    Fmt(fmt::Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Unreadable(error)
    }
}

/// Where in the tree a line stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    depth: usize,
    attribute_name: Option<&'a str>,
    secret: bool,
}

struct Out<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    left: usize,
    vocabulary: &'a dyn Vocabulary,
}

impl Out<'_, '_> {
    fn node(&mut self, node: &Node, place: Place<'_>) -> Result<(), Stop> {
        let secret = place.secret || self.vocabulary.is_secret(node.tag);
        let place = Place { secret, ..place };
        let Value::Structure(nodes) = &node.value else {
            return self.leaf(node.tag, node.value.item_type(), &Leaf::of(&node.value), place);
        };
        self.line(node.tag, place.depth, "")?;
        let mut below = Place { depth: place.depth + 1, attribute_name: None, secret };
        for node in nodes {
            self.node(node, below)?;
            if let (ATTRIBUTE_NAME, Value::TextString(name)) = (node.tag, &node.value) {
                below.attribute_name = Some(name);
            }
        }
        Ok(())
    }

    fn item(&mut self, item: &Item<'_>, place: Place<'_>) -> Result<(), Stop> {
        let secret = place.secret || self.vocabulary.is_secret(item.tag);
        let place = Place { secret, ..place };
        if item.item_type != ItemType::Structure {
            return self.leaf(item.tag, item.item_type, &Leaf::read(item)?, place);
        }
        self.line(item.tag, place.depth, "")?;
        let mut below = Place { depth: place.depth + 1, attribute_name: None, secret };
        let mut reader = item.structure()?;
        while let Some(item) = reader.next_item()? {
            self.item(&item, below)?;
            if item.tag == ATTRIBUTE_NAME && item.item_type == ItemType::TextString {
                below.attribute_name = Some(item.text_string()?);
            }
        }
        Ok(())
    }

    fn leaf(&mut self, tag: Tag, item_type: ItemType, leaf: &Leaf<'_>, place: Place<'_>) -> Result<(), Stop> {
        let value = if place.secret {
            format!("({} bytes, masked)", leaf.bytes_len())
        } else {
            leaf.text(names::naming_tag(tag, place.attribute_name, self.vocabulary), self.vocabulary)
        };
        self.line(tag, place.depth, &format!(" ({item_type:?}) {value}"))
    }

    fn line(&mut self, tag: Tag, depth: usize, rest: &str) -> Result<(), Stop> {
        let indent = depth * 2;
        let number;
        let name = match self.vocabulary.tag_name(tag) {
            Some(name) => name,
            None => {
                number = tag.to_string();
                &number
            }
        };
        let Some(left) = self.left.checked_sub(indent + name.len() + rest.len() + 1) else {
            return Err(Stop::Full);
        };
        self.left = left;
        writeln!(self.f, "{:indent$}{name}{rest}", "").map_err(Stop::Fmt)
    }
}

/// A value with nothing below it, borrowed from wherever it stands.
enum Leaf<'a> {
    Number(i32),
    Enumeration(u32),
    Text(&'a str),
    Bytes(&'a [u8]),
    DateTime(i64),
    Interval(u32),
    LongInteger(i64),
    Boolean(bool),
}

impl<'a> Leaf<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Structure(_) => Self::Bytes(&[]),
            Value::Integer(value) => Self::Number(*value),
            Value::LongInteger(value) => Self::LongInteger(*value),
            Value::BigInteger(value) | Value::ByteString(value) => Self::Bytes(value),
            Value::Enumeration(value) => Self::Enumeration(*value),
            Value::Boolean(value) => Self::Boolean(*value),
            Value::TextString(value) => Self::Text(value),
            Value::DateTime(value) => Self::DateTime(*value),
            Value::Interval(value) => Self::Interval(*value),
        }
    }

    fn read(item: &Item<'a>) -> Result<Self, Error> {
        Ok(match item.item_type {
            ItemType::Structure => Self::Bytes(&[]),
            ItemType::Integer => Self::Number(item.integer()?),
            ItemType::LongInteger => Self::LongInteger(item.long_integer()?),
            ItemType::BigInteger => Self::Bytes(item.big_integer()?),
            ItemType::Enumeration => Self::Enumeration(item.enumeration()?),
            ItemType::Boolean => Self::Boolean(item.boolean()?),
            ItemType::TextString => Self::Text(item.text_string()?),
            ItemType::ByteString => Self::Bytes(item.byte_string()?),
            ItemType::DateTime => Self::DateTime(item.date_time()?),
            ItemType::Interval => Self::Interval(item.interval()?),
        })
    }

    fn bytes_len(&self) -> usize {
        match self {
            Self::Number(_) | Self::Enumeration(_) | Self::Interval(_) => 4,
            Self::LongInteger(_) | Self::Boolean(_) | Self::DateTime(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    fn text(&self, tag: Tag, vocabulary: &dyn Vocabulary) -> String {
        match self {
            Self::Number(value) => {
                names::mask(tag, *value, '|', vocabulary).unwrap_or_else(|| value.to_string())
            }
            Self::LongInteger(value) => value.to_string(),
            Self::Enumeration(value) => names::enumeration(tag, *value, vocabulary),
            Self::Boolean(value) => value.to_string(),
            Self::DateTime(value) => date::format(*value),
            Self::Interval(value) => format!("{value} s"),
            Self::Text(text) => quoted(text),
            Self::Bytes(bytes) => hex(bytes),
        }
    }
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{:?}… ({} bytes)", &text[..end], text.len()),
        None => format!("{text:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::from("0x");
    names::push_hex(&mut text, &bytes[..bytes.len().min(SHOWN_BYTES_MAX)]);
    if bytes.len() > SHOWN_BYTES_MAX {
        let _ = write!(text, "… ({} bytes)", bytes.len());
    }
    text
}
