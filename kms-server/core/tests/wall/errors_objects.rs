//! The error tables of Create, Register, Re-key, Locate, Check, Get, Get Attributes and Get Attribute List (KMIP 1.4
//! sections 11.2, 11.4, 11.5, 11.10 to 11.14), a test a row.
//!
//! Rows that cannot occur here, and why:
//!
//! | operation | row | why not |
//! |---|---|---|
//! | all | object or template is archived | nothing is ever archived: there is no Archive |
//! | Create, Re-key | error creating the object | given entropy does not fail; what it cannot make is Invalid Field |
//! | Register | encoding option with attribute names | a Key Block to be registered names no attributes |
//! | Get | rows on wrapping keys, encoding options and their parameters | keys are not wrapped yet: Feature Not Supported |

use kmip::enumeration::ResultReason as R;

use crate::common::{World, create};

const MISSING: &str = "UniqueIdentifier=\"11111111-2222-4333-8444-555555555555\"";

/// A Register of an AES-128 key with these attributes.
pub fn register(attributes: &str) -> String {
    format!("Register {{ ObjectType=SymmetricKey TemplateAttribute {{ {attributes} }} {RAW_KEY} }}")
}

const RAW_KEY: &str = "SymmetricKey { KeyBlock { KeyFormatType=Raw KeyValue { KeyMaterial=0x000102030405060708090a0b0c0d0e0f \
     } CryptographicAlgorithm=AES CryptographicLength=128 } }";

#[test]
fn create_object_type_is_not_recognized() {
    let mut w = World::new();
    w.refused("Create { ObjectType=#99 TemplateAttribute {} }", R::InvalidField);
    w.refused("Create { ObjectType=PrivateKey TemplateAttribute {} }", R::InvalidField);
}

#[test]
fn create_templates_that_do_not_exist_are_given() {
    let template = "TemplateAttribute { Name { NameValue=\"none\" NameType=UninterpretedTextString } }";
    World::new().refused(&format!("Create {{ ObjectType=SymmetricKey {template} }}"), R::ItemNotFound);
}

#[test]
fn a_create_without_a_usage_mask_is_taken_for_no_use_at_all() {
    let mut w = World::new();
    w.done("Create { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Algorithm\"=AES \"Activation Date\"=@5 } }");
    let id = w.names.0[0].clone();
    assert!(w.attribute(&id, "Cryptographic Usage Mask").ends_with("=0"));
    w.refused("Encrypt { UniqueIdentifier=$1 Data=0x00 }", R::PermissionDenied);
}

#[test]
fn create_incorrect_attribute_values_are_specified() {
    let mut w = World::new();
    for attributes in [
        "\"Cryptographic Algorithm\"=RSA \"Cryptographic Length\"=2048 \"Cryptographic Usage Mask\"=12",
        "\"Cryptographic Algorithm\"=AES \"Cryptographic Length\"=257 \"Cryptographic Usage Mask\"=12",
        "\"Cryptographic Algorithm\"=AES \"Cryptographic Length\"=-1 \"Cryptographic Usage Mask\"=12",
        "\"Cryptographic Length\"=256 \"Cryptographic Usage Mask\"=12",
        "\"Cryptographic Algorithm\"=3 \"Cryptographic Length\"=256 \"Cryptographic Usage Mask\"=12",
    ] {
        w.refused(
            &format!("Create {{ ObjectType=SymmetricKey TemplateAttribute {{ {attributes} }} }}"),
            R::InvalidField,
        );
    }
    for attribute in [
        "\"Cryptographic Algorithm\"=AES",
        "\"State\"=Active",
        "\"Unique Identifier\"=\"mine\"",
        "\"Name\"=\"text\"",
        "\"Name\" { NameValue=\"\" NameType=UninterpretedTextString }",
        "\"Certificate Type\"=X_509",
        "\"Unheard Of\"=\"text\"",
        "\"Activation Date\"=@20 \"Deactivation Date\"=@10",
    ] {
        w.refused(&create(attribute), R::InvalidField);
    }
}

#[test]
fn create_more_instances_than_the_server_supports() {
    let mut w = World::new();
    w.limits.attributes_per_object_max = 4;
    w.done(&create("\"x-a\"=\"1\""));
    w.refused(&create("\"x-a\"=\"1\" \"x-a\"=\"2\""), R::IndexOutOfBounds);
}

