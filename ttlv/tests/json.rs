//! The JSON form: what is taken for each type, what is refused and where, and what a message looks like.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails as the test does")]

mod common;

use common::{Small, any_message, every_type};
use proptest::prelude::*;
use ttlv::json::{ErrorKind, read, write};
use ttlv::{ItemType, Limits, Node, Tag, Value, json};

fn item(item_type: &str, value: &str) -> String {
    format!(r#"{{"tag":"0x540001","type":"{item_type}","value":{value}}}"#)
}

#[track_caller]
fn check(text: &str, expected: Value) {
    assert_eq!(read(text.as_bytes(), Limits::default(), &Small).unwrap().value, expected, "{text}");
}

#[track_caller]
fn refused(text: &str, expected: ErrorKind) {
    assert_eq!(read(text.as_bytes(), Limits::default(), &Small).unwrap_err().kind, expected, "{text}");
}

#[track_caller]
fn no_json(text: &str) -> json::Error {
    let error = read(text.as_bytes(), Limits::default(), &Small).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::NotJson(_)), "{text}: {error}");
    error
}

proptest! {
    #[test]
    fn a_tree_comes_back_from_its_json(node in any_message()) {
        let text = write(&node, &Small);
        let words = String::from_utf8_lossy(&text).into_owned();
        prop_assert_eq!(read(&text, Limits::default(), &Small), Ok(node), "{}", words);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, Limits::default(), &Small);
    }

    #[test]
    fn a_message_that_was_cut_or_damaged_is_read_or_refused(node in any_message(), at: prop::sample::Index, byte: u8) {
        let mut text = write(&node, &Small);
        let at = at.index(text.len());
        prop_assert!(read(&text[..at], Limits::default(), &Small).is_err());
        text[at] = byte;
        let _ = read(&text, Limits::default(), &Small);
    }
}

