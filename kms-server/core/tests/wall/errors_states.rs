//! The error tables of Activate, Revoke and Destroy (KMIP 1.4 sections 11.20 to 11.22), a test a row; those on
//! archived objects stand in `errors_archive`. Query and Discover Versions have no table.

use kmip::enumeration::ResultReason as R;

use crate::common::World;

const TEMPLATE: &str = "Register { ObjectType=Template TemplateAttribute {} Template {} }";
const OPAQUE: &str = "Register { ObjectType=OpaqueObject TemplateAttribute {} OpaqueObject { OpaqueDataType=#80000001 OpaqueDataValue=0x01 } }";

fn revoke(id: &str, code: &str) -> String {
    format!("Revoke {{ UniqueIdentifier={id} RevocationReason {{ RevocationReasonCode={code} }} }}")
}

#[test]
fn activate_no_object_with_the_identifier_exists() {
    World::new().refused("Activate { UniqueIdentifier=\"none\" }", R::ItemNotFound);
}

#[test]
fn activate_an_object_that_is_not_able_to_be_activated() {
    let mut w = World::new();
    w.done(TEMPLATE);
    w.done(OPAQUE);
    w.refused("Activate { UniqueIdentifier=$1 }", R::IllegalOperation);
    w.refused("Activate { UniqueIdentifier=$2 }", R::IllegalOperation);
}

#[test]
fn activate_an_object_that_is_not_pre_active() {
    let mut w = World::new();
    w.key();
    w.done("Activate { UniqueIdentifier=$1 }");
    w.refused("Activate { UniqueIdentifier=$1 }", R::PermissionDenied);
}

#[test]
fn revoke_no_object_with_the_identifier_exists() {
    World::new().refused(&revoke("\"none\"", "Unspecified"), R::ItemNotFound);
}

#[test]
fn revoke_the_reason_is_not_recognized() {
    let mut w = World::new();
    w.key();
    w.refused(&revoke("$1", "#99"), R::InvalidField);
}

#[test]
fn revoke_an_object_that_is_not_able_to_be_revoked() {
    let mut w = World::new();
    w.done(TEMPLATE);
    w.refused(&revoke("$1", "KeyCompromise"), R::IllegalOperation);
    w.key();
    w.refused(&revoke("$2", "Superseded"), R::IllegalOperation);
}

#[test]
fn revoke_a_compromise_occurrence_date_goes_with_compromise_only() {
    let mut w = World::new();
    w.key_with("\"Activation Date\"=@5");
    let dated = |code| revoke("$1", code).replace("} }", "} CompromiseOccurrenceDate=@7 }");
    w.refused(&dated("Superseded"), R::InvalidField);
    w.done(&dated("KeyCompromise"));
    let id = w.names.0[0].clone();
    assert!(w.attribute(&id, "Compromise Occurrence Date").contains("@7"));
    assert!(w.attribute(&id, "Compromise Date").contains("@1700000000"));
}

#[test]
fn revoke_for_compromise_without_a_date_takes_the_initial_date() {
    let mut w = World::new();
    let id = w.key();
    w.now += 100;
    w.done(&revoke("$1", "CACompromise"));
    assert!(w.attribute(&id, "Compromise Occurrence Date").contains("@1700000000"));
    assert!(w.attribute(&id, "Compromise Date").contains("@1700000100"));
}

#[test]
fn revoke_keeps_the_reason_of_an_opaque_object_which_has_no_state() {
    let mut w = World::new();
    w.done(OPAQUE);
    w.done(&revoke("$1", "CessationOfOperation"));
    let id = w.names.0[0].clone();
    assert!(w.attribute(&id, "Revocation Reason").contains("CessationOfOperation"));
    assert!(!w.attribute(&id, "State").contains("State"));
}

#[test]
fn destroy_no_object_with_the_identifier_exists() {
    World::new().refused("Destroy { UniqueIdentifier=\"none\" }", R::ItemNotFound);
}

#[test]
fn destroy_an_object_that_has_already_been_destroyed() {
    let mut w = World::new();
    w.key();
    w.done(OPAQUE);
    for id in ["$1", "$2"] {
        w.done(&format!("Destroy {{ UniqueIdentifier={id} }}"));
        w.refused(&format!("Destroy {{ UniqueIdentifier={id} }}"), R::PermissionDenied);
    }
}

#[test]
fn destroy_an_object_that_is_active() {
    let mut w = World::new();
    w.key_with("\"Activation Date\"=@5");
    w.refused("Destroy { UniqueIdentifier=$1 }", R::PermissionDenied);
}

#[test]
fn destroy_a_template_leaves_nothing_of_it() {
    let mut w = World::new();
    w.done(TEMPLATE);
    w.done("Destroy { UniqueIdentifier=$1 }");
    assert!(w.objects.is_empty());
    w.refused("Destroy { UniqueIdentifier=$1 }", R::ItemNotFound);
}