#[test]
fn create_a_new_object_with_the_same_name_as_an_existing_object() {
    let mut w = World::new();
    w.done(&create("\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }"));
    w.refused(&create("\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }"), R::InvalidField);
    w.done(&create("\"Name\" { NameValue=\"k\" NameType=URI }"));
}

#[test]
fn create_application_data_cannot_be_generated() {
    let information = "\"Application Specific Information\" { ApplicationNamespace=\"ssl\" }";
    World::new().refused(&create(information), R::ApplicationNamespaceNotSupported);
}

#[test]
fn register_object_type_is_not_recognized() {
    World::new().refused(&register("").replace("ObjectType=SymmetricKey", "ObjectType=#99"), R::InvalidField);
}

#[test]
fn register_object_type_does_not_match_the_object() {
    World::new()
        .refused(&register("").replace("ObjectType=SymmetricKey", "ObjectType=SecretData"), R::InvalidField);
}

#[test]
fn register_templates_that_do_not_exist_are_given() {
    let item = register("Name { NameValue=\"none\" NameType=UninterpretedTextString }");
    World::new().refused(&item, R::ItemNotFound);
}

#[test]
fn register_incorrect_attribute_values_are_specified() {
    let mut w = World::new();
    w.refused(&register("\"Cryptographic Length\"=256"), R::InvalidField);
    w.refused(&register("\"Cryptographic Algorithm\"=Camellia"), R::InvalidField);
    w.refused(&register("\"Key Value Present\"=true"), R::InvalidField);
    w.refused(&register("").replace("CryptographicLength=128", "CryptographicLength=256"), R::InvalidField);
    w.refused(
        &register("").replace("KeyValue { KeyMaterial=0x000102030405060708090a0b0c0d0e0f }", ""),
        R::InvalidField,
    );
}

#[test]
fn register_a_template_containing_a_name_within_its_structure() {
    let name = "\"Name\" { NameValue=\"t\" NameType=UninterpretedTextString }";
    let item = format!("Register {{ ObjectType=Template TemplateAttribute {{}} Template {{ {name} }} }}");
    World::new().refused(&item, R::InvalidField);
}

#[test]
fn register_a_new_object_with_the_same_name_as_an_existing_object() {
    let mut w = World::new();
    w.done(&create("\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }"));
    w.refused(&register("\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }"), R::InvalidField);
}

#[test]
fn register_more_instances_than_the_server_supports() {
    let mut w = World::new();
    w.limits.attributes_per_object_max = 1;
    w.refused(&register("\"x-a\"=1 \"x-a\"=2"), R::IndexOutOfBounds);
}

#[test]
fn register_application_data_cannot_be_generated() {
    let information = "\"Application Specific Information\" { ApplicationNamespace=\"ssl\" }";
    World::new().refused(&register(information), R::ApplicationNamespaceNotSupported);
}

#[test]
fn register_without_the_object_itself_is_an_invalid_message() {
    World::new().refused("Register { ObjectType=SymmetricKey TemplateAttribute {} }", R::InvalidMessage);
}

#[test]
fn re_key_no_object_with_the_identifier_exists() {
    World::new().refused(&format!("ReKey {{ {MISSING} }}"), R::ItemNotFound);
}

#[test]
fn re_key_the_object_is_not_able_to_be_re_keyed() {
    let mut w = World::new();
    w.done("Register { ObjectType=OpaqueObject TemplateAttribute {} OpaqueObject { OpaqueDataType=#80000001 OpaqueDataValue=0x01 } }");
    w.refused("ReKey { UniqueIdentifier=$1 }", R::PermissionDenied);
    w.key();
    w.done("Destroy { UniqueIdentifier=$2 }");
    w.refused("ReKey { UniqueIdentifier=$2 }", R::PermissionDenied);
    w.key();
    w.done("ReKey { UniqueIdentifier=$3 }");
    w.refused("ReKey { UniqueIdentifier=$3 }", R::PermissionDenied);
}

#[test]
fn re_key_an_offset_is_not_permitted_beside_a_date() {
    let mut w = World::new();
    w.key_with("\"Activation Date\"=@5");
    for date in ["Activation Date", "Process Start Date", "Protect Stop Date", "Deactivation Date"] {
        let item = format!("ReKey {{ UniqueIdentifier=$1 Offset=5s TemplateAttribute {{ {date:?}=@9 }} }}");
        w.refused(&item, R::InvalidMessage);
    }
}

