//! What is written is read again: bytes and XML, any tree.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails as the test does")]

mod common;

use common::{Small, any_message, every_type};
use proptest::prelude::*;
use ttlv::{Budget, Limits, Node, Reader, Writer, text, xml};

proptest! {
    #[test]
    fn a_tree_comes_back_from_its_bytes(node in any_message()) {
        let bytes = node.encode();
        prop_assert_eq!(bytes.len() % 8, 0);
        prop_assert_eq!(Node::decode(&bytes, Limits::default()), Ok(node));
    }

    #[test]
    fn a_tree_comes_back_from_its_xml(node in any_message()) {
        let document = xml::write(&node, &Small);
        prop_assert_eq!(xml::read(&document, &Small), Ok(node), "{}", document);
    }

    #[test]
    fn the_text_of_bytes_is_the_text_of_their_tree(node in any_message()) {
        let bytes = node.encode();
        let budget = Budget::new(Limits::default());
        let item = Reader::message(&bytes, &budget).unwrap();
        let of_item = text::item(&item, &Small).to_string();
        prop_assert_eq!(&of_item, &text::node(&node, &Small).to_string());
        prop_assert!(of_item.len() <= text::TEXT_BYTES_MAX);
    }

    #[test]
    fn a_document_gives_its_messages_in_order(nodes in prop::collection::vec(any_message(), 0..4)) {
        let document = xml::write_all(&nodes, &Small);
        let options = xml::ReadOptions::default();
        let read = xml::Document::new(&document, options).read(&Small, &mut xml::NoPlaceholders);
        prop_assert_eq!(read, Ok(nodes));
    }
}

#[test]
fn items_written_one_after_the_other_are_read_one_after_the_other() {
    let node = every_type();
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    node.write(&mut writer);
    node.write(&mut writer);
    let budget = Budget::new(Limits::default());
    let mut reader = Reader::items(&bytes, &budget);
    for _ in 0..2 {
        assert_eq!(Node::read(&reader.next_item().unwrap().unwrap()), Ok(node.clone()));
    }
    assert!(reader.finish().is_ok());
}

#[test]
fn short_big_integers_are_sign_extended() {
    let tag = common::KEY_MATERIAL;
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    for value in [&[][..], &[0x01], &[0xff], &[0x00, 0x80]] {
        writer.big_integer(tag, value);
    }
    let values = ["0000000000000000", "0000000000000001", "ffffffffffffffff", "0000000000000080"];
    let expected = values.map(|value| format!("4200430400000008{value}")).concat();
    assert_eq!(bytes, common::bytes_of(&expected));
}
