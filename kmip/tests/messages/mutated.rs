//! Messages with a few bytes changed: reading ends, without a panic, and what was read is what is written.

use fuzz::Answer;
use kmip::{ProtocolVersion, RequestMessage, RequestPayload, ResponseItem, ResponseMessage};
use proptest::prelude::*;
use ttlv::Limits;

use super::samples::{request, request_bytes, requests, response, response_bytes, responses};

fn messages() -> Vec<Vec<u8>> {
    let version = ProtocolVersion::V1_4;
    let asked = requests().into_iter().map(|payload| request_bytes(&request(version, payload)));
    let answered = responses()
        .into_iter()
        .map(|payload| response_bytes(&response(version, ResponseItem::success(Some(vec![1]), payload))));
    asked.chain(answered).collect()
}

#[derive(Clone, Debug)]
enum Change {
    Byte(usize, u8),
    Cut(usize),
    Grow(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        // Small numbers make lengths, types and counts that are nearly right.
        8 => (any::<usize>(), 0_u8..16).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => any::<usize>().prop_map(Change::Cut),
        1 => (0_usize..64).prop_map(Change::Grow),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for change in changes {
        match change {
            Change::Byte(at, byte) if !bytes.is_empty() => {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            Change::Byte(..) => {}
            Change::Cut(at) => bytes.truncate(at % (bytes.len() + 1)),
            Change::Grow(count) => bytes.extend(std::iter::repeat_n(0, count)),
        }
    }
    bytes
}

/// Reads, shows and writes a request; what was read is what is written.
fn as_a_request(bytes: &[u8]) -> Answer {
    let limits = Limits::default();
    let read = match RequestMessage::decode(bytes, limits) {
        Ok(read) => read,
        Err(error) => return Answer::of_text(&format!("{error:?}")),
    };
    let malformed = |item: &kmip::RequestItem| matches!(item.payload, RequestPayload::Malformed { .. });
    let written = request_bytes(&read);
    // Older versions leave things out by intent.
    if read.header.protocol_version >= ProtocolVersion::V1_4 && !read.items.iter().any(malformed) {
        assert_eq!(RequestMessage::decode(&written, limits).unwrap(), read);
    }
    let said: Vec<_> = read
        .items
        .iter()
        .map(|item| match &item.payload {
            RequestPayload::Malformed { error, .. } => {
                format!("{} {:?} {:?}", item.operation, error.kind, error.tag)
            }
            _ => format!("{} {}", item.operation, item.unrecognised.len()),
        })
        .collect();
    Answer::of_text(&format!("{} {said:?}", format!("{read:?}").is_empty()))
}

/// Reads, shows and writes a response; what was read is what is written.
fn as_a_response(bytes: &[u8]) -> Answer {
    let limits = Limits::default();
    let read = match ResponseMessage::decode(bytes, limits) {
        Ok(read) => read,
        Err(error) => return Answer::of_text(&format!("{error:?}")),
    };
    let written = response_bytes(&read);
    if read.header.protocol_version >= ProtocolVersion::V1_4 {
        assert_eq!(ResponseMessage::decode(&written, limits).unwrap(), read);
    }
    let said: Vec<_> = read.items.iter().map(|item| (item.operation, item.result_reason)).collect();
    Answer::of_text(&format!("{} {said:?}", format!("{read:?}").is_empty()))
}

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn what_is_fed_as_a_request_is_read_or_refused_and_means_the_same_when_written_again() {
    let fed = fuzz::feed(PACKAGE, "kmip-request", messages(), as_a_request);
    assert!(fed.answers > 20, "{fed:?}");
}

#[test]
fn what_is_fed_as_a_response_is_read_or_refused_and_means_the_same_when_written_again() {
    let fed = fuzz::feed(PACKAGE, "kmip-response", messages(), as_a_response);
    assert!(fed.answers > 20, "{fed:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_message_never_panics_and_means_the_same_when_written_again(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let bytes = changed(which.get(&messages()).clone(), changes);
        as_a_request(&bytes);
        as_a_response(&bytes);
    }

    #[test]
    fn bytes_that_were_never_a_message_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = RequestMessage::decode(&bytes, Limits::default());
        let _ = ResponseMessage::decode(&bytes, Limits::default());
    }
}
