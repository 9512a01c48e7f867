//! Exchanges as text files: a paragraph of what they show, requests, the responses that are expected.
//!
//! `UPDATE_GOLDEN=1 cargo test -p kms-core` writes what the core answers now; read the difference before it is kept.
//!
//! ```text
//! # What this shows.
//!
//! > vc01 1.1
//! Query { QueryFunction=QueryServerInformation }
//!
//! < 1.1 @1700000000
//! Query Success {
//!   VendorIdentification="test server"
//! }
//! ```
//!
//! `> CLIENT VERSION HEADER…` asks; `at +35` moves the clock. The text form is that of `common::text`.
#![allow(clippy::disallowed_methods, reason = "a test reads its expectations from files")]

use std::fmt::Write as _;
use std::path::PathBuf;

use kmip::ProtocolVersion;

use crate::common::{Answer, World, text, written};

fn golden(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// Holds `text` against a file, or writes it there.
pub fn compare(file: &str, text: &str) {
    let path = golden(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let first = expected.lines().zip(text.lines()).position(|(expected, got)| expected != got);
    assert!(
        expected == text,
        "{file} differs at line {}; hint: UPDATE_GOLDEN=1, then read the difference\n{text}",
        first.map_or(expected.lines().count().min(text.lines().count()), |line| line) + 1
    );
}

/// Plays a file and holds its responses against what the core says.
fn play(file: &str) {
    let script = std::fs::read_to_string(golden(file)).unwrap();
    let mut w = World::new();
    let mut out = String::new();
    let mut lines = script.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(header) = line.strip_prefix("> ") else {
            if let Some(seconds) = line.strip_prefix("at +") {
                w.now += seconds.parse::<i64>().unwrap();
            }
            writeln!(out, "{line}").unwrap();
            continue;
        };
        writeln!(out, "{line}").unwrap();
        let mut items = String::new();
        while let Some(line) = lines.next_if(|line| !line.is_empty()) {
            writeln!(items, "{line}").unwrap();
        }
        writeln!(out, "{items}").unwrap();
        // The response that is expected, up to the next empty line.
        lines.next_if(|line| line.is_empty());
        if lines.peek().is_some_and(|line| line.starts_with("< ")) {
            while lines.next().is_some_and(|line| !line.is_empty()) {}
        }
        ask(&mut w, header, &items, &mut out);
        out.push('\n');
    }
    compare(file, &out);
}

fn ask(w: &mut World, header: &str, items: &str, out: &mut String) {
    let mut words = header.splitn(3, ' ');
    let client = words.next().unwrap();
    let (major, minor) = words.next().unwrap().split_once('.').unwrap();
    w.client = w.clients.keys().copied().find(|known| *known == client).expect("a known client");
    w.version = ProtocolVersion::new(major.parse().unwrap(), minor.parse().unwrap());
    let answer = w.ask_with(words.next().unwrap_or(""), items);
    write_answer(&answer, w, out);
}

fn write_answer(answer: &Answer, w: &mut World, out: &mut String) {
    let header = &answer.response.header;
    writeln!(out, "< {} @{}", header.protocol_version, header.time_stamp).unwrap();
    for item in &answer.response.items {
        match item.operation {
            Some(operation) => write!(out, "{operation}").unwrap(),
            None => write!(out, "-").unwrap(),
        }
        if let Some(id) = &item.unique_batch_item_id {
            write!(out, "#{}", text::hex(id)).unwrap();
        }
        write!(out, " {}", item.result_status).unwrap();
        if let Some(reason) = item.result_reason {
            write!(out, " {reason}").unwrap();
        }
        if let Some(message) = &item.result_message {
            write!(out, " {message:?}").unwrap();
        }
        if item.payload.is_some() {
            let inside = written(item, header.protocol_version, &mut w.names);
            write!(out, " {{{}{inside}}}", if inside.is_empty() { "" } else { "\n" }).unwrap();
        }
        out.push('\n');
    }
}

macro_rules! exchanges {
    ($($file:ident)*) => {$(
        #[test]
        fn $file() {
            play(concat!(stringify!($file), ".txt"));
        }
    )*};
}

exchanges! {
    vcenter_encrypts_a_machine
    vcenter_asks_who_we_are
    create_and_get
    register_and_get
    attributes_come_and_go
    locate
    check
    re_key
    activate_revoke_destroy
    query
    discover_versions
    habit_password_on_some_requests
    habit_locate_by_template
    habit_attribute_echoed
    habit_asymmetric_get
    habit_re_key_moves_the_name
    habit_extension_values
    habit_response_of_8192_bytes
    habit_secret_without_a_use
}
