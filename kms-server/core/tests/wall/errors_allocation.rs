//! The error tables of Obtain Lease and Get Usage Allocation (KMIP 1.4 sections 11.18 and 11.19), a test a row, and what
//! becomes of the attribute Usage Limits (section 3.21).

use kmip::enumeration::ResultReason as R;
use kms_core::Draft;

use crate::common::World;

const MISSING: &str = "UniqueIdentifier=\"none\"";
const TEMPLATE: &str = "Register { ObjectType=Template TemplateAttribute {} Template {} }";
const LIMITS: &str =
    "\"Activation Date\"=@5 \"Usage Limits\" { UsageLimitsTotal=1000L UsageLimitsUnit=Byte }";

fn allocation(units: i64) -> String {
    format!("GetUsageAllocation {{ UniqueIdentifier=$1 UsageLimitsCount={units}L }}")
}

#[test]
fn obtain_lease_no_object_with_the_identifier_exists() {
    World::new().refused(&format!("ObtainLease {{ {MISSING} }}"), R::ItemNotFound);
}

#[test]
fn obtain_lease_a_new_lease_is_not_permitted() {
    let mut w = World::new();
    w.done(TEMPLATE);
    w.refused("ObtainLease { UniqueIdentifier=$1 }", R::PermissionDenied);
    w.key();
    w.done("ObtainLease { UniqueIdentifier=$2 }");
    w.done("Revoke { UniqueIdentifier=$2 RevocationReason { RevocationReasonCode=KeyCompromise } }");
    w.refused("ObtainLease { UniqueIdentifier=$2 }", R::PermissionDenied);
    w.done("Destroy { UniqueIdentifier=$2 }");
    w.refused("ObtainLease { UniqueIdentifier=$2 }", R::PermissionDenied);
}

#[test]
fn obtain_lease_says_when_the_object_changed_last_and_changes_nothing() {
    let mut w = World::new();
    let id = w.key();
    w.now += 50;
    w.done("AddAttribute { UniqueIdentifier=$1 \"x-a\"=1 }");
    w.now += 50;
    let lease = format!("{:?}", w.done("ObtainLease { UniqueIdentifier=$1 }").payload);
    assert!(lease.contains("lease_time: 3600") && lease.contains("last_change_date: 1700000050"), "{lease}");
    assert!(w.attribute(&id, "Lease Time").contains("3600"), "never more than the attribute says");
}

#[test]
fn obtain_lease_the_object_is_archived() {
    archived("ObtainLease { UniqueIdentifier=$1 }");
}

#[test]
fn get_usage_allocation_no_object_with_the_identifier_exists() {
    let item = format!("GetUsageAllocation {{ {MISSING} UsageLimitsCount=1L }}");
    World::new().refused(&item, R::ItemNotFound);
}

#[test]
fn get_usage_allocation_the_object_has_no_usage_limits() {
    let mut w = World::new();
    w.key_with("\"Activation Date\"=@5");
    w.refused(&allocation(1), R::IllegalOperation);
}

#[test]
fn get_usage_allocation_the_object_applies_no_protection() {
    let mut w = World::new();
    w.done(
        "Create { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Algorithm\"=AES \
         \"Cryptographic Usage Mask\"=8 \"Activation Date\"=@5 \
         \"Usage Limits\" { UsageLimitsTotal=1000L UsageLimitsUnit=Byte } } }",
    );
    w.refused(&allocation(1), R::IllegalOperation);
    w.done(TEMPLATE);
    w.refused("GetUsageAllocation { UniqueIdentifier=$2 UsageLimitsCount=1L }", R::IllegalOperation);
}

#[test]
fn get_usage_allocation_no_count_is_specified() {
    let mut w = World::new();
    w.key_with(LIMITS);
    w.refused("GetUsageAllocation { UniqueIdentifier=$1 }", R::InvalidMessage);
    w.refused(&allocation(-1), R::InvalidField);
}

#[test]
fn get_usage_allocation_the_object_is_archived() {
    archived(&allocation(1));
}

