//! Whole requests that are nearly right, to a world with objects of every kind: all requests of the golden exchanges, and
//! what the fuzz loop makes of them, item by item. The world itself checks what must hold, see `common::invariants`.
#![allow(clippy::disallowed_methods, reason = "a test reads the exchanges from files")]

use std::path::Path;

use fuzz::Answer;
use kmip::{ProtocolVersion, RequestMessage};
use kms_core::Objects;

use crate::common::{Seeded, World};

/// The objects that all exchanges leave behind, the time at their end, and the requests.
fn played() -> (Objects, i64, Vec<Vec<u8>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut w = World::new();
    let mut requests = Vec::new();
    for file in files {
        // `$1` is the first object of each exchange.
        w.names.0.clear();
        let script = std::fs::read_to_string(file).unwrap();
        let mut lines = script.lines();
        while let Some(line) = lines.next() {
            let Some(header) = line.strip_prefix("> ") else { continue };
            let mut words = header.splitn(3, ' ');
            let client = words.next().unwrap();
            let (major, minor) = words.next().unwrap().split_once('.').unwrap();
            w.client = w.clients.keys().copied().find(|known| *known == client).unwrap();
            w.version = ProtocolVersion::new(major.parse().unwrap(), minor.parse().unwrap());
            let items: String = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let bytes = w.request(words.next().unwrap_or(""), &items);
            w.send(&bytes);
            requests.push(bytes);
        }
    }
    let count = w.objects.iter().count();
    assert!(requests.len() > 40 && count > 20, "{} requests, {count} objects", requests.len());
    (w.objects, w.now, requests)
}

#[test]
fn what_is_fed_as_a_request_is_answered_and_the_objects_stay_sound() {
    let (objects, now, requests) = played();
    let fed = fuzz::feed(env!("CARGO_MANIFEST_DIR"), "core-request", requests, |bytes| {
        let request = match RequestMessage::decode(bytes, ttlv::Limits::default()) {
            Ok(request) => request,
            Err(error) => return Answer::of_text(&format!("{error:?}")),
        };
        let mut w = World::new();
        (w.objects, w.now) = (objects.clone(), now);
        // Other numbers than those that the objects were made with.
        w.entropy = Seeded(2);
        let answer = w.send(bytes);
        let mut said = format!("{} ", request.header.protocol_version.minor.min(4));
        for item in &answer.response.items {
            let message = item.result_message.as_deref().unwrap_or_default();
            // What follows is what the client sent.
            let message = message.split('"').next().unwrap_or_default();
            said += &format!("{:?} {:?} {message}; ", item.operation, item.result_status);
        }
        Answer::of_text(&said)
    });
    assert!(fed.answers > 30, "{fed:?}");
}
