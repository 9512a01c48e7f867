//! The error tables of Create Key Pair, Re-key Key Pair and Derive Key (KMIP 1.4 sections 11.3, 11.6 and 11.7), a test a row.

use kmip::enumeration::ResultReason as R;

use crate::common::World;
use crate::pairs::{create_pair, with_bases, with_pair};

const MISSING: &str = "\"11111111-2222-4333-8444-555555555555\"";
const NAME: &str = "\"Name\" { NameValue=\"n\" NameType=UninterpretedTextString }";
const RSA: &str = "\"Cryptographic Algorithm\"=RSA";

#[test]
fn create_key_pair_templates_that_do_not_exist_are_given() {
    let template = "Name { NameValue=\"none\" NameType=UninterpretedTextString }";
    for place in ["CommonTemplateAttribute", "PrivateKeyTemplateAttribute", "PublicKeyTemplateAttribute"] {
        World::new().refused(&format!("CreateKeyPair {{ {place} {{ {template} }} }}"), R::ItemNotFound);
    }
}

#[test]
fn create_key_pair_incorrect_attribute_values_are_specified() {
    let mut w = World::new();
    for (common, private, public) in [
        ("\"Cryptographic Algorithm\"=AES \"Cryptographic Length\"=256", "", ""),
        ("\"Cryptographic Algorithm\"=RSA \"Cryptographic Length\"=1016", "", ""),
        ("\"Cryptographic Algorithm\"=RSA \"Cryptographic Length\"=8200", "", ""),
        ("\"Cryptographic Algorithm\"=RSA \"Cryptographic Length\"=2047", "", ""),
        ("\"Cryptographic Algorithm\"=EC \"Cryptographic Length\"=257", "", ""),
        (
            "\"Cryptographic Algorithm\"=EC \"Cryptographic Domain Parameters\" { RecommendedCurve=K_163 }",
            "",
            "",
        ),
        (
            "\"Cryptographic Algorithm\"=EC \"Cryptographic Length\"=384 \"Cryptographic Domain Parameters\" { RecommendedCurve=P_256 }",
            "",
            "",
        ),
        // Table 168: the same for both keys.
        ("\"Cryptographic Algorithm\"=RSA", "\"Cryptographic Length\"=2048", "\"Cryptographic Length\"=1024"),
        ("", "\"Cryptographic Algorithm\"=RSA", "\"Cryptographic Algorithm\"=EC"),
        (
            RSA,
            "\"Cryptographic Parameters\" { HashingAlgorithm=SHA_1 }",
            "\"Cryptographic Parameters\" { HashingAlgorithm=SHA_256 }",
        ),
        (RSA, "\"State\"=Active", ""),
        (RSA, "\"Process Start Date\"=@5", ""),
        (RSA, "", "\"Certificate Type\"=X_509"),
    ] {
        w.refused(&create_pair(common, private, public), R::InvalidField);
    }
}

#[test]
fn create_key_pair_the_pair_cannot_be_made() {
    let common =
        "\"Cryptographic Algorithm\"=EC \"Cryptographic Domain Parameters\" { RecommendedCurve=P_192 }";
    World::new().refused(&create_pair(common, "", ""), R::CryptographicFailure);
}

#[test]
fn create_key_pair_the_name_is_another_objects() {
    let mut w = World::new();
    w.key_with(NAME);
    w.refused(&create_pair(RSA, NAME, ""), R::InvalidField);
    w.refused(&create_pair(RSA, "", NAME), R::InvalidField);
    let other = NAME.replace("\"n\"", "\"m\"");
    let text = w.refused(&create_pair(RSA, &other, &other), R::InvalidField);
    assert!(text.contains("both keys"), "{text}");
    w.refused(&create_pair(&format!("{RSA} {other}"), "", ""), R::InvalidField);
}

#[test]
fn create_key_pair_an_attribute_has_too_many_instances() {
    let many: String = (0..1100).map(|place| format!(" \"x-{place}\"=1")).collect();
    World::new().refused(&create_pair(RSA, &many, ""), R::IndexOutOfBounds);
}

#[test]
fn create_key_pair_required_fields_are_missing() {
    let mut w = World::new();
    w.refused("CreateKeyPair {}", R::InvalidMessage);
    w.refused(&create_pair("", "", ""), R::InvalidMessage);
    let half = "CreateKeyPair { CommonTemplateAttribute { \"Cryptographic Algorithm\"=RSA } PrivateKeyTemplateAttribute { \
                \"Cryptographic Usage Mask\"=1 } }";
    assert!(w.refused(half, R::InvalidMessage).contains("public key"));
}

