//! Loading an authority, signing requests, renewing.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

use certs::{
    AltName, Authority, BACKDATED_S, Error, Inspected, KeyKind, Profile, Subject, certificates_from_pem,
    inspect, spki, test_certificates, verify_chain,
};
use openssl::pkey::PKey;
use openssl::symm::Cipher;

const NOW: i64 = 1_767_225_600; // 2026-01-01 00:00:00 UTC
const DAY_S: i64 = 86_400;

fn authority() -> Authority {
    Authority::create("test CA", KeyKind::P256, NOW, 1_000).unwrap()
}

fn look(cert_pem: &str) -> Inspected {
    inspect(cert_pem.as_bytes()).unwrap()
}

fn der(cert_pem: &str) -> Vec<u8> {
    certificates_from_pem(cert_pem).unwrap().remove(0)
}

fn public_key(cert_pem: &str) -> Vec<u8> {
    spki(&der(cert_pem)).unwrap().key_bytes.to_vec()
}

/// A request's key bytes, by way of OpenSSL's own reading.
fn check_signed_for(cert_pem: &str, key_pem: &str) {
    let key = PKey::private_key_from_pem(key_pem.as_bytes()).unwrap();
    let certificate = openssl::x509::X509::from_pem(cert_pem.as_bytes()).unwrap();
    assert!(certificate.public_key().unwrap().public_eq(&key));
}

#[test]
fn an_authority_is_the_same_after_it_was_written_and_loaded() {
    let first = authority();
    let (cert, key) = (first.cert_pem().unwrap(), first.key_pem().unwrap());
    let again = Authority::load(&cert, key.danger_expose()).unwrap();
    let issued = again.issue(Profile::Client, &Subject::named("vc01"), KeyKind::Rsa2048, NOW).unwrap();
    check_signed_for(&issued.cert_pem, issued.key_pem.danger_expose());
    verify_chain(&der(&issued.cert_pem), &[] as &[Vec<u8>], &der(&cert), NOW).unwrap();
    // Windows line ends and a byte order mark are an editor's doing, not an error.
    let edited = format!("\u{feff}{}", cert.replace('\n', "\r\n"));
    Authority::load(&edited, &key.danger_expose().replace('\n', "\r\n")).unwrap();
}

#[test]
fn an_authority_is_not_loaded_from_what_is_none() {
    let (first, other) = (authority(), authority());
    let (cert, key) = (first.cert_pem().unwrap(), first.key_pem().unwrap());
    let other_key = other.key_pem().unwrap();
    let load = |cert: &str, key: &str| Authority::load(cert, key).unwrap_err();
    assert!(matches!(load(&cert, other_key.danger_expose()), Error::KeyMismatch { .. }));
    assert!(matches!(load(key.danger_expose(), &cert), Error::WrongPem { .. }));
    assert!(matches!(load("", key.danger_expose()), Error::NotPem { .. }));
    assert!(matches!(load(&cert[..cert.len() / 2], key.danger_expose()), Error::Unreadable { .. }));
    let leaf = first.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap();
    assert!(matches!(load(&leaf.cert_pem, leaf.key_pem.danger_expose()), Error::NotAnAuthority { .. }));
}

#[test]
fn an_encrypted_key_is_refused_and_nobody_is_asked_for_a_pass_phrase() {
    let first = authority();
    let key = PKey::private_key_from_pem(first.key_pem().unwrap().danger_expose().as_bytes()).unwrap();
    let locked = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"open").unwrap();
    let locked = String::from_utf8(locked).unwrap();
    let refused = Authority::load(&first.cert_pem().unwrap(), &locked).unwrap_err();
    assert!(matches!(refused, Error::EncryptedKey), "{refused}");
    assert!(refused.to_string().contains("hint: openssl pkey"), "{refused}");
}

#[test]
fn a_signed_request_keeps_its_subject_and_key_and_none_of_its_wishes() {
    let authority = authority();
    for kind in [KeyKind::P256, KeyKind::Rsa2048] {
        let (request, key) = test_certificates::signing_request("vc01.example.test", kind).unwrap();
        let signed = authority.sign_csr(&request, Profile::Client, NOW).unwrap();
        check_signed_for(&signed, key.danger_expose());
        let seen = look(&signed);
        assert_eq!(seen.subject, "CN=vc01.example.test");
        assert_eq!(seen.issuer, "CN=test CA");
        assert!(!seen.is_ca);
        assert!(seen.alt_names.is_empty());
        assert_eq!(seen.extended_key_usages, ["clientAuth"]);
        let ca = der(&authority.cert_pem().unwrap());
        verify_chain(&der(&signed), &[] as &[Vec<u8>], &ca, NOW).unwrap();
    }
}

#[test]
fn a_request_is_signed_for_no_authority_and_no_server() {
    let authority = authority();
    let (request, _) = test_certificates::signing_request("vc01", KeyKind::P256).unwrap();
    let sign = |profile| authority.sign_csr(&request, profile, NOW).unwrap_err();
    assert!(matches!(sign(Profile::Authority), Error::ProfileOfAuthority));
    assert!(matches!(sign(Profile::Server), Error::NoAltNames { .. }));
}

