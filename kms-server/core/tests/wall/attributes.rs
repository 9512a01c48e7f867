//! What attributes do: custom ones of every type, indexes, names, sensitivity (KMIP 1.4 sections 2.1.1, 3.2, 3.39, 3.48
//! to 3.51).

use kmip::enumeration::ResultReason as R;

use crate::common::{World, create};

#[test]
fn a_custom_attribute_of_every_type_comes_back_as_it_was_sent() {
    for value in [
        "\"text\"",
        "\"\"",
        "-7",
        "7L",
        "true",
        "@5",
        "5s",
        "0x00ff",
        "0x",
        "#7",
        "{ Comment=\"n\" Comment=1 }",
        "{}",
    ] {
        for name in ["x-a", "y-a", "x-", "x-with blanks and \u{e9}"] {
            let mut w = World::new();
            w.key_with(&format!("{name:?}={value}"));
            w.done(&format!("AddAttribute {{ UniqueIdentifier=$1 {name:?}={value} }}"));
            w.done(&format!("ModifyAttribute {{ UniqueIdentifier=$1 {name:?}[1]={value} }}"));
            let id = w.names.0[0].clone();
            let text = w.attribute(&id, name);
            assert_eq!(text.matches(&format!("{name:?}")).count(), 2, "{text}");
            let shown: String = text.split_whitespace().collect();
            let wanted: String = value.split_whitespace().collect();
            assert!(
                shown.contains(&format!("[1]={wanted}")) || shown.contains(&format!("[1]{wanted}")),
                "{shown} {wanted}"
            );
            w.done(&format!(
                "DeleteAttribute {{ UniqueIdentifier=$1 AttributeName={name:?} AttributeIndex=1 }}"
            ));
        }
    }
}

#[test]
fn an_absent_attribute_is_success_with_the_identifier_only() {
    let mut w = World::new();
    let id = w.key();
    for name in ["x-Vendor", "Contact Information", "Certificate Type", "Unheard Of"] {
        assert_eq!(w.attribute(&id, name), "UniqueIdentifier=$1");
    }
}

#[test]
fn an_index_lives_as_long_as_its_instance() {
    let mut w = World::new();
    let id = w.key_with("\"x-a\"=10 \"x-b\"=0 \"x-a\"=11 \"x-a\"=12");
    w.done("DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"x-a\" AttributeIndex=1 }");
    w.done("AddAttribute { UniqueIdentifier=$1 \"x-a\"=13 }");
    let text = w.attribute(&id, "x-a");
    assert!(text.contains("\"x-a\"=10") && text.contains("[2]=12") && text.contains("[3]=13"), "{text}");
    w.done("DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"x-a\" }");
    w.refused("DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"x-a\" }", R::ItemNotFound);
}

#[test]
fn a_name_is_free_again_when_its_object_is_destroyed_or_loses_it() {
    let name = "\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }";
    let mut w = World::new();
    w.key_with(name);
    w.refused(&create(name), R::InvalidField);
    w.done("Destroy { UniqueIdentifier=$1 }");
    w.key_with(name);
    w.done("DeleteAttribute { UniqueIdentifier=$2 AttributeName=\"Name\" }");
    w.key_with(name);
    w.done("ModifyAttribute { UniqueIdentifier=$3 \"Name\" { NameValue=\"l\" NameType=UninterpretedTextString } }");
    w.key_with(name);
    w.refused(&create("\"Name\" { NameValue=\"l\" NameType=UninterpretedTextString }"), R::InvalidField);
}

#[test]
fn names_are_unique_also_among_objects_of_one_request() {
    let name = "\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }";
    let mut w = World::new();
    let both = format!("{} {}", create(name), create(name));
    assert_eq!(w.ask(&both).audit[1].result_reason, Some(R::InvalidField));
    let mut w = World::new();
    let freed = format!("{} Destroy {{}} {}", create(name), create(name));
    assert!(w.ask(&freed).audit.iter().all(|item| item.result_reason.is_none()));
}

#[test]
fn always_sensitive_and_never_extractable_end_for_good() {
    let mut w = World::new();
    let id = w.key_with("\"Sensitive\"=true \"Extractable\"=false");
    assert!(w.attribute(&id, "Always Sensitive").contains("true"));
    assert!(w.attribute(&id, "Never Extractable").contains("true"));
    for (flag, ended) in
        [("\"Sensitive\"=false", "Always Sensitive"), ("\"Extractable\"=true", "Never Extractable")]
    {
        w.done(&format!("ModifyAttribute {{ UniqueIdentifier=$1 {flag} }}"));
        assert!(w.attribute(&id, ended).contains("false"));
    }
    w.done("ModifyAttribute { UniqueIdentifier=$1 \"Sensitive\"=true }");
    assert!(w.attribute(&id, "Always Sensitive").contains("false"));
}

