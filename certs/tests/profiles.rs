//! Each profile, at the wall: the certificate as OpenSSL prints it.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

use certs::{AltName, Authority, BACKDATED_S, Error, Fault, KeyKind, Profile, Subject, inspect};
use openssl::x509::X509;

const NOW: i64 = 1_767_225_600; // 2026-01-01 00:00:00 UTC
const DAY_S: i64 = 86_400;

fn authority() -> Authority {
    Authority::create("test CA", KeyKind::P256, NOW, Profile::Authority.days()).unwrap()
}

fn subject() -> Subject {
    let alt_names = ["192.0.2.7", "2001:db8::7", "kms.example.test", "*.kms.example.test"];
    Subject {
        common_name: "kms.example.test".to_owned(),
        alt_names: alt_names.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

/// OpenSSL's lines for a certificate's extensions, trimmed, joined by a bar.
fn extensions(cert_pem: &str) -> String {
    let text = X509::from_pem(cert_pem.as_bytes()).unwrap().to_text().unwrap();
    let text = String::from_utf8(text).unwrap();
    let from = text.find("X509v3 extensions:").unwrap();
    let to = text.rfind("Signature Algorithm:").unwrap();
    text[from..to].lines().skip(1).map(str::trim).collect::<Vec<_>>().join("|")
}

fn check(profile: Profile, kind: KeyKind, holds: &[&str], lacks: &[&str]) {
    let issued = authority().issue(profile, &subject(), kind, NOW).unwrap();
    let text = extensions(&issued.cert_pem);
    let common = [
        "X509v3 Basic Constraints: critical|CA:FALSE|",
        "X509v3 Subject Key Identifier:",
        "X509v3 Authority Key Identifier:",
        "X509v3 Subject Alternative Name:|IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, \
         DNS:kms.example.test, DNS:*.kms.example.test|",
    ];
    for line in common.iter().chain(holds) {
        assert!(text.contains(line), "{profile}: {line} is missing in {text}");
    }
    for line in lacks {
        assert!(!text.contains(line), "{profile}: {line} is in {text}");
    }
    let inspected = inspect(issued.cert_pem.as_bytes()).unwrap();
    assert_eq!(inspected.key_kind, kind.to_string());
    assert_eq!(inspected.version, 3);
    assert_eq!(inspected.not_before, NOW - BACKDATED_S);
    assert_eq!(inspected.not_after, NOW + i64::from(profile.days()) * DAY_S);
    assert!(issued.key_pem.danger_expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

#[test]
fn a_server_certificate_serves_and_is_no_client() {
    let holds =
        ["Key Usage: critical|Digital Signature|", "Extended Key Usage:|TLS Web Server Authentication|"];
    check(Profile::Server, KeyKind::P256, &holds, &["Client"]);
    let holds =
        ["Digital Signature, Key Encipherment|", "Extended Key Usage:|TLS Web Server Authentication|"];
    check(Profile::Server, KeyKind::Rsa2048, &holds, &["Client"]);
}

#[test]
fn a_node_certificate_is_server_and_client() {
    let holds = ["Extended Key Usage:|TLS Web Server Authentication, TLS Web Client Authentication|"];
    check(Profile::Node, KeyKind::P256, &holds, &["Encipherment"]);
}

#[test]
fn front_admin_and_client_certificates_are_clients_and_no_servers() {
    let holds =
        ["Key Usage: critical|Digital Signature|", "Extended Key Usage:|TLS Web Client Authentication|"];
    check(Profile::Front, KeyKind::P256, &holds, &["Server"]);
    check(Profile::Admin, KeyKind::P256, &holds, &["Server"]);
    check(Profile::Client, KeyKind::P256, &holds, &["Server"]);
    check(Profile::Client, KeyKind::Rsa2048, &holds, &["Server", "Encipherment"]);
}

#[test]
fn an_authority_signs_ends_and_no_other_authority() {
    let authority = authority();
    let text = extensions(&authority.cert_pem().unwrap());
    assert!(text.contains("Basic Constraints: critical|CA:TRUE, pathlen:0|"), "{text}");
    assert!(text.contains("Key Usage: critical|Certificate Sign, CRL Sign|"), "{text}");
    assert!(!text.contains("Extended"), "{text}");
    let inspected = inspect(authority.cert_pem().unwrap().as_bytes()).unwrap();
    assert!(inspected.is_ca && inspected.self_signed);
    let refused = authority.issue(Profile::Authority, &subject(), KeyKind::P256, NOW);
    assert!(matches!(refused, Err(Error::ProfileOfAuthority)));
}

#[test]
fn a_serial_number_is_positive_has_twenty_bytes_and_never_comes_twice() {
    let authority = authority();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let issued = authority.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap();
        let serial = inspect(issued.cert_pem.as_bytes()).unwrap().serial_hex;
        assert_eq!(serial.len(), 40, "{serial}");
        assert!(serial.as_str() < "80", "{serial}");
        assert!(seen.insert(serial));
    }
}

#[test]
fn no_certificate_outlives_its_authority() {
    let authority = Authority::create("test CA", KeyKind::P256, NOW, 10).unwrap();
    let issued = authority.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap();
    assert_eq!(inspect(issued.cert_pem.as_bytes()).unwrap().not_after, NOW + 10 * DAY_S);
}

#[test]
fn an_authority_outside_its_dates_signs_nothing() {
    let authority = Authority::create("test CA", KeyKind::P256, NOW, 10).unwrap();
    for now in [NOW - BACKDATED_S - 1, NOW + 10 * DAY_S + 1] {
        let refused =
            authority.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, now).unwrap_err();
        assert!(matches!(refused, Error::AuthorityDates { .. }), "{refused}");
        assert_eq!(refused.fault(), Fault::Authority);
    }
}

#[test]
fn a_server_without_a_name_or_address_is_refused() {
    for profile in [Profile::Server, Profile::Node] {
        let refused = authority().issue(profile, &Subject::named("kms"), KeyKind::P256, NOW).unwrap_err();
        assert!(matches!(refused, Error::NoAltNames { .. }), "{refused}");
        assert!(refused.to_string().contains(&profile.to_string()));
    }
}

#[test]
fn names_that_a_certificate_cannot_carry_are_refused() {
    let authority = authority();
    let long = "x".repeat(certs::COMMON_NAME_CHARS_MAX + 1);
    for name in ["", "  ", "a\nb", &long, "test CA"] {
        let refused = authority.issue(Profile::Client, &Subject::named(name), KeyKind::P256, NOW);
        assert!(refused.is_err(), "{name:?}");
    }
    let longest = "x".repeat(certs::COMMON_NAME_CHARS_MAX);
    authority.issue(Profile::Client, &Subject::named(longest), KeyKind::P256, NOW).unwrap();
    for name in ["", "a b", "-a", "a..b", "300.1.1.1", "a,DNS:b", "a.*.b", "ä.example.test", "https://kms"] {
        assert!(name.parse::<AltName>().is_err(), "{name:?}");
    }
    let many = AltName::Dns("kms".to_owned());
    let subject = |count| Subject { common_name: "kms".to_owned(), alt_names: vec![many.clone(); count] };
    authority.issue(Profile::Server, &subject(certs::ALT_NAMES_MAX), KeyKind::P256, NOW).unwrap();
    let refused = authority.issue(Profile::Server, &subject(certs::ALT_NAMES_MAX + 1), KeyKind::P256, NOW);
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
}

#[test]
fn days_that_a_date_cannot_say_are_refused() {
    for (now, days) in [(NOW, 0), (NOW, 36_526), (0, 1), (-1, 1), (i64::MAX, 1), (253_402_300_000, 1)] {
        let refused = Authority::create("test CA", KeyKind::P256, now, days);
        assert!(matches!(refused, Err(Error::Validity { .. })), "{now} {days}");
    }
}

#[test]
fn a_private_key_is_not_shown_by_debug() {
    let issued = authority().issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap();
    let shown = format!("{issued:?} {:?}", authority());
    let secret = issued.key_pem.danger_expose().lines().nth(1).unwrap();
    assert!(!shown.contains(secret) && !shown.contains("PRIVATE KEY"), "{shown}");
}
