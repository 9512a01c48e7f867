//! The columns of the attribute tables (KMIP 1.4 chapter 3), enforced: every attribute in every version by Register with
//! it, Add, Modify and Delete Attribute, on objects that it applies to and on others.

use kmip::ProtocolVersion;
use kmip::attribute::{Modifiable, RULES, Rule, SetBy, StandardAttribute as A};
use kmip::enumeration::{ObjectType, Operation, ResultReason as R};

use crate::common::World;

const VERSIONS: [ProtocolVersion; 5] = [
    ProtocolVersion::V1_0,
    ProtocolVersion::V1_1,
    ProtocolVersion::V1_2,
    ProtocolVersion::V1_3,
    ProtocolVersion::V1_4,
];

/// Objects of these types stand for all: a key, what is cryptographic and no key, and what is neither.
const TYPES: [ObjectType; 3] = [ObjectType::SymmetricKey, ObjectType::SecretData, ObjectType::OpaqueObject];

fn register(object_type: ObjectType, attributes: &str) -> String {
    let object = match object_type {
        ObjectType::SymmetricKey => {
            "SymmetricKey { KeyBlock { KeyFormatType=Raw KeyValue { KeyMaterial=0x00112233445566778899aabbccddeeff } \
             CryptographicAlgorithm=AES CryptographicLength=128 } }"
        }
        ObjectType::SecretData => {
            "SecretData { SecretDataType=Password KeyBlock { KeyFormatType=Opaque KeyValue { KeyMaterial=0x01 } } }"
        }
        _ => "OpaqueObject { OpaqueDataType=#80000001 OpaqueDataValue=0x01 }",
    };
    format!("Register {{ ObjectType={object_type} TemplateAttribute {{ {attributes} }} {object} }}")
}

/// A value of the attribute, in the text form.
#[rustfmt::skip]
fn value(attribute: A) -> &'static str {
    match attribute {
        A::UniqueIdentifier                 => "=\"a\"",
        A::Name                             => " { NameValue=\"n\" NameType=UninterpretedTextString }",
        A::ObjectType                       => "=SymmetricKey",
        A::CryptographicAlgorithm           => "=AES",
        A::CryptographicLength              => "=128",
        A::CryptographicParameters          => " { BlockCipherMode=CBC }",
        A::CryptographicDomainParameters    => " { Qlength=2048 }",
        A::CertificateType                  => "=X_509",
        A::CertificateLength                => "=5",
        A::X509CertificateIdentifier        => " { IssuerDistinguishedName=0x01 CertificateSerialNumber=0x01 }",
        A::X509CertificateSubject           => " { SubjectDistinguishedName=0x01 }",
        A::X509CertificateIssuer            => " { IssuerDistinguishedName=0x01 }",
        A::CertificateIdentifier            => " { Issuer=\"a\" SerialNumber=\"1\" }",
        A::CertificateSubject               => " { CertificateSubjectDistinguishedName=\"a\" }",
        A::CertificateIssuer                => " { CertificateIssuerDistinguishedName=\"a\" }",
        A::DigitalSignatureAlgorithm        => "=#00000001",
        A::Digest                           => " { HashingAlgorithm=SHA_256 DigestValue=0x01 KeyFormatType=Raw }",
        A::OperationPolicyName              => "=\"default\"",
        A::CryptographicUsageMask           => "=12",
        A::LeaseTime                        => "=5s",
        A::UsageLimits                      => " { UsageLimitsTotal=10L UsageLimitsUnit=Byte }",
        A::State                            => "=Active",
        A::InitialDate | A::DestroyDate | A::CompromiseOccurrenceDate | A::CompromiseDate | A::ArchiveDate
        | A::LastChangeDate | A::OriginalCreationDate => "=@1600000000",
        A::ActivationDate | A::ProcessStartDate => "=@1800000000",
        A::ProtectStopDate | A::DeactivationDate => "=@1900000000",
        A::RevocationReason                 => " { RevocationReasonCode=Unspecified }",
        A::ObjectGroup                      => "=\"g\"",
        A::Fresh                            => "=true",
        A::Link                             => " { LinkType=DerivationBaseObjectLink LinkedObjectIdentifier=\"a\" }",
        A::ApplicationSpecificInformation   => " { ApplicationNamespace=\"s\" ApplicationData=\"d\" }",
        A::ContactInformation               => "=\"c\"",
        A::AlternativeName                  => " { AlternativeNameValue=\"b\" AlternativeNameType=UninterpretedTextString }",
        A::KeyValuePresent                  => "=true",
        A::KeyValueLocation                 => " { KeyValueLocationValue=\"l\" KeyValueLocationType=UninterpretedTextString }",
        A::RandomNumberGenerator            => " { RNGAlgorithm=Unspecified }",
        A::Sensitive | A::AlwaysSensitive   => "=false",
        A::Extractable | A::NeverExtractable => "=true",
        other if other.rule().item_type == ttlv::ItemType::TextString => "=\"t\"",
        other => panic!("no value for {}", other.name()),
    }
}

