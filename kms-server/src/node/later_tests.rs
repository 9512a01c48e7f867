//! Requests that are put off, on nodes: carried out by whoever leads, and told after a leader was lost.

use kmip::enumeration::{CancellationResult, ResultReason, ResultStatus};
use kmip::operations::{archive, cancel, poll};
use kmip::{ProtocolVersion, RequestMessage, RequestPayload, ResponseItem, ResponseMessage, ResponsePayload};
use kms_core::{DEFER_S, Outcome};

use super::state::Asker;
use super::test_bed::{Bed, client, getting, reason, registration};
use crate::engine::NodeId;

fn asynchronous(payload: impl Into<RequestPayload>) -> RequestMessage {
    let mut request = RequestMessage::new(ProtocolVersion::V1_4, [payload.into()]);
    request.header.asynchronous_indicator = Some(true);
    request
}

fn only(outcome: &Outcome) -> ResponseItem {
    let response = ResponseMessage::decode(&outcome.encoded, ttlv::Limits::default()).unwrap();
    response.items.into_iter().next().unwrap()
}

/// Has the key archived later; gives the correlation value.
async fn put_off(bed: &Bed, through: NodeId, id: &str) -> Vec<u8> {
    let request = asynchronous(archive::Request { unique_identifier: Some(id.to_owned()) });
    let item = only(&bed.ask_as(&Asker::registered(&client()), through, request).await);
    assert_eq!(item.result_status, ResultStatus::OperationPending, "{item:?}");
    item.asynchronous_correlation_value.unwrap()
}

async fn polled(bed: &Bed, through: NodeId, value: &[u8]) -> ResponseItem {
    let request = poll::Request { asynchronous_correlation_value: value.to_vec() };
    let request = RequestMessage::new(ProtocolVersion::V1_4, [request.into()]);
    only(&bed.ask_as(&Asker::registered(&client()), through, request).await)
}

async fn bed(nodes: NodeId) -> (Bed, NodeId, String) {
    let bed = Bed::of(nodes).await;
    let leader = bed.leader().await;
    bed.commit(registration(1)).await;
    let id = bed.create(leader, "one").await;
    (bed, leader, id)
}

/// The time until a request is due goes by on a node.
fn let_it_be_due(bed: &Bed, node: NodeId) {
    let clock = &bed.taker(node).state.clock;
    clock.not_before(clock.unix_seconds() + DEFER_S);
}

async fn until_carried_out(bed: &Bed, node: NodeId) {
    let state = &bed.taker(node).state;
    bed.until("carried out", || state.held().objects.deferred_waiting().next().is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_put_off_is_carried_out_by_the_next_leader_and_told_by_every_other() {
    let (mut bed, first, id) = bed(3).await;
    let value = put_off(&bed, first, &id).await;
    bed.kill(first).await;
    let next = bed.leader().await;
    let_it_be_due(&bed, next);
    until_carried_out(&bed, next).await;
    assert_eq!(reason(&bed.ask(next, getting(&id)).await), Some(ResultReason::ObjectArchived));
    for node in (1..=3).filter(|node| *node != first) {
        let item = polled(&bed, node, &value).await;
        assert!(matches!(item.payload, Some(ResponsePayload::Archive(_))), "node {node}: {item:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_canceled_on_one_node_is_carried_out_on_none() {
    let (bed, leader, id) = bed(3).await;
    let follower = (1..=3).find(|node| *node != leader).unwrap();
    let value = put_off(&bed, follower, &id).await;
    let request = cancel::Request { asynchronous_correlation_value: value };
    let request = RequestMessage::new(ProtocolVersion::V1_4, [request.into()]);
    let item = only(&bed.ask_as(&Asker::registered(&client()), follower, request).await);
    let Some(ResponsePayload::Cancel(response)) = item.payload else { panic!("{item:?}") };
    assert_eq!(response.cancellation_result, CancellationResult::Canceled);
    let_it_be_due(&bed, leader);
    until_carried_out(&bed, leader).await;
    assert_eq!(reason(&bed.ask(leader, getting(&id)).await), None);
}
