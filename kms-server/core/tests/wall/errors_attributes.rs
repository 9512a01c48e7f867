//! The error tables of Add, Modify and Delete Attribute (KMIP 1.4 sections 11.15 to 11.17), a test a row. Nothing is ever
//! archived here, so the rows on archived objects cannot occur.

use kmip::enumeration::ResultReason as R;

use crate::common::World;

fn with_key(attributes: &str) -> World {
    let mut w = World::new();
    w.key_with(attributes);
    w
}

fn add(attribute: &str) -> String {
    format!("AddAttribute {{ UniqueIdentifier=$1 {attribute} }}")
}

fn modify(attribute: &str) -> String {
    format!("ModifyAttribute {{ UniqueIdentifier=$1 {attribute} }}")
}

fn delete(name: &str) -> String {
    format!("DeleteAttribute {{ UniqueIdentifier=$1 AttributeName={name:?} }}")
}

const NAME: &str = "\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }";

#[test]
fn add_no_object_with_the_identifier_exists() {
    World::new().refused("AddAttribute { UniqueIdentifier=\"none\" \"x-a\"=1 }", R::ItemNotFound);
}

#[test]
fn add_a_read_only_attribute() {
    let mut w = with_key("");
    for attribute in
        ["\"State\"=Active", "\"Destroy Date\"=@5", "\"Operation Policy Name\"=\"p\"", "\"Fresh\"=true"]
    {
        let reason = if attribute.starts_with("\"Fresh") { R::IllegalOperation } else { R::PermissionDenied };
        w.refused(&add(attribute), reason);
    }
}

#[test]
fn add_an_attribute_that_is_not_supported_for_this_object() {
    with_key("").refused(&add("\"Cryptographic Domain Parameters\" { Qlength=2048 }"), R::PermissionDenied);
}

#[test]
fn add_an_attribute_that_already_exists() {
    let mut w = with_key("\"Contact Information\"=\"a\"");
    w.refused(&add("\"Contact Information\"=\"b\""), R::IllegalOperation);
    w.refused(&add("\"Cryptographic Usage Mask\"=4"), R::IllegalOperation);
}

#[test]
fn add_an_attribute_with_an_index() {
    with_key("").refused(&add("\"x-a\"[0]=1"), R::InvalidField);
}

#[test]
fn add_a_name_that_another_object_already_has() {
    let mut w = with_key(NAME);
    w.key();
    w.refused(&format!("AddAttribute {{ UniqueIdentifier=$2 {NAME} }}"), R::IllegalOperation);
}

#[test]
fn add_an_instance_past_the_servers_limit() {
    let mut w = with_key("");
    w.limits.attributes_per_object_max = w.objects.iter().next().unwrap().attributes.len() + 1;
    w.done(&add("\"x-a\"=1"));
    w.refused(&add("\"x-a\"=2"), R::IndexOutOfBounds);
}

#[test]
fn add_application_data_cannot_be_generated() {
    let information = "\"Application Specific Information\" { ApplicationNamespace=\"ssl\" }";
    with_key("").refused(&add(information), R::ApplicationNamespaceNotSupported);
}

#[test]
fn modify_no_object_with_the_identifier_exists() {
    World::new().refused("ModifyAttribute { UniqueIdentifier=\"none\" \"x-a\"=1 }", R::ItemNotFound);
}

#[test]
fn modify_an_attribute_that_needs_to_be_added_first() {
    with_key("").refused(&modify("\"x-a\"=1"), R::InvalidField);
}

#[test]
fn modify_no_matching_instance_exists() {
    let mut w = with_key("\"x-a\"=1");
    w.refused(&modify("\"x-a\"[1]=2"), R::ItemNotFound);
    w.refused(&modify("\"x-a\"[-1]=2"), R::ItemNotFound);
}

#[test]
fn modify_a_read_only_attribute() {
    let mut w = with_key("\"Activation Date\"=@5");
    for attribute in [
        "\"State\"=Active",
        "\"Unique Identifier\"=\"mine\"",
        "\"Cryptographic Usage Mask\"=4",
        "\"Cryptographic Length\"=128",
        "\"Activation Date\"=@6",
    ] {
        w.refused(&modify(attribute), R::PermissionDenied);
    }
}

#[test]
fn modify_a_name_to_one_that_another_object_uses() {
    let mut w = with_key(NAME);
    w.key_with("\"Name\" { NameValue=\"other\" NameType=UninterpretedTextString }");
    w.refused(&format!("ModifyAttribute {{ UniqueIdentifier=$2 {NAME} }}"), R::IllegalOperation);
    w.done(&modify(NAME));
}

#[test]
fn modify_application_data_cannot_be_generated() {
    let namespace = "\"Application Specific Information\" { ApplicationNamespace=\"ssl\"";
    let mut w = with_key(&format!("{namespace} ApplicationData=\"a\" }}"));
    w.refused(&modify(&format!("{namespace} }}")), R::ApplicationNamespaceNotSupported);
}

#[test]
fn delete_no_object_with_the_identifier_exists() {
    let item = "DeleteAttribute { UniqueIdentifier=\"none\" AttributeName=\"x-a\" }";
    World::new().refused(item, R::ItemNotFound);
}

#[test]
fn delete_a_read_only_or_required_attribute() {
    let mut w = with_key("");
    for name in
        ["State", "Unique Identifier", "Cryptographic Usage Mask", "Digest", "Sensitive", "Activation Date"]
    {
        w.refused(&delete(name), R::PermissionDenied);
    }
}

#[test]
fn delete_no_matching_instance_exists() {
    let mut w = with_key("\"x-a\"=1");
    w.refused(
        "DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"x-a\" AttributeIndex=1 }",
        R::ItemNotFound,
    );
}

#[test]
fn delete_no_attribute_with_the_name_exists() {
    let mut w = with_key("");
    for name in ["x-a", "Contact Information", "Unheard Of"] {
        w.refused(&delete(name), R::ItemNotFound);
    }
}
