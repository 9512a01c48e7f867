//! Keys in parts (KMIP 1.4 sections 4.38 and 4.39), and the error tables of Create Split Key and Join Split Key (sections 11.39
//! and 11.40), a test a row. Nothing is ever archived here, so those rows cannot occur.

use kmip::enumeration::ResultReason as R;
use kmip::{ManagedObject, ResponsePayload};

use crate::common::World;

const KEY: &str = "0102030405060708090a0b0c0d0e0f10";

/// The key `$1`.
fn with_key(attributes: &str) -> World {
    let mut w = World::new();
    w.done(&format!(
        "Register {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Usage Mask\"=12 {attributes} }} \
         SymmetricKey {{ KeyBlock {{ KeyFormatType=Raw KeyValue {{ KeyMaterial=0x{KEY} }} CryptographicAlgorithm=AES \
         CryptographicLength=128 }} }} }}"
    ));
    w
}

fn split(key: &str, parts: u8, threshold: u8, method: &str, attributes: &str) -> String {
    format!(
        "CreateSplitKey {{ ObjectType=SplitKey {key} SplitKeyParts={parts} SplitKeyThreshold={threshold} \
         SplitKeyMethod={method} TemplateAttribute {{ {attributes} }} }}"
    )
}

fn join(parts: &str) -> String {
    let parts: String = parts.split(' ').map(|part| format!("UniqueIdentifier={part} ")).collect();
    format!(
        "JoinSplitKey {{ ObjectType=SymmetricKey {parts} TemplateAttribute {{ \"Cryptographic Algorithm\"=AES \
         \"Cryptographic Length\"=128 \"Cryptographic Usage Mask\"=12 }} }}"
    )
}

fn object(w: &mut World, id: &str) -> ManagedObject {
    match w.done(&format!("Get {{ UniqueIdentifier={id} }}")).payload {
        Some(ResponsePayload::Get(response)) => response.object,
        other => panic!("{other:?}"),
    }
}

fn material(object: &ManagedObject) -> String {
    crate::common::text::hex(object.key_block().unwrap().plain_bytes().unwrap().danger_bytes())
}

#[test]
fn a_key_is_split_and_joined_by_every_method() {
    for (method, threshold, joined) in [
        ("XOR", 4, "$5 $4 $3 $2"),
        ("PolynomialSharingGF2_8", 2, "$2 $4"),
        ("PolynomialSharingGF2_16", 3, "$5 $2 $3"),
        ("PolynomialSharingPrimeField", 3, "$5 $2 $3"),
    ] {
        let mut w = with_key("");
        w.done(&split("UniqueIdentifier=$1", 4, threshold, method, "\"x-holder\"=\"a bank\""));
        let parts: Vec<ManagedObject> = ["$2", "$3", "$4", "$5"].map(|id| object(&mut w, id)).into();
        for (at, part) in (1..).zip(&parts) {
            let ManagedObject::SplitKey(part) = part else { panic!("{part:?}") };
            assert_eq!((part.split_key_parts, part.key_part_identifier), (4, at));
            assert_eq!(part.split_key_threshold, i32::from(threshold));
            assert_eq!(part.prime_field_size.is_some(), method.contains("Prime"));
        }
        assert!(parts.iter().all(|part| material(part) != KEY));
        let second = w.names.0[1].clone();
        assert!(w.attribute(&second, "x-holder").contains("a bank"));
        assert!(w.attribute(&second, "Cryptographic Length").contains("128"), "the key's own attributes");
        w.done(&join(joined));
        let key = object(&mut w, "$6");
        assert_eq!(material(&key), KEY, "{method}");
        assert_eq!(key.key_block().unwrap().cryptographic_length, Some(128));
    }
}

#[test]
fn a_key_with_leading_zeros_comes_back_over_a_prime_field() {
    let mut w = World::new();
    w.done(
        "Register { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Usage Mask\"=12 } SymmetricKey { KeyBlock { \
         KeyFormatType=Raw KeyValue { KeyMaterial=0x00000000000000000000000000000001 } CryptographicAlgorithm=AES \
         CryptographicLength=128 } } }",
    );
    w.done(&split("UniqueIdentifier=$1", 2, 2, "PolynomialSharingPrimeField", ""));
    w.done(&join("$2 $3"));
    assert_eq!(material(&object(&mut w, "$4")), "00000000000000000000000000000001");
}

