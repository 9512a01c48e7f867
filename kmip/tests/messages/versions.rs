//! What is written holds nothing that the version of the message does not know.

use kmip::attribute::{Digest, RULES};
use kmip::enumeration::{self, HashingAlgorithm, KeyFormatType, Operation, ResultReason};
use kmip::leaks::leaks;
use kmip::operations::{TYPED, get_attributes};
use kmip::{
    Attribute, ProtocolVersion, RequestMessage, ResponseItem, ResponseMessage, StandardAttribute, tag,
};
use ttlv::{ItemType, Limits, Node, Value};

use super::samples::*;
use super::text;

#[track_caller]
fn check(bytes: &[u8], version: ProtocolVersion, what: &str) {
    let node = Node::decode(bytes, Limits::default()).unwrap();
    let found: Vec<_> = leaks(&node, version).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{what} at {version}:\n{}", found.join("\n"));
}

#[test]
fn every_operation_has_a_sample_on_both_sides() {
    let asked: Vec<_> = requests().iter().map(|payload| payload.operation()).collect();
    let answered: Vec<_> = responses().iter().map(|payload| payload.operation()).collect();
    assert_eq!(asked, TYPED);
    assert_eq!(answered, TYPED);
}

#[test]
fn no_request_holds_anything_that_came_later() {
    for &version in ProtocolVersion::ALL {
        for payload in requests().into_iter().filter(|payload| payload.operation().introduced() <= version) {
            let what = format!("{} request", payload.operation());
            let bytes = request_bytes(&request(version, payload));
            check(&bytes, version, &what);
            let read = RequestMessage::decode(&bytes, Limits::default()).unwrap();
            assert!(read.items[0].unrecognised.is_empty(), "{what} at {version}");
            assert_eq!(request_bytes(&read), bytes, "{what} at {version}");
        }
    }
}

#[test]
fn no_response_holds_anything_that_came_later() {
    for &version in ProtocolVersion::ALL {
        for payload in responses().into_iter().filter(|payload| payload.operation().introduced() <= version) {
            let what = format!("{} response", payload.operation());
            let bytes = response_bytes(&response(version, ResponseItem::success(None, payload)));
            check(&bytes, version, &what);
            let read = ResponseMessage::decode(&bytes, Limits::default()).unwrap();
            assert!(read.items[0].unrecognised.is_empty(), "{what} at {version}");
            assert_eq!(response_bytes(&read), bytes, "{what} at {version}");
        }
    }
}

#[test]
fn at_the_newest_version_nothing_is_lost() {
    for payload in requests() {
        let message = request(ProtocolVersion::V1_4, payload);
        assert_eq!(RequestMessage::decode(&request_bytes(&message), Limits::default()).unwrap(), message);
    }
    for payload in responses() {
        let message = response(ProtocolVersion::V1_4, ResponseItem::success(Some(vec![9]), payload));
        assert_eq!(ResponseMessage::decode(&response_bytes(&message), Limits::default()).unwrap(), message);
    }
}

#[test]
fn no_result_reason_that_came_later_is_told() {
    for &version in ProtocolVersion::ALL {
        for &reason in ResultReason::ALL {
            let item = ResponseItem::failure(Some(Operation::Get), None, reason, "why");
            check(&response_bytes(&response(version, item)), version, "failure");
        }
    }
}

/// Every value that an attribute of this tag and type may be thought to have: of an enumeration all, and of a
/// structure one with every field that any structure has.
fn values(means: kmip::Tag, item_type: ItemType) -> Vec<Value> {
    match item_type {
        ItemType::Enumeration => {
            let table = enumeration::of(means).unwrap();
            table.numbers.iter().map(|&number| Value::Enumeration(number)).collect()
        }
        ItemType::Structure => {
            let field = |tag: kmip::Tag, oldest: bool| {
                let value = match enumeration::of(tag) {
                    Some(table) if oldest => {
                        Value::Enumeration(table.numbers.first().copied().unwrap_or(1 << 31))
                    }
                    Some(table) => Value::Enumeration(table.numbers.last().copied().unwrap_or(1 << 31)),
                    None => Value::Integer(1),
                };
                Node::new(tag, value)
            };
            // Without the tag that would make it an attribute of its own.
            let fields = || tag::all().filter(|tag| *tag != tag::ATTRIBUTE_NAME);
            vec![
                Value::Structure(fields().map(|tag| field(tag, true)).collect()),
                Value::Structure(fields().map(|tag| field(tag, false)).collect()),
            ]
        }
        ItemType::Integer => vec![Value::Integer(1)],
        ItemType::LongInteger => vec![Value::LongInteger(1)],
        ItemType::BigInteger => vec![Value::BigInteger(vec![0; 8])],
        ItemType::Boolean => vec![Value::Boolean(true)],
        ItemType::TextString => vec![Value::TextString("t".to_owned())],
        ItemType::ByteString => vec![Value::ByteString(vec![1])],
        ItemType::DateTime => vec![Value::DateTime(1)],
        ItemType::Interval => vec![Value::Interval(1)],
    }
}

