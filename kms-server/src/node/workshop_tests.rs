//! What takes long to compute holds up nobody else, is made once for a token, and goes into one key each.

use std::collections::BTreeSet;
use std::sync::Arc;

use kmip::attribute::Digest;
use kmip::enumeration::{CryptographicAlgorithm, ResultReason};
use kmip::operations::{PairTemplates, create_key_pair};
use kmip::{
    Attribute, ProtocolVersion, RequestHeader, RequestItem, RequestMessage, ResponseMessage, ResponsePayload,
    StandardAttribute, TemplateAttribute,
};
use kms_core::{Outcome, Token};
use ttlv::Value;

use super::decider::{Decision, Matter};
use super::state::Asker;
use super::taker::Taker;
use super::test_bed::{Bed, client, created, creation};
use super::workshop::TOILS_MAX;

const TOKEN: Token = [9; 16];

/// So many Create Key Pair in one batch, of RSA with 1024 bits.
fn pairs(count: usize) -> RequestMessage {
    let attributes = vec![
        Attribute::new(
            StandardAttribute::CryptographicAlgorithm,
            Value::Enumeration(CryptographicAlgorithm::Rsa.number()),
        ),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(1024)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(1)),
    ];
    let common = Some(TemplateAttribute { names: Vec::new(), attributes });
    let templates = PairTemplates { common, ..PairTemplates::default() };
    let item = || RequestItem::new(create_key_pair::Request { templates: templates.clone() }.into());
    RequestMessage {
        header: RequestHeader::new(ProtocolVersion::V1_4, i32::try_from(count).unwrap()),
        items: (0..count).map(|_| item()).collect(),
    }
}

async fn decide(taker: &Taker, request: RequestMessage, token: Token) -> Outcome {
    let matter = Matter::Request { request: Arc::new(request), asker: Asker::trusted(&client()), bytes: 100 };
    match taker.decider.decide(matter, token, false, 0).await {
        Decision::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn answer(outcome: &Outcome) -> ResponseMessage {
    ResponseMessage::decode(&outcome.encoded, ttlv::Limits::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_takes_long_holds_up_nobody_else() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1).clone();
    let workshop = Arc::clone(&taker.decider.workshop);
    // As if all its threads were busy for long.
    let all = u32::try_from(workshop.threads.available_permits()).unwrap();
    let busy = workshop.threads.acquire_many(all).await.unwrap();
    let slow = tokio::spawn({
        let taker = taker.clone();
        async move { decide(&taker, pairs(1), TOKEN).await }
    });
    for place in 0..3u8 {
        let other = decide(&taker, creation(&format!("key {place}")), [place; 16]).await;
        assert!(created(&other).is_some());
    }
    assert!(!slow.is_finished());
    assert_eq!(taker.state.held().objects.len(), 3);
    drop(busy);
    assert!(matches!(answer(&slow.await.unwrap()).items[0].payload, Some(ResponsePayload::CreateKeyPair(_))));
    assert_eq!(taker.state.held().objects.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_meanwhile_gets_the_same_pair() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1);
    let (one, two) = tokio::join!(decide(taker, pairs(1), TOKEN), decide(taker, pairs(1), TOKEN));
    assert_eq!(one.encoded, two.encoded);
    assert_eq!(taker.state.held().objects.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_item_of_a_batch_gets_a_pair_of_its_own() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1);
    decide(taker, pairs(3), TOKEN).await;
    let digests: BTreeSet<Vec<u8>> = taker
        .state
        .held()
        .objects
        .iter()
        .filter_map(|object| Digest::from_value(object.first(StandardAttribute::Digest)?))
        .map(|digest| digest.value)
        .collect();
    assert_eq!(digests.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn one_request_needs_no_more_than_it_may() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1);
    let outcome = decide(taker, pairs(TOILS_MAX + 1), TOKEN).await;
    let last = answer(&outcome).items.pop().unwrap();
    assert_eq!(last.result_reason, Some(ResultReason::CryptographicFailure));
    assert_eq!(taker.state.held().objects.len(), 2 * TOILS_MAX);
}
