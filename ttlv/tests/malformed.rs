//! Each kind of wrong bytes by a message made by hand, the limits, and where errors point.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails as the test does")]

mod common;

use common::{any_message, bytes_of, every_type};
use proptest::prelude::*;
use ttlv::{Budget, Error, ErrorKind, ItemType, Limits, Node, Reader, Tag, Value, frame_len};

/// Hex of a message with blanks to read it by.
fn decode(hex: &str) -> Result<Node, Error> {
    decode_within(hex, Limits::default())
}

fn decode_within(hex: &str, limits: Limits) -> Result<Node, Error> {
    Node::decode(&bytes_of(&hex.replace(' ', "")), limits)
}

#[track_caller]
fn check(hex: &str, offset: usize, tag: Option<u32>, kind: ErrorKind) {
    assert_eq!(decode(hex), Err(Error { offset, tag: tag.map(Tag::new), kind }), "{hex}");
}

#[test]
fn no_bytes_are_no_message() {
    check("", 0, None, ErrorKind::Truncated { needed: 8, left: 0 });
}

#[test]
fn half_a_header_is_truncated() {
    check("420078 01 00", 0, Some(0x420078), ErrorKind::Truncated { needed: 8, left: 5 });
    check("4200", 0, None, ErrorKind::Truncated { needed: 8, left: 2 });
}

#[test]
fn a_length_beyond_the_message_is_truncated() {
    check(
        "420078 01 00000010 42006a0200000004",
        0,
        Some(0x420078),
        ErrorKind::Truncated { needed: 24, left: 16 },
    );
}

#[test]
fn a_length_beyond_the_structure_around_it_is_truncated() {
    check(
        "420078 01 00000018 420077 01 00000008 42006a 02 00000004 00000001 00000000",
        16,
        Some(0x42006a),
        ErrorKind::Truncated { needed: 16, left: 8 },
    );
}

#[test]
fn the_largest_length_is_refused_before_anything_is_kept() {
    // Every value borrows from the message or copies what was checked to be in it, so a length alone allocates
    // nothing: this would ask for 4 GiB.
    for number in 1..=10 {
        let hex = format!("420078 01 00000008 420043 {number:02x} ffffffff");
        let error = decode(&hex).unwrap_err();
        assert_eq!(error.offset, 8);
        assert_eq!(error.kind, ErrorKind::Truncated { needed: (1 << 32) + 8, left: 8 }, "type {number}");
    }
}

#[test]
fn types_that_kmip_1_does_not_have_are_refused() {
    for number in [0x00, 0x0b, 0x81, 0xff] {
        let hex = format!("420078 01 00000008 42005c {number:02x} 00000000");
        check(&hex, 8, Some(0x42005c), ErrorKind::UnknownType(number));
    }
}

#[test]
fn each_type_has_its_lengths_and_no_other() {
    #[rustfmt::skip]
    let wrong = [
        (ItemType::Integer,     8), (ItemType::Integer,     0),
        (ItemType::LongInteger, 4), (ItemType::LongInteger, 16),
        (ItemType::BigInteger,  0), (ItemType::BigInteger,  7),
        (ItemType::Enumeration, 3), (ItemType::Enumeration, 8),
        (ItemType::Boolean,     1), (ItemType::Boolean,     0),
        (ItemType::DateTime,    4), (ItemType::Interval,    8),
    ];
    for (item_type, length) in wrong {
        let padded = usize::next_multiple_of(length, 8);
        let hex = format!(
            "420078 01 {:08x} 540001 {:02x} {length:08x} {}",
            padded + 8,
            item_type as u8,
            "00".repeat(padded)
        );
        check(&hex, 8, Some(0x540001), ErrorKind::WrongLength { item_type, length });
    }
}

#[test]
fn a_structure_is_a_multiple_of_eight_bytes() {
    check(
        "420078 01 00000001 0000000000000000",
        0,
        Some(0x420078),
        ErrorKind::WrongLength { item_type: ItemType::Structure, length: 1 },
    );
}

