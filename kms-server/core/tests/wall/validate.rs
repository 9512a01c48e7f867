//! Validate (KMIP 1.4 section 4.24), and its error table (section 11.25), a test a row.

use kmip::enumeration::{ResultReason as R, ValidityIndicator};
use kmip::{ManagedObject, ResponsePayload};
use kms_core::Event;

use crate::certificates::register;
use crate::common::certificates::{EC, RSA, hex, key, request};
use crate::common::{NOW, World, made};

const DAY: i64 = 86_400;

/// A world with a certificate that Certify made: its identifier, and that of the authority's own.
fn certified() -> (World, String, String) {
    let mut w = World::new();
    let key_block = format!(
        "KeyBlock {{ KeyFormatType=X_509 KeyValue {{ KeyMaterial={} }} CryptographicAlgorithm=RSA CryptographicLength=64 }}",
        hex(&key(1))
    );
    w.done(&format!(
        "Register {{ ObjectType=PublicKey TemplateAttribute {{}} PublicKey {{ {key_block} }} }}"
    ));
    let asked = hex(&request("client", &key(1), Vec::new()));
    let answer = w.ask(&format!(
        "Certify {{ UniqueIdentifier=$1 CertificateRequestType=PKCS_10 CertificateRequest={asked} }}"
    ));
    let authority = answer.events.iter().find_map(|event| match event {
        Event::AuthorityMade { certificate, .. } => Some(certificate.to_string()),
        _ => None,
    });
    let id = made(&answer.response.items[0]).unwrap();
    (w, id, authority.unwrap())
}

fn value(w: &mut World, id: &str) -> Vec<u8> {
    match w.done(&format!("Get {{ UniqueIdentifier={id:?} }}")).payload {
        Some(ResponsePayload::Get(response)) => match response.object {
            ManagedObject::Certificate { certificate_value, .. } => certificate_value,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn given(bytes: &[u8]) -> String {
    format!("Certificate {{ CertificateType=X_509 CertificateValue={} }}", hex(bytes))
}

fn validate(w: &mut World, rest: &str) -> ValidityIndicator {
    match w.done(&format!("Validate {{ {rest} }}")).payload {
        Some(ResponsePayload::Validate(response)) => response.validity_indicator,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_certify_made_is_valid_by_identifier_and_by_value() {
    let (mut w, id, authority) = certified();
    let named = format!("UniqueIdentifier={id:?}");
    assert_eq!(validate(&mut w, &named), ValidityIndicator::Valid);
    let bytes = value(&mut w, &id);
    assert_eq!(validate(&mut w, &given(&bytes)), ValidityIndicator::Valid);
    let both = format!("{} {named} UniqueIdentifier={authority:?}", given(&bytes));
    assert_eq!(validate(&mut w, &both), ValidityIndicator::Valid);
    assert_eq!(validate(&mut w, &format!("UniqueIdentifier={authority:?}")), ValidityIndicator::Valid);
}

#[test]
fn a_chain_holds_from_its_first_second_to_its_last() {
    let (mut w, id, _) = certified();
    for (at, indicator) in [
        (NOW - 1, ValidityIndicator::Invalid),
        (NOW, ValidityIndicator::Valid),
        (NOW + 365 * DAY, ValidityIndicator::Valid),
        (NOW + 365 * DAY + 1, ValidityIndicator::Invalid),
    ] {
        let asked = format!("UniqueIdentifier={id:?} ValidityDate=@{at}");
        assert_eq!(validate(&mut w, &asked), indicator, "{at}");
    }
    w.now += 366 * DAY;
    assert_eq!(validate(&mut w, &format!("UniqueIdentifier={id:?}")), ValidityIndicator::Invalid);
}

#[test]
fn a_changed_certificate_is_invalid() {
    let (mut w, id, _) = certified();
    let mut bytes = value(&mut w, &id);
    let place = bytes.windows(6).position(|window| window == b"client").unwrap();
    bytes[place] = b'C';
    assert_eq!(validate(&mut w, &given(&bytes)), ValidityIndicator::Invalid);
}

#[test]
fn a_chain_whose_end_the_tenant_does_not_hold_is_unknown() {
    let (mut w, id, authority) = certified();
    let (leaf, own) = (value(&mut w, &id), value(&mut w, &authority));
    w.client = "other";
    assert_eq!(validate(&mut w, &given(&leaf)), ValidityIndicator::Undetermined, "no issuer");
    let chain = format!("{} {}", given(&leaf), given(&own));
    assert_eq!(validate(&mut w, &chain), ValidityIndicator::Undetermined, "an issuer, and no anchor");
    let reversed = format!("{} {}", given(&own), given(&leaf));
    assert_eq!(validate(&mut w, &reversed), ValidityIndicator::Undetermined);
    w.done(&register("X_509", &hex(&own), ""));
    assert_eq!(validate(&mut w, &chain), ValidityIndicator::Valid, "held from now on");
}

#[test]
fn what_was_revoked_makes_a_chain_invalid() {
    let (mut w, id, authority) = certified();
    w.done(&format!(
        "Revoke {{ UniqueIdentifier={authority:?} RevocationReason {{ RevocationReasonCode=CACompromise }} }}"
    ));
    assert_eq!(validate(&mut w, &format!("UniqueIdentifier={id:?}")), ValidityIndicator::Invalid);
}

#[test]
fn validate_certificates_and_identifiers_are_no_certificate_list() {
    let (mut w, id, _) = certified();
    let bytes = value(&mut w, &id);
    let pgp = "Certificate { CertificateType=PGP CertificateValue=0x99 }";
    let broken = "Certificate { CertificateType=X_509 CertificateValue=0x3082 }";
    let many: String = (0..17).map(|_| given(&bytes)).collect::<Vec<_>>().join(" ");
    let unrelated = format!(
        "Certificate {{ CertificateType=X_509 CertificateValue={EC} }} \
         Certificate {{ CertificateType=X_509 CertificateValue={RSA} }}"
    );
    for asked in ["", "UniqueIdentifier=$1", pgp, broken, &many, &unrelated] {
        w.refused(&format!("Validate {{ {asked} }}"), R::InvalidMessage);
    }
    w.refused("Validate { UniqueIdentifier=\"11111111-2222-4333-8444-555555555555\" }", R::ItemNotFound);
}

#[test]
fn validate_one_of_the_objects_is_archived() {
    let (mut w, id, authority) = certified();
    w.done(&format!("Archive {{ UniqueIdentifier={authority:?} }}"));
    w.refused(
        &format!("Validate {{ UniqueIdentifier={id:?} UniqueIdentifier={authority:?} }}"),
        R::ObjectArchived,
    );
    let alone = validate(&mut w, &format!("UniqueIdentifier={id:?}"));
    assert_eq!(alone, ValidityIndicator::Undetermined, "an issuer that has to be recovered first");
}
