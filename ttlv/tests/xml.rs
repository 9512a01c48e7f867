//! The XML form: what is taken for each type, what is refused and how the error reads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails as the test does")]

mod common;

use common::{Small, every_type};
use ttlv::xml::{Document, ErrorKind, NoPlaceholders, ReadOptions, read, write, write_all};
use ttlv::{ItemType, Limits, Node, Tag, Value};

#[track_caller]
fn check(element: &str, expected: Value) {
    assert_eq!(read(element, &Small).unwrap().value, expected, "{element}");
}

#[track_caller]
fn refused(element: &str, expected: ErrorKind) {
    assert_eq!(read(element, &Small).unwrap_err().kind, expected, "{element}");
}

fn leaf(item_type: &str, value: &str) -> String {
    format!("<TTLV tag=\"0x540001\" type=\"{item_type}\" value=\"{value}\"/>")
}

#[test]
fn a_message_is_written_as_elements_named_by_tag() {
    let expected = r#"<RequestMessage>
  <Operation type="Enumeration" value="Create"/>
  <TTLV tag="0x540001" type="Integer" value="-7"/>
  <TTLV tag="0x540002" type="LongInteger" value="-9223372036854775808"/>
  <TTLV tag="0x540003" type="BigInteger" value="ffffffffffffffffffffffffffffffff"/>
  <TTLV tag="0x540004" type="Boolean" value="true"/>
  <UniqueIdentifier type="TextString" value="é-1"/>
  <TTLV tag="0x540005" type="ByteString" value="010203"/>
  <TimeStamp type="DateTime" value="2012-04-27T08:12:21Z"/>
  <TTLV tag="0x540006" type="Interval" value="3600"/>
  <Attribute>
    <AttributeName type="TextString" value="Cryptographic Usage Mask"/>
    <AttributeValue type="Integer" value="Encrypt Decrypt 0x40000000"/>
  </Attribute>
  <KeyBlock>
    <KeyMaterial type="ByteString" value="abababababababababababababababababababababababababababababababab"/>
  </KeyBlock>
</RequestMessage>
"#;
    assert_eq!(write(&every_type(), &Small), expected);
    assert_eq!(read(expected, &Small), Ok(every_type()));
}

#[test]
fn integers_are_decimal_hex_or_masks() {
    check(&leaf("Integer", "-2147483648"), Value::Integer(i32::MIN));
    check(&leaf("Integer", "0xffffffff"), Value::Integer(-1));
    check(&leaf("LongInteger", "-2"), Value::LongInteger(-2));
    check(&leaf("LongInteger", "0xfffffffffffffffe"), Value::LongInteger(-2));
    for mask in
        ["Encrypt Decrypt", "Decrypt   Encrypt", "Encrypt|Decrypt", "Encrypt 0x00000008", "0x0000000c", "12"]
    {
        let element = format!("<CryptographicUsageMask type=\"Integer\" value=\"{mask}\"/>");
        check(&element, Value::Integer(12));
    }
}

#[test]
fn big_integers_are_hex_of_whole_words() {
    check(&leaf("BigInteger", "0000000000010001"), Value::BigInteger(vec![0, 0, 0, 0, 0, 1, 0, 1]));
    check(&leaf("BigInteger", "010001"), Value::BigInteger(vec![0, 0, 0, 0, 0, 1, 0, 1]));
    check(&leaf("BigInteger", "fe"), Value::BigInteger([[0xff; 7].as_slice(), &[0xfe]].concat()));
    check(&leaf("BigInteger", ""), Value::BigInteger(vec![0; 8]));
}

#[test]
fn enumerations_are_names_hex_or_decimal() {
    for value in ["Create", "0x00000001", "1", " Create "] {
        check(&format!("<Operation type=\"Enumeration\" value=\"{value}\"/>"), Value::Enumeration(1));
    }
    check(&leaf("Enumeration", "0x80000001"), Value::Enumeration(0x8000_0001));
}