#[test]
fn padding_that_is_not_zero_is_refused() {
    for (number, length, value) in
        [(2, 4, "0000000100000001"), (7, 3, "6162630000000001"), (8, 7, "01020304050607ff")]
    {
        let hex = format!("420078 01 00000010 540001 {number:02x} {length:08x} {value}");
        check(&hex, 8, Some(0x540001), ErrorKind::WrongPadding);
    }
}

#[test]
fn a_boolean_is_zero_or_one() {
    check(
        "420078 01 00000010 540001 06 00000008 0100000000000001",
        8,
        Some(0x540001),
        ErrorKind::NotABoolean(0x0100_0000_0000_0001),
    );
}

#[test]
fn text_is_utf_8() {
    check("420078 01 00000010 540001 07 00000001 ff00000000000000", 8, Some(0x540001), ErrorKind::NotUtf8);
}

#[test]
fn bytes_after_the_message_are_refused() {
    check("420078 01 00000000 00", 8, None, ErrorKind::TrailingBytes(1));
}

#[test]
fn an_item_of_another_type_is_refused_with_both_types() {
    let bytes = every_type().encode();
    let budget = Budget::new(Limits::default());
    let mut reader = Reader::message(&bytes, &budget).unwrap().structure().unwrap();
    let item = reader.required(common::OPERATION).unwrap();
    let wrong = |expected| ErrorKind::WrongType { expected, got: ItemType::Enumeration };
    assert_eq!(item.integer().unwrap_err().kind, wrong(ItemType::Integer));
    assert_eq!(item.long_integer().unwrap_err().kind, wrong(ItemType::LongInteger));
    assert_eq!(item.big_integer().unwrap_err().kind, wrong(ItemType::BigInteger));
    assert_eq!(item.boolean().unwrap_err().kind, wrong(ItemType::Boolean));
    assert_eq!(item.text_string().unwrap_err().kind, wrong(ItemType::TextString));
    assert_eq!(item.byte_string().unwrap_err().kind, wrong(ItemType::ByteString));
    assert_eq!(item.date_time().unwrap_err().kind, wrong(ItemType::DateTime));
    assert_eq!(item.interval().unwrap_err().kind, wrong(ItemType::Interval));
    assert_eq!(item.structure().unwrap_err().kind, wrong(ItemType::Structure));
    assert_eq!(item.enumeration(), Ok(1));
}

#[test]
fn a_missing_item_and_one_too_many_are_named() {
    let bytes = every_type().encode();
    let budget = Budget::new(Limits::default());
    let mut reader = Reader::message(&bytes, &budget).unwrap().structure().unwrap();
    let error = reader.required(common::TIME_STAMP).unwrap_err();
    assert_eq!(error, Error { offset: 8, tag: Some(common::TIME_STAMP), kind: ErrorKind::Missing });
    assert!(reader.optional(common::TIME_STAMP).unwrap().is_none());
    let error = reader.finish().unwrap_err();
    assert_eq!(error, Error { offset: 8, tag: Some(common::OPERATION), kind: ErrorKind::Unexpected });
}

#[test]
fn an_error_says_where_and_what() {
    let error = decode("420078 01 00000010 540001 07 00000001 ff00000000000000").unwrap_err();
    assert_eq!(error.to_string(), "at byte 8, tag 0x540001: a Text String is UTF-8, this one is not");
}

/// Structures within structures, of headers only.
fn nested(levels: usize) -> Vec<u8> {
    let header = |level: usize| {
        let length = u32::try_from((levels - level) * 8).unwrap().to_be_bytes();
        [[0x42, 0x00, 0x40, 0x01], length].concat()
    };
    (1..=levels).flat_map(header).collect()
}

#[test]
fn nesting_is_taken_to_its_limit_and_no_further() {
    let limits = Limits { depth_max: 5, ..Limits::default() };
    assert!(Node::decode(&nested(5), limits).is_ok());
    let error = Node::decode(&nested(6), limits).unwrap_err();
    assert_eq!((error.offset, error.kind), (40, ErrorKind::TooDeep(5)));
    // The default: a message of nothing but headers.
    assert_eq!(Node::decode(&nested(100_000), Limits::default()).unwrap_err().kind, ErrorKind::TooDeep(32));
}