#[test]
fn a_new_key_is_split_without_ever_being_whole() {
    let mut w = World::new();
    let asked =
        "\"Cryptographic Algorithm\"=AES \"Cryptographic Length\"=128 \"Cryptographic Usage Mask\"=12";
    let answer = w.ask(&format!("{} Get {{ }}", split("", 3, 2, "PolynomialSharingGF2_8", asked)));
    assert_eq!(w.objects.len(), 3);
    // The ID Placeholder is the first part.
    assert_eq!(answer.served.len(), 1);
    assert_eq!(answer.served[0].to_string(), w.names.0[0]);
    w.done(&join("$1 $2"));
    w.done(&join("$2 $3"));
    assert_eq!(material(&object(&mut w, "$4")), material(&object(&mut w, "$5")));
}

#[test]
fn parts_of_a_guarded_key_are_guarded_and_so_is_what_they_make() {
    let mut w = with_key("\"Sensitive\"=true \"Extractable\"=false");
    w.done(&split("UniqueIdentifier=$1", 2, 2, "XOR", "\"Sensitive\"=false"));
    w.refused("Get { UniqueIdentifier=$2 }", R::Sensitive);
    w.done(&join("$2 $3"));
    w.refused("Get { UniqueIdentifier=$4 }", R::Sensitive);
    let id = w.names.0[3].clone();
    assert!(w.attribute(&id, "Extractable").contains("false"));
}

#[test]
fn parts_make_secret_data_of_the_type_that_is_asked_for() {
    let mut w = with_key("");
    w.done(&split("UniqueIdentifier=$1", 2, 2, "XOR", ""));
    w.done("JoinSplitKey { ObjectType=SecretData UniqueIdentifier=$2 UniqueIdentifier=$3 SecretDataType=Password }");
    let ManagedObject::SecretData { secret_data_type, .. } = object(&mut w, "$4") else { panic!() };
    assert_eq!(secret_data_type, kmip::enumeration::SecretDataType::Password);
}

#[test]
fn the_object_type_is_not_recognized() {
    let mut w = with_key("");
    let asked = split("UniqueIdentifier=$1", 2, 2, "XOR", "");
    w.refused(&asked.replace("ObjectType=SplitKey", "ObjectType=#80000001"), R::InvalidField);
    w.refused(&asked.replace("ObjectType=SplitKey", "ObjectType=SymmetricKey"), R::InvalidField);
    w.done(&asked);
    w.refused(&join("$2 $3").replace("ObjectType=SymmetricKey", "ObjectType=#80000001"), R::InvalidField);
    w.refused(&join("$2 $3").replace("ObjectType=SymmetricKey", "ObjectType=Template"), R::InvalidField);
}

#[test]
fn a_template_does_not_exist() {
    let mut w = with_key("");
    let name = "Name { NameValue=\"none\" NameType=UninterpretedTextString }";
    w.refused(&split("UniqueIdentifier=$1", 2, 2, "XOR", name), R::ItemNotFound);
    w.done(&split("UniqueIdentifier=$1", 2, 2, "XOR", ""));
    w.refused(
        &join("$2 $3").replace("TemplateAttribute {", &format!("TemplateAttribute {{ {name}")),
        R::ItemNotFound,
    );
}

#[test]
fn an_attribute_value_is_incorrect() {
    let mut w = with_key("");
    w.refused(&split("UniqueIdentifier=$1", 2, 2, "XOR", "\"State\"=Active"), R::InvalidField);
    w.done(&split("UniqueIdentifier=$1", 2, 2, "XOR", ""));
    w.refused(
        &join("$2 $3").replace("\"Cryptographic Length\"=128", "\"Cryptographic Length\"=256"),
        R::InvalidField,
    );
}

#[test]
fn a_name_is_given_once_and_not_to_several_parts() {
    let mut w = with_key("\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }");
    let name = "\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }";
    w.refused(&split("UniqueIdentifier=$1", 2, 2, "XOR", name), R::InvalidField);
    w.done(&split("UniqueIdentifier=$1", 2, 2, "XOR", ""));
    let text = w.refused(
        &join("$2 $3").replace("TemplateAttribute {", &format!("TemplateAttribute {{ {name}")),
        R::InvalidField,
    );
    assert!(text.contains("is there already"), "{text}");
}