#[test]
fn the_other_types_are_read() {
    check(&leaf("Boolean", "true"), Value::Boolean(true));
    check(&leaf("Boolean", "0"), Value::Boolean(false));
    check(&leaf("ByteString", "A1 b2\n c3"), Value::ByteString(vec![0xa1, 0xb2, 0xc3]));
    check(&leaf("ByteString", ""), Value::ByteString(Vec::new()));
    check(&leaf("DateTime", "2001-01-01T10:00:00+10:00"), Value::DateTime(978_307_200));
    check(&leaf("DateTime", "978307200"), Value::DateTime(978_307_200));
    check(&leaf("DateTime", "0x000000003a4fc880"), Value::DateTime(978_307_200));
    check(&leaf("Interval", "27"), Value::Interval(27));
    check(&leaf("Interval", "0x0000001b"), Value::Interval(27));
    check(&leaf("TextString", " a &lt; b&#10; "), Value::TextString(" a < b\n ".into()));
    check("<RequestMessage type=\"Structure\"></RequestMessage>", Value::Structure(Vec::new()));
}

#[test]
fn tags_are_names_numbers_or_namespaced() {
    for (element, tag) in [
        ("<TimeStamp/>", common::TIME_STAMP),
        ("<k:TimeStamp xmlns:k=\"urn:oasis:tc:kmip:xmlns\"/>", common::TIME_STAMP),
        ("<TTLV tag=\"0x420092\" name=\"TimeStamp\"/>", common::TIME_STAMP),
        ("<TTLV tag=\"TimeStamp\"/>", common::TIME_STAMP),
        ("<TTLV tag=\"0x54FFFF\" name=\"SomeExtension\"/>", Tag::new(0x54ffff)),
    ] {
        assert_eq!(read(element, &Small).unwrap().tag, tag, "{element}");
    }
}

#[test]
fn an_attribute_value_uses_the_names_of_its_attribute() {
    let value = |name: &str, item_type: &str, value: &str| {
        let document = format!(
            "<Attribute><AttributeName type=\"TextString\" value=\"{name}\"/>\
             <AttributeValue type=\"{item_type}\" value=\"{value}\"/></Attribute>"
        );
        read(&document, &Small).map(|node| node.child(common::ATTRIBUTE_VALUE).unwrap().value.clone())
    };
    assert_eq!(value("Cryptographic   Algorithm", "Enumeration", "AES"), Ok(Value::Enumeration(3)));
    assert_eq!(value("Cryptographic Usage\n Mask", "Integer", "Encrypt"), Ok(Value::Integer(4)));
    assert_eq!(
        value("x-Other", "Enumeration", "AES").unwrap_err().to_string(),
        "line 1, column 110, in <AttributeValue>: 0x42000b has no value called \"AES\""
    );
}

#[test]
fn a_document_has_messages_with_text_and_comments_between() {
    let document = "<?xml version=\"1.0\"?>\n<!-- a <b> -->\n<KMIP>\n# TIME 0\n<RequestMessage/>\n# TIME 1 &gt;\n\
                    <RequestMessage>\n<!-- c --></RequestMessage></KMIP>";
    let document = Document::new(document, ReadOptions::default());
    let nodes = document.read(&Small, &mut NoPlaceholders).unwrap();
    assert_eq!(nodes, vec![Node::new(common::REQUEST_MESSAGE, Value::Structure(Vec::new())); 2]);
    assert_eq!(write_all(&nodes, &Small), "<KMIP>\n  <RequestMessage/>\n  <RequestMessage/>\n</KMIP>\n");
}

