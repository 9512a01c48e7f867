//! The public vectors, where they are: every binary message survives, every XML case has its shape.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails as the test does")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Permissive, vectors};
use ttlv::xml::{Document, ReadOptions};
use ttlv::{ItemType, Limits, Node, Tag, text, xml};

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
}

#[test]
fn every_binary_message_comes_back_as_it_was() {
    let Some(folder) = vectors() else { return };
    let mut found = Vec::new();
    files(&folder.join("hex"), "tsv", &mut found);
    let mut messages = 0;
    for file in found {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let [_, summary, hex] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{}: not three columns", file.display())
            };
            let bytes = common::bytes_of(hex.trim());
            let node = Node::decode(&bytes, Limits::default())
                .unwrap_or_else(|error| panic!("{}: {summary}: {error}", file.display()));
            assert_eq!(node.encode(), bytes, "{summary}");
            assert_eq!(xml::read(&xml::write(&node, &common::Small), &common::Small), Ok(node), "{summary}");
            text::message(&bytes, Limits::default(), &common::Small).to_string();
            messages += 1;
        }
    }
    println!("{messages} binary messages");
    assert!(messages > 0);
}

/// `$NOW` and its like as a time, byte strings as some bytes; text stays.
fn fill_in(_: Tag, item_type: ItemType, text: &str) -> Option<String> {
    text.strip_prefix('$')?;
    match item_type {
        ItemType::DateTime => Some("2020-01-01T00:00:00Z".to_owned()),
        ItemType::ByteString | ItemType::BigInteger => Some("00".repeat(16)),
        _ => None,
    }
}

#[test]
fn every_xml_case_is_read_and_comes_back_from_bytes_and_xml() {
    let Some(folder) = vectors() else { return };
    let mut found = Vec::new();
    files(&folder, "xml", &mut found);
    let (mut cases, mut messages) = (0, 0);
    for file in &found {
        let document = fs::read_to_string(file).unwrap();
        let options = ReadOptions { collapse_blanks: true, pass_over_junk: true, ..ReadOptions::default() };
        let nodes = Document::new(&document, options)
            .read(&Permissive, &mut fill_in)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(!nodes.is_empty(), "{}", file.display());
        for node in &nodes {
            assert_eq!(Node::decode(&node.encode(), Limits::default()).as_ref(), Ok(node));
        }
        let written = xml::write_all(&nodes, &Permissive);
        let again = Document::new(&written, ReadOptions::default()).read(&Permissive, &mut fill_in);
        assert_eq!(again, Ok(nodes.clone()), "{}", file.display());
        cases += 1;
        messages += nodes.len();
    }
    println!("{cases} cases, {messages} messages");
    assert!(cases > 0);
}

#[test]
fn cases_without_junk_are_read_without_forgiveness() {
    let Some(folder) = vectors() else { return };
    let mut found = Vec::new();
    files(&folder, "xml", &mut found);
    let strict = found.iter().filter(|file| {
        let document = fs::read_to_string(file).unwrap();
        Document::new(&document, ReadOptions::default()).read(&Permissive, &mut fill_in).is_ok()
    });
    // Two have a hex dump with a stray angle, one an end tag too many.
    assert_eq!(strict.count() + 3, found.len());
}