#[test]
fn create_key_pair_application_data_cannot_be_made_up() {
    let information = "\"Application Specific Information\" { ApplicationNamespace=\"ssl\" }";
    World::new().refused(&create_pair(RSA, information, ""), R::ApplicationNamespaceNotSupported);
}

#[test]
fn create_key_pair_a_template_is_archived() {
    let mut w = World::new();
    w.done(&format!("Register {{ ObjectType=Template TemplateAttribute {{ {NAME} }} Template {{}} }}"));
    w.done("Archive { UniqueIdentifier=$1 }");
    let template = "Name { NameValue=\"n\" NameType=UninterpretedTextString }";
    w.refused(&create_pair(&format!("{template} {RSA}"), "", ""), R::ObjectArchived);
}

#[test]
fn re_key_key_pair_the_object_is_archived() {
    for id in ["$1", "$2"] {
        let mut w = with_pair(RSA);
        w.done(&format!("Archive {{ UniqueIdentifier={id} }}"));
        w.refused("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 }", R::ObjectArchived);
    }
}

#[test]
fn derive_key_an_object_is_archived() {
    let mut w = with_bases();
    w.done("Archive { UniqueIdentifier=$2 }");
    w.refused(&derive("$2", "HASH", SHA), R::ObjectArchived);
    w.refused(&derive("$1 $2", "HMAC", SHA), R::ObjectArchived);
}

#[test]
fn re_key_key_pair_no_object_with_the_identifier_exists() {
    World::new()
        .refused(&format!("ReKeyKeyPair {{ PrivateKeyUniqueIdentifier={MISSING} }}"), R::ItemNotFound);
    World::new().refused("ReKeyKeyPair {}", R::ItemNotFound);
}

#[test]
fn re_key_key_pair_the_object_cannot_be_re_keyed() {
    let mut w = with_pair(RSA);
    w.refused("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$2 }", R::PermissionDenied);
    w.done("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 }");
    let text = w.refused("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 }", R::PermissionDenied);
    assert!(text.contains("replaced already"), "{text}");
    w.key();
    w.refused("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$5 }", R::PermissionDenied);
    // A private key without its public half, and one whose public half is gone.
    w.done(
        "Register { ObjectType=PrivateKey TemplateAttribute {} PrivateKey { KeyBlock { KeyFormatType=PKCS_1 KeyValue { \
         KeyMaterial=0x01 } CryptographicAlgorithm=RSA CryptographicLength=1024 } } }",
    );
    w.refused("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$6 }", R::PermissionDenied);
    let mut w = with_pair(RSA);
    w.done("Destroy { UniqueIdentifier=$2 }");
    w.refused("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 }", R::PermissionDenied);
    w.done("Destroy { UniqueIdentifier=$1 }");
    w.refused("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 }", R::PermissionDenied);
}

#[test]
fn re_key_key_pair_an_offset_stands_beside_a_date() {
    for date in ["Activation Date", "Deactivation Date"] {
        for place in ["CommonTemplateAttribute", "PrivateKeyTemplateAttribute", "PublicKeyTemplateAttribute"]
        {
            let item = format!(
                "ReKeyKeyPair {{ PrivateKeyUniqueIdentifier=$1 Offset=5s {place} {{ \"{date}\"=@1800000000 }} }}"
            );
            with_pair(RSA).refused(&item, R::InvalidMessage);
        }
    }
}

#[test]
fn re_key_key_pair_the_pair_cannot_be_made() {
    let mut w = with_pair("\"Cryptographic Algorithm\"=EC \"Cryptographic Length\"=256");
    let item = "ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 CommonTemplateAttribute { \"Cryptographic Length\"=192 \
                \"Cryptographic Domain Parameters\" { RecommendedCurve=P_192 } } }";
    w.refused(item, R::CryptographicFailure);
}

#[test]
fn re_key_key_pair_application_data_cannot_be_made_up() {
    let item = "ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 CommonTemplateAttribute { \"Application Specific Information\" \
                { ApplicationNamespace=\"ssl\" } } }";
    with_pair(RSA).refused(item, R::ApplicationNamespaceNotSupported);
}

#[test]
fn re_key_key_pair_an_offset_has_nothing_to_shift_from() {
    let mut w = with_pair(&format!("{RSA} \"Deactivation Date\"=@1800000000"));
    w.refused("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 Offset=5s }", R::IllegalOperation);
}

#[test]
fn re_key_key_pair_the_key_value_is_not_here() {
    let mut w = World::new();
    w.done(
        "Register { ObjectType=PrivateKey TemplateAttribute { \"Key Value Location\" { KeyValueLocationValue=\"there\" \
         KeyValueLocationType=UninterpretedTextString } } PrivateKey { KeyBlock { KeyFormatType=PKCS_1 \
         CryptographicAlgorithm=RSA CryptographicLength=1024 } } }",
    );
    w.refused("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 }", R::KeyValueNotPresent);
}

