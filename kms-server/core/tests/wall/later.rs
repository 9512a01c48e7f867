//! Requests that are put off, Poll and Cancel (KMIP 1.4 sections 4.27, 4.28, 6.7, 11.29).

use kmip::enumeration::{Operation, ResultReason as R, ResultStatus as S};
use kmip::{ProtocolVersion, ResponseItem};
use kms_core::{DEFER_S, DEFERRED_PER_CLIENT_MAX, DEFERRED_S_MAX, Draft, Event, Objects, Stage, is_due};

use crate::common::{World, create};

const ASYNCHRONOUS: &str = "AsynchronousIndicator=true";

/// Has a request put off; gives its correlation value in the text form.
fn put_off(w: &mut World, item: &str) -> String {
    let mut answer = w.ask_with(ASYNCHRONOUS, item);
    let item = answer.response.items.remove(0);
    assert_eq!(item.result_status, S::OperationPending, "{item:?}");
    assert!(item.payload.is_none() && item.operation.is_some());
    assert_eq!(answer.audit[0].result_status, S::OperationPending);
    let value = item.asynchronous_correlation_value.unwrap();
    value.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn poll(w: &mut World, value: &str) -> ResponseItem {
    let item = format!("Poll {{ AsynchronousCorrelationValue={value} }}");
    w.ask(&item).response.items.remove(0)
}

fn cancel(w: &mut World, value: &str) -> String {
    let item = w.done(&format!("Cancel {{ AsynchronousCorrelationValue={value} }}"));
    let text = format!("{:?}", item.payload);
    text.rsplit("cancellation_result: ").next().unwrap().split(' ').next().unwrap().to_owned()
}

/// Carries out what is due, as the leader does.
fn settle_due(w: &mut World) -> Vec<Event> {
    let objects = w.objects.clone();
    let mut draft = Draft::new(&objects);
    let now = w.now;
    for deferred in objects.deferred_waiting().filter(|deferred| is_due(deferred, now)) {
        w.settle(deferred, &mut draft);
    }
    let events = draft.into_events();
    w.apply(&events);
    events
}

#[test]
fn a_poll_is_answered_as_the_operation_would_have_been() {
    let mut w = World::new();
    let id = w.key_with("\"x-a\"=1");
    let at_once = w.done("Locate { \"x-a\"=1 }");
    let value = put_off(&mut w, "Locate { \"x-a\"=1 }");
    for _ in 0..2 {
        let polled = poll(&mut w, &value);
        assert_eq!(polled, at_once, "and again, as the first answer may be lost");
    }
    assert!(format!("{at_once:?}").contains(&id));
}

#[test]
fn a_request_is_carried_out_though_nobody_polls_once_it_is_due_and_only_once() {
    let mut w = World::new();
    let id = w.key();
    let value = put_off(&mut w, "Archive { UniqueIdentifier=$1 }");
    w.now += DEFER_S - 1;
    assert!(settle_due(&mut w).is_empty());
    w.done("Get { UniqueIdentifier=$1 }");
    w.now += 1;
    assert_eq!(settle_due(&mut w).len(), 2, "what it does and its outcome, in one entry");
    assert!(settle_due(&mut w).is_empty());
    w.refused("Get { UniqueIdentifier=$1 }", R::ObjectArchived);
    w.now += 100;
    let item = poll(&mut w, &value);
    assert_eq!((item.operation, item.result_status), (Some(Operation::Archive), S::Success));
    let expected = format!("@{}", w.now - 100);
    assert!(w.attribute(&id, "Archive Date").contains(&expected), "when it was done, not when it was asked");
}

#[test]
fn an_outcome_that_is_a_failure_is_told_to_who_polls_and_fails_no_batch() {
    let mut w = World::new();
    let value = put_off(&mut w, "Archive { UniqueIdentifier=\"none\" }");
    let items = format!("Poll#01 {{ AsynchronousCorrelationValue={value} }} DiscoverVersions {{}}");
    let answer = w.ask(&items);
    let polled = &answer.response.items[0];
    assert_eq!((polled.operation, polled.result_reason), (Some(Operation::Archive), Some(R::ItemNotFound)));
    assert_eq!(polled.unique_batch_item_id, Some(vec![1]));
    assert_eq!(answer.audit[0].result_reason, Some(R::ItemNotFound));
    assert_eq!(answer.response.items[1].result_status, S::Success);
    assert_eq!(cancel(&mut w, &value), "Failed");
}

#[test]
fn a_request_is_canceled_until_it_was_carried_out() {
    let mut w = World::new();
    w.key();
    let value = put_off(&mut w, "Archive { UniqueIdentifier=$1 }");
    assert_eq!(cancel(&mut w, &value), "Canceled");
    w.now += DEFER_S;
    assert!(settle_due(&mut w).is_empty());
    w.done("Get { UniqueIdentifier=$1 }");
    let polled = poll(&mut w, &value);
    assert_eq!(polled.result_reason, Some(R::OperationCanceledByRequester));
    assert_eq!(polled.operation, Some(Operation::Archive));

    let value = put_off(&mut w, "Archive { UniqueIdentifier=$1 }");
    w.now += DEFER_S;
    settle_due(&mut w);
    assert_eq!(cancel(&mut w, &value), "Completed");
    w.refused("Get { UniqueIdentifier=$1 }", R::ObjectArchived);
    assert_eq!(cancel(&mut w, "0x00"), "Unavailable");
}

#[test]
fn poll_no_outstanding_operation_with_the_value_exists() {
    let mut w = World::new();
    for value in ["0x", "0x00", "0x00112233445566778899aabbccddeeff"] {
        w.refused(&format!("Poll {{ AsynchronousCorrelationValue={value} }}"), R::ItemNotFound);
    }
    w.refused("Poll {}", R::InvalidMessage);
}

#[test]
fn another_client_is_told_of_no_request_not_even_one_of_the_same_tenant() {
    let mut w = World::new();
    w.key();
    let value = put_off(&mut w, "Archive { UniqueIdentifier=$1 }");
    for client in ["vc01", "other"] {
        w.client = client;
        w.refused(&format!("Poll {{ AsynchronousCorrelationValue={value} }}"), R::ItemNotFound);
        assert_eq!(cancel(&mut w, &value), "Unavailable");
    }
    w.client = "admin";
    assert_eq!(poll(&mut w, &value).result_status, S::Success);
}

#[test]
fn an_outcome_is_forgotten_after_an_hour_and_what_was_missed_is_never_carried_out() {
    let mut w = World::new();
    w.key();
    let value = put_off(&mut w, "Archive { UniqueIdentifier=$1 }");
    w.now += DEFERRED_S_MAX;
    assert_eq!(cancel(&mut w, &value), "Canceled");
    let value = put_off(&mut w, "Archive { UniqueIdentifier=$1 }");
    w.now += DEFERRED_S_MAX + 1;
    assert!(settle_due(&mut w).is_empty(), "its client has given up long ago");
    w.refused(&format!("Poll {{ AsynchronousCorrelationValue={value} }}"), R::ItemNotFound);
    put_off(&mut w, "Archive { UniqueIdentifier=$1 }");
    assert_eq!(w.objects.deferred_waiting().count(), 1, "the log itself forgets");
}

#[test]
fn more_requests_than_one_client_may_have_waiting_are_answered_at_once() {
    let mut w = World::new();
    for _ in 0..DEFERRED_PER_CLIENT_MAX {
        put_off(&mut w, "Locate {}");
    }
    let answer = w.ask_with(ASYNCHRONOUS, "Locate {}");
    assert_eq!(answer.response.items[0].result_status, S::Success);
    w.client = "other";
    put_off(&mut w, "Locate {}");
    w.client = "admin";
    w.now += DEFER_S;
    settle_due(&mut w);
    put_off(&mut w, "Locate {}");
}

#[test]
fn what_is_answered_at_once_whatever_the_client_takes() {
    let mut w = World::new();
    w.key_with("\"Activation Date\"=@5");
    let large = create(&format!("\"x-a\"={:?}", "x".repeat(65_536)));
    for items in [
        "Query { QueryFunction=QueryOperations }",
        "DiscoverVersions {}",
        "RNGRetrieve { DataLength=1 }",
        "Cancel { AsynchronousCorrelationValue=0x00 }",
        &large,
        // An item may mean what the one before it made.
        "Locate {} Locate {}",
    ] {
        let answer = w.ask_with(ASYNCHRONOUS, items);
        let status = answer.response.items[0].result_status;
        assert_eq!(status, S::Success, "{items:.80}");
    }
    let answer = w.ask_with("AsynchronousIndicator=false", "Locate {}");
    assert_eq!(answer.response.items[0].result_status, S::Success);
}

#[test]
fn what_is_refused_anyway_is_refused_at_once() {
    let mut w = World::new();
    w.client = "vc01";
    for (item, reason) in [
        ("Archive { UniqueIdentifier=\"none\" }", R::PermissionDenied),
        ("#0000007f {}", R::OperationNotSupported),
        ("Revoke {}", R::InvalidMessage),
    ] {
        let answer = w.ask_with(ASYNCHRONOUS, item);
        assert_eq!(answer.response.items[0].result_reason, Some(reason), "{item}");
        assert!(answer.events.is_empty());
    }
}

#[test]
fn a_key_in_a_request_or_outcome_that_is_kept_is_sealed_and_survives_a_snapshot() {
    let mut w = World::new();
    w.version = ProtocolVersion::V1_2;
    let id = w.key();
    let material = w.ask("Get { UniqueIdentifier=$1 }").bytes;
    let value = put_off(&mut w, "Get { UniqueIdentifier=$1 }");
    w.now += DEFER_S;
    let events = settle_due(&mut w);
    let Some(Event::Deferred(kept)) = events.last() else { panic!("{events:?}") };
    assert_eq!((kept.stage, kept.at), (Stage::Completed, w.now - DEFER_S));
    let mut log = Vec::new();
    Event::encode_all(&events, &mut log);
    let key = &material[material.len() - 64..];
    assert!(!log.windows(16).any(|window| key.windows(16).any(|part| part == window && part[0] != part[1])));

    let mut restored = Objects::default();
    for record in w.objects.records() {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        restored.restore(&bytes).unwrap();
    }
    w.objects = restored;
    let answer = w.ask(&format!("Poll {{ AsynchronousCorrelationValue={value} }}"));
    let text = format!("{:?}", answer.response.items[0].payload);
    assert!(text.contains(&id), "{text}");
    assert_eq!(answer.served.len(), 1, "the audit knows that the key went out");
}

#[test]
fn a_request_that_cannot_be_opened_any_more_has_failed() {
    let mut w = World::new();
    let value = put_off(&mut w, "Locate {}");
    let objects = w.objects.clone();
    let mut deferred = kms_core::Deferred::clone(objects.deferred_waiting().next().unwrap());
    deferred.sealed = vec![1; 40];
    w.apply(&[Event::Deferred(deferred.into())]);
    assert_eq!(poll(&mut w, &value).result_reason, Some(R::GeneralFailure));
    assert_eq!(cancel(&mut w, &value), "Failed");
}

#[test]
fn the_requests_of_a_client_that_is_removed_go_with_it() {
    let mut w = World::new();
    let value = put_off(&mut w, "Locate {}");
    w.apply(&[Event::ClientRemoved { name: "admin".to_owned() }]);
    w.refused(&format!("Poll {{ AsynchronousCorrelationValue={value} }}"), R::ItemNotFound);
}

#[test]
fn a_node_without_quorum_answers_a_read_at_once() {
    let mut w = World::new();
    let id = w.key();
    let request = w.request(ASYNCHRONOUS, "Locate {}");
    let request = kmip::RequestMessage::decode(&request, ttlv::Limits::default()).unwrap();
    let objects = w.objects.clone();
    let outcome = w.decide(&request, &mut Draft::stale(&objects));
    assert_eq!(outcome.audit[0].result_status, S::Success);
    assert!(String::from_utf8_lossy(&outcome.encoded).contains(&id));
}
