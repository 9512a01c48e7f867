//! Certify and Re-certify (KMIP 1.4 sections 4.7 and 4.8), and their error tables (sections 11.8 and 11.9), a test a row.

use kmip::enumeration::ResultReason as R;
use kmip::{ManagedObject, ResponsePayload};
use kms_core::Event;
use x509_cert::der::asn1::OctetString;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Decode, Encode, pem};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::{Certificate, TbsCertificate};

use crate::common::certificates::{hex, key, request};
use crate::common::{NOW, World, made};

const DAY: i64 = 86_400;
const MISSING: &str = "UniqueIdentifier=\"11111111-2222-4333-8444-555555555555\"";

/// A world with a public key; gives its identifier.
fn with_key(number: u8, attributes: &str) -> (World, String) {
    let mut w = World::new();
    let id = register_key(&mut w, number, attributes);
    (w, id)
}

fn register_key(w: &mut World, number: u8, attributes: &str) -> String {
    made(&w.done(&format!(
        "Register {{ ObjectType=PublicKey TemplateAttribute {{ \"Cryptographic Usage Mask\"=2 {attributes} }} PublicKey {{ \
         KeyBlock {{ KeyFormatType=X_509 KeyValue {{ KeyMaterial={} }} CryptographicAlgorithm=RSA CryptographicLength=64 }} }} }}",
        hex(&key(number))
    )))
    .unwrap()
}

fn pkcs10(bytes: &[u8]) -> String {
    format!("CertificateRequestType=PKCS_10 CertificateRequest={}", hex(bytes))
}

fn attributes(attributes: &str) -> String {
    format!("TemplateAttribute {{ {attributes} }}")
}

/// Certify of `id`; gives the certificate's identifier.
fn certify(w: &mut World, id: &str, rest: &str) -> String {
    made(&w.done(&format!("Certify {{ UniqueIdentifier={id:?} {rest} }}"))).unwrap()
}

