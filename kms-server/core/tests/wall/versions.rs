//! The versions of KMIP: what each may see, what is passed over, what is refused. That nothing later than a request's
//! version is in its answer is checked for every response of every test, by `common::invariants::of_response`.

use kmip::ProtocolVersion;
use kmip::enumeration::{ResultReason as R, ResultStatus as S};

use crate::common::World;

/// One of each type of object, with attributes of every version.
fn full() -> World {
    let mut w = World::new();
    let key = "KeyBlock { KeyFormatType=Raw KeyValue { KeyMaterial=0x000102030405060708090a0b0c0d0e0f } CryptographicAlgorithm=AES CryptographicLength=128 }";
    let attributes = "\"Description\"=\"1.4\" \"Sensitive\"=false \"Alternative Name\" { AlternativeNameValue=\"1.2\" \
         AlternativeNameType=UninterpretedTextString } \"Original Creation Date\"=@5 \
         \"Link\" { LinkType=PKCS_12CertificateLink LinkedObjectIdentifier=\"1.4\" } \
         \"Link\" { LinkType=ParentLink LinkedObjectIdentifier=\"1.2\" } \"x-a\"=\"custom\"";
    for item in [
        crate::common::create(attributes),
        format!("Register {{ ObjectType=SymmetricKey TemplateAttribute {{}} SymmetricKey {{ {key} }} }}"),
        format!("Register {{ ObjectType=PGPKey TemplateAttribute {{}} PGPKey {{ PGPKeyVersion=4 {key} }} }}"),
        crate::certificates::register("X_509", crate::common::certificates::EC, ""),
        "Register { ObjectType=Template TemplateAttribute {} Template { \"Description\"=\"1.4\" \"Link\" { LinkType=ParentLink LinkedObjectIdentifier=\"1.2\" } } }".into(),
        "Register { ObjectType=SymmetricKey TemplateAttribute {} SymmetricKey { KeyBlock { KeyFormatType=Raw KeyValue { KeyMaterial=0x0001020304050607 } CryptographicAlgorithm=ChaCha20 CryptographicLength=64 } } }".into(),
    ] {
        w.done(&item);
    }
    w
}

#[test]
fn no_answer_holds_anything_later_than_its_request() {
    let w = full();
    for version in ProtocolVersion::ALL {
        let mut w = World { objects: w.objects.clone(), names: w.names.clone(), ..World::new() };
        w.entropy.0 = 1000;
        w.version = *version;
        for place in 1..=w.names.0.len() {
            for item in ["GetAttributes", "GetAttributeList", "Get"] {
                w.ask(&format!("{item} {{ UniqueIdentifier=${place} }}"));
            }
        }
        w.ask("Query { QueryFunction=QueryOperations QueryFunction=QueryObjects QueryFunction=QueryRNGs }");
        w.ask("Locate {}");
        w.ask("ReKey { UniqueIdentifier=$1 }");
        w.ask("DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"Link\" }");
    }
}

#[test]
fn attributes_of_later_versions_are_absent_and_come_back_with_the_version() {
    let mut w = full();
    let id = w.names.0[0].clone();
    for (name, since) in [
        ("Description", ProtocolVersion::V1_4),
        ("Alternative Name", ProtocolVersion::V1_2),
        ("Random Number Generator", ProtocolVersion::V1_3),
        ("Fresh", ProtocolVersion::V1_1),
        ("State", ProtocolVersion::V1_0),
    ] {
        for version in ProtocolVersion::ALL {
            w.version = *version;
            assert_eq!(w.attribute(&id, name).contains(name), *version >= since, "{name} in {version}");
        }
    }
}

#[test]
fn attributes_of_later_versions_are_refused_in_requests() {
    for (version, attribute) in [
        (ProtocolVersion::V1_0, "\"Fresh\"=true"),
        (ProtocolVersion::V1_1, "\"Original Creation Date\"=@5"),
        (ProtocolVersion::V1_3, "\"Description\"=\"d\""),
    ] {
        let mut w = World { version, ..World::new() };
        w.refused(&crate::common::create(attribute), R::InvalidField);
        w.refused(&format!("Locate {{ {attribute} }}"), R::InvalidField);
    }
}

#[test]
fn an_object_that_a_version_has_no_words_for_is_refused_and_not_garbled() {
    let mut w = full();
    for (place, since) in [("$3", ProtocolVersion::V1_2), ("$6", ProtocolVersion::V1_4)] {
        for version in ProtocolVersion::ALL {
            let answer = w.ask_in(*version, &format!("Get {{ UniqueIdentifier={place} }}"));
            let expected = (*version < since).then_some(R::KeyFormatTypeNotSupported);
            assert_eq!(answer.audit[0].result_reason, expected, "{place} in {version}");
        }
    }
}

#[test]
fn a_digest_has_no_key_format_type_in_1_0() {
    let mut w = full();
    let id = w.names.0[0].clone();
    assert!(w.attribute(&id, "Digest").contains("KeyFormatType"));
    w.version = ProtocolVersion::V1_0;
    let digest = w.attribute(&id, "Digest");
    assert!(digest.contains("DigestValue") && !digest.contains("KeyFormatType"), "{digest}");
}

#[test]
fn a_reason_that_came_later_is_a_general_failure_before() {
    let mut w = World::new();
    w.key_with("\"Sensitive\"=true");
    w.version = ProtocolVersion::V1_1;
    let answer = w.ask("Get { UniqueIdentifier=$1 }");
    assert_eq!(answer.response.items[0].result_reason, Some(R::GeneralFailure));
    assert_eq!(answer.audit[0].result_reason, Some(R::Sensitive), "the audit keeps the true one");
}

#[test]
fn operations_of_later_versions_are_not_supported() {
    let mut w = World { version: ProtocolVersion::V1_0, ..World::new() };
    w.refused("Encrypt {}", R::OperationNotSupported);
    assert_eq!(w.ask("DiscoverVersions {}").response.items[0].result_status, S::Success);
}

#[test]
fn a_newer_minor_version_is_answered_as_1_4_and_its_unknown_fields_are_passed_over() {
    let mut w = World { version: ProtocolVersion::new(1, 7), ..World::new() };
    w.version = ProtocolVersion::V1_4;
    w.key();
    w.version = ProtocolVersion::new(1, 7);
    let answer = w.ask("Get { UniqueIdentifier=$1 Comment=\"from the future\" }");
    assert_eq!(answer.response.header.protocol_version, ProtocolVersion::V1_4);
    assert_eq!(answer.response.items[0].result_status, S::Success);
}

#[test]
fn an_unknown_field_of_the_same_version_is_an_invalid_field() {
    let mut w = World::new();
    w.key();
    w.refused("Get { UniqueIdentifier=$1 Comment=\"what for?\" }", R::InvalidField);
}

#[test]
fn another_major_version_is_refused_without_an_operation() {
    for (major, minor) in [(2, 0), (0, 9), (3, 1), (1, -1)] {
        let mut w = World { version: ProtocolVersion::new(major, minor), ..World::new() };
        let answer = w.ask(&crate::common::create(""));
        assert_eq!(answer.response.items.len(), 1);
        assert_eq!(answer.response.items[0].operation, None);
        assert_eq!(answer.audit[0].result_reason, Some(R::InvalidMessage));
        assert!(answer.audit[0].message.as_ref().unwrap().contains(&format!("{major}.{minor}")));
        assert!(w.objects.is_empty());
    }
}