#[test]
fn re_key_application_data_cannot_be_generated() {
    let mut w = World::new();
    w.key();
    let information = "\"Application Specific Information\" { ApplicationNamespace=\"ssl\" }";
    let item = format!("ReKey {{ UniqueIdentifier=$1 TemplateAttribute {{ {information} }} }}");
    w.refused(&item, R::ApplicationNamespaceNotSupported);
}

#[test]
fn re_key_an_offset_cannot_shift_dates_without_an_activation_date() {
    let mut w = World::new();
    w.key_with("\"Deactivation Date\"=@1800000000");
    w.refused("ReKey { UniqueIdentifier=$1 Offset=5s }", R::IllegalOperation);
}

#[test]
fn re_key_the_key_value_is_not_present() {
    let mut w = World::new();
    let location = "\"Key Value Location\" { KeyValueLocationValue=\"vault 7\" KeyValueLocationType=UninterpretedTextString }";
    w.done(&register(location).replace("KeyValue { KeyMaterial=0x000102030405060708090a0b0c0d0e0f }", ""));
    assert!(w.attribute(&w.names.0[0].clone(), "Key Value Present").contains("false"));
    w.refused("ReKey { UniqueIdentifier=$1 }", R::KeyValueNotPresent);
}

#[test]
fn locate_attributes_that_the_server_does_not_understand_are_given() {
    let mut w = World::new();
    w.refused("Locate { \"Unheard Of\"=\"text\" }", R::InvalidField);
    w.refused("Locate { MaximumItems=-1 }", R::InvalidField);
    w.refused("Locate { OffsetItems=-1 }", R::InvalidField);
}

#[test]
fn check_the_object_does_not_exist() {
    World::new().refused(&format!("Check {{ {MISSING} }}"), R::ItemNotFound);
}

#[test]
fn check_cannot_be_performed_on_this_object() {
    let mut w = World::new();
    w.done("Register { ObjectType=Template TemplateAttribute {} Template {} }");
    w.refused("Check { UniqueIdentifier=$1 }", R::IllegalOperation);
}

#[test]
fn check_the_client_is_not_allowed_to_use_the_object_so() {
    let mut w = World::new();
    w.key_with("\"Usage Limits\" { UsageLimitsTotal=10L UsageLimitsUnit=Byte }");
    w.done("Check { UniqueIdentifier=$1 UsageLimitsCount=10L CryptographicUsageMask=4 LeaseTime=3600s }");
    w.refused("Check { UniqueIdentifier=$1 UsageLimitsCount=11L }", R::PermissionDenied);
    w.refused("Check { UniqueIdentifier=$1 CryptographicUsageMask=1 }", R::PermissionDenied);
    w.refused("Check { UniqueIdentifier=$1 LeaseTime=3601s }", R::PermissionDenied);
}

/// A Register of a PKCS#12 container with these attributes.
fn container(attributes: &str) -> String {
    format!(
        "Register {{ ObjectType=PrivateKey TemplateAttribute {{ {attributes} }} PrivateKey {{ KeyBlock {{ KeyFormatType=PKCS_12 \
         KeyValue=0x0102 }} }} }}"
    )
}

fn password_link(id: &str) -> String {
    format!("\"Link\" {{ LinkType=PKCS_12PasswordLink LinkedObjectIdentifier={id} }}")
}

/// `$1` is a password, Active; `$2` one that is not; `$3` a seed; `$4` a key.
fn with_passwords() -> World {
    let mut w = World::new();
    for (secret_type, attributes) in
        [("Password", "\"Activation Date\"=@5"), ("Password", ""), ("Seed", "\"Activation Date\"=@5")]
    {
        w.done(&format!(
            "Register {{ ObjectType=SecretData TemplateAttribute {{ {attributes} }} SecretData {{ SecretDataType={secret_type} \
             KeyBlock {{ KeyFormatType=Opaque KeyValue {{ KeyMaterial=0x70617373 }} }} }} }}"
        ));
    }
    w.key();
    w
}

#[test]
fn register_a_pkcs12_container_without_its_password_link_or_with_several() {
    let mut w = with_passwords();
    w.refused(&container(""), R::InvalidField);
    let two = format!("{} {}", password_link("$1"), password_link("$2"));
    w.refused(&container(&two), R::InvalidField);
    w.done(&container(&password_link("$1")));
    w.done("Get { UniqueIdentifier=$5 KeyFormatType=PKCS_12 }");
}

