//! What is said of a certificate, its dates and its key.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

use certs::{
    AltName, Authority, DateError, Error, KeyKind, Profile, Subject, certificates_from_pem, check_dates,
    inspect, spki, test_certificates, utc_text,
};
use openssl::hash::{MessageDigest, hash};
use openssl::x509::X509;

const NOW: i64 = 1_767_225_600; // 2026-01-01 00:00:00 UTC
const DAY_S: i64 = 86_400;

fn server() -> (Authority, String) {
    let authority = Authority::create("test CA", KeyKind::P256, NOW, 1_000).unwrap();
    let subject = Subject {
        common_name: "kms.example.test".to_owned(),
        alt_names: vec!["192.0.2.7".parse().unwrap(), "*.example.test".parse().unwrap()],
    };
    let issued = authority.issue(Profile::Server, &subject, KeyKind::Rsa2048, NOW).unwrap();
    (authority, issued.cert_pem)
}

fn der(cert_pem: &str) -> Vec<u8> {
    certificates_from_pem(cert_pem).unwrap().remove(0)
}

#[test]
fn fingerprints_are_upper_case_hex_with_colons_of_the_whole_certificate() {
    let (_, pem) = server();
    let der = der(&pem);
    let expected = |digest| {
        let bytes = hash(digest, &der).unwrap();
        bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    };
    let seen = inspect(pem.as_bytes()).unwrap();
    assert_eq!(seen.sha1, expected(MessageDigest::sha1()));
    assert_eq!(seen.sha256, expected(MessageDigest::sha256()));
    assert_eq!((seen.sha1.len(), seen.sha256.len()), (20 * 3 - 1, 32 * 3 - 1));
}

#[test]
fn pem_and_der_are_inspected_alike() {
    let (_, pem) = server();
    assert_eq!(inspect(pem.as_bytes()).unwrap(), inspect(&der(&pem)).unwrap());
}

#[test]
fn the_table_for_people_is_aligned_and_complete() {
    let (_, pem) = server();
    let seen = inspect(pem.as_bytes()).unwrap();
    let expected = format!(
        "\
Subject        CN=kms.example.test
Issuer         CN=test CA
Signed by      its issuer
Serial number  {}
Valid from     2025-12-31 23:00:00 UTC
Valid to       2028-09-27 00:00:00 UTC
Names          192.0.2.7, *.example.test
Key            RSA-2048
Authority      no
Purposes       serverAuth
X.509 version  3
SHA-1          {}
SHA-256        {}",
        seen.serial_hex, seen.sha1, seen.sha256
    );
    assert_eq!(seen.to_string(), expected);
}

#[test]
fn a_certificate_is_for_the_names_it_carries() {
    let (_, pem) = server();
    let seen = inspect(pem.as_bytes()).unwrap();
    for (host, fits) in [
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("KMS.example.test", true),
        ("example.test", false),
        ("a.b.example.test", false),
    ] {
        assert_eq!(seen.is_for(&host.parse::<AltName>().unwrap()), fits, "{host}");
    }
}

#[test]
fn days_left_are_whole_and_negative_after_the_end() {
    let (_, pem) = server();
    let seen = inspect(pem.as_bytes()).unwrap();
    assert_eq!(seen.days_left(NOW), 1_000);
    assert_eq!(seen.days_left(NOW + 1), 999);
    assert_eq!(seen.days_left(seen.not_after), 0);
    assert_eq!(seen.days_left(seen.not_after + 1), -1);
}

#[test]
fn certificates_of_clients_as_they_come_are_inspected() {
    let name = "kmipClient20161127094708";
    let look = |issued: certs::Issued| inspect(issued.cert_pem.as_bytes()).unwrap();
    let plain = look(test_certificates::self_signed_client(name, NOW).unwrap());
    assert_eq!(plain.subject, "CN=kmipClient20161127094708");
    assert!(plain.self_signed && !plain.is_ca && plain.version == 3);
    assert!(plain.extended_key_usages.is_empty() && plain.alt_names.is_empty());
    let old = look(test_certificates::x509_v1(name, NOW).unwrap());
    assert!(old.self_signed && !old.is_ca && old.version == 1);
    let authority = look(test_certificates::self_signed_ca_leaf(name, NOW).unwrap());
    assert!(authority.self_signed && authority.is_ca);
}

#[test]
fn a_name_cannot_forge_a_line_or_hide_text() {
    let forged = test_certificates::self_signed_client("a\nSubject  CN=b, O=\u{202e}c", NOW).unwrap();
    let seen = inspect(forged.cert_pem.as_bytes()).unwrap();
    assert_eq!(seen.subject, "CN=a\\nSubject  CN\\=b\\, O\\=\\u{202e}c");
}

