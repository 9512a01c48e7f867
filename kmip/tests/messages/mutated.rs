//! Messages with a few bytes changed: reading ends, without a panic, and what was read is what is written.

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_message_never_panics_and_means_the_same_when_written_again(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let bytes = changed(which.get(&messages()).clone(), changes);
        let limits = Limits::default();
        if let Ok(read) = RequestMessage::decode(&bytes, limits) {
            let malformed = |item: &kmip::RequestItem| matches!(item.payload, RequestPayload::Malformed { .. });
            // Older versions leave things out by intent.
            if read.header.protocol_version >= ProtocolVersion::V1_4 && !read.items.iter().any(malformed) {
                prop_assert_eq!(RequestMessage::decode(&request_bytes(&read), limits).unwrap(), read);
            }
        }
        if let Ok(read) = ResponseMessage::decode(&bytes, limits)
            && read.header.protocol_version >= ProtocolVersion::V1_4
        {
            prop_assert_eq!(ResponseMessage::decode(&response_bytes(&read), limits).unwrap(), read);
        }
    }

    #[test]
    fn bytes_that_were_never_a_message_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = RequestMessage::decode(&bytes, Limits::default());
        let _ = ResponseMessage::decode(&bytes, Limits::default());
    }
}