#[test]
fn items_are_counted_to_their_limit_and_no_further() {
    let node = every_type();
    let bytes = node.encode();
    let items_max = 15;
    assert_eq!(Node::decode(&bytes, Limits { items_max, ..Limits::default() }), Ok(node));
    let error = Node::decode(&bytes, Limits { items_max: items_max - 1, ..Limits::default() }).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooManyItems(items_max - 1));
}

#[test]
fn a_message_is_as_large_as_its_limit_and_no_larger() {
    let bytes = every_type().encode();
    let limits = |limit| Limits { message_bytes_max: limit, ..Limits::default() };
    assert!(Node::decode(&bytes, limits(bytes.len())).is_ok());
    let kind = ErrorKind::TooLarge { got: bytes.len(), limit: bytes.len() - 1 };
    assert_eq!(Node::decode(&bytes, limits(bytes.len() - 1)).unwrap_err().kind, kind);
}

#[test]
fn the_limits_have_their_defaults() {
    let limits = Limits::default();
    assert_eq!((limits.message_bytes_max, limits.depth_max, limits.items_max), (1 << 20, 32, 1 << 16));
}

#[track_caller]
fn check_frame(header: &str, expected: Result<usize, ErrorKind>) {
    let header: [u8; 8] = bytes_of(header).try_into().unwrap();
    let limits = Limits { message_bytes_max: 1024, ..Limits::default() };
    assert_eq!(frame_len(&header, &limits).map_err(|error| error.kind), expected);
}

#[test]
fn a_frame_is_a_structure_of_a_whole_number_of_words_within_the_limit() {
    check_frame("4200780100000000", Ok(8));
    check_frame("4200780100000060", Ok(104));
    check_frame("42007801000003f8", Ok(1024));
    check_frame("4200780100000400", Err(ErrorKind::TooLarge { got: 1032, limit: 1024 }));
    check_frame("42007801ffffffff", Err(ErrorKind::TooLarge { got: (1 << 32) + 7, limit: 1024 }));
    check_frame(
        "4200780100000004",
        Err(ErrorKind::WrongLength { item_type: ItemType::Structure, length: 4 }),
    );
    check_frame(
        "4200780200000004",
        Err(ErrorKind::WrongType { expected: ItemType::Structure, got: ItemType::Integer }),
    );
    // A TLS ClientHello and an HTTP request, as a listener meets them.
    check_frame("474554202f204854", Err(ErrorKind::UnknownType(b' ')));
    check_frame(
        "1603010200010001",
        Err(ErrorKind::WrongType { expected: ItemType::Structure, got: ItemType::Integer }),
    );
}

proptest! {
    #[test]
    fn the_values_of_a_tree_take_no_more_bytes_than_its_message(node in any_message()) {
        let bytes = node.encode();
        let node = Node::decode(&bytes, Limits::default()).unwrap();
        prop_assert!(value_bytes(&node) <= bytes.len());
    }
}

#[test]
fn the_nodes_of_a_tree_are_small_and_bounded_by_the_items_of_its_message() {
    assert!(size_of::<Node>() <= 40, "Node::decode's documentation says so");
    // The worst case for a tree: nothing but empty structures, eight bytes each.
    let limits = Limits { items_max: 1000, ..Limits::default() };
    let empty = |count| Node::new(common::KEY_BLOCK, Value::Structure(vec![nothing(); count])).encode();
    assert!(Node::decode(&empty(999), limits).is_ok());
    assert_eq!(Node::decode(&empty(1000), limits).unwrap_err().kind, ErrorKind::TooManyItems(1000));
}

fn nothing() -> Node {
    Node::new(common::KEY_BLOCK, Value::Structure(Vec::new()))
}

fn value_bytes(node: &Node) -> usize {
    match &node.value {
        Value::Structure(nodes) => nodes.iter().map(value_bytes).sum(),
        Value::BigInteger(bytes) | Value::ByteString(bytes) => bytes.capacity(),
        Value::TextString(text) => text.capacity(),
        _ => 4,
    }
}