#[test]
fn register_a_pkcs12_container_whose_link_leads_to_no_password() {
    let mut w = with_passwords();
    for id in ["$3", "$4", "\"none\""] {
        w.refused(&container(&password_link(id)), R::InvalidField);
    }
    // As TC-PKCS12-2 has it.
    w.refused(&container(&password_link("$2")), R::PermissionDenied);
}

#[test]
fn get_the_object_does_not_exist() {
    World::new().refused(&format!("Get {{ {MISSING} }}"), R::ItemNotFound);
}

#[test]
fn get_the_object_cannot_be_provided_in_the_desired_format() {
    let mut w = World::new();
    w.key();
    w.done("Get { UniqueIdentifier=$1 KeyFormatType=Raw }");
    w.refused("Get { UniqueIdentifier=$1 KeyFormatType=PKCS_8 }", R::KeyFormatTypeNotSupported);
    w.refused(
        "Get { UniqueIdentifier=$1 KeyCompressionType=ECPublicKeyTypeUncompressed }",
        R::KeyCompressionTypeNotSupported,
    );
    w.done("Register { ObjectType=OpaqueObject TemplateAttribute {} OpaqueObject { OpaqueDataType=#80000001 OpaqueDataValue=0x01 } }");
    w.refused("Get { UniqueIdentifier=$2 KeyFormatType=X_509 }", R::KeyFormatTypeNotSupported);
}

/// Departs from KMIP 1.4 11.12: Item Not Found instead of Illegal Operation, as TC-314 has it.
#[test]
fn get_an_object_of_which_only_attributes_are_left_is_item_not_found() {
    let mut w = World::new();
    w.key();
    w.done("Destroy { UniqueIdentifier=$1 }");
    w.refused("Get { UniqueIdentifier=$1 }", R::ItemNotFound);
}

#[test]
fn get_a_key_wrap_type_is_not_supported() {
    let mut w = World::new();
    w.key();
    w.done("Get { UniqueIdentifier=$1 KeyWrapType=NotWrapped }");
    w.done("Get { UniqueIdentifier=$1 KeyWrapType=AsRegistered }");
    w.refused("Get { UniqueIdentifier=$1 KeyWrapType=#80000001 }", R::FeatureNotSupported);
}

#[test]
fn get_the_object_is_sensitive() {
    let mut w = World::new();
    w.key_with("\"Sensitive\"=true");
    w.refused("Get { UniqueIdentifier=$1 }", R::Sensitive);
}

#[test]
fn get_the_object_is_not_extractable() {
    let mut w = World::new();
    w.key_with("\"Extractable\"=false");
    w.refused("Get { UniqueIdentifier=$1 }", R::NotExtractable);
}

#[test]
fn get_attributes_no_object_with_the_identifier_exists() {
    World::new().refused(&format!("GetAttributes {{ {MISSING} }}"), R::ItemNotFound);
}

#[test]
fn get_attributes_the_same_attribute_name_is_present_more_than_once() {
    let mut w = World::new();
    w.key();
    w.refused(
        "GetAttributes { UniqueIdentifier=$1 AttributeName=\"State\" AttributeName=\"State\" }",
        R::InvalidMessage,
    );
}

#[test]
fn get_attribute_list_no_object_with_the_identifier_exists() {
    World::new().refused(&format!("GetAttributeList {{ {MISSING} }}"), R::ItemNotFound);
}

#[test]
fn an_identifier_may_be_any_text_and_is_not_found() {
    let mut w = World::new();
    w.key();
    let upper = w.names.0[0].to_uppercase();
    for id in ["", "1", "\u{1f511}", "not-a-uuid-but-as-long-as-one-is-ok!", &upper, &"x".repeat(10_000)] {
        let message = w.refused(&format!("Get {{ UniqueIdentifier={id:?} }}"), R::ItemNotFound);
        assert!(message.len() < 500, "{message}");
    }
}

#[test]
fn a_vault_that_does_not_answer_is_a_general_failure_and_only_the_log_says_why() {
    let mut w = World::new();
    w.key();
    w.vault.broken = true;
    for item in [create(""), "Get { UniqueIdentifier=$1 }".to_owned()] {
        let answer = w.ask(&item);
        assert_eq!(answer.audit[0].result_reason, Some(R::GeneralFailure));
        assert!(answer.audit[0].log.is_some() && answer.events.is_empty());
        assert!(!answer.audit[0].message.as_ref().unwrap().contains("vault"));
    }
}