#[test]
fn junk_between_messages_is_passed_over_when_asked() {
    let text = "<KMIP>00: S.<$B.. & x <RequestMessage/> </KMIP></KMIP>";
    let options = ReadOptions { pass_over_junk: true, ..ReadOptions::default() };
    assert_eq!(Document::new(text, options).read(&Small, &mut NoPlaceholders).unwrap().len(), 1);
    let strict = Document::new(text, ReadOptions::default()).read(&Small, &mut NoPlaceholders);
    assert!(matches!(strict.unwrap_err().kind, ErrorKind::NotXml(_)));
}

#[test]
fn blanks_of_text_strings_stay_unless_collapsed() {
    let element = leaf("TextString", " third \n  party ");
    check(&element, Value::TextString(" third    party ".into()));
    let options = ReadOptions { collapse_blanks: true, ..ReadOptions::default() };
    let nodes = Document::new(&element, options).read(&Small, &mut NoPlaceholders).unwrap();
    assert_eq!(nodes[0].value, Value::TextString("third party".into()));
}

#[test]
fn placeholders_are_filled_in_by_the_caller_one_message_at_a_time() {
    let document = "<KMIP><TimeStamp type=\"DateTime\" value=\"$NOW-3600\"/>\
                    <UniqueIdentifier type=\"TextString\" value=\"$UNIQUE_IDENTIFIER_0\"/></KMIP>";
    let document = Document::new(document, ReadOptions::default());
    let mut messages = document.messages(&Small);
    let now = 1_000_000;
    let mut times = |_: Tag, _: ItemType, text: &str| {
        let offset: i64 = text.strip_prefix("$NOW")?.parse().ok()?;
        Some((now + offset).to_string())
    };
    assert_eq!(messages.next_message(&mut times).unwrap().unwrap().value, Value::DateTime(996_400));
    let bound = String::from("id-1");
    let mut identifiers = |tag: Tag, item_type: ItemType, _: &str| {
        assert_eq!((tag, item_type), (common::UNIQUE_IDENTIFIER, ItemType::TextString));
        Some(bound.clone())
    };
    let node = messages.next_message(&mut identifiers).unwrap().unwrap();
    assert_eq!(node.value, Value::TextString("id-1".into()));
    assert_eq!(messages.next_message(&mut NoPlaceholders), Ok(None));
}

#[test]
fn wrong_values_are_refused_with_their_text() {
    for (item_type, name, value) in [
        (ItemType::Integer, "Integer", "2147483648"),
        (ItemType::Integer, "Integer", ""),
        (ItemType::Integer, "Integer", "0x1ffffffff"),
        (ItemType::LongInteger, "LongInteger", "1.5"),
        (ItemType::Boolean, "Boolean", "yes"),
        (ItemType::DateTime, "DateTime", "$NOW"),
        (ItemType::Interval, "Interval", "-1"),
        (ItemType::Interval, "Interval", "0x+1"),
    ] {
        let text = value.to_owned();
        refused(&leaf(name, value), ErrorKind::WrongValue { item_type, text });
    }
    let unknown = ErrorKind::UnknownName { tag: common::OPERATION, name: "Steal".into() };
    refused("<Operation type=\"Enumeration\" value=\"Steal\"/>", unknown);
    let unknown = ErrorKind::UnknownName { tag: common::USAGE_MASK, name: "Steal".into() };
    refused("<CryptographicUsageMask type=\"Integer\" value=\"Sign Steal\"/>", unknown);
}

#[test]
fn no_error_repeats_key_material() {
    for (item_type, name) in [(ItemType::ByteString, "ByteString"), (ItemType::BigInteger, "BigInteger")] {
        for value in ["abc", "0g", "$KEY", "é0"] {
            refused(&leaf(name, value), ErrorKind::WrongValue { item_type, text: String::new() });
        }
    }
    refused(
        "<KeyMaterial><TimeStamp type=\"DateTime\" value=\"secret\"/></KeyMaterial>",
        ErrorKind::WrongValue { item_type: ItemType::DateTime, text: String::new() },
    );
}