fn attributes_at(version: ProtocolVersion, attributes: Vec<Attribute>) -> Vec<u8> {
    let payload = get_attributes::Response { unique_identifier: ID.to_owned(), attributes };
    response_bytes(&response(version, ResponseItem::success(None, payload.into())))
}

#[test]
fn no_attribute_or_value_or_field_of_one_that_came_later_is_told() {
    for &version in ProtocolVersion::ALL {
        for rule in RULES {
            for value in values(rule.tag, rule.item_type) {
                let bytes = attributes_at(version, vec![Attribute::new(rule.attribute, value)]);
                check(&bytes, version, rule.name);
            }
        }
    }
}

#[test]
fn what_a_version_knows_it_is_told() {
    for &version in ProtocolVersion::ALL {
        for rule in RULES.iter().filter(|rule| rule.introduced <= version) {
            let value = values(rule.tag, rule.item_type).swap_remove(0);
            let bytes = attributes_at(version, vec![Attribute::new(rule.attribute, value)]);
            let told = text(&Node::decode(&bytes, Limits::default()).unwrap());
            assert!(told.contains(&format!("{:?}", rule.name)), "{} at {version}", rule.name);
        }
    }
}

#[test]
fn a_field_that_came_to_an_old_structure_later_is_left_out() {
    let digest = Digest {
        hashing_algorithm: HashingAlgorithm::Sha256,
        value: vec![1; 32],
        key_format_type: Some(KeyFormatType::Raw),
    };
    let attributes = vec![
        Attribute::new(StandardAttribute::Digest, digest.to_value()),
        Attribute::new(StandardAttribute::CryptographicParameters, cryptographic_parameters()),
    ];
    for (version, fields) in [
        (ProtocolVersion::V1_0, 1),
        (ProtocolVersion::V1_1, 2),
        (ProtocolVersion::V1_2, 4),
        (ProtocolVersion::V1_3, 4),
        (ProtocolVersion::V1_4, 5),
    ] {
        let bytes = attributes_at(version, attributes.clone());
        let told = text(&Node::decode(&bytes, Limits::default()).unwrap());
        let late = ["KeyFormatType", "BlockCipherMode", "CryptographicAlgorithm", "RandomIV", "SaltLength"];
        let found = late.iter().filter(|field| told.contains(**field)).count();
        assert_eq!(found, fields, "at {version}:\n{told}");
    }
}

#[test]
fn the_walk_finds_what_is_planted() {
    let bytes = attributes_at(
        ProtocolVersion::V1_4,
        vec![
            Attribute::new(StandardAttribute::Sensitive, Value::Boolean(true)),
            Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(0x1c)),
            Attribute::new(StandardAttribute::CryptographicParameters, cryptographic_parameters()),
        ],
    );
    let node = Node::decode(&bytes, Limits::default()).unwrap();
    let found = leaks(&node, ProtocolVersion::V1_1);
    let found: Vec<_> = found.iter().map(|leak| leak.what.as_str()).collect();
    for planted in [
        "a tag of 1.2",
        "a tag of 1.4",
        "the attribute Sensitive",
        "the value ChaCha20 of 1.4",
        "a field that came here with 1.2",
    ] {
        assert!(found.contains(&planted), "{planted} is not among {found:?}");
    }
    assert_eq!(leaks(&node, ProtocolVersion::V1_4), []);
}