#[test]
fn a_request_is_signed_for_the_node_that_the_cluster_says_whatever_it_asks_for() {
    let authority = authority();
    let (request, _) = test_certificates::signing_request("node-1", KeyKind::P256).unwrap();
    let names: Vec<AltName> = vec!["192.0.2.7".parse().unwrap(), "kms3.example.test".parse().unwrap()];
    let subject = Subject::node(3, names.clone());
    let signed = authority.sign_csr_as(&request, Profile::Node, &subject, NOW).unwrap();
    let found = inspect(signed.as_bytes()).unwrap();
    assert_eq!((found.subject.as_str(), found.alt_names), ("CN=node-3", names));
    let nameless = Subject::node(3, Vec::new());
    let refused = authority.sign_csr_as(&request, Profile::Node, &nameless, NOW).unwrap_err();
    assert!(matches!(refused, Error::NoAltNames { .. }), "{refused}");
}

#[test]
fn a_nodes_number_is_read_in_one_form_alone() {
    assert_eq!(certs::node_number(&Subject::node(u64::MAX, Vec::new()).common_name), Some(u64::MAX));
    for name in
        ["node-", "node-0", "node-01", "node-+1", "node-1 ", " node-1", "node-18446744073709551616", "Node-1"]
    {
        assert_eq!(certs::node_number(name), None, "{name:?}");
    }
}

#[test]
fn a_front_is_issued_a_certificate_that_names_it_and_no_node() {
    let authority = authority();
    let issued = authority.issue(Profile::Front, &Subject::front("edge1"), KeyKind::P256, NOW).unwrap();
    let found = certs::common_name(&der(&issued.cert_pem)).unwrap().unwrap();
    assert_eq!((found.as_str(), certs::front_name(&found)), ("front-edge1", Some("edge1")));
    assert_eq!(certs::node_number(&found), None);
    let ca = der(&authority.cert_pem().unwrap());
    verify_chain(&der(&issued.cert_pem), &[] as &[Vec<u8>], &ca, NOW).unwrap();
    for name in ["front-", "Front-edge1", "node-1", " front-edge1", "edge1"] {
        assert_eq!(certs::front_name(name), None, "{name:?}");
    }
    let long = Subject::front(&"x".repeat(certs::COMMON_NAME_CHARS_MAX));
    let refused = authority.issue(Profile::Front, &long, KeyKind::P256, NOW).unwrap_err();
    assert!(matches!(refused, Error::CommonName { .. }), "{refused}");
}

#[test]
fn a_certificate_with_two_common_names_names_nobody() {
    let [one, two] = [&["node-1"][..], &["node-1", "node-2"]].map(|names| {
        let mut name = openssl::x509::X509Name::builder().unwrap();
        names.iter().for_each(|each| name.append_entry_by_text("CN", each).unwrap());
        let key = PKey::from_rsa(openssl::rsa::Rsa::generate(2_048).unwrap()).unwrap();
        let mut certificate = openssl::x509::X509::builder().unwrap();
        certificate.set_subject_name(&name.build()).unwrap();
        certificate.set_pubkey(&key).unwrap();
        certificate.set_not_before(&openssl::asn1::Asn1Time::from_unix(NOW).unwrap()).unwrap();
        certificate.set_not_after(&openssl::asn1::Asn1Time::from_unix(NOW + DAY_S).unwrap()).unwrap();
        certificate.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
        certs::common_name(&certificate.build().to_der().unwrap()).unwrap()
    });
    assert_eq!((one.as_deref(), two), (Some("node-1"), None));
}

#[test]
fn a_file_that_is_no_request_is_refused_by_what_it_is() {
    let authority = authority();
    let sign = |text: &str| authority.sign_csr(text, Profile::Client, NOW).unwrap_err().to_string();
    let certificate = sign(&authority.cert_pem().unwrap());
    assert!(certificate.contains("expected PEM with a CERTIFICATE REQUEST block, got CERTIFICATE."));
    assert!(certificate.contains("hint: that is a certificate"), "{certificate}");
    let key = sign(authority.key_pem().unwrap().danger_expose());
    assert!(key.contains("got PRIVATE KEY. hint: that is a private key"), "{key}");
    assert!(sign("hello").contains("found no PEM block"));
    let large = "x".repeat(certs::PEM_BYTES_MAX + 1);
    assert!(matches!(authority.sign_csr(&large, Profile::Client, NOW), Err(Error::TooLarge { .. })));
}

#[test]
fn a_request_changed_after_it_was_signed_is_refused() {
    let authority = authority();
    let (request, _) = test_certificates::signing_request("vc01", KeyKind::P256).unwrap();
    let parsed = openssl::x509::X509Req::from_pem(request.as_bytes()).unwrap();
    let mut der = parsed.to_der().unwrap();
    let at = der.windows(4).position(|bytes| bytes == b"vc01").unwrap();
    der[at + 3] = b'2';
    let tampered = openssl::x509::X509Req::from_der(&der).unwrap().to_pem().unwrap();
    let tampered = String::from_utf8(tampered).unwrap();
    let refused = authority.sign_csr(&tampered, Profile::Client, NOW).unwrap_err();
    assert!(matches!(refused, Error::RequestSignature), "{refused}");
}