#[test]
fn elements_that_are_no_items_are_refused() {
    refused("<Unheard/>", ErrorKind::UnknownTag);
    refused("<TTLV/>", ErrorKind::WrongTag(String::new()));
    refused("<TTLV tag=\"0x5400\"/>", ErrorKind::WrongTag("0x5400".into()));
    refused("<TimeStamp type=\"Date\"/>", ErrorKind::UnknownType("Date".into()));
    refused("<TimeStamp type=\"DateTime\"/>", ErrorKind::MissingValue(ItemType::DateTime));
    refused("<TimeStamp value=\"1\"/>", ErrorKind::ValueOfStructure);
    refused(
        "<TimeStamp type=\"DateTime\" value=\"1\"><TimeStamp/></TimeStamp>",
        ErrorKind::InsideValue(ItemType::DateTime),
    );
    refused("<RequestMessage>text</RequestMessage>", ErrorKind::UnexpectedText);
    refused("<RequestMessage><![CDATA[x]]></RequestMessage>", ErrorKind::UnexpectedText);
    refused("<RequestMessage>&amp;</RequestMessage>", ErrorKind::UnexpectedText);
    refused("<RequestMessage>", ErrorKind::Unclosed);
    refused("", ErrorKind::NotOne(0));
    refused("<RequestMessage/><RequestMessage/>", ErrorKind::NotOne(2));
    for document in [
        "<RequestMessage></TimeStamp>",
        "<RequestMessage",
        "<a b='1' b='2'/>",
        "<TimeStamp a='&x;' type='&x;'/>",
    ] {
        let kind = read(document, &Small).unwrap_err().kind;
        assert!(matches!(kind, ErrorKind::NotXml(_)), "{document}: {kind}");
    }
}

#[test]
fn an_error_says_where() {
    let document = "<RequestMessage>\n  <Operation type=\"Enumeration\" value=\"Create\"/>\n  <Unheard/>\n</RequestMessage>";
    let error = read(document, &Small).unwrap_err();
    assert_eq!((error.line, error.element.as_deref()), (3, Some("Unheard")));
}

#[test]
fn after_an_error_a_document_has_no_more_messages() {
    let document = Document::new("<Unheard/><RequestMessage/>", ReadOptions::default());
    let mut messages = document.messages(&Small);
    assert!(messages.next_message(&mut NoPlaceholders).is_err());
    assert_eq!(messages.next_message(&mut NoPlaceholders), Ok(None));
}

#[track_caller]
fn check_limits(document: &str, limits: Limits, expected: ErrorKind) {
    let options = ReadOptions { limits, ..ReadOptions::default() };
    let read = Document::new(document, options).read(&Small, &mut NoPlaceholders);
    assert_eq!(read.unwrap_err().kind, expected);
}

#[test]
fn a_document_is_bounded_in_depth_items_and_bytes() {
    let limits = ReadOptions::default().limits;
    assert_eq!((limits.message_bytes_max, limits.depth_max, limits.items_max), (16 << 20, 32, 1 << 16));
    let nested = |levels| "<KeyBlock>".repeat(levels) + &"</KeyBlock>".repeat(levels);
    assert!(read(&nested(32), &Small).is_ok());
    check_limits(&nested(33), limits, ErrorKind::TooDeep(32));
    let many = "<KMIP><KeyBlock/><KeyBlock/><KeyBlock/></KMIP>";
    check_limits(many, Limits { items_max: 2, ..limits }, ErrorKind::TooManyItems(2));
    let kind = ErrorKind::TooLarge { got: many.len(), limit: 45 };
    check_limits(many, Limits { message_bytes_max: 45, ..limits }, kind);
}

#[test]
fn entities_of_a_document_type_are_not_expanded() {
    let document = "<!DOCTYPE a [<!ENTITY b \"bb\">]><UniqueIdentifier type=\"TextString\" value=\"&b;\"/>";
    assert!(matches!(read(document, &Small).unwrap_err().kind, ErrorKind::NotXml(_)));
}