#[test]
fn more_attribute_instances_than_an_object_has_are_refused() {
    let mut w = with_key("");
    w.limits.attributes_per_object_max = 3;
    let many = "\"x-a\"=\"1\" \"x-b\"=\"1\" \"x-c\"=\"1\" \"x-d\"=\"1\"";
    w.refused(&split("UniqueIdentifier=$1", 2, 2, "XOR", many), R::IndexOutOfBounds);
    w.limits.attributes_per_object_max = 100;
    w.done(&split("UniqueIdentifier=$1", 2, 2, "XOR", ""));
    w.limits.attributes_per_object_max = 3;
    w.refused(
        &join("$2 $3").replace("TemplateAttribute {", &format!("TemplateAttribute {{ {many}")),
        R::IndexOutOfBounds,
    );
}

#[test]
fn an_application_namespace_is_not_supported() {
    let mut w = with_key("");
    let namespace = "\"Application Specific Information\" { ApplicationNamespace=\"x\" }";
    w.refused(&split("UniqueIdentifier=$1", 2, 2, "XOR", namespace), R::ApplicationNamespaceNotSupported);
    w.done(&split("UniqueIdentifier=$1", 2, 2, "XOR", ""));
    w.refused(
        &join("$2 $3").replace("TemplateAttribute {", &format!("TemplateAttribute {{ {namespace}")),
        R::ApplicationNamespaceNotSupported,
    );
}

#[test]
fn the_split_key_method_is_not_supported() {
    let mut w = with_key("");
    w.refused(&split("UniqueIdentifier=$1", 2, 2, "#80000001", ""), R::InvalidField);
    w.refused(&split("UniqueIdentifier=$1", 3, 2, "XOR", ""), R::InvalidField);
    w.refused(&split("UniqueIdentifier=$1", 3, 1, "PolynomialSharingGF2_8", ""), R::InvalidField);
}

#[test]
fn no_object_with_the_identifier_exists() {
    let mut w = with_key("");
    w.refused(&split("UniqueIdentifier=\"none\"", 2, 2, "XOR", ""), R::ItemNotFound);
    w.done(&split("UniqueIdentifier=$1", 2, 2, "XOR", ""));
    w.refused(&join("$2 \"none\""), R::ItemNotFound);
    let asked = join("$2 $3");
    assert_eq!(w.ask_as("other", &asked).response.items[0].result_reason, Some(R::ItemNotFound));
}

#[test]
fn fewer_identifiers_than_the_threshold_or_others_make_no_key() {
    let mut w = with_key("");
    w.done(&split("UniqueIdentifier=$1", 3, 2, "PolynomialSharingGF2_8", ""));
    w.done(&split("UniqueIdentifier=$1", 3, 2, "PolynomialSharingGF2_16", ""));
    w.done(&split("UniqueIdentifier=$1", 3, 2, "PolynomialSharingGF2_8", ""));
    for parts in ["$2", "$2 $2", "$2 $5", "$2 $3 $10"] {
        w.refused(&join(parts), R::CryptographicFailure);
    }
}

#[test]
fn what_is_no_key_or_not_in_the_clear_is_neither_split_nor_joined() {
    let mut w = with_key("");
    w.done("Register { ObjectType=OpaqueObject TemplateAttribute {} OpaqueObject { OpaqueDataType=#80000001 OpaqueDataValue=0x00 } }");
    w.refused(&split("UniqueIdentifier=$2", 2, 2, "XOR", ""), R::IllegalOperation);
    w.refused(&join("$1 $2"), R::IllegalOperation);
    w.done(
        "Register { ObjectType=SymmetricKey TemplateAttribute {} SymmetricKey { KeyBlock { KeyFormatType=Raw \
         KeyValue=0x00 CryptographicAlgorithm=AES CryptographicLength=128 KeyWrappingData { WrappingMethod=Encrypt } } } }",
    );
    w.refused(&split("UniqueIdentifier=$3", 2, 2, "XOR", ""), R::IllegalOperation);
    w.done(
        "Register { ObjectType=SymmetricKey TemplateAttribute { \"Key Value Location\" { KeyValueLocationValue=\"a safe\" \
         KeyValueLocationType=UninterpretedTextString } } SymmetricKey { KeyBlock { KeyFormatType=Raw \
         CryptographicAlgorithm=AES CryptographicLength=256 } } }",
    );
    w.refused(&split("UniqueIdentifier=$4", 2, 2, "XOR", ""), R::KeyValueNotPresent);
}
