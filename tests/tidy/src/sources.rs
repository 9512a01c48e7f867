//! Rules about Rust source.

use crate::Tree;
use crate::source::{Line, is_test_file, lines};

/// The most lines of one Rust file; from about 500 on, look for the second subject in it.
const LINES_MAX: usize = 600;

/// Fewest words of a test's name: it is the sentence that the test proves.
const TEST_NAME_WORDS_MIN: usize = 3;

/// Pure rooms, what is not pure in them, and what their code may not name.
const PURE_ROOMS: [(&str, &str, &[&str]); 6] = [
    ("ttlv/src/", "-", FETCHED),
    ("kmip/src/", "kmip/src/client", FETCHED),
    ("kms-server/core/src/", "-", FETCHED),
    ("health-proxy/src/health", "-", FETCHED),
    ("health-proxy/src/choose", "-", FETCHED),
    (
        "certs/src/",
        "certs/src/file.rs",
        &["tokio", "TcpStream", "UdpSocket", "std::process", "SystemTime", "Instant::now", "std::fs"],
    ),
];

/// What reaches for the world: sockets, files, processes, threads, the environment, the clock, randomness.
const FETCHED: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "SystemTime",
    "Instant::now",
    "thread_rng",
    "getrandom",
];

fn source(tree: &Tree) -> impl Iterator<Item = (&str, Vec<Line>)> {
    tree.ending(".rs").map(|(path, text)| (path, lines(text, is_test_file(tree, path))))
}

fn at(path: &str, line: &Line, what: &str) -> String {
    format!("{path}:{}: {what}", line.number)
}

/// Files that are too long.
pub fn long_files(tree: &Tree) -> Vec<String> {
    tree.ending(".rs")
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, count)| *count > LINES_MAX)
        .map(|(path, count)| format!("{path}: {count} lines, at most {LINES_MAX}"))
        .collect()
}

/// Files that do not begin by saying what they are and why.
pub fn heads(tree: &Tree) -> Vec<String> {
    // `#![no_main]` and the like have to stand first.
    let first = |text: &str| {
        text.lines().find(|line| !line.is_empty() && !line.starts_with("#![")).map(str::to_owned)
    };
    let headless =
        tree.ending(".rs").filter(|(_, text)| !first(text).is_some_and(|line| line.starts_with("//!")));
    headless.map(|(path, _)| format!("{path}:1: begins without //! and what it is")).collect()
}

/// What is half-built or switched off.
pub fn unfinished(tree: &Tree) -> Vec<String> {
    let words = ["todo!", "unimplemented!", "#[ignore", "#![ignore", "dbg!("];
    let mut found = Vec::new();
    for (path, lines) in source(tree) {
        for line in lines {
            let words = words.iter().filter(|word| line.code.contains(*word));
            found.extend(words.map(|word| at(path, &line, word)));
        }
    }
    found
}

/// Lines above a sleep where its reason may stand.
const EXPLAINED_LINES: usize = 3;

/// Sleeps in tests without a comment that says why no condition could be awaited, on the line or just above. A sleep of
/// an interval stands in a loop that awaits one.
pub fn sleeps_in_tests(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, lines) in source(tree) {
        for (place, line) in lines.iter().enumerate() {
            let mut above = lines[place.saturating_sub(EXPLAINED_LINES)..place].iter();
            let explained =
                line.comment || line.code.contains("_INTERVAL)") || above.any(|above| above.comment);
            if line.test && line.code.contains("sleep(") && !line.code.contains("fn ") && !explained {
                found.push(at(path, line, "sleeps in a test without a comment that says why"));
            }
        }
    }
    found
}

/// Lines above a line where clippy's permission for it may stand.
const PERMISSION_LINES: usize = 5;

/// Product code that ends the process by accident. What clippy was told to allow, with a reason, is no accident.
pub fn unwraps(tree: &Tree) -> Vec<String> {
    // What is in quotes is left out of the code, so `.expect("why")` reads so; a parser's own `expect(tag)` does not.
    let words = [".unwrap()", ".expect(\"", ".unwrap_err()", ".expect_err(\"", "panic!("];
    let mut found = Vec::new();
    for (path, lines) in source(tree) {
        for (place, line) in lines.iter().enumerate().filter(|(_, line)| !line.test) {
            let above = &lines[place.saturating_sub(PERMISSION_LINES)..place];
            if above.iter().any(|line| line.code.contains("allow(clippy::") && line.code.contains("reason ="))
            {
                continue;
            }
            let words = words.iter().filter(|word| line.code.contains(*word));
            found.extend(words.map(|word| at(path, line, word)));
        }
    }
    found
}

/// Pure rooms that reach for what they are to be given.
pub fn pure_rooms(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, lines) in source(tree) {
        let room = PURE_ROOMS.iter().find(|(room, but, _)| path.starts_with(room) && !path.starts_with(but));
        let Some((_, _, banned)) = room else { continue };
        for line in lines.iter().filter(|line| !line.test) {
            // `std::{fs, net}` says the same as `std::fs`.
            let code = line.code.replace("std::{", "std::");
            let words = banned.iter().filter(|word| code.contains(*word));
            found.extend(words.map(|word| at(path, line, word)));
        }
    }
    found
}

/// Tests whose names are no sentences.
pub fn test_names(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, lines) in source(tree) {
        let mut expected = false;
        for line in &lines {
            let code = line.code.trim();
            if code == "#[test]" || code.starts_with("#[tokio::test") {
                expected = true;
            } else if let (true, Some((_, rest))) = (expected, code.split_once("fn ")) {
                expected = false;
                // A macro's tests have the names that it is given.
                if rest.starts_with('$') {
                    continue;
                }
                let name =
                    rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
                if name.split('_').count() < TEST_NAME_WORDS_MIN {
                    found.push(at(path, line, &format!("the test's name {name:?} is no sentence")));
                }
            }
        }
    }
    found
}
