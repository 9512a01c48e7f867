//! The public test cases of the families built so far, at the core: `KMIP_VECTORS`, or beside the project. Skipped with a
//! line where the folder is not there. The whole comparison, over the wire, is `tests/conformance`; this one is quick and
//! says at once which operation went wrong.
#![allow(clippy::disallowed_methods, reason = "the cases are files")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kmip::{Kmip, Tag, tag};
use ttlv::xml::{Document, ReadOptions};
use ttlv::{ItemType, Node, Value};

use crate::common::{World, text};

const FAMILIES: [&str; 3] = ["SKLC", "SKFF", "OMOS"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files(&path, found);
        } else if FAMILIES.iter().any(|family| name.starts_with(family)) {
            found.push(path);
        }
    }
}

#[test]
fn the_public_cases_of_the_families_built_so_far_are_answered_as_published() {
    let folder = std::env::var_os("KMIP_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        println!("skipped: no public vectors at {}; hint: set KMIP_VECTORS", folder.display());
        return;
    }
    let mut found = Vec::new();
    files(&folder, &mut found);
    found.sort();
    let mut wrong = String::new();
    for file in &found {
        if let Err(difference) = play(&std::fs::read_to_string(file).unwrap()) {
            writeln!(wrong, "{}: {difference}", file.strip_prefix(&folder).unwrap().display()).unwrap();
        }
    }
    println!("{} cases", found.len());
    assert!(!found.is_empty() && wrong.is_empty(), "{wrong}");
}

fn play(xml: &str) -> Result<(), String> {
    let mut w = World::new();
    let now = w.now;
    let mut bound: BTreeMap<String, String> = BTreeMap::new();
    let options = ReadOptions { collapse_blanks: true, pass_over_junk: true, ..ReadOptions::default() };
    let document = Document::new(xml, options);
    let mut messages = document.messages(&Kmip);
    let mut number = 0;
    loop {
        let mut fill = |_: Tag, item_type: ItemType, text: &str| -> Option<String> {
            let name = text.strip_prefix('$')?;
            if item_type == ItemType::DateTime {
                let offset: i64 = name.trim_start_matches("NOW").trim_start_matches('+').parse().unwrap_or(0);
                return Some(format!("0x{:016x}", now + offset));
            }
            bound.get(name).cloned()
        };
        let Some(request) = messages.next_message(&mut fill).map_err(|error| error.to_string())? else {
            return Ok(());
        };
        let expected =
            messages.next_message(&mut fill).map_err(|error| error.to_string())?.expect("a response");
        number += 1;
        let answer = w.send(&request.encode());
        let got = Node::decode(&answer.bytes, ttlv::Limits::default()).unwrap();
        compare(&expected, &got, &mut bound).map_err(|difference| {
            let mut shown = String::new();
            text::write(&[request, expected, got], 0, &mut w.names, &mut shown);
            format!("exchange {number}: {difference}\n{shown}")
        })?;
    }
}

/// What the profiles let differ: see the folder's README. The minor version is looked at elsewhere, and wrong in one
/// published response (1.4 OMOS-O-1).
fn may_differ(tag: Tag) -> bool {
    let fields = [tag::TIME_STAMP, tag::RESULT_MESSAGE, tag::KEY_MATERIAL, tag::DIGEST_VALUE];
    fields.contains(&tag) || tag == tag::PROTOCOL_VERSION_MINOR
}

/// Attributes that say something of the server that published the case: its generator, and the group that it puts
/// objects into of its own accord (1.1 SKFF-O-6).
fn is_the_servers_own(node: &Node) -> bool {
    let name = match &node.value {
        Value::Structure(nodes) => nodes.first().map(|name| &name.value),
        name => Some(name),
    };
    matches!(name, Some(Value::TextString(name)) if name == "Random Number Generator" || name == "Object Group")
}

fn compare(expected: &Node, got: &Node, bound: &mut BTreeMap<String, String>) -> Result<(), String> {
    let name = tag::name(expected.tag).unwrap_or("?");
    if expected.tag != got.tag {
        return Err(format!("expected {name}, got {}", tag::name(got.tag).unwrap_or("?")));
    }
    if may_differ(expected.tag) {
        return Ok(());
    }
    match (&expected.value, &got.value) {
        (Value::TextString(expected), Value::TextString(got)) if expected.starts_with('$') => {
            bound.insert(expected[1..].to_owned(), got.clone());
            Ok(())
        }
        // The older cases print the dates of the day they were made.
        (Value::DateTime(_), Value::DateTime(_)) => Ok(()),
        (Value::Structure(expected), Value::Structure(got)) => {
            let listed = |node: &&Node| node.tag == tag::ATTRIBUTE || node.tag == tag::ATTRIBUTE_NAME;
            let in_order = |node: &&Node| {
                (name != "ResponsePayload" || !listed(node)) && node.tag != tag::RESULT_MESSAGE
            };
            // Attributes come in any order, with more of them than were published.
            for field in expected
                .iter()
                .filter(|field| name == "ResponsePayload" && listed(field) && !is_the_servers_own(field))
            {
                let known = bound.clone();
                let found = got.iter().any(|got| compare(field, got, &mut known.clone()).is_ok());
                if !found {
                    return Err(format!("{name} lacks {field:?}"));
                }
            }
            let (mut rest, mut fields) = (got.iter().filter(in_order), expected.iter().filter(in_order));
            loop {
                match (fields.next(), rest.next()) {
                    (Some(field), Some(next)) => {
                        compare(field, next, bound).map_err(|difference| format!("{name}: {difference}"))?;
                    }
                    (Some(field), None) => {
                        return Err(format!("{name} lacks {}", tag::name(field.tag).unwrap_or("?")));
                    }
                    (None, Some(more)) => {
                        return Err(format!("{name} has {} besides", tag::name(more.tag).unwrap_or("?")));
                    }
                    (None, None) => return Ok(()),
                }
            }
        }
        (expected, got) if expected == got => Ok(()),
        (expected, got) => Err(format!("{name}: expected {expected:?}, got {got:?}")),
    }
}
