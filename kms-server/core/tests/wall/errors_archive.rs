//! The error tables of Archive and Recover (KMIP 1.4 sections 11.23 and 11.24), a test a row, and the row that most other
//! operations have: the object is archived.

use kmip::enumeration::ResultReason as R;

use crate::common::{World, create, made};

const NAMED: &str = "\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }";
const LOCATE: &str = "\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }";

#[test]
fn archive_no_object_with_the_identifier_exists() {
    World::new().refused("Archive { UniqueIdentifier=\"none\" }", R::ItemNotFound);
}

#[test]
fn archive_the_object_is_already_archived() {
    let mut w = World::new();
    w.key();
    w.done("Archive { UniqueIdentifier=$1 }");
    w.refused("Archive { UniqueIdentifier=$1 }", R::ObjectArchived);
}

#[test]
fn recover_no_object_with_the_identifier_exists() {
    World::new().refused("Recover { UniqueIdentifier=\"none\" }", R::ItemNotFound);
}

#[test]
fn recover_of_an_object_that_is_on_line_changes_nothing() {
    let mut w = World::new();
    w.key();
    assert!(w.ask("Recover { UniqueIdentifier=$1 }").events.is_empty());
}

#[test]
fn an_archived_object_has_an_archive_date_until_it_is_recovered() {
    let mut w = World::new();
    let id = w.key();
    w.now += 7;
    w.done("Archive { UniqueIdentifier=$1 }");
    assert!(w.attribute(&id, "Archive Date").contains("@1700000007"));
    assert!(w.attribute(&id, "Last Change Date").contains("@1700000007"));
    let answer = w.ask("Recover { UniqueIdentifier=$1 } Get {}");
    assert!(answer.response.items[1].payload.is_some(), "Recover fills the ID Placeholder");
    assert_eq!(w.attribute(&id, "Archive Date"), format!("UniqueIdentifier=${}", 1));
}

#[test]
fn another_tenants_archived_object_is_not_found_in_the_same_words() {
    let mut w = World::new();
    w.key();
    w.done("Archive { UniqueIdentifier=$1 }");
    let id = w.names.0[0].clone();
    w.client = "other";
    for operation in ["Archive", "Recover", "Get"] {
        let theirs = w.refused(&format!("{operation} {{ UniqueIdentifier=$1 }}"), R::ItemNotFound);
        let nobodys = w.refused(&format!("{operation} {{ UniqueIdentifier=\"none\" }}"), R::ItemNotFound);
        assert_eq!(theirs.replace(&id, "none"), nobodys);
    }
}

#[test]
fn every_operation_on_an_archived_object_says_so_but_those_that_tell_of_it() {
    let mut w = World::new();
    w.key_with("\"Activation Date\"=@5 \"x-a\"=1");
    w.done("Archive { UniqueIdentifier=$1 }");
    for item in [
        "ReKey { UniqueIdentifier=$1 }",
        "Check { UniqueIdentifier=$1 }",
        "Get { UniqueIdentifier=$1 }",
        "AddAttribute { UniqueIdentifier=$1 \"x-b\"=1 }",
        "ModifyAttribute { UniqueIdentifier=$1 \"x-a\"=2 }",
        "DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"x-a\" }",
        "Activate { UniqueIdentifier=$1 }",
        "Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=KeyCompromise } }",
        "Destroy { UniqueIdentifier=$1 }",
        "Encrypt { UniqueIdentifier=$1 Data=0x00 }",
        "Decrypt { UniqueIdentifier=$1 Data=0x00 }",
        "Sign { UniqueIdentifier=$1 Data=0x00 }",
        "SignatureVerify { UniqueIdentifier=$1 Data=0x00 SignatureData=0x00 }",
        "MAC { UniqueIdentifier=$1 Data=0x00 }",
        "MACVerify { UniqueIdentifier=$1 Data=0x00 MACData=0x00 }",
    ] {
        let message = w.refused(item, R::ObjectArchived);
        assert!(message.contains("hint: Recover"), "{message}");
    }
    w.done("GetAttributes { UniqueIdentifier=$1 }");
    w.done("GetAttributeList { UniqueIdentifier=$1 }");
}

#[test]
fn a_template_that_is_archived_is_not_used() {
    let mut w = World::new();
    w.done(&format!("Register {{ ObjectType=Template TemplateAttribute {{ {NAMED} }} Template {{}} }}"));
    w.done("Archive { UniqueIdentifier=$1 }");
    let item = "Create { ObjectType=SymmetricKey TemplateAttribute { Name { NameValue=\"k\" NameType=UninterpretedTextString } } }";
    w.refused(item, R::ObjectArchived);
}

#[test]
fn locate_looks_on_line_unless_the_storage_status_mask_says_otherwise() {
    let mut w = World::new();
    let archived = made(&w.done(&create(NAMED))).unwrap();
    let on_line = w.key_with("\"x-a\"=1");
    w.done("Archive { UniqueIdentifier=$1 }");
    let mut found = |mask: &str, filter: &str| {
        let answer = w.ask(&format!("Locate {{ {mask} {filter} }}"));
        let text = format!("{:?}", answer.response.items[0].payload);
        (text.contains(&archived), text.contains(&on_line))
    };
    assert_eq!(found("", ""), (false, true));
    assert_eq!(found("StorageStatusMask=1", ""), (false, true));
    assert_eq!(found("StorageStatusMask=2", ""), (true, false));
    assert_eq!(found("StorageStatusMask=3", ""), (true, true));
    assert_eq!(found("StorageStatusMask=0", ""), (false, false));
    assert_eq!(found("", LOCATE), (false, false));
    assert_eq!(found("StorageStatusMask=3", LOCATE), (true, false));
}

#[test]
fn to_archive_takes_the_right_to_destroy_and_to_recover_that_to_change() {
    let mut w = World::new();
    w.key();
    w.client = "vc01";
    w.refused("Archive { UniqueIdentifier=$1 }", R::PermissionDenied);
    w.client = "admin";
    w.done("Archive { UniqueIdentifier=$1 }");
    w.client = "vc01";
    w.done("Recover { UniqueIdentifier=$1 }");
}
