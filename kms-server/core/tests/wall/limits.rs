//! Every bound: what is at it passes, what is over it is refused and leaves nothing behind.

use kmip::enumeration::{ResultReason as R, ResultStatus as S};

use crate::common::{World, create};

#[test]
fn a_batch_of_more_items_than_allowed_is_an_invalid_message() {
    let mut w = World::new();
    w.limits.batch_items_max = 2;
    assert_eq!(w.ask("DiscoverVersions {} DiscoverVersions {}").audit.len(), 2);
    let answer = w.ask("DiscoverVersions {} DiscoverVersions {} DiscoverVersions {}");
    assert_eq!((answer.audit.len(), answer.audit[0].result_reason), (1, Some(R::InvalidMessage)));
}

#[test]
fn a_tenant_has_only_so_many_objects_also_within_one_batch() {
    let mut w = World::new();
    w.limits.objects_per_tenant_max = 3;
    w.key();
    w.done("Destroy { UniqueIdentifier=$1 }");
    let two = format!("{} {}", create(""), create(""));
    assert_eq!(w.ask(&two).events.len(), 2);
    w.refused(&create(""), R::GeneralFailure);
    w.refused("ReKey { UniqueIdentifier=$2 }", R::GeneralFailure);
    w.client = "other";
    let answer = w.ask_with("BatchErrorContinuationOption=Continue", &format!("{two} {two}"));
    assert_eq!(answer.audit[2].result_status, S::Success);
    assert_eq!(answer.audit[3].result_reason, Some(R::GeneralFailure));
}

#[test]
fn a_template_that_is_destroyed_makes_room() {
    let mut w = World::new();
    w.limits.objects_per_tenant_max = 1;
    let template = "Register { ObjectType=Template TemplateAttribute {} Template {} }";
    w.done(template);
    let answer = w.ask(&format!("Destroy {{ UniqueIdentifier=$1 }} {template}"));
    assert!(answer.audit.iter().all(|item| item.result_status == S::Success));
}

#[test]
fn locate_answers_with_only_so_many_identifiers() {
    let mut w = World::new();
    w.limits.locate_items_max = 2;
    for _ in 0..3 {
        w.key();
    }
    let answer = w.ask("Locate { OffsetItems=0 }");
    let text = format!("{:?}", answer.response.items[0].payload);
    assert!(text.contains("located_items: Some(3)"), "{text}");
    assert_eq!(text.matches('-').count(), 2 * 4, "{text}");
}

#[test]
fn locate_takes_only_so_many_attributes() {
    let mut w = World::new();
    w.limits.attributes_per_object_max = 1;
    w.done("Locate { \"x-a\"=1 }");
    w.refused("Locate { \"x-a\"=1 \"x-b\"=1 }", R::InvalidField);
}

#[test]
fn the_attributes_of_an_object_have_only_so_many_bytes() {
    let mut w = World::new();
    let half = "x".repeat(600 << 10);
    w.key_with(&format!("\"x-a\"={half:?}"));
    w.refused(&format!("AddAttribute {{ UniqueIdentifier=$1 \"x-b\"={half:?} }}"), R::IndexOutOfBounds);
    w.done(&format!("ModifyAttribute {{ UniqueIdentifier=$1 \"x-a\"={half:?} }}"));
    w.done("AddAttribute { UniqueIdentifier=$1 \"x-b\"=\"\" }");
    w.refused(&format!("ModifyAttribute {{ UniqueIdentifier=$1 \"x-b\"={half:?} }}"), R::IndexOutOfBounds);
    w.refused(
        &format!("ReKey {{ UniqueIdentifier=$1 TemplateAttribute {{ \"x-c\"={half:?} }} }}"),
        R::IndexOutOfBounds,
    );
}

#[test]
fn a_response_of_exactly_the_maximum_size_is_sent_and_a_byte_more_is_not() {
    let mut w = World::new();
    w.key();
    let get = "Get { UniqueIdentifier=$1 }";
    let bytes = w.ask(get).bytes.len();
    assert_eq!(w.ask_with(&format!("MaximumResponseSize={bytes}"), get).served.len(), 1);
    let answer = w.ask_with(&format!("MaximumResponseSize={}", bytes - 1), get);
    assert_eq!(answer.audit[0].result_reason, Some(R::ResponseTooLarge));
    assert_eq!(
        answer.response.items[0].operation,
        Some(kmip::enumeration::Operation::Get),
        "the operation is echoed"
    );
    assert!(answer.served.is_empty());
    w.limits.response_bytes_max = bytes - 1;
    let answer = w.ask_with("MaximumResponseSize=100000", get);
    assert_eq!(answer.audit[0].result_reason, Some(R::ResponseTooLarge));
}

#[test]
fn nothing_remains_of_a_request_whose_answer_is_too_large() {
    let mut w = World::new();
    w.key();
    let before = w.objects.clone();
    for size in [-1, 0, 1, 100, 250] {
        let items = format!("{} Activate {{}} Get {{ UniqueIdentifier=$1 }}", create(""));
        let answer = w.ask_with(&format!("MaximumResponseSize={size}"), &items);
        assert_eq!(answer.audit.len(), 3);
        assert!(answer.audit.iter().all(|item| item.result_reason == Some(R::ResponseTooLarge)));
        assert!(answer.events.is_empty());
        assert_eq!(w.objects, before);
    }
}

#[test]
fn a_batch_of_large_answers_is_not_gathered_past_the_limit() {
    let mut w = World::new();
    let large = "ab".repeat(1000);
    w.done(&format!("Register {{ ObjectType=OpaqueObject TemplateAttribute {{}} OpaqueObject {{ OpaqueDataType=#80000001 OpaqueDataValue=0x{large} }} }}"));
    w.limits.response_bytes_max = 10_000;
    let items = "Get { UniqueIdentifier=$1 } ".repeat(1000);
    let answer = w.ask(&items);
    assert_eq!(answer.audit.len(), 1000);
    assert!(w.vault.opened.get() <= 11, "opened {} times", w.vault.opened.get());
    assert!(answer.audit.iter().all(|item| item.result_reason == Some(R::ResponseTooLarge)));
}

#[test]
fn many_names_and_attributes_are_refused_in_time() {
    let mut w = World::new();
    w.key();
    let names: String = (0..8000).map(|n| format!("AttributeName=\"x-{n}\" ")).collect();
    w.done(&format!("GetAttributes {{ UniqueIdentifier=$1 {names} }}"));
    let attributes: String = (0..8000).map(|n| format!("\"x-{n}\"=1 ")).collect();
    w.refused(&create(&attributes), R::IndexOutOfBounds);
}