/// A derivation from these objects, of 128 bits for AES.
fn derive(ids: &str, method: &str, parameters: &str) -> String {
    derive_to(ids, method, parameters, "")
}

fn derive_to(ids: &str, method: &str, parameters: &str, attributes: &str) -> String {
    let ids: String = ids.split(' ').map(|id| format!("UniqueIdentifier={id} ")).collect();
    format!(
        "DeriveKey {{ ObjectType=SymmetricKey {ids} DerivationMethod={method} DerivationParameters {{ {parameters} }} \
         TemplateAttribute {{ \"Cryptographic Algorithm\"=AES \"Cryptographic Length\"=128 \"Cryptographic Usage Mask\"=12 \
         {attributes} }} }}"
    )
}

const SHA: &str = "CryptographicParameters { HashingAlgorithm=SHA_256 }";

#[test]
fn derive_key_an_object_does_not_exist() {
    let mut w = with_bases();
    w.refused(&derive(MISSING, "HASH", SHA), R::ItemNotFound);
    w.refused(&derive(&format!("$1 {MISSING}"), "HMAC", SHA), R::ItemNotFound);
    // "the current value of the ID Placeholder SHALL NOT be used in place of a Unique Identifier".
    let none = derive("$1", "HASH", SHA).replace("UniqueIdentifier=$1", "");
    w.refused(&none, R::InvalidMessage);
}

#[test]
fn derive_key_an_object_is_not_of_the_type() {
    let mut w = with_bases();
    w.done("Register { ObjectType=OpaqueObject TemplateAttribute {} OpaqueObject { OpaqueDataType=#80000001 OpaqueDataValue=0x01 } }");
    w.refused(&derive("$7", "HASH", SHA), R::InvalidField);
    w.refused(&derive("$3", "HASH", SHA), R::InvalidField);
    w.refused(&derive("$1 $3", "AsymmetricKey", ""), R::InvalidField);
    w.refused(&derive("$3 $5", "AsymmetricKey", ""), R::InvalidField);
    w.refused(&derive("$3", "AsymmetricKey", ""), R::InvalidField);
    w.refused(&derive("$1", "HASH", SHA).replace("=SymmetricKey", "=PublicKey"), R::InvalidField);
}

#[test]
fn derive_key_templates_that_do_not_exist_are_given() {
    let item = derive("$1", "HASH", SHA).replace(
        "TemplateAttribute {",
        "TemplateAttribute { Name { NameValue=\"none\" NameType=UninterpretedTextString }",
    );
    with_bases().refused(&item, R::ItemNotFound);
}

#[test]
fn derive_key_the_method_is_invalid() {
    let mut w = with_bases();
    w.refused(&derive("$1", "#99", SHA), R::InvalidField);
    w.version = kmip::ProtocolVersion::V1_3;
    w.refused(&derive("$3 $6", "AsymmetricKey", ""), R::InvalidField);
}

#[test]
fn derive_key_the_parameters_are_invalid() {
    let mut w = with_bases();
    for (ids, method, parameters) in [
        ("$1", "HASH", ""),
        ("$1", "HASH", "CryptographicParameters {}"),
        ("$1 $2", "HASH", SHA),
        ("$1", "HMAC", SHA),
        ("$1", "HMAC", "DerivationData=0x01"),
        ("$1", "ENCRYPT", "CryptographicParameters {} DerivationData=0x01"),
        ("$1", "NIST800_108_C", SHA),
        ("$2", "NIST800_108_C", "CryptographicParameters {} DerivationData=0x01"),
        ("$2", "PBKDF2", "IterationCount=1"),
        ("$2", "PBKDF2", "Salt=0x01"),
        ("$2", "PBKDF2", "Salt=0x01 IterationCount=0"),
        ("$2", "PBKDF2", "Salt=0x01 IterationCount=-1"),
        ("$2", "PBKDF2", "Salt=0x01 IterationCount=10000001"),
        ("$2", "PBKDF2", "CryptographicParameters {} Salt=0x01 IterationCount=1"),
        ("$1 $2", "PBKDF2", "Salt=0x01 IterationCount=1"),
        ("$1 $2 $2", "HMAC", SHA),
        ("$3 $6", "AsymmetricKey", "CryptographicParameters { CryptographicAlgorithm=RSA }"),
    ] {
        w.refused(&derive(ids, method, parameters), R::InvalidField);
    }
    // "The server SHALL verify that the specified mode matches one of the instances of Cryptographic Parameters".
    w.done("AddAttribute { UniqueIdentifier=$1 \"Cryptographic Parameters\" { HashingAlgorithm=SHA_1 } }");
    w.refused(&derive("$1", "HASH", SHA), R::InvalidField);
    w.done(&derive("$1", "HASH", &SHA.replace("256", "1")).replace("128", "8").replace("AES", "RC2"));
}

