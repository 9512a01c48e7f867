//! Messages at the wall: bytes in, types, bytes out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failed expectation is a test's message"
)]

mod golden;
mod hidden;
mod mutated;
mod samples;
mod vectors;
mod versions;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kmip::{Kmip, tag};
use ttlv::{Node, Value, Vocabulary};

/// A folder of the published material beside the project, where there is one; `variable` may name another.
fn shared(variable: &str, folder: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(folder);
    let folder = std::env::var_os(variable).map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is not here; {variable} may name another folder", folder.display());
    None
}

/// An item a line, indented, by name; byte strings as they are, as tests hold no secret.
fn text(node: &Node) -> String {
    let mut out = String::new();
    append(node, node.tag, 0, &mut out);
    out
}

fn append(node: &Node, means: kmip::Tag, depth: usize, out: &mut String) {
    let name = tag::name(node.tag).map_or_else(|| node.tag.to_string(), str::to_owned);
    let _ = write!(out, "{:depth$}{name}", "", depth = depth * 2);
    let _ = match &node.value {
        Value::Structure(_) => writeln!(out),
        Value::Enumeration(number) => match Kmip.enumeration_name(means, *number) {
            Some(name) => writeln!(out, " Enumeration {name}"),
            None => writeln!(out, " Enumeration 0x{number:08x}"),
        },
        Value::ByteString(bytes) => writeln!(out, " ByteString {}", hex(bytes)),
        Value::BigInteger(bytes) => writeln!(out, " BigInteger {}", hex(bytes)),
        Value::TextString(text) => writeln!(out, " TextString {text:?}"),
        Value::Integer(number) => writeln!(out, " Integer {number}"),
        Value::LongInteger(number) => writeln!(out, " LongInteger {number}"),
        Value::Boolean(flag) => writeln!(out, " Boolean {flag}"),
        Value::DateTime(seconds) => writeln!(out, " DateTime {seconds}"),
        Value::Interval(seconds) => writeln!(out, " Interval {seconds}"),
    };
    let attribute = node.child(tag::ATTRIBUTE_NAME).and_then(|name| match &name.value {
        Value::TextString(name) => Kmip.attribute_tag(name),
        _ => None,
    });
    for child in node.value.children() {
        let value = child.tag == tag::ATTRIBUTE_VALUE;
        append(child, attribute.filter(|_| value).unwrap_or(child.tag), depth + 1, out);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