#[test]
fn text_of_every_kind_of_character_comes_back() {
    for text in ["\0", "\u{1}\u{7f}\u{ffff}", "\"\\/\u{8}\u{c}\n\r\t", "\u{1f511} é", ""] {
        let node = Node::new(Tag::new(0x54_0001), Value::TextString(text.to_owned()));
        let written = write(&node, &Small);
        assert_eq!(read(&written, Limits::default(), &Small), Ok(node));
    }
    check(&item("TextString", r#""\ud83d\udd11 \u00e9""#), Value::TextString("\u{1f511} é".to_owned()));
}

#[test]
fn a_message_is_written_as_objects_named_by_tag() {
    let expected = concat!(
        r#"{"tag":"RequestMessage","value":["#,
        r#"{"tag":"Operation","type":"Enumeration","value":"Create"},"#,
        r#"{"tag":"0x540001","type":"Integer","value":"0xfffffff9"},"#,
        r#"{"tag":"0x540002","type":"LongInteger","value":"0x8000000000000000"},"#,
        r#"{"tag":"0x540003","type":"BigInteger","value":"0xffffffffffffffffffffffffffffffff"},"#,
        r#"{"tag":"0x540004","type":"Boolean","value":true},"#,
        r#"{"tag":"UniqueIdentifier","type":"TextString","value":"é-1"},"#,
        r#"{"tag":"0x540005","type":"ByteString","value":"010203"},"#,
        r#"{"tag":"TimeStamp","type":"DateTime","value":"2012-04-27T08:12:21Z"},"#,
        r#"{"tag":"0x540006","type":"Interval","value":3600},"#,
        r#"{"tag":"Attribute","value":["#,
        r#"{"tag":"AttributeName","type":"TextString","value":"Cryptographic Usage Mask"},"#,
        r#"{"tag":"AttributeValue","type":"Integer","value":"Encrypt|Decrypt|0x40000000"}]},"#,
        r#"{"tag":"KeyBlock","value":[{"tag":"KeyMaterial","type":"ByteString","value":""#,
        "abababababababababababababababababababababababababababababababab",
        r#""}]}]}"#
    );
    assert_eq!(String::from_utf8(write(&every_type(), &Small)).unwrap(), expected);
    assert_eq!(read(expected.as_bytes(), Limits::default(), &Small), Ok(every_type()));
}

#[test]
fn each_type_takes_what_the_profile_gives_it() {
    check(&item("Integer", "10"), Value::Integer(10));
    check(&item("Integer", "-2147483648"), Value::Integer(i32::MIN));
    check(&item("Integer", r#""0x0000000A""#), Value::Integer(10));
    check(&item("Integer", r#""0xffffffff""#), Value::Integer(-1));
    for mask in ["Encrypt|Decrypt", "Encrypt|0x00000008", "0x0000000c"] {
        let text = format!(r#"{{"tag":"CryptographicUsageMask","type":"Integer","value":"{mask}"}}"#);
        check(&text, Value::Integer(12));
    }
    check(&item("LongInteger", "-2"), Value::LongInteger(-2));
    check(&item("LongInteger", r#""0xfffffffffffffffe""#), Value::LongInteger(-2));
    check(&item("LongInteger", "9223372036854775807"), Value::LongInteger(i64::MAX));
    check(&item("BigInteger", "0"), Value::BigInteger(vec![0; 8]));
    check(&item("BigInteger", "-1"), Value::BigInteger(vec![0xff; 8]));
    check(&item("BigInteger", r#""0x0000000000000000""#), Value::BigInteger(vec![0; 8]));
    for value in ["1", r#""0x00000001""#, r#""Create""#] {
        let text = format!(r#"{{"tag":"Operation","type":"Enumeration","value":{value}}}"#);
        check(&text, Value::Enumeration(1));
    }
    check(&item("Boolean", "true"), Value::Boolean(true));
    check(&item("Boolean", r#""0x0000000000000000""#), Value::Boolean(false));
    check(&item("Boolean", r#""0x0000000000000001""#), Value::Boolean(true));
    check(&item("ByteString", r#""C50F77""#), Value::ByteString(vec![0xc5, 0x0f, 0x77]));
    check(&item("DateTime", r#""0x000000003a505520""#), Value::DateTime(0x3a50_5520));
    check(&item("DateTime", r#""2001-01-01T10:00:00+10:00""#), Value::DateTime(978_307_200));
    check(&item("Interval", "27"), Value::Interval(27));
    check(&item("Interval", r#""0x0000001b""#), Value::Interval(27));
    check(&item("Interval", "4294967295"), Value::Interval(u32::MAX));
}

#[test]
fn properties_come_in_any_order_and_names_for_people_are_passed_over() {
    check(
        r#" {"value": [{"value": 12, "name": ["any", {"thing": null}], "type": "Integer", "tag": "0x540001"}],
             "name": "SomeExtension", "tag": "0x54FFFF"} "#,
        Value::Structure(vec![Node::new(Tag::new(0x54_0001), Value::Integer(12))]),
    );
    for empty in [r#","value":null"#, r#","value":[]"#, "", r#","type":"Structure","value":[]"#] {
        check(&format!(r#"{{"tag":"0x540001"{empty}}}"#), Value::Structure(Vec::new()));
    }
}

#[test]
fn values_that_their_type_does_not_take_are_refused() {
    let wrong = |item_type, text: &str| ErrorKind::WrongValue { item_type, text: text.to_owned() };
    refused(&item("Integer", "2147483648"), wrong(ItemType::Integer, "2147483648"));
    refused(&item("Integer", r#""10""#), wrong(ItemType::Integer, "10"));
    refused(&item("Integer", r#""0x1ffffffff""#), wrong(ItemType::Integer, "0x1ffffffff"));
    refused(&item("Integer", "true"), wrong(ItemType::Integer, "true"));
    refused(&item("Interval", "-1"), wrong(ItemType::Interval, "-1"));
    refused(&item("DateTime", "0"), wrong(ItemType::DateTime, "0"));
    refused(&item("DateTime", r#""yesterday""#), wrong(ItemType::DateTime, "yesterday"));
    refused(&item("Boolean", "1"), wrong(ItemType::Boolean, "1"));
    refused(&item("Boolean", r#""true""#), wrong(ItemType::Boolean, "true"));
    refused(&item("Boolean", r#""0x0000000000000002""#), wrong(ItemType::Boolean, "0x0000000000000002"));
    refused(&item("TextString", "7"), wrong(ItemType::TextString, "7"));
    refused(&item("TextString", "[]"), wrong(ItemType::TextString, "an array"));
    refused(&item("Structure", "7"), wrong(ItemType::Structure, "7"));
    for fraction in ["1.5", "1e3", "99999999999999999999"] {
        let words = "a number that is no whole number of 64 bits";
        refused(&item("LongInteger", fraction), wrong(ItemType::LongInteger, words));
    }
    refused(&item("Integer", "null"), ErrorKind::MissingValue(ItemType::Integer));
    refused(r#"{"tag":"0x540001","type":"Integer"}"#, ErrorKind::MissingValue(ItemType::Integer));
    refused(&item("integer", "1"), ErrorKind::UnknownType("integer".to_owned()));
}

#[test]
fn what_may_be_key_material_is_not_repeated() {
    let wrong = |item_type| ErrorKind::WrongValue { item_type, text: String::new() };
    refused(&item("ByteString", r#""0xc50f77""#), wrong(ItemType::ByteString));
    refused(&item("ByteString", r#""abc""#), wrong(ItemType::ByteString));
    refused(&item("BigInteger", r#""00""#), wrong(ItemType::BigInteger));
    refused(
        r#"{"tag":"KeyMaterial","value":[{"tag":"0x540001","type":"Integer","value":"hidden"}]}"#,
        wrong(ItemType::Integer),
    );
}

#[test]
fn unknown_names_are_refused_with_their_place() {
    let text = r#"{"tag":"RequestMessage","value":[
        {"tag":"TimeStamp","type":"DateTime","value":"2001-01-01T00:00:00Z"},
        {"tag":"Attribute","value":[{"tag":"Operation","type":"Enumeration","value":"Creat"}]}]}"#;
    let error = read(text.as_bytes(), Limits::default(), &Small).unwrap_err();
    assert_eq!(error.place, "RequestMessage/Attribute 2/Operation 1");
    assert!(matches!(&error.kind, ErrorKind::UnknownName { name, .. } if name == "Creat"), "{error}");

    for tag in ["NoSuchTag", "", "0x54", "0x5400010", "540001", "0x54000g", "0x+40001"] {
        refused(&format!(r#"{{"tag":"{tag}"}}"#), ErrorKind::UnknownTag(tag.to_owned()));
    }
    refused(r#"{"value":[]}"#, ErrorKind::MissingTag);
}

#[test]
fn what_is_no_json_or_no_item_says_where() {
    assert_eq!(no_json("{\"tag\":\n\"0x540001\",}").place, "line 2, column 12");
    for text in [
        "",
        "[]",
        "7",
        "\"RequestMessage\"",
        r#"{"tag":7}"#,
        r#"{"tag":"0x540001","value":[7]}"#,
        r#"{"tag":"0x540001","value":{}}"#,
        r#"{"tag":"0x540001","tag":"0x540001"}"#,
        r#"{"tag":"0x540001"} {"tag":"0x540001"}"#,
        "{\"tag\":\"0x540001\",\"type\":\"TextString\",\"value\":\"\u{1}\"}",
    ] {
        no_json(text);
    }
    assert!(read(b"{\"tag\":\"\xff\"}", Limits::default(), &Small).is_err());
}

#[test]
fn depth_items_and_bytes_are_bounded() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"tag":"0x540001","value":["#.repeat(levels), "]}".repeat(levels));
        format!("{open}{close}")
    };
    let limits = Limits { depth_max: 4, items_max: 5, message_bytes_max: 400 };
    let kind = |text: &str| read(text.as_bytes(), limits, &Small).map_err(|error| error.kind);
    assert!(kind(&nested(4)).is_ok());
    assert_eq!(kind(&nested(5)), Err(ErrorKind::TooDeep(4)));
    let many = |count: usize| {
        format!(r#"{{"tag":"0x540001","value":[{}]}}"#, vec![r#"{"tag":"0x540001"}"#; count].join(","))
    };
    assert!(kind(&many(4)).is_ok());
    assert_eq!(kind(&many(5)), Err(ErrorKind::TooManyItems(5)));
    let long = format!(r#"{{"tag":"0x540001"{}}}"#, " ".repeat(400));
    assert_eq!(kind(&long), Err(ErrorKind::TooLarge { got: long.len(), limit: 400 }));
    // Whatever the limits say: JSON's own reader goes no deeper, so that no message takes the stack.
    let deep = Limits { depth_max: 255, ..Limits::default() };
    assert!(read(nested(255).as_bytes(), deep, &Small).is_err());
    assert!(read(nested(60).as_bytes(), deep, &Small).is_ok());
}
