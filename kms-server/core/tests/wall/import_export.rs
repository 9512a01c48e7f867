//! Objects between servers (KMIP 1.4 sections 4.40 and 4.41), and the error tables of Export and Import (sections 11.41 and 11.42),
//! a test a row. What Export has in common with Get, the key wrapping, is in `wrapping`; a row of it is shown here.

use kmip::enumeration::ResultReason as R;
use kmip::{ManagedObject, ProtocolVersion, ResponsePayload};

use crate::common::{NOW, World, written};

const ID: &str = "9d7d7f5e-5f3a-4a0b-8a2e-2f0c3f1f4b11";
const KEY: &str = "SymmetricKey { KeyBlock { KeyFormatType=Raw KeyValue { KeyMaterial=0x000102030405060708090a0b0c0d0e0f } \
                   CryptographicAlgorithm=AES CryptographicLength=128 } }";

fn import(fields: &str) -> String {
    format!("Import {{ UniqueIdentifier=\"{ID}\" {fields} }}")
}

fn export(w: &mut World, id: &str) -> (String, Option<ManagedObject>) {
    let item = w.done(&format!("Export {{ UniqueIdentifier={id} }}"));
    let mut names = w.names.clone();
    let shown = written(&item, ProtocolVersion::V1_4, &mut names);
    match item.payload {
        Some(ResponsePayload::Export(response)) => (shown, response.object.map(|object| *object)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_one_server_exports_another_imports_and_exports_alike() {
    let mut w = World::new();
    w.done(&format!(
        "Register {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Name\" {{ NameValue=\"k\" NameType=UninterpretedTextString }} \
         \"Cryptographic Usage Mask\"=12 \"Activation Date\"=@5 \"x-a\"=\"b\" }} {KEY} }}"
    ));
    w.now += 100;
    w.done("ModifyAttribute { UniqueIdentifier=$1 \"x-a\"=\"c\" }");
    let (first, object) = export(&mut w, "$1");
    assert!(first.contains("\"State\"=Active") && first.contains("Last Change Date"), "{first}");
    assert!(object.is_some());
    // The payload as it is said, without the object's type in front, is a request's.
    let fields =
        first.split_once("UniqueIdentifier=$1").unwrap().1.replace("$1", &format!("{:?}", w.names.0[0]));
    let id = w.names.0[0].clone();
    let mut other = World::new();
    other.now = NOW + 1_000_000;
    other.done(&format!("Import {{ UniqueIdentifier={id:?} {fields} }}"));
    assert_eq!(other.names.0, [id]);
    let (second, again) = export(&mut other, "$1");
    assert_eq!(
        second.replace("\"Fresh\"=true", "\"Fresh\"=false"),
        first.replace("\"Fresh\"=true", "\"Fresh\"=false")
    );
    assert_eq!(again, object);
}

#[test]
fn an_object_that_says_it_is_destroyed_brings_no_material() {
    let mut w = World::new();
    for state in ["Destroyed", "DestroyedCompromised"] {
        w.refused(&import(&format!("\"State\"={state} {KEY}")), R::InvalidField);
    }
    w.done(&import(&format!("\"State\"=Active {KEY}")));
}

#[test]
fn a_destroyed_object_is_exported_without_its_material_and_imported_so() {
    let mut w = World::new();
    w.key();
    w.done("Destroy { UniqueIdentifier=$1 }");
    let (shown, object) = export(&mut w, "$1");
    assert!(shown.contains("\"State\"=Destroyed") && object.is_none(), "{shown}");
    let fields =
        shown.split_once("UniqueIdentifier=$1").unwrap().1.replace("$1", &format!("{:?}", w.names.0[0]));
    let mut other = World::new();
    other.done(&import(&fields));
    other.refused("Get { UniqueIdentifier=$1 }", R::ItemNotFound);
    World::new().refused(&import("\"State\"=Active \"Object Type\"=SymmetricKey"), R::InvalidMessage);
}

#[test]
fn an_identifier_of_another_form_or_another_tenant_gets_a_new_one() {
    let mut w = World::new();
    w.done(&format!("Import {{ UniqueIdentifier=\"key 1\" {KEY} }}"));
    assert_eq!(w.names.0[0].len(), 36);
    w.done(&import(KEY));
    assert_eq!(w.names.0[1], ID);
    let answer = w.ask_as("other", &import(KEY));
    assert_eq!(answer.response.items[0].result_reason, None);
    assert_ne!(w.names.0[2], ID);
}

#[test]
fn what_came_wrapped_is_unwrapped_before_it_is_kept() {
    let mut w = World::new();
    w.done(&format!(
        "Register {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Usage Mask\"=48 \"Activation Date\"=@5 \
         \"Cryptographic Parameters\" {{ BlockCipherMode=NISTKeyWrap }} }} {KEY} }}"
    ));
    let wrapped = "SymmetricKey { KeyBlock { KeyFormatType=Raw KeyValue=0x00112233445566778899aabbccddeeff \
                   CryptographicAlgorithm=AES CryptographicLength=128 KeyWrappingData { WrappingMethod=Encrypt \
                   EncryptionKeyInformation { UniqueIdentifier=$1 } EncodingOption=NoEncoding } } }";
    w.done(&import(&format!("KeyWrapType=NotWrapped {wrapped}")));
    let (_, object) = export(&mut w, "$2");
    assert!(object.unwrap().key_block().unwrap().key_wrapping_data.is_none());
    w.refused(
        &import(&format!("ReplaceExisting=true KeyWrapType=NotWrapped {wrapped}")).replace("$1", "\"none\""),
        R::ItemNotFound,
    );
    w.refused(&import(&format!("ReplaceExisting=true KeyWrapType=#80000001 {wrapped}")), R::InvalidField);
}

#[test]
fn import_unique_identifier_already_exists_and_replace_existing_is_not_true() {
    let mut w = World::new();
    let name = "\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }";
    w.done(&import(&format!("{name} \"x-a\"=\"1\" {KEY}")));
    w.refused(&import(KEY), R::ObjectAlreadyExists);
    w.refused(&import(&format!("ReplaceExisting=false {KEY}")), R::ObjectAlreadyExists);
    // Its own name is free for what takes its place.
    w.done(&import(&format!("ReplaceExisting=true {name} {KEY}")));
    assert_eq!(w.attribute(ID, "x-a"), format!("UniqueIdentifier=$1"));
    // What is replaced is gone, so who may not destroy may not replace.
    let answer = w.ask_as("vc01", &import(&format!("ReplaceExisting=true {KEY}")));
    assert_eq!(answer.response.items[0].result_reason, Some(R::PermissionDenied));
}

#[test]
fn import_object_type_is_not_recognized_or_does_not_match() {
    let mut w = World::new();
    w.refused(&import(&format!("\"Object Type\"=#80000001 {KEY}")), R::InvalidField);
    w.refused(&import(&format!("\"Object Type\"=SecretData {KEY}")), R::InvalidField);
}

#[test]
fn import_incorrect_attribute_values_are_specified() {
    let mut w = World::new();
    w.refused(&import(&format!("\"Cryptographic Length\"=256 {KEY}")), R::InvalidField);
    w.refused(&import(&format!("\"No Such\"=\"1\" {KEY}")), R::InvalidField);
    w.refused(&import(&format!("\"Certificate Length\"=1 {KEY}")), R::InvalidField);
}

#[test]
fn import_the_name_is_another_objects() {
    let mut w = World::new();
    let name = "\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }";
    w.key_with(name);
    w.refused(&import(&format!("{name} {KEY}")), R::InvalidField);
}

#[test]
fn import_more_instances_than_the_server_supports() {
    let mut w = World::new();
    w.limits.attributes_per_object_max = 1;
    w.refused(&import(&format!("\"x-a\"=\"1\" \"x-b\"=\"1\" {KEY}")), R::IndexOutOfBounds);
}

#[test]
fn import_the_application_namespace_is_not_supported() {
    let mut w = World::new();
    let namespace = "\"Application Specific Information\" { ApplicationNamespace=\"x\" }";
    w.refused(&import(&format!("{namespace} {KEY}")), R::ApplicationNamespaceNotSupported);
}

#[test]
fn import_and_register_the_encoding_option_is_not_permitted_with_attributes() {
    let mut w = World::new();
    let wrapped = "SymmetricKey { KeyBlock { KeyFormatType=Raw KeyValue { KeyMaterial=0x00 \"x-a\"=\"1\" } \
                   CryptographicAlgorithm=AES CryptographicLength=128 KeyWrappingData { WrappingMethod=Encrypt \
                   EncodingOption=NoEncoding } } }";
    w.refused(&import(wrapped), R::EncodingOptionError);
    w.refused(
        &format!("Register {{ ObjectType=SymmetricKey TemplateAttribute {{}} {wrapped} }}"),
        R::EncodingOptionError,
    );
}

#[test]
fn export_object_does_not_exist() {
    let mut w = World::new();
    w.refused("Export { UniqueIdentifier=\"none\" }", R::ItemNotFound);
    w.key();
    let answer = w.ask_as("other", "Export { UniqueIdentifier=$1 }");
    assert_eq!(answer.response.items[0].result_reason, Some(R::ItemNotFound));
}

#[test]
fn export_wraps_as_get_does_and_refuses_as_get_does() {
    let mut w = World::new();
    w.key();
    let wrapped = "KeyWrappingSpecification { WrappingMethod=Encrypt EncryptionKeyInformation { UniqueIdentifier=\"none\" } }";
    w.refused(&format!("Export {{ UniqueIdentifier=$1 {wrapped} }}"), R::ItemNotFound);
    w.refused("Export { UniqueIdentifier=$1 KeyFormatType=PKCS_8 }", R::KeyFormatTypeNotSupported);
    w.refused("Export { UniqueIdentifier=$1 KeyWrapType=#80000001 }", R::FeatureNotSupported);
    w.done("ModifyAttribute { UniqueIdentifier=$1 \"Sensitive\"=true }");
    w.refused("Export { UniqueIdentifier=$1 }", R::Sensitive);
}
