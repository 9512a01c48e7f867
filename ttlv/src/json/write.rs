//! A tree to JSON, in one line.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::names::{self, ATTRIBUTE_NAME};
use crate::{Node, Value, Vocabulary, date};

/// Whole numbers that JavaScript, and so many a reader of JSON, keeps apart: those below 2^52 (section 4.1.6.5).
const NUMBER_MAX: u64 = 1 << 52;

/// One message as text, which [`read`](super::read()) takes as it was.
pub fn write(node: &Node, vocabulary: &dyn Vocabulary) -> Vec<u8> {
    let shown = Shown { node, attribute_name: None, vocabulary };
    // Only a writer that fails or a map with keys that are no text makes this fail, and there is neither.
    serde_json::to_vec(&shown).unwrap_or_default()
}

struct Shown<'a> {
    node: &'a Node,
    attribute_name: Option<&'a str>,
    vocabulary: &'a dyn Vocabulary,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { node, attribute_name, vocabulary } = *self;
        let mut map = serializer.serialize_map(None)?;
        match vocabulary.tag_name(node.tag).filter(|name| vocabulary.tag(name) == Some(node.tag)) {
            Some(name) => map.serialize_entry("tag", name)?,
            None => map.serialize_entry("tag", &format_args!("{}", node.tag))?,
        }
        if !matches!(node.value, Value::Structure(_)) {
            map.serialize_entry("type", &format_args!("{:?}", node.value.item_type()))?;
        }
        let tag = names::naming_tag(node.tag, attribute_name, vocabulary);
        match &node.value {
            Value::Structure(nodes) => map.serialize_entry("value", &Items { nodes, vocabulary })?,
            Value::Integer(value) => match names::mask(tag, *value, '|', vocabulary) {
                Some(names) => map.serialize_entry("value", &names)?,
                // As the published messages of the profile have it.
                None => map.serialize_entry("value", &format_args!("0x{value:08x}"))?,
            },
            Value::LongInteger(value) if value.unsigned_abs() < NUMBER_MAX => {
                map.serialize_entry("value", value)?;
            }
            Value::LongInteger(value) => map.serialize_entry("value", &format_args!("0x{value:016x}"))?,
            Value::BigInteger(bytes) => map.serialize_entry("value", &*hex("0x", bytes))?,
            Value::Enumeration(value) => {
                map.serialize_entry("value", &names::enumeration(tag, *value, vocabulary))?;
            }
            Value::Boolean(value) => map.serialize_entry("value", value)?,
            Value::TextString(text) => map.serialize_entry("value", text)?,
            Value::ByteString(bytes) => map.serialize_entry("value", &*hex("", bytes))?,
            Value::DateTime(value) => map.serialize_entry("value", &date::format(*value))?,
            Value::Interval(value) => map.serialize_entry("value", value)?,
        }
        map.end()
    }
}

struct Items<'a> {
    nodes: &'a [Node],
    vocabulary: &'a dyn Vocabulary,
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.nodes.len()))?;
        let mut attribute_name = None;
        for node in self.nodes {
            list.serialize_element(&Shown { node, attribute_name, vocabulary: self.vocabulary })?;
            if let (ATTRIBUTE_NAME, Value::TextString(text)) = (node.tag, &node.value) {
                attribute_name = Some(text.as_str());
            }
        }
        list.end()
    }
}

/// Wiped when it was written: it may be a key.
fn hex(before: &str, bytes: &[u8]) -> zeroize::Zeroizing<String> {
    let mut text = zeroize::Zeroizing::new(String::with_capacity(before.len() + 2 * bytes.len()));
    text.push_str(before);
    names::push_hex(&mut text, bytes);
    text
}