fn certificate(w: &mut World, id: &str) -> TbsCertificate {
    match w.done(&format!("Get {{ UniqueIdentifier={id:?} }}")).payload {
        Some(ResponsePayload::Get(response)) => match response.object {
            ManagedObject::Certificate { certificate_value, .. } => {
                Certificate::from_der(&certificate_value).unwrap().tbs_certificate().clone()
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn dates(certificate: &TbsCertificate) -> (i64, i64) {
    let seconds = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap();
    (seconds(certificate.validity().not_before), seconds(certificate.validity().not_after))
}

fn extension<T: Encode + AssociatedOid>(value: &T) -> Extension {
    let extn_value = OctetString::new(value.to_der().unwrap()).unwrap();
    Extension { extn_id: T::OID, critical: false, extn_value }
}

/// The private key and the certificate of the authority that an answer made.
fn authority(events: &[Event]) -> Option<(String, String)> {
    events.iter().find_map(|event| match event {
        Event::AuthorityMade { private_key, certificate, .. } => {
            Some((private_key.to_string(), certificate.to_string()))
        }
        _ => None,
    })
}

#[test]
fn a_request_becomes_a_certificate_that_is_linked_with_its_key() {
    let (mut w, id) = with_key(1, "");
    let id_of_certificate = certify(&mut w, &id, &pkcs10(&request("client", &key(1), Vec::new())));
    let read = certificate(&mut w, &id_of_certificate);
    assert_eq!(read.subject().to_string(), "CN=client");
    assert_eq!(read.issuer().to_string(), "CN=Authority of vsphere");
    assert_eq!(read.subject_public_key_info().to_der().unwrap(), key(1));
    assert_eq!(dates(&read), (NOW, NOW + 365 * DAY));
    assert_eq!(read.serial_number().as_bytes().len(), 16);
    let (critical, end) = read.get_extension::<BasicConstraints>().unwrap().unwrap();
    assert!(critical && !end.ca);
    let link = w.attribute(&id_of_certificate, "Link");
    assert!(link.contains("PublicKeyLink") && link.matches("LinkType").count() == 1, "{link}");
    assert!(w.attribute(&id, "Link").contains("CertificateLink"));
    assert!(w.attribute(&id_of_certificate, "Certificate Subject CN").contains("client"));
    assert_eq!(w.state(&id_of_certificate), "PreActive");
}

#[test]
fn the_authority_is_the_tenants_own_and_its_key_never_leaves() {
    let (mut w, id) = with_key(1, "");
    let item =
        format!("Certify {{ UniqueIdentifier={id:?} {} }}", pkcs10(&request("client", &key(1), Vec::new())));
    let first = w.ask(&item);
    let (private, own) = authority(&first.events).unwrap();
    w.names.0.extend([private.clone(), own.clone()]);
    w.refused(&format!("Get {{ UniqueIdentifier={private:?} }}"), R::Sensitive);
    assert_eq!((w.state(&private), w.state(&own)), ("Active".to_owned(), "Active".to_owned()));
    let read = certificate(&mut w, &own);
    assert_eq!(read.issuer(), read.subject());
    assert!(read.get_extension::<BasicConstraints>().unwrap().unwrap().1.ca);
    assert!(w.attribute(&private, "Link").contains("CertificateLink"));
    assert!(w.attribute(&own, "Link").contains("PrivateKeyLink"));
    w.refused(
        &format!(
            "Sign {{ UniqueIdentifier={private:?} CryptographicParameters {{ CryptographicAlgorithm=RSA \
                  HashingAlgorithm=SHA_256 PaddingMethod=PKCS1V1_5 }} Data=0x00 }}"
        ),
        R::PermissionDenied,
    );
    assert!(authority(&w.ask(&item).events).is_none(), "one authority signs all");
    let before = w.client;
    w.client = "other";
    let id = register_key(&mut w, 2, "");
    let other = w.ask(&format!(
        "Certify {{ UniqueIdentifier={id:?} {} }}",
        pkcs10(&request("client", &key(2), Vec::new()))
    ));
    assert!(authority(&other.events).is_some(), "another tenant has another");
    w.client = before;
}

#[test]
fn an_authority_that_was_taken_out_of_use_or_nears_its_end_is_followed_by_another() {
    let (mut w, id) = with_key(1, "");
    let item =
        format!("Certify {{ UniqueIdentifier={id:?} {} }}", pkcs10(&request("client", &key(1), Vec::new())));
    let (private, _) = authority(&w.ask(&item).events).unwrap();
    w.done(&format!(
        "Revoke {{ UniqueIdentifier={private:?} RevocationReason {{ RevocationReasonCode=KeyCompromise }} }}"
    ));
    let (second, _) = authority(&w.ask(&item).events).unwrap();
    assert_ne!(private, second);
    w.now += 7 * 365 * DAY;
    assert!(authority(&w.ask(&item).events).is_none(), "three years are left");
    w.now += 1;
    assert!(authority(&w.ask(&item).events).is_some());
}

#[test]
fn without_a_request_the_subject_is_the_keys_name_or_identifier() {
    let (mut w, id) = with_key(1, "\"Name\" { NameValue=\"of the key\" NameType=UninterpretedTextString }");
    let x509 = attributes("\"Certificate Type\"=X_509");
    let named = certify(&mut w, &id, &x509);
    assert_eq!(certificate(&mut w, &named).subject().to_string(), "CN=of the key");
    let nameless = register_key(&mut w, 2, "");
    let numbered = certify(&mut w, &nameless, &x509);
    assert_eq!(certificate(&mut w, &numbered).subject().to_string(), format!("CN={nameless}"));
}

#[test]
fn pem_is_read_as_well() {
    let (mut w, id) = with_key(1, "");
    let der = request("client", &key(1), Vec::new());
    let text = pem::encode_string("CERTIFICATE REQUEST", LineEnding::LF, &der).unwrap();
    let rest = format!("CertificateRequestType=PEM CertificateRequest={}", hex(text.as_bytes()));
    certify(&mut w, &id, &rest);
    let other = pem::encode_string("CERTIFICATE", LineEnding::LF, &der).unwrap();
    let rest = format!("CertificateRequestType=PEM CertificateRequest={}", hex(other.as_bytes()));
    w.refused(&format!("Certify {{ UniqueIdentifier={id:?} {rest} }}"), R::InvalidField);
}

#[test]
fn dates_of_the_request_are_those_of_the_certificate_within_three_years() {
    let (mut w, id) = with_key(1, "");
    let asked = pkcs10(&request("client", &key(1), Vec::new()));
    let with = |from: i64, to: i64| {
        let dates =
            format!("\"Activation Date\"=@{} \"Deactivation Date\"=@{}", NOW + from * DAY, NOW + to * DAY);
        format!("{asked} {}", attributes(&dates))
    };
    let made = certify(&mut w, &id, &with(2, 3 * 365));
    assert_eq!(dates(&certificate(&mut w, &made)), (NOW + 2 * DAY, NOW + 3 * 365 * DAY));
    for (from, to) in [(2, 3 * 365 + 1), (-3, -2)] {
        let message =
            w.refused(&format!("Certify {{ UniqueIdentifier={id:?} {} }}", with(from, to)), R::InvalidField);
        assert!(message.contains("hint:"), "{message}");
    }
}

#[test]
fn alternative_names_and_uses_are_taken_over_and_authorities_are_not_made() {
    use x509_cert::ext::pkix::name::GeneralName;
    let (mut w, id) = with_key(1, "");
    let name = GeneralName::DnsName("host.example.org".to_owned().try_into().unwrap());
    let names = extension(&SubjectAltName(vec![name]));
    let usage = extension(&KeyUsage(KeyUsages::DigitalSignature.into()));
    let made = certify(&mut w, &id, &pkcs10(&request("client", &key(1), vec![names, usage])));
    assert!(w.attribute(&made, "Certificate Subject").contains("DNS:host.example.org"));
    assert!(certificate(&mut w, &made).get_extension::<KeyUsage>().unwrap().unwrap().0, "is critical");
    for wanted in [
        extension(&BasicConstraints { ca: true, path_len_constraint: None }),
        extension(&KeyUsage(KeyUsages::KeyCertSign.into())),
    ] {
        let rest = pkcs10(&request("client", &key(1), vec![wanted]));
        w.refused(&format!("Certify {{ UniqueIdentifier={id:?} {rest} }}"), R::InvalidField);
    }
}

#[test]
fn certify_no_object_with_the_specified_unique_identifier_exists() {
    let mut w = World::new();
    w.refused(&format!("Certify {{ {MISSING} }}"), R::ItemNotFound);
    w.refused(&format!("ReCertify {{ {MISSING} }}"), R::ItemNotFound);
}

#[test]
fn certify_object_specified_is_not_able_to_be_certified() {
    let mut w = World::new();
    let symmetric = w.key();
    w.refused(&format!("Certify {{ UniqueIdentifier={symmetric:?} }}"), R::PermissionDenied);
    let revoked = register_key(&mut w, 1, "");
    w.done(&format!(
        "Revoke {{ UniqueIdentifier={revoked:?} RevocationReason {{ RevocationReasonCode=KeyCompromise }} }}"
    ));
    w.refused(&format!("Certify {{ UniqueIdentifier={revoked:?} }}"), R::PermissionDenied);
    let destroyed = register_key(&mut w, 1, "");
    w.done(&format!("Destroy {{ UniqueIdentifier={destroyed:?} }}"));
    w.refused(&format!("Certify {{ UniqueIdentifier={destroyed:?} }}"), R::PermissionDenied);
}

#[test]
fn certify_the_certificate_request_is_no_signed_request_of_its_type() {
    let (mut w, id) = with_key(1, "");
    let good = request("client", &key(1), Vec::new());
    let mut unsigned = good.clone();
    let last = unsigned.len() - 40;
    unsigned[last] ^= 1;
    let of_another = request("client", &key(2), Vec::new());
    for bytes in [&unsigned, &of_another, &good[..9].to_vec(), &Vec::new()] {
        w.refused(&format!("Certify {{ UniqueIdentifier={id:?} {} }}", pkcs10(bytes)), R::InvalidField);
    }
    let untyped = format!("CertificateRequest={}", hex(&good));
    w.refused(&format!("Certify {{ UniqueIdentifier={id:?} {untyped} }}"), R::InvalidMessage);
    w.refused(
        &format!("Certify {{ UniqueIdentifier={id:?} CertificateRequestType=PKCS_10 }}"),
        R::InvalidMessage,
    );
    w.refused(&format!("Certify {{ UniqueIdentifier={id:?} }}"), R::InvalidField);
    for other in ["CRMF", "PGP"] {
        let rest = format!("CertificateRequestType={other} CertificateRequest=0x00");
        let message =
            w.refused(&format!("Certify {{ UniqueIdentifier={id:?} {rest} }}"), R::FeatureNotSupported);
        assert!(message.contains("hint:"), "{message}");
    }
    let pgp = attributes("\"Certificate Type\"=PGP");
    w.refused(&format!("Certify {{ UniqueIdentifier={id:?} {pgp} }}"), R::InvalidField);
}

#[test]
fn certify_application_data_that_cannot_be_made_up_are_missing() {
    let (mut w, id) = with_key(1, "");
    let nameless = attributes("\"Application Specific Information\" { ApplicationNamespace=\"ssl\" }");
    w.refused(
        &format!("Certify {{ UniqueIdentifier={id:?} {nameless} }}"),
        R::ApplicationNamespaceNotSupported,
    );
}

#[test]
fn a_renewed_certificate_takes_the_names_and_the_links_turn_to_it() {
    let (mut w, id) = with_key(1, "");
    let name = |name: &str| {
        attributes(&format!("\"Name\" {{ NameValue=\"{name}\" NameType=UninterpretedTextString }}"))
    };
    let asked = pkcs10(&request("client", &key(1), Vec::new()));
    let old = certify(&mut w, &id, &format!("{asked} {}", name("first")));
    let rest = format!("{asked} {}", name("second"));
    let new = made(&w.done(&format!("ReCertify {{ UniqueIdentifier={old:?} {rest} }}"))).unwrap();
    let names = w.attribute(&new, "Name");
    assert!(names.contains("first") && names.contains("second"), "{names}");
    assert!(!w.attribute(&old, "Name").contains("NameValue"));
    assert!(w.attribute(&old, "Link").contains("ReplacementObjectLink"));
    let links = w.attribute(&new, "Link");
    assert!(links.contains("ReplacedObjectLink") && links.contains("PublicKeyLink"), "{links}");
    let place = w.names.0.iter().position(|known| *known == new).unwrap() + 1;
    let of_key = w.attribute(&id, "Link");
    assert!(
        of_key.contains(&format!("${place}")) && of_key.matches("CertificateLink").count() == 1,
        "{of_key}"
    );
    let (first, second) = (certificate(&mut w, &old), certificate(&mut w, &new));
    assert_ne!(first.serial_number(), second.serial_number());
    w.refused(&format!("ReCertify {{ UniqueIdentifier={old:?} }}"), R::PermissionDenied);
}

#[test]
fn a_renewal_without_a_request_says_what_the_old_certificate_said() {
    let (mut w, id) = with_key(1, "");
    let old = certify(&mut w, &id, &pkcs10(&request("client", &key(1), Vec::new())));
    let new = made(&w.done(&format!("ReCertify {{ UniqueIdentifier={old:?} }}"))).unwrap();
    assert_eq!(certificate(&mut w, &new).subject().to_string(), "CN=client");
}

#[test]
fn with_an_offset_the_end_of_a_certificate_keeps_its_distance() {
    let (mut w, id) = with_key(1, "");
    let dates_of_old = format!("\"Activation Date\"=@{NOW} \"Deactivation Date\"=@{}", NOW + 10 * DAY);
    let rest = format!("{} {}", pkcs10(&request("client", &key(1), Vec::new())), attributes(&dates_of_old));
    let old = certify(&mut w, &id, &rest);
    w.now += 20 * DAY;
    w.refused(&format!("ReCertify {{ UniqueIdentifier={old:?} }}"), R::PermissionDenied);
    w.now -= 12 * DAY;
    let new = made(&w.done(&format!("ReCertify {{ UniqueIdentifier={old:?} Offset=86400s }}"))).unwrap();
    assert_eq!(dates(&certificate(&mut w, &new)), (NOW + 9 * DAY, NOW + 19 * DAY));
}

#[test]
fn re_certify_object_specified_is_not_able_to_be_certified() {
    let (mut w, id) = with_key(1, "");
    w.refused(&format!("ReCertify {{ UniqueIdentifier={id:?} }}"), R::PermissionDenied);
}

#[test]
fn re_certify_the_certificate_request_is_no_signed_request_of_its_type() {
    let (mut w, id) = with_key(1, "");
    let old = certify(&mut w, &id, &pkcs10(&request("client", &key(1), Vec::new())));
    for bytes in [request("client", &key(2), Vec::new()), vec![0x30, 0]] {
        w.refused(&format!("ReCertify {{ UniqueIdentifier={old:?} {} }}", pkcs10(&bytes)), R::InvalidField);
    }
}

#[test]
fn re_certify_offset_stands_beside_a_date() {
    let (mut w, id) = with_key(1, "");
    let old = certify(&mut w, &id, &pkcs10(&request("client", &key(1), Vec::new())));
    for date in ["Activation Date", "Deactivation Date"] {
        let rest = attributes(&format!("\"{date}\"=@{}", NOW + DAY));
        w.refused(&format!("ReCertify {{ UniqueIdentifier={old:?} Offset=5s {rest} }}"), R::InvalidMessage);
    }
}

#[test]
fn re_certify_application_data_that_cannot_be_made_up_are_missing() {
    let (mut w, id) = with_key(1, "");
    let old = certify(&mut w, &id, &pkcs10(&request("client", &key(1), Vec::new())));
    let nameless = attributes("\"Application Specific Information\" { ApplicationNamespace=\"ssl\" }");
    w.refused(
        &format!("ReCertify {{ UniqueIdentifier={old:?} {nameless} }}"),
        R::ApplicationNamespaceNotSupported,
    );
}

#[test]
fn certify_and_re_certify_object_is_archived() {
    let (mut w, id) = with_key(1, "");
    let old = certify(&mut w, &id, &pkcs10(&request("client", &key(1), Vec::new())));
    for (operation, id) in [("Certify", id), ("ReCertify", old)] {
        w.done(&format!("Archive {{ UniqueIdentifier={id:?} }}"));
        w.refused(&format!("{operation} {{ UniqueIdentifier={id:?} }}"), R::ObjectArchived);
    }
}

#[test]
fn an_authority_survives_the_snapshot_and_signs_again() {
    let (mut w, id) = with_key(1, "");
    let asked = pkcs10(&request("client", &key(1), Vec::new()));
    certify(&mut w, &id, &asked);
    let mut read = kms_core::Objects::default();
    for record in w.objects.records() {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        read.restore(&bytes).unwrap();
    }
    assert_eq!(read, w.objects);
    w.objects = read;
    let again = w.ask(&format!("Certify {{ UniqueIdentifier={id:?} {asked} }}"));
    assert!(authority(&again.events).is_none() && again.events.len() > 1);
}