#[test]
fn dates_keep_their_order_when_they_are_changed() {
    let mut w = World::new();
    w.key_with("\"Activation Date\"=@1800000000 \"Deactivation Date\"=@1900000000");
    w.refused("ModifyAttribute { UniqueIdentifier=$1 \"Deactivation Date\"=@1700000001 }", R::InvalidField);
    w.refused("ModifyAttribute { UniqueIdentifier=$1 \"Activation Date\"=@1900000001 }", R::InvalidField);
    w.refused("AddAttribute { UniqueIdentifier=$1 \"Process Start Date\"=@1700000001 }", R::InvalidField);
    w.done("AddAttribute { UniqueIdentifier=$1 \"Process Start Date\"=@1850000000 }");
    w.done("ModifyAttribute { UniqueIdentifier=$1 \"Activation Date\"=@1850000000 }");
}

#[test]
fn a_template_fills_in_and_the_request_overrides() {
    let mut w = World::new();
    w.done(
        "Register { ObjectType=Template TemplateAttribute { \"Name\" { NameValue=\"t\" NameType=UninterpretedTextString } } \
         Template { \"Cryptographic Algorithm\"=AES \"Cryptographic Length\"=128 \"Cryptographic Usage Mask\"=4 \"x-a\"=1 } }",
    );
    w.done(
        "Create { ObjectType=SymmetricKey TemplateAttribute { Name { NameValue=\"t\" NameType=UninterpretedTextString } \
         \"Cryptographic Length\"=256 \"x-a\"=2 } }",
    );
    let id = w.names.0[1].clone();
    assert!(w.attribute(&id, "Cryptographic Length").contains("256"));
    assert!(w.attribute(&id, "Cryptographic Usage Mask").contains("=4"));
    let text = w.attribute(&id, "x-a");
    assert!(text.contains("=1") && text.contains("[1]=2"), "{text}");
}

const TEMPLATE: &str = "Register { ObjectType=Template TemplateAttribute {} Template { \
    \"Name\" { NameValue=\"t\" NameType=UninterpretedTextString } \"Object Group\"=\"g\" \"x-a\"=1 } }";

#[test]
fn until_1_1_a_name_inside_a_template_is_its_own_and_no_objects_that_is_made_from_it() {
    let mut w = World::new();
    w.version = kmip::ProtocolVersion::V1_1;
    w.done(TEMPLATE);
    let template = w.names.0[0].clone();
    assert!(w.attribute(&template, "Name").contains("NameValue=\"t\""));
    w.refused(TEMPLATE, R::InvalidField);
    w.done(
        "Register { ObjectType=SecretData TemplateAttribute { Name { NameValue=\"t\" NameType=UninterpretedTextString } } \
         SecretData { SecretDataType=Password KeyBlock { KeyFormatType=Opaque KeyValue { KeyMaterial=0x01 } } } }",
    );
    let secret = w.names.0[1].clone();
    assert!(w.attribute(&secret, "Object Group").contains("\"g\""));
    assert_eq!(w.attribute(&secret, "Name"), "UniqueIdentifier=$2");
}

#[test]
fn a_template_holds_what_clients_may_set_and_nothing_else() {
    let mut w = World::new();
    w.version = kmip::ProtocolVersion::V1_2;
    let template = |inside: &str| {
        format!("Register {{ ObjectType=Template TemplateAttribute {{}} Template {{ {inside} }} }}")
    };
    for inside in ["\"State\"=Active", "\"Destroy Date\"=@5", "\"Contact Information\"=1", "\"Unheard Of\"=1"]
    {
        w.refused(&template(inside), R::InvalidField);
    }
    w.done(&template("\"Process Start Date\"=@5 \"Cryptographic Algorithm\"=AES \"x-a\"={}"));
}

#[test]
fn a_password_is_made_with_as_many_bytes_as_asked_for() {
    let mut w = World::new();
    let create = |more: &str| format!("Create {{ ObjectType=SecretData TemplateAttribute {{ {more} }} }}");
    w.done(&create("\"Cryptographic Length\"=80 \"x-a\"=1"));
    let item = w.done("Get { UniqueIdentifier=$1 }");
    let Some(kmip::ResponsePayload::Get(response)) = item.payload else { panic!("{item:?}") };
    let bytes = response.object.key_block().unwrap().plain_bytes().unwrap();
    assert_eq!(bytes.danger_bytes().len(), 10);
    let id = w.names.0[0].clone();
    assert_eq!(w.attribute(&id, "Cryptographic Length"), "UniqueIdentifier=$1");
    for bits in ["0", "7", "-8", "8200", "80L"] {
        w.refused(&create(&format!("\"Cryptographic Length\"={bits}")), R::InvalidField);
    }
    w.refused(&create("\"Cryptographic Length\"=80 \"Cryptographic Length\"=80"), R::InvalidField);
}
