//! The text form: what people see, what they must not see, and how much of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails as the test does")]

mod common;

use common::{Small, every_type};
use ttlv::{Limits, NoVocabulary, Node, Tag, Value, text};

#[test]
fn a_message_is_a_tree_of_names_with_key_material_masked() {
    let expected = "\
RequestMessage
  Operation (Enumeration) Create
  0x540001 (Integer) -7
  0x540002 (LongInteger) -9223372036854775808
  0x540003 (BigInteger) 0xffffffffffffffffffffffffffffffff
  0x540004 (Boolean) true
  UniqueIdentifier (TextString) \"é-1\"
  0x540005 (ByteString) 0x010203
  TimeStamp (DateTime) 2012-04-27T08:12:21Z
  0x540006 (Interval) 3600 s
  Attribute
    AttributeName (TextString) \"Cryptographic Usage Mask\"
    AttributeValue (Integer) Encrypt|Decrypt|0x40000000
  KeyBlock
    KeyMaterial (ByteString) (32 bytes, masked)
";
    let node = every_type();
    assert_eq!(text::node(&node, &Small).to_string(), expected);
    assert_eq!(text::message(&node.encode(), Limits::default(), &Small).to_string(), expected);
}

#[test]
fn every_type_below_a_secret_tag_is_masked() {
    let inside = every_type();
    let node = Node::new(common::KEY_MATERIAL, Value::Structure(vec![inside]));
    let shown = text::node(&node, &Small).to_string();
    for line in shown.lines().filter(|line| line.contains('(')) {
        assert!(line.ends_with("bytes, masked)"), "{line}");
    }
    assert!(shown.contains("TimeStamp (DateTime) (8 bytes, masked)"), "{shown}");
}

#[test]
fn without_a_vocabulary_every_value_is_masked() {
    let shown = text::node(&every_type(), &NoVocabulary).to_string();
    assert!(shown.starts_with("0x420078\n  0x42005c (Enumeration) (4 bytes, masked)\n"), "{shown}");
    assert!(!shown.contains("abab"));
}

#[test]
fn a_text_string_cannot_forge_a_line() {
    let node = Node::new(common::UNIQUE_IDENTIFIER, Value::TextString("a\nb\u{1b}[2J\"".into()));
    assert_eq!(
        text::node(&node, &Small).to_string(),
        "UniqueIdentifier (TextString) \"a\\nb\\u{1b}[2J\\\"\"\n"
    );
}

#[test]
fn long_values_are_shown_in_part() {
    let bytes = Node::new(Tag::new(0x540001), Value::ByteString(vec![0; text::SHOWN_BYTES_MAX + 1]));
    let expected = format!("0x540001 (ByteString) 0x{}… (65 bytes)\n", "00".repeat(64));
    assert_eq!(text::node(&bytes, &Small).to_string(), expected);
    let name = Node::new(Tag::new(0x540001), Value::TextString("é".repeat(text::SHOWN_CHARS_MAX + 1)));
    let expected = format!("0x540001 (TextString) \"{}\"… (514 bytes)\n", "é".repeat(256));
    assert_eq!(text::node(&name, &Small).to_string(), expected);
}

#[test]
fn a_long_text_is_cut_at_a_line_and_says_so() {
    let items = (0..10_000).map(|_| Node::new(common::OPERATION, Value::Enumeration(0xabc))).collect();
    let node = Node::new(common::REQUEST_MESSAGE, Value::Structure(items));
    let shown = text::node(&node, &Small).to_string();
    assert!(shown.len() <= text::TEXT_BYTES_MAX);
    assert!(shown.ends_with("  Operation (Enumeration) 0x00000abc\n…\n"));
    assert_eq!(text::node(&node, &Small).bytes_max(30).to_string(), "RequestMessage\n…\n");
    assert_eq!(text::node(&node, &Small).bytes_max(0).to_string(), "…\n");
}

#[test]
fn what_cannot_be_read_is_the_last_line() {
    let mut bytes = every_type().encode();
    bytes[8 + 16 + 3] = 0x0b;
    assert_eq!(
        text::message(&bytes, Limits::default(), &Small).to_string(),
        "RequestMessage\n  Operation (Enumeration) Create\n! at byte 24, tag 0x540001: unknown item type 0x0b\n"
    );
}