#[test]
fn get_usage_allocation_the_amount_cannot_be_granted() {
    let mut w = World::new();
    let id = w.key_with(LIMITS);
    w.refused(&allocation(1001), R::PermissionDenied);
    w.done(&allocation(600));
    w.refused(&allocation(401), R::PermissionDenied);
    w.done(&allocation(400));
    w.refused(&allocation(1), R::PermissionDenied);
    w.done(&allocation(0));
    assert!(w.attribute(&id, "Usage Limits").contains("UsageLimitsCount=0L"));
}

#[test]
fn get_usage_allocation_is_given_between_activation_and_protect_stop_alone() {
    let mut w = World::new();
    w.key_with(
        "\"Activation Date\"=@1700000100 \"Protect Stop Date\"=@1700000200 \
         \"Usage Limits\" { UsageLimitsTotal=1000L UsageLimitsUnit=Byte }",
    );
    w.refused(&allocation(1), R::PermissionDenied);
    w.now += 100;
    w.done(&allocation(1));
    w.now += 100;
    w.refused(&allocation(1), R::PermissionDenied);
}

#[test]
fn two_allocations_decided_before_either_is_applied_never_overspend() {
    let mut w = World::new();
    w.key_with(LIMITS);
    let objects = w.objects.clone();
    // The first is on its way through the log when the second comes.
    let mut first = Draft::new(&objects);
    w.decide(&message(&w, 600), &mut first);
    let pending = first.into_events();
    assert_eq!(pending.len(), 1);
    let mut second = Draft::behind(&objects, &pending);
    let outcome = w.decide(&message(&w, 600), &mut second);
    assert_eq!(outcome.audit[0].result_reason, Some(R::PermissionDenied));
    assert!(second.into_events().is_empty());
}

fn message(w: &World, units: i64) -> kmip::RequestMessage {
    kmip::RequestMessage::decode(&w.request("", &allocation(units)), ttlv::Limits::default()).unwrap()
}

#[test]
fn usage_limits_of_a_new_object_begin_with_the_whole_whatever_count_was_sent() {
    let mut w = World::new();
    let id =
        w.key_with("\"Usage Limits\" { UsageLimitsTotal=9L UsageLimitsCount=3L UsageLimitsUnit=Object }");
    assert!(w.attribute(&id, "Usage Limits").contains("UsageLimitsCount=9L"));
}

#[test]
fn usage_limits_are_corrected_in_total_and_unit_until_the_first_allocation() {
    let mut w = World::new();
    let id = w.key_with("\"Activation Date\"=@5");
    let limits = |total: u32, count: &str| {
        format!("\"Usage Limits\" {{ UsageLimitsTotal={total}L {count} UsageLimitsUnit=Byte }}")
    };
    let add = |inside: String| format!("AddAttribute {{ UniqueIdentifier=$1 {inside} }}");
    let modify = |inside: String| format!("ModifyAttribute {{ UniqueIdentifier=$1 {inside} }}");
    w.refused(&add(limits(10, "UsageLimitsCount=5L")), R::PermissionDenied);
    w.done(&add(limits(10, "")));
    w.refused(&modify(limits(20, "UsageLimitsCount=19L")), R::PermissionDenied);
    w.done(&modify(limits(20, "UsageLimitsCount=20L")));
    assert!(w.attribute(&id, "Usage Limits").contains("UsageLimitsCount=20L"));
    w.done(&allocation(5));
    w.refused(&modify(limits(30, "")), R::PermissionDenied);
    w.refused("DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"Usage Limits\" }", R::PermissionDenied);
}

#[test]
fn a_check_that_fails_says_which_of_its_values_stand_against_it() {
    let mut w = World::new();
    w.key_with(LIMITS);
    let answer = w
        .ask("Check { UniqueIdentifier=$1 UsageLimitsCount=1001L CryptographicUsageMask=4 LeaseTime=3601s }");
    let payload = format!("{:?}", answer.response.items[0].payload);
    assert!(payload.contains("usage_limits_count: Some(1001)") && payload.contains("lease_time: Some(3601)"));
    assert!(
        payload.contains("cryptographic_usage_mask: None") && payload.contains("unique_identifier: None")
    );
}

fn archived(item: &str) {
    let mut w = World::new();
    w.key_with(LIMITS);
    w.done("Archive { UniqueIdentifier=$1 }");
    w.refused(item, R::ObjectArchived);
}
