//! What must hold for any bytes, over whole messages and documents, over each with one thing wrong, and over what the fuzz
//! loop makes of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails as the test does")]

#[path = "common/checks.rs"]
mod checks;
mod common;

use common::{Small, any_message, every_type};
use fuzz::Answer;
use proptest::prelude::*;
use ttlv::xml;

fn messages() -> Vec<Vec<u8>> {
    let empty = ttlv::Node::new(common::REQUEST_MESSAGE, ttlv::Value::Structure(Vec::new()));
    let get = "420078010000009042007701000000384200690100000020\
               42006a0200000004000000010000000042006b0200000004000000010000000042000d0200000004000000010000000042\
               000f010000004842005c05000000040000000a0000000042007901000000304200940700000024\
               66633833313561302d666662382d346261612d623837632d30653630636333396664336500000000";
    vec![empty.encode(), every_type().encode(), common::bytes_of(get)]
}

fn documents() -> Vec<String> {
    let node = every_type();
    let mut documents = vec![xml::write(&node, &Small), xml::write_all(&[node.clone(), node], &Small)];
    documents.push(
        "<KMIP># TIME 0\n<RequestMessage/> S.<$B &x <RequestMessage type='Structure'/></KMIP></KMIP>".into(),
    );
    documents.push(
        "<!DOCTYPE a [<!ENTITY b '&b;&b;'>]><RequestMessage><Operation type='Enumeration' value='&b;'/>"
            .into(),
    );
    documents.push("<TTLV tag='0x540001' type='DateTime' value='-0001-02-29T00:00:00+14:00'/>".into());
    documents
}

#[test]
fn messages_of_the_corpus_hold() {
    for message in messages() {
        assert!(ttlv::Node::decode(&message, ttlv::Limits::default()).is_ok());
        checks::decode(&message, &Small);
        checks::roundtrip(&message, &Small);
    }
}

#[test]
fn every_cut_of_a_message_holds() {
    for message in messages() {
        for end in 0..message.len() {
            checks::decode(&message[..end], &Small);
            assert!(ttlv::Node::decode(&message[..end], ttlv::Limits::default()).is_err());
        }
    }
}

#[test]
fn every_byte_of_a_message_may_be_wrong() {
    for message in messages() {
        for at in 0..message.len() {
            for byte in [0x00, 0x01, 0x07, 0x7f, 0x80, 0xff] {
                let mut wrong = message.clone();
                wrong[at] = byte;
                checks::decode(&wrong, &Small);
                checks::roundtrip(&wrong, &Small);
            }
        }
    }
}

#[test]
fn documents_of_the_corpus_hold_whole_cut_and_wrong() {
    for document in documents() {
        checks::xml(document.as_bytes(), &Small);
        for at in 0..document.len() {
            checks::xml(&document.as_bytes()[..at], &Small);
            let mut wrong = document.clone().into_bytes();
            wrong[at] = b"<>\"&= 0\n"[at % 8];
            checks::xml(&wrong, &Small);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_hold(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        checks::decode(&bytes, &Small);
        checks::xml(&bytes, &Small);
        checks::roundtrip(&bytes, &Small);
    }

    #[test]
    fn any_text_holds_as_a_document(text in "[<>/=\"'& a-zA-Z0-9#;!?\\[\\]-]{0,200}") {
        checks::xml(text.as_bytes(), &Small);
    }

    #[test]
    fn messages_with_some_bytes_wrong_hold(
        node in any_message(),
        wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = node.encode();
        for (at, byte) in wrong {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        checks::decode(&bytes, &Small);
        checks::roundtrip(&bytes, &Small);
    }
}

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn what_is_fed_as_a_message_holds_and_is_written_as_it_was_read() {
    let fed = fuzz::feed(PACKAGE, "ttlv-decode", messages(), |bytes| {
        checks::decode(bytes, &Small);
        checks::roundtrip(bytes, &Small);
        match ttlv::Node::decode(bytes, ttlv::Limits::default()) {
            Ok(node) => Answer::of((node.value.children().len(), bytes.len() / 64)),
            Err(error) => Answer::of_text(&format!("{error:?}")),
        }
    });
    assert!(fed.answers > 5, "{fed:?}");
}

#[test]
fn what_is_fed_as_a_document_holds_and_is_read_as_it_was_written() {
    let seeds = documents().into_iter().map(String::into_bytes).collect();
    let fed = fuzz::feed(PACKAGE, "ttlv-xml", seeds, |bytes| {
        checks::xml(bytes, &Small);
        let Ok(document) = str::from_utf8(bytes) else { return Answer::of("no text") };
        match xml::read(document, &Small) {
            Ok(node) => Answer::of(node.value.children().len()),
            Err(error) => Answer::of_text(&error.to_string()),
        }
    });
    assert!(fed.answers > 5, "{fed:?}");
}

#[test]
fn what_is_fed_as_json_is_refused_or_read_as_it_was_written() {
    let limits = ttlv::Limits::default();
    let seeds = messages().into_iter().filter_map(|bytes| ttlv::Node::decode(&bytes, limits).ok());
    let seeds = seeds.map(|node| ttlv::json::write(&node, &Small)).collect();
    let fed =
        fuzz::feed(PACKAGE, "ttlv-json", seeds, |bytes| match ttlv::json::read(bytes, limits, &Small) {
            Ok(node) => {
                let written = ttlv::json::write(&node, &Small);
                assert_eq!(ttlv::json::read(&written, limits, &Small).as_ref(), Ok(&node));
                Answer::of(node.value.children().len())
            }
            Err(error) => Answer::of_text(&error.to_string()),
        });
    assert!(fed.answers > 5, "{fed:?}");
}