fn field(rule: &Rule) -> String {
    format!("{:?}{}", rule.name, value(rule.attribute))
}

/// What a request came to: nothing for a success.
fn outcome(w: &mut World, version: ProtocolVersion, item: &str) -> Option<R> {
    w.version = version;
    let bytes = w.request("", item);
    assert!(kmip::RequestMessage::decode(&bytes, ttlv::Limits::default()).is_ok(), "{item} in {version}");
    let answer = w.ask_in(version, item);
    answer.response.items[0].result_reason
}

fn world(object_type: ObjectType, attributes: &str) -> World {
    let mut w = World::new();
    w.done(&register(object_type, attributes));
    w
}

fn has(w: &World, rule: &Rule) -> bool {
    let object = w.objects.iter().next().unwrap();
    !object.instances(&rule.attribute.into(), w.now).is_empty()
}

/// Each attribute with each version and type.
fn each(mut check: impl FnMut(&Rule, ProtocolVersion, ObjectType)) {
    for rule in RULES {
        for version in VERSIONS {
            TYPES.iter().for_each(|object_type| check(rule, version, *object_type));
        }
    }
}

/// What tables 165 and 169 have a client name, though the server sets it first.
fn is_named_in_requests(rule: &Rule) -> bool {
    matches!(
        rule.attribute,
        A::CryptographicAlgorithm
            | A::CryptographicLength
            | A::CertificateType
            | A::CertificateLength
            | A::DigitalSignatureAlgorithm
    )
}

#[test]
fn a_new_object_takes_what_its_client_may_set_and_applies_to_it() {
    each(|rule, version, object_type| {
        let settable = rule.set_by != SetBy::Server || is_named_in_requests(rule);
        let allowed = rule.introduced <= version && settable && rule.applies_to.includes(object_type);
        let mut w = World::new();
        let came = outcome(&mut w, version, &register(object_type, &field(rule)));
        let expected = if allowed { None } else { Some(R::InvalidField) };
        assert_eq!(came, expected, "{} for a {object_type} in {version}", rule.name);
        if allowed {
            assert!(has(&w, rule), "{}", rule.name);
        }
        if allowed && !rule.multiple {
            let twice = format!("{0} {0}", field(rule));
            let came = outcome(&mut World::new(), version, &register(object_type, &twice));
            assert_eq!(came, Some(R::InvalidField), "{} twice", rule.name);
        }
    });
}

#[test]
fn an_attribute_is_added_where_the_table_lets_a_client_and_its_object_has_none_or_may_have_more() {
    each(|rule, version, object_type| {
        let mut w = world(object_type, "");
        let there = has(&w, rule);
        let expected = if rule.introduced > version {
            Some(R::InvalidField)
        } else if rule.set_by == SetBy::Server || !rule.applies_to.includes(object_type) {
            Some(R::PermissionDenied)
        } else if there && !rule.multiple {
            Some(R::IllegalOperation)
        } else if rule.client_modifies == Modifiable::No {
            Some(R::PermissionDenied)
        } else {
            None
        };
        let item = format!("AddAttribute {{ UniqueIdentifier=$1 {} }}", field(rule));
        let came = outcome(&mut w, version, &item);
        assert_eq!(came, expected, "{} to a {object_type} in {version}", rule.name);
    });
}

#[test]
fn an_attribute_is_modified_where_the_table_lets_a_client() {
    each(|rule, version, object_type| {
        let settable = rule.set_by != SetBy::Server || is_named_in_requests(rule);
        let mut w = if settable && rule.applies_to.includes(object_type) {
            world(object_type, &field(rule))
        } else {
            world(object_type, "")
        };
        let expected = if rule.introduced > version {
            Some(R::InvalidField)
        } else if rule.client_modifies == Modifiable::No {
            Some(R::PermissionDenied)
        } else if !has(&w, rule) {
            Some(R::InvalidField)
        } else {
            None
        };
        let item = format!("ModifyAttribute {{ UniqueIdentifier=$1 {} }}", field(rule));
        let came = outcome(&mut w, version, &item);
        assert_eq!(came, expected, "{} of a {object_type} in {version}", rule.name);
    });
}