#[test]
fn the_public_key_is_given_as_it_stands_in_any_version() {
    let rsa = server().1;
    let v1 = test_certificates::x509_v1("vc01", NOW).unwrap().cert_pem;
    let v3 = test_certificates::self_signed_client("vc01", NOW).unwrap().cert_pem;
    for pem in [rsa, v1, v3] {
        let der = der(&pem);
        let key = spki(&der).unwrap();
        let whole = X509::from_der(&der).unwrap().public_key().unwrap().public_key_to_der().unwrap();
        let (algorithm, bits) = (key.algorithm_identifier_der_content, key.key_bytes);
        assert!(whole.ends_with(bits));
        let header = whole.len() - bits.len() - algorithm.len();
        let at = whole.windows(algorithm.len()).position(|bytes| bytes == algorithm).unwrap();
        assert_eq!(whole[at - 2..at], [0x30, u8::try_from(algorithm.len()).unwrap()]);
        assert!(header <= 12, "headers only beside the two parts: {header}");
    }
}

#[test]
fn bytes_that_are_no_certificate_are_refused_without_panic() {
    let der = der(&server().1);
    for length in 0..der.len() {
        assert!(spki(&der[..length]).is_err(), "{length}");
        assert!(inspect(&der[..length]).is_err(), "{length}");
    }
    let mut longer = der.clone();
    longer.push(0);
    assert!(spki(&longer).is_err());
    assert!(matches!(inspect(&longer), Err(Error::Unreadable { .. })));
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 0xff;
        let _ = (spki(&changed), inspect(&changed), check_dates(&changed, NOW));
    }
}

#[test]
fn all_certificates_of_a_file_are_found_in_order_and_no_more_than_the_bound() {
    let (authority, pem) = server();
    let ca = authority.cert_pem().unwrap();
    let bundle = format!("# a comment\n{}{pem}\n\n{ca}", authority.key_pem().unwrap().danger_expose());
    assert_eq!(certificates_from_pem(&bundle).unwrap(), [der(&pem), der(&ca)]);
    assert_eq!(
        certificates_from_pem(&ca.repeat(certs::CERTIFICATES_MAX)).unwrap().len(),
        certs::CERTIFICATES_MAX
    );
    let refused = certificates_from_pem(&ca.repeat(certs::CERTIFICATES_MAX + 1)).unwrap_err();
    assert!(refused.to_string().contains("129 certificates, at most 128"), "{refused}");
    assert!(matches!(certificates_from_pem("no"), Err(Error::NotPem { .. })));
    assert!(
        certificates_from_pem(&format!(
            "{pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        ))
        .is_err()
    );
}

#[test]
fn dates_hold_with_both_ends_included() {
    let (_, pem) = server();
    let (der, seen) = (der(&pem), inspect(pem.as_bytes()).unwrap());
    check_dates(&der, seen.not_before).unwrap();
    check_dates(&der, seen.not_after).unwrap();
    let early = check_dates(&der, seen.not_before - 1).unwrap_err();
    assert!(matches!(early, DateError::NotYetValid { not_before, .. } if not_before == seen.not_before));
    let late = check_dates(&der, seen.not_after + 1).unwrap_err();
    assert!(matches!(late, DateError::Expired { not_after, .. } if not_after == seen.not_after));
    assert!(
        late.to_string().contains("not valid after 2028-09-27 00:00:00 UTC, now is 2028-09-27 00:00:01 UTC")
    );
    assert!(matches!(check_dates(b"no", NOW), Err(DateError::Unreadable(_))));
    let der = |issued: certs::Issued| certificates_from_pem(&issued.cert_pem).unwrap().remove(0);
    let expired = der(test_certificates::expired("vc01", NOW).unwrap());
    assert!(matches!(check_dates(&expired, NOW), Err(DateError::Expired { .. })));
    let future = der(test_certificates::not_yet_valid("vc01", NOW).unwrap());
    assert!(matches!(check_dates(&future, NOW), Err(DateError::NotYetValid { .. })));
}

#[test]
fn dates_are_shown_right_across_leap_years_and_centuries() {
    for (unix, text) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (-1, "1969-12-31 23:59:59 UTC"),
        (951_782_400, "2000-02-29 00:00:00 UTC"),
        (951_868_800, "2000-03-01 00:00:00 UTC"),
        (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        (4_107_542_400 - DAY_S, "2100-02-28 00:00:00 UTC"),
        (NOW, "2026-01-01 00:00:00 UTC"),
        (253_402_300_799, "9999-12-31 23:59:59 UTC"),
    ] {
        assert_eq!(utc_text(unix), text);
    }
    utc_text(i64::MAX);
    utc_text(i64::MIN);
}

#[test]
fn a_failure_is_told_by_its_own_reason_not_by_an_earlier_one() {
    let der = der(&server().1);
    let reason = |bytes: &[u8]| inspect(bytes).unwrap_err().to_string();
    let alone = reason(&der[..der.len() / 2]);
    let mut forged = der.clone();
    *forged.last_mut().unwrap() ^= 1;
    let _ = inspect(&forged);
    let authority = Authority::create("test CA", KeyKind::P256, NOW, 10).unwrap();
    let pem = String::from_utf8(X509::from_der(&forged).unwrap().to_pem().unwrap()).unwrap();
    assert!(authority.renew(&pem, Profile::Server, NOW).is_err());
    assert_eq!(reason(&der[..der.len() / 2]), alone);
}