#[test]
fn a_request_without_a_name_or_with_the_authoritys_is_refused() {
    let authority = authority();
    let (request, _) = test_certificates::signing_request("", KeyKind::P256).unwrap();
    assert!(matches!(authority.sign_csr(&request, Profile::Client, NOW), Err(Error::EmptySubject)));
    let (request, _) = test_certificates::signing_request("test CA", KeyKind::P256).unwrap();
    assert!(matches!(authority.sign_csr(&request, Profile::Client, NOW), Err(Error::AuthoritysName { .. })));
}

#[test]
fn a_request_with_a_weak_key_is_refused() {
    let key = PKey::from_rsa(openssl::rsa::Rsa::generate(1_024).unwrap()).unwrap();
    let mut request = openssl::x509::X509Req::builder().unwrap();
    let mut name = openssl::x509::X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "vc01").unwrap();
    request.set_subject_name(&name.build()).unwrap();
    request.set_pubkey(&key).unwrap();
    request.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
    let request = String::from_utf8(request.build().to_pem().unwrap()).unwrap();
    let refused = authority().sign_csr(&request, Profile::Client, NOW).unwrap_err();
    assert!(
        refused.to_string().contains("the key given is RSA-1024, expected RSA of at least 2048"),
        "{refused}"
    );
}

#[test]
fn a_renewed_certificate_keeps_all_but_dates_and_serial_number() {
    let authority = authority();
    let subject = Subject {
        common_name: "kms.example.test".to_owned(),
        alt_names: vec!["192.0.2.7".parse().unwrap(), "kms.example.test".parse().unwrap()],
    };
    let later = NOW + 100 * DAY_S;
    for profile in [Profile::Server, Profile::Node, Profile::Client, Profile::Admin] {
        let old = authority.issue(profile, &subject, KeyKind::P256, NOW).unwrap();
        let new = authority.renew(&old.cert_pem, profile, later).unwrap();
        check_signed_for(&new, old.key_pem.danger_expose());
        let (before, after) = (look(&old.cert_pem), look(&new));
        assert_ne!(before.serial_hex, after.serial_hex);
        assert_eq!(after.not_before, later - BACKDATED_S);
        assert!(after.not_after >= before.not_after);
        let expected = Inspected {
            serial_hex: after.serial_hex.clone(),
            not_before: after.not_before,
            not_after: after.not_after,
            sha1: after.sha1.clone(),
            sha256: after.sha256.clone(),
            ..before
        };
        assert_eq!(after, expected);
    }
}

#[test]
fn a_certificate_renewed_with_a_new_key_has_another_key() {
    let authority = authority();
    let old = authority.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap();
    let new = authority.renew_with_new_key(&old.cert_pem, Profile::Client, KeyKind::Rsa2048, NOW).unwrap();
    check_signed_for(&new.cert_pem, new.key_pem.danger_expose());
    assert_ne!(public_key(&old.cert_pem), public_key(&new.cert_pem));
    assert_eq!(look(&new.cert_pem).key_kind, "RSA-2048");
    assert_eq!(look(&new.cert_pem).subject, "CN=vc01");
}

#[test]
fn only_what_this_authority_signed_by_that_profile_is_renewed() {
    let (first, other) = (authority(), authority());
    let issued = other.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap();
    let refused = first.renew(&issued.cert_pem, Profile::Client, NOW).unwrap_err();
    assert!(matches!(refused, Error::OtherAuthority { .. }), "{refused}");
    for profile in [Profile::Server, Profile::Node] {
        let refused = other.renew(&issued.cert_pem, profile, NOW).unwrap_err();
        assert!(matches!(refused, Error::OtherProfile { .. }), "{refused}");
    }
    let ca = other.cert_pem().unwrap();
    assert!(matches!(
        other.renew(&ca, Profile::Authority, NOW),
        Err(Error::OtherProfile { .. } | Error::ProfileOfAuthority)
    ));
    assert!(matches!(other.renew(&ca, Profile::Client, NOW), Err(Error::OtherProfile { .. })));
}

#[test]
fn what_an_authority_signed_is_good_under_its_renewed_certificate_too() {
    let old = Authority::create("test CA", KeyKind::P256, NOW, 10).unwrap();
    let issued = old.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap();
    let later = NOW + 11 * DAY_S;
    let new = old.renewed(later, 1_000).unwrap();
    assert_eq!(look(&new.cert_pem().unwrap()).subject, "CN=test CA");
    let long = new.renew(&issued.cert_pem, Profile::Client, later).unwrap();
    verify_chain(&der(&long), &[] as &[Vec<u8>], &der(&new.cert_pem().unwrap()), later).unwrap();
    let soon = NOW + 5 * DAY_S;
    let new = old.renewed(soon, 1_000).unwrap();
    verify_chain(&der(&issued.cert_pem), &[] as &[Vec<u8>], &der(&new.cert_pem().unwrap()), soon).unwrap();
}
