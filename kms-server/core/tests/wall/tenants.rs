//! Whose an object is, and who may do what to it.

use kmip::enumeration::{ResultReason as R, ResultStatus as S};

use crate::common::{World, create};

/// Every operation that names an object.
const NAMING: [&str; 11] = [
    "ReKey { UniqueIdentifier=$1 }",
    "Check { UniqueIdentifier=$1 }",
    "Get { UniqueIdentifier=$1 }",
    "GetAttributes { UniqueIdentifier=$1 }",
    "GetAttributeList { UniqueIdentifier=$1 }",
    "AddAttribute { UniqueIdentifier=$1 \"x-a\"=1 }",
    "ModifyAttribute { UniqueIdentifier=$1 \"x-b\"=1 }",
    "DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"x-b\" }",
    "Activate { UniqueIdentifier=$1 }",
    "Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=KeyCompromise } }",
    "Destroy { UniqueIdentifier=$1 }",
];

#[test]
fn another_tenants_object_looks_unknown_in_every_operation() {
    let mut w = World::new();
    let id = w.key_with("\"x-b\"=1");
    let unknown = "11111111-2222-4333-8444-555555555555";
    for item in NAMING {
        w.client = "other";
        let message = w.refused(item, R::ItemNotFound);
        let unheard_of = w.refused(&item.replace("$1", &format!("{unknown:?}")), R::ItemNotFound);
        assert_eq!(
            message.replace(&id, unknown),
            unheard_of,
            "the same words for what exists and what does not"
        );
    }
    let answer = w.ask("Locate {}");
    assert!(format!("{:?}", answer.response.items[0].payload).contains("unique_identifiers: []"));
}

#[test]
fn names_and_templates_of_another_tenant_do_not_count() {
    let mut w = World::new();
    let name = "\"Name\" { NameValue=\"t\" NameType=UninterpretedTextString }";
    w.done(&format!("Register {{ ObjectType=Template TemplateAttribute {{ {name} }} Template {{}} }}"));
    w.client = "other";
    let template = "Name { NameValue=\"t\" NameType=UninterpretedTextString }";
    w.refused(
        &create("").replace("TemplateAttribute {", &format!("TemplateAttribute {{ {template}")),
        R::ItemNotFound,
    );
    w.done(&create(name));
}

#[test]
fn clients_of_one_tenant_share_its_objects() {
    let mut w = World::new();
    w.key();
    let answer = w.ask_as("vc01", "Get { UniqueIdentifier=$1 }");
    assert_eq!(answer.response.items[0].result_status, S::Success);
}

#[test]
fn each_right_lets_its_operations_through_and_no_others() {
    let operations = [
        (
            "read",
            vec![
                "Get { UniqueIdentifier=$1 }",
                "GetAttributes { UniqueIdentifier=$1 }",
                "GetAttributeList { UniqueIdentifier=$1 }",
                "Locate {}",
                "Check { UniqueIdentifier=$1 }",
            ],
        ),
        (
            "create",
            vec![
                "ReKey { UniqueIdentifier=$1 }",
                "Register { ObjectType=Template TemplateAttribute {} Template {} }",
            ],
        ),
        (
            "change",
            vec![
                "AddAttribute { UniqueIdentifier=$1 \"x-a\"=1 }",
                "ModifyAttribute { UniqueIdentifier=$1 \"x-b\"=1 }",
                "DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"x-b\" }",
                "Activate { UniqueIdentifier=$1 }",
            ],
        ),
        (
            "destroy",
            vec![
                "Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=KeyCompromise } }",
                "Destroy { UniqueIdentifier=$1 }",
            ],
        ),
    ];
    for (right, _) in &operations {
        for (needed, items) in &operations {
            for item in items {
                let mut w = World::new();
                w.key_with("\"x-b\"=1");
                w.clients.get_mut("admin").unwrap().rights = kms_core::Rights::from_names([*right]).unwrap();
                let answer = w.ask(item);
                let reason = answer.audit[0].result_reason;
                assert_eq!(reason, (right != needed).then_some(R::PermissionDenied), "{right}: {item}");
                assert_eq!(w.ask("DiscoverVersions {}").response.items[0].result_status, S::Success);
            }
        }
    }
}

#[test]
fn a_deactivation_date_set_later_needs_the_right_that_revoke_needs() {
    let mut w = World::new();
    w.client = "vc01";
    w.key_with("\"Deactivation Date\"=@1800000000");
    w.key();
    w.refused("ModifyAttribute { UniqueIdentifier=$1 \"Deactivation Date\"=@5 }", R::PermissionDenied);
    w.refused("AddAttribute { UniqueIdentifier=$2 \"Deactivation Date\"=@5 }", R::PermissionDenied);
    w.client = "admin";
    w.done("AddAttribute { UniqueIdentifier=$2 \"Deactivation Date\"=@5 }");
}

#[test]
fn a_refusal_for_want_of_a_right_says_which_and_how_to_get_it() {
    let mut w = World::new();
    w.key();
    w.client = "vc01";
    let message = w.refused("Destroy { UniqueIdentifier=$1 }", R::PermissionDenied);
    assert!(
        message.contains("vc01") && message.contains("destroy") && message.contains("hint:"),
        "{message}"
    );
}