#[test]
fn derive_key_the_data_are_ambiguous() {
    let mut w = with_bases();
    w.refused(&derive("$1 $2", "HMAC", &format!("{SHA} DerivationData=0x01")), R::InvalidMessage);
    w.refused(&derive("$2", "HASH", &format!("{SHA} DerivationData=0x01")), R::InvalidMessage);
    w.refused(&derive("$2", "PBKDF2", "DerivationData=0x01 Salt=0x01 IterationCount=1"), R::InvalidMessage);
}

#[test]
fn derive_key_incorrect_attribute_values_are_specified() {
    let mut w = with_bases();
    let good = derive("$1", "HMAC", &format!("{SHA} DerivationData=0x01"));
    for (from, to) in [
        ("\"Cryptographic Length\"=128", ""),
        ("\"Cryptographic Length\"=128", "\"Cryptographic Length\"=129"),
        ("\"Cryptographic Algorithm\"=AES", ""),
        ("\"Cryptographic Algorithm\"=AES", "\"Cryptographic Algorithm\"=RSA"),
        ("\"Cryptographic Usage Mask\"=12", ""),
        ("\"Cryptographic Usage Mask\"=12", "\"Cryptographic Usage Mask\"=12 \"State\"=Active"),
    ] {
        w.refused(&good.replace(from, to), R::InvalidField);
    }
    let secret = good.replace("SymmetricKey", "SecretData").replace("\"Cryptographic Algorithm\"=AES", "");
    w.refused(&secret.replace("=128", "=12"), R::InvalidField);
    w.refused(&secret.replace("=12 ", "=12 \"Process Start Date\"=@5 "), R::InvalidField);
}

#[test]
fn derive_key_an_object_cannot_be_derived_from() {
    let hash = derive("$1", "HASH", SHA);
    let mut w = World::new();
    w.key_with("\"Activation Date\"=@5");
    assert!(w.refused(&hash, R::InvalidField).contains("Usage Mask"));
    let mut w = World::new();
    w.done(
        "Create { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Algorithm\"=AES \
         \"Cryptographic Usage Mask\"=512 } }",
    );
    assert!(w.refused(&hash, R::InvalidField).contains("only what is Active"));
    w.done("Activate { UniqueIdentifier=$1 }");
    w.done("Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=Superseded } }");
    w.refused(&hash, R::InvalidField);
}

#[test]
fn derive_key_the_name_is_another_objects() {
    let mut w = with_bases();
    w.key_with(NAME);
    w.refused(&derive_to("$1", "HASH", SHA, NAME), R::InvalidField);
}

#[test]
fn derive_key_application_data_cannot_be_made_up() {
    let information = "\"Application Specific Information\" { ApplicationNamespace=\"ssl\" }";
    with_bases().refused(&derive_to("$1", "HASH", SHA, information), R::ApplicationNamespaceNotSupported);
}

#[test]
fn derive_key_the_length_is_more_than_the_method_gives() {
    let mut w = with_bases();
    // A digest of the tests has one byte.
    let text = w.refused(&derive("$1", "HASH", SHA), R::CryptographicFailure);
    assert!(text.contains("16 bytes") && text.contains("gives 1"), "{text}");
    let unknown = "CryptographicParameters { HashingAlgorithm=MD2 }";
    w.refused(&derive("$1", "HASH", unknown), R::FeatureNotSupported);
    // More than is ever derived.
    let long = derive("$2", "NIST800_108_C", &format!("{SHA} DerivationData=0x01"))
        .replace("SymmetricKey", "SecretData")
        .replace("\"Cryptographic Algorithm\"=AES", "")
        .replace("=128", "=65544");
    w.refused(&long, R::CryptographicFailure);
    w.done(&long.replace("=65544", "=65536"));
}

#[test]
fn derive_key_the_key_value_is_not_here() {
    let mut w = World::new();
    w.done(
        "Register { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Usage Mask\"=512 \"Activation Date\"=@5 \
         \"Key Value Location\" { KeyValueLocationValue=\"there\" KeyValueLocationType=UninterpretedTextString } } \
         SymmetricKey { KeyBlock { KeyFormatType=Raw CryptographicAlgorithm=AES CryptographicLength=128 } } }",
    );
    w.refused(&derive("$1", "HASH", SHA), R::KeyValueNotPresent);
}
