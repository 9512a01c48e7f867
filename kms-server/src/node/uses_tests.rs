//! Keys in use on several nodes: data in parts go on wherever the next one arrives, and what counts no use leaves the log alone.

use kmip::attribute::UsageLimits;
use kmip::enumeration::{BlockCipherMode, HashingAlgorithm, ResultReason, UsageLimitsUnit};
use kmip::operations::{Part, add_attribute, encrypt, hash};
use kmip::{Attribute, ProtocolVersion, RequestMessage, ResponsePayload, Secret, StandardAttribute, tag};
use kms_core::Outcome;
use ttlv::{Node, Value};

use super::test_bed::{Bed, payloads, reason};

fn parameters(tag: kmip::Tag, number: u32) -> Value {
    Value::Structure(vec![Node::new(tag, Value::Enumeration(number))])
}

/// A part of what is hashed.
fn hashing(data: &[u8], correlation_value: Option<&Vec<u8>>, last: bool) -> RequestMessage {
    let request = hash::Request {
        cryptographic_parameters: parameters(tag::HASHING_ALGORITHM, HashingAlgorithm::Sha256.number()),
        data: Some(Secret::from(data)),
        part: Part {
            init_indicator: correlation_value.is_none().then_some(true),
            correlation_value: correlation_value.cloned(),
            final_indicator: last.then_some(true),
        },
    };
    RequestMessage::new(ProtocolVersion::V1_4, [request.into()])
}

fn hashed(outcome: &Outcome) -> hash::Response {
    match payloads(outcome).pop() {
        Some(ResponsePayload::Hash(response)) => response,
        other => panic!("{other:?}: {:?}", outcome.audit),
    }
}

fn encrypting(id: &str) -> RequestMessage {
    let request = encrypt::Request {
        unique_identifier: Some(id.to_owned()),
        cryptographic_parameters: Some(parameters(tag::BLOCK_CIPHER_MODE, BlockCipherMode::Ecb.number())),
        data: Some(Secret::from(&[7; 16][..])),
        ..encrypt::Request::default()
    };
    RequestMessage::new(ProtocolVersion::V1_4, [request.into()])
}

#[tokio::test(start_paused = true)]
async fn data_in_parts_go_on_at_another_node_and_under_another_leader() {
    let mut bed = Bed::of(3).await;
    let first = bed.leader().await;
    let [second, third] = [1, 2, 3].into_iter().filter(|id| *id != first).collect::<Vec<_>>()[..] else {
        panic!("three nodes")
    };
    let begun = hashed(&bed.ask(first, hashing(b"a", None, false)).await);
    let further = hashed(&bed.ask(second, hashing(b"b", begun.correlation_value.as_ref(), false)).await);
    bed.kill(first).await;
    let value = further.correlation_value;
    let ended = hashed(&bed.ask(third, hashing(b"c", value.as_ref(), true)).await);
    // FIPS 180-2, appendix B.1.
    assert_eq!(
        ended.data.map(hex::encode).as_deref(),
        Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    );
    // Used up, on every node.
    for id in [second, third] {
        for used in [&begun.correlation_value, &value] {
            let again = bed.ask(id, hashing(b"c", used.as_ref(), true)).await;
            assert_eq!(reason(&again), Some(ResultReason::ItemNotFound));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_use_that_nothing_counts_is_answered_without_the_log_and_one_that_is_counted_through_it() {
    let bed = Bed::of(3).await;
    let id = bed.create(1, "key").await;
    let leader = bed.leader().await;
    let answered = |on: u64| bed.taker(on).state.held().objects.answers_seen();
    let before = answered(leader);
    for on in 1..=3 {
        assert_eq!(reason(&bed.ask(on, encrypting(&id)).await), None);
    }
    assert_eq!(answered(leader), before, "nothing went through the log");
    let limits = UsageLimits { total: 2, count: None, unit: UsageLimitsUnit::Object };
    let add = add_attribute::Request {
        unique_identifier: Some(id.clone()),
        attribute: Attribute::new(StandardAttribute::UsageLimits, limits.to_value()),
    };
    let added = bed.ask(1, RequestMessage::new(ProtocolVersion::V1_4, [add.into()])).await;
    assert_eq!(reason(&added), None, "{:?}", added.audit);
    // Two nodes never overspend it.
    let (one, two, three) =
        tokio::join!(bed.ask(1, encrypting(&id)), bed.ask(2, encrypting(&id)), bed.ask(3, encrypting(&id)));
    let refused: Vec<_> = [&one, &two, &three].into_iter().filter_map(reason).collect();
    assert_eq!(refused, [ResultReason::PermissionDenied]);
}
