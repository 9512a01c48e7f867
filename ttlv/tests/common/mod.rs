//! What the test files share: two vocabularies, trees at random, and where the public vectors are.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a helper of a test fails as the test does")]

mod small;

use std::path::PathBuf;

use proptest::prelude::*;
pub use small::*;
use ttlv::{Node, Tag, Value, Vocabulary};

/// Knows a number for every name, by hashing those that `Small` has not; for reading documents for their shape.
pub struct Permissive;

fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Vocabulary for Permissive {
    fn tag_name(&self, tag: Tag) -> Option<&'static str> {
        Small.tag_name(tag)
    }
    fn tag(&self, name: &str) -> Option<Tag> {
        Small.tag(name).or_else(|| is_name(name).then(|| Tag::new(0x42_0000 | hash(name))))
    }
    fn enumeration_name(&self, tag: Tag, number: u32) -> Option<&'static str> {
        Small.enumeration_name(tag, number)
    }
    fn enumeration_number(&self, tag: Tag, name: &str) -> Option<u32> {
        Small.enumeration_number(tag, name).or_else(|| is_name(name).then(|| hash(name)))
    }
    fn mask_bits(&self, _: Tag) -> Option<&'static [(&'static str, u32)]> {
        Some(MASK)
    }
    fn attribute_tag(&self, name: &str) -> Option<Tag> {
        assert!(!name.contains("  "), "an attribute's name comes with its blanks collapsed: {name:?}");
        self.tag(&name.replace([' ', '.', '-'], ""))
    }
    fn is_secret(&self, tag: Tag) -> bool {
        Small.is_secret(tag)
    }
}

/// The folder of public vectors: `KMIP_VECTORS`, or beside the project. Says so in one line when it is not there.
pub fn vectors() -> Option<PathBuf> {
    let folder = std::env::var_os("KMIP_VECTORS")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"));
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no public vectors at {}; hint: set KMIP_VECTORS", folder.display());
    None
}

pub fn bytes_of(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "hex of whole bytes");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Any tag, often one that has a name.
pub fn any_tag() -> impl Strategy<Value = Tag> {
    prop_oneof![any::<u32>().prop_map(Tag::new), prop::sample::select(TAGS.map(|row| row.1).to_vec()),]
}

/// Any text that XML can carry.
pub fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| text.replace('\0', "")),
        Just("Cryptographic Usage Mask".to_owned()),
        Just("Cryptographic  Algorithm".to_owned()),
        Just("  a\tb\r\nc<&>\"'é\u{85}\u{2028} ".to_owned()),
    ]
}

/// Any value with nothing below it.
pub fn any_leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        any::<i64>().prop_map(Value::LongInteger),
        (1_usize..4, any::<u8>()).prop_map(|(words, byte)| Value::BigInteger(vec![byte; words * 8])),
        prop_oneof![any::<u32>(), 0_u32..12].prop_map(Value::Enumeration),
        any::<bool>().prop_map(Value::Boolean),
        any_text().prop_map(Value::TextString),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::ByteString),
        any::<i64>().prop_map(Value::DateTime),
        any::<u32>().prop_map(Value::Interval),
    ]
}

/// Any tree to five levels whose top is a Structure.
pub fn any_message() -> impl Strategy<Value = Node> {
    let node = (any_tag(), any_leaf()).prop_map(|(tag, value)| Node::new(tag, value));
    let node = node.prop_recursive(4, 64, 6, |inner| {
        (any_tag(), prop::collection::vec(inner, 0..6))
            .prop_map(|(tag, nodes)| Node::new(tag, Value::Structure(nodes)))
    });
    (any_tag(), prop::collection::vec(node, 0..6))
        .prop_map(|(tag, nodes)| Node::new(tag, Value::Structure(nodes)))
}

/// A request with an item of each type.
pub fn every_type() -> Node {
    let leaf = |number: u32, value| Node::new(Tag::new(number), value);
    Node::new(
        REQUEST_MESSAGE,
        Value::Structure(vec![
            Node::new(OPERATION, Value::Enumeration(1)),
            leaf(0x540001, Value::Integer(-7)),
            leaf(0x540002, Value::LongInteger(i64::MIN)),
            leaf(0x540003, Value::BigInteger(vec![0xff; 16])),
            leaf(0x540004, Value::Boolean(true)),
            Node::new(UNIQUE_IDENTIFIER, Value::TextString("é-1".to_owned())),
            leaf(0x540005, Value::ByteString(vec![1, 2, 3])),
            Node::new(TIME_STAMP, Value::DateTime(1_335_514_341)),
            leaf(0x540006, Value::Interval(3600)),
            Node::new(
                ATTRIBUTE,
                Value::Structure(vec![
                    Node::new(ATTRIBUTE_NAME, Value::TextString("Cryptographic Usage Mask".to_owned())),
                    Node::new(ATTRIBUTE_VALUE, Value::Integer(0x4000_000c)),
                ]),
            ),
            Node::new(
                KEY_BLOCK,
                Value::Structure(vec![Node::new(KEY_MATERIAL, Value::ByteString(vec![0xab; 32]))]),
            ),
        ]),
    )
}