#[test]
fn an_attribute_is_deleted_where_the_table_lets_a_client_and_is_gone_then() {
    each(|rule, version, object_type| {
        let settable = rule.set_by != SetBy::Server || is_named_in_requests(rule);
        let mut w = if settable && rule.applies_to.includes(object_type) {
            world(object_type, &field(rule))
        } else {
            world(object_type, "")
        };
        let there = has(&w, rule);
        let expected = if rule.introduced > version {
            // What its version does not have is not there for a client.
            Some(R::ItemNotFound)
        } else if rule.always || rule.client_deletes == Modifiable::No {
            Some(R::PermissionDenied)
        } else if !there {
            Some(R::ItemNotFound)
        } else {
            None
        };
        let item = format!("DeleteAttribute {{ UniqueIdentifier=$1 AttributeName={:?} }}", rule.name);
        let came = outcome(&mut w, version, &item);
        assert_eq!(came, expected, "{} of a {object_type} in {version}", rule.name);
        assert_eq!(has(&w, rule), there && expected.is_some());
    });
}

#[test]
fn what_an_object_always_has_it_has_from_the_beginning() {
    for object_type in TYPES {
        let w = world(object_type, "");
        for rule in RULES.iter().filter(|rule| rule.always && rule.applies_to.includes(object_type)) {
            assert!(has(&w, rule), "{} of a {object_type}", rule.name);
        }
    }
}

#[test]
fn what_an_operation_sets_implicitly_is_there_after_it() {
    const REVOKE: &str = "Revoke { UniqueIdentifier=$1 RevocationReason";
    let create = "Create { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Algorithm\"=AES \"Cryptographic Usage Mask\"=12 } }";
    let ended = format!("{REVOKE} {{ RevocationReasonCode=Unspecified }} }}");
    let compromised =
        format!("{REVOKE} {{ RevocationReasonCode=KeyCompromise }} CompromiseOccurrenceDate=@1600000000 }}");
    let modify = "ModifyAttribute { UniqueIdentifier=$1 \"Sensitive\"=true }";
    // Only where the server has something to set: a policy, limits, dates, a group that nobody asked for have no value.
    let unasked = [
        A::OperationPolicyName,
        A::UsageLimits,
        A::ActivationDate,
        A::ProcessStartDate,
        A::ProtectStopDate,
        A::DeactivationDate,
        A::ObjectGroup,
        A::ContactInformation,
    ];
    let compromise = [A::CompromiseDate, A::CompromiseOccurrenceDate];
    let after: [(Operation, &str, &[A]); 6] = [
        (Operation::Create, create, &unasked),
        (Operation::Activate, "Activate { UniqueIdentifier=$1 }", &[]),
        (Operation::Revoke, &ended, &compromise),
        (Operation::Revoke, &compromised, &[A::DeactivationDate]),
        (Operation::Destroy, "Destroy { UniqueIdentifier=$1 }", &[]),
        (Operation::ModifyAttribute, modify, &[]),
    ];
    for (operation, item, open) in after {
        let new = operation == Operation::Create;
        let mut w = if new { World::new() } else { world(ObjectType::SymmetricKey, "") };
        if operation == Operation::Revoke {
            w.done("Activate { UniqueIdentifier=$1 }");
        }
        w.done(item);
        for rule in RULES.iter().filter(|rule| rule.implicitly_set.contains(&operation)) {
            if rule.applies_to.includes(ObjectType::SymmetricKey) && !open.contains(&rule.attribute) {
                assert!(has(&w, rule), "{} after {operation}", rule.name);
            }
        }
    }
}

#[test]
fn what_may_change_only_until_a_state_or_a_date_does_not_change_after_it() {
    let modify = |rule: &Rule| format!("ModifyAttribute {{ UniqueIdentifier=$1 {} }}", field(rule));
    let limited = |modifiable| RULES.iter().filter(move |rule| rule.client_modifies == modifiable);
    for rule in limited(Modifiable::PreActive) {
        let mut w = world(ObjectType::SymmetricKey, &field(rule));
        w.done(&modify(rule));
        w.done("Activate { UniqueIdentifier=$1 }");
        w.refused(&modify(rule), R::PermissionDenied);
    }
    for rule in limited(Modifiable::PreActiveOrActive) {
        let mut w = world(ObjectType::SymmetricKey, &field(rule));
        w.done("Activate { UniqueIdentifier=$1 }");
        w.done(&modify(rule));
        w.done("Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=Unspecified } }");
        w.refused(&modify(rule), R::PermissionDenied);
    }
    for rule in limited(Modifiable::UntilReached) {
        let mut w = world(ObjectType::SymmetricKey, &field(rule));
        w.done("Activate { UniqueIdentifier=$1 }");
        w.done(&modify(rule));
        w.now = 2_000_000_000;
        w.refused(&modify(rule), R::PermissionDenied);
    }
    let counted = [Modifiable::PreActive, Modifiable::PreActiveOrActive, Modifiable::UntilReached];
    assert_eq!(counted.map(|modifiable| limited(modifiable).count()), [1, 1, 2]);
}
