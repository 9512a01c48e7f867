//! One exchange of each operation, as text and as hex, kept in `tests/golden`: a change to the wire shows in the diff.
//!
//! `GOLDEN=write cargo test -p kmip` writes them anew.

use std::path::Path;

use kmip::{ProtocolVersion, RequestMessage, ResponseItem, ResponseMessage};
use ttlv::{Limits, Node};

use super::samples::{ID, request_bytes, requests, response_bytes, responses};
use super::{hex, text, unhex};

/// Compares with the file, or writes it.
#[track_caller]
fn check(name: &str, messages: &[Vec<u8>]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let mut found = String::new();
    for bytes in messages {
        let node = Node::decode(bytes, Limits::default()).unwrap();
        found += &format!("{}{}\n\n", text(&node), hex(bytes));
    }
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &found).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == found, "{name} differs; hint: GOLDEN=write, then read the diff\n{found}");
    for line in kept.lines().filter(|line| line.starts_with("42")) {
        let bytes = unhex(line);
        if line.starts_with("420078") {
            assert_eq!(request_bytes(&RequestMessage::decode(&bytes, Limits::default()).unwrap()), bytes);
        } else {
            assert_eq!(response_bytes(&ResponseMessage::decode(&bytes, Limits::default()).unwrap()), bytes);
        }
    }
}

/// `GetAttributes` as `get_attributes`, `RNGSeed` as `rng_seed`.
fn file_name(operation: &str) -> String {
    let letters: Vec<char> = operation.chars().collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let begins = |next: Option<&char>| next.is_some_and(char::is_ascii_lowercase);
        if at > 0
            && letter.is_ascii_uppercase()
            && (begins(letters.get(at - 1)) || begins(letters.get(at + 1)))
        {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[test]
fn each_operation_is_written_as_its_golden_file_says() {
    let version = ProtocolVersion::V1_4;
    for (asked, answered) in requests().into_iter().zip(responses()) {
        let name = file_name(&asked.operation().to_string());
        let request = RequestMessage::new(version, [asked]);
        let header = kmip::ResponseHeader::new(version, 1_700_000_000, 1);
        let response = ResponseMessage { header, items: vec![ResponseItem::success(None, answered)] };
        check(&format!("{name}.txt"), &[request_bytes(&request), response_bytes(&response)]);
    }
}

#[test]
fn an_absent_attribute_is_answered_with_the_identifier_only() {
    let payload = kmip::operations::get_attributes::Response {
        unique_identifier: ID.to_owned(),
        attributes: Vec::new(),
    };
    let header = kmip::ResponseHeader::new(ProtocolVersion::V1_1, 1_700_000_000, 1);
    let item = ResponseItem::success(Some(b"QLKC\x01\0\0\0".to_vec()), payload.into());
    check("absent_attribute.txt", &[response_bytes(&ResponseMessage { header, items: vec![item] })]);
}
