//! Client certificates against a registered authority.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

use certs::{
    Authority, CHAIN_INTERMEDIATES_MAX, ChainError, Issued, KeyKind, Profile, Subject, certificates_from_pem,
    inspect, test_certificates, verify_chain,
};

const NOW: i64 = 1_767_225_600; // 2026-01-01 00:00:00 UTC
const DAY_S: i64 = 86_400;
const ALONE: &[Vec<u8>] = &[];

fn der(issued: &Issued) -> Vec<u8> {
    certificates_from_pem(&issued.cert_pem).unwrap().remove(0)
}

fn authority(name: &str, days: u32) -> (Authority, Vec<u8>) {
    let authority = Authority::create(name, KeyKind::P256, NOW, days).unwrap();
    let der = certificates_from_pem(&authority.cert_pem().unwrap()).unwrap().remove(0);
    (authority, der)
}

fn client(authority: &Authority, profile: Profile) -> Vec<u8> {
    let subject = Subject { common_name: "vc01".to_owned(), alt_names: vec!["vc01".parse().unwrap()] };
    der(&authority.issue(profile, &subject, KeyKind::P256, NOW).unwrap())
}

fn chain_of_three(usage: Option<&str>) -> [Vec<u8>; 3] {
    test_certificates::chain_of_three(usage, NOW).unwrap().map(|issued| der(&issued))
}

#[test]
fn a_client_of_the_authority_is_accepted_and_of_another_refused() {
    let (first, first_der) = authority("test CA", 1_000);
    let (_, other_der) = authority("another CA", 1_000);
    let leaf = client(&first, Profile::Client);
    verify_chain(&leaf, ALONE, &first_der, NOW).unwrap();
    let refused = verify_chain(&leaf, ALONE, &other_der, NOW).unwrap_err();
    assert!(matches!(refused, ChainError::OtherAuthority { .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("CN=vc01 was issued by CN=test CA, expected a chain to CN=another CA"), "{text}");
}

#[test]
fn an_authority_of_the_same_name_with_another_key_is_refused() {
    let (first, _) = authority("test CA", 1_000);
    let (_, impostor_der) = authority("test CA", 1_000);
    let refused = verify_chain(&client(&first, Profile::Client), ALONE, &impostor_der, NOW).unwrap_err();
    let expected = matches!(refused, ChainError::OtherAuthority { .. } | ChainError::Signature { .. });
    assert!(expected, "{refused:?}");
}

#[test]
fn an_issuing_authority_is_enough_without_its_root() {
    let [_, issuing, leaf] = chain_of_three(None);
    verify_chain(&leaf, ALONE, &issuing, NOW).unwrap();
}

#[test]
fn a_root_needs_the_certificates_between() {
    let [root, issuing, leaf] = chain_of_three(None);
    verify_chain(&leaf, std::slice::from_ref(&issuing), &root, NOW).unwrap();
    verify_chain(&leaf, &[issuing, root.clone()], &root, NOW).unwrap();
    let refused = verify_chain(&leaf, ALONE, &root, NOW).unwrap_err();
    assert!(matches!(refused, ChainError::OtherAuthority { .. }), "{refused:?}");
}

#[test]
fn certificates_that_the_client_sends_along_are_not_trusted_for_that() {
    let [root, issuing, leaf] = chain_of_three(None);
    let (_, registered) = authority("test CA", 1_000);
    let refused = verify_chain(&leaf, &[issuing, root], &registered, NOW).unwrap_err();
    assert!(matches!(refused, ChainError::OtherAuthority { .. }), "{refused:?}");
}

#[test]
fn a_client_certificate_signs_no_other() {
    let (first, first_der) = authority("test CA", 1_000);
    let issued = first.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, NOW).unwrap();
    // Nothing but a check of basicConstraints is between this leaf's key and a client of any name.
    let forged = sign_below(&issued, openssl::hash::MessageDigest::sha256());
    let refused = verify_chain(&forged, &[der(&issued)], &first_der, NOW).unwrap_err();
    assert!(matches!(refused, ChainError::Refused { .. }), "{refused:?}");
}

#[test]
fn a_signature_over_sha1_is_refused() {
    let (first, ca) = authority("test CA", 1_000);
    let (cert_pem, key_pem) = (first.cert_pem().unwrap(), first.key_pem().unwrap());
    let issuer = Issued { cert_pem, key_pem };
    verify_chain(&sign_below(&issuer, openssl::hash::MessageDigest::sha256()), ALONE, &ca, NOW).unwrap();
    let weak = sign_below(&issuer, openssl::hash::MessageDigest::sha1());
    let refused = verify_chain(&weak, ALONE, &ca, NOW).unwrap_err();
    assert!(matches!(refused, ChainError::Refused { .. }), "{refused:?}");
    assert!(refused.to_string().contains("too weak"), "{refused}");
}

/// A client certificate signed with whatever key and digest are given.
fn sign_below(issuer: &Issued, digest: openssl::hash::MessageDigest) -> Vec<u8> {
    use openssl::{asn1::Asn1Time, pkey::PKey, x509};
    let key = PKey::private_key_from_pem(issuer.key_pem.danger_expose().as_bytes()).unwrap();
    let issuer = x509::X509::from_pem(issuer.cert_pem.as_bytes()).unwrap();
    let mut name = x509::X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "vc02").unwrap();
    let mut signed = x509::X509::builder().unwrap();
    signed.set_version(2).unwrap();
    signed.set_subject_name(&name.build()).unwrap();
    signed.set_issuer_name(issuer.subject_name()).unwrap();
    signed.set_not_before(&Asn1Time::from_unix(NOW - DAY_S).unwrap()).unwrap();
    signed.set_not_after(&Asn1Time::from_unix(NOW + DAY_S).unwrap()).unwrap();
    signed.set_pubkey(&key).unwrap();
    signed.sign(&key, digest).unwrap();
    signed.build().to_der().unwrap()
}

#[test]
fn a_certificate_for_servers_alone_is_no_client() {
    let (authority, ca) = authority("test CA", 1_000);
    let refused = verify_chain(&client(&authority, Profile::Server), ALONE, &ca, NOW).unwrap_err();
    assert!(refused.to_string().contains("is for [serverAuth], expected clientAuth"), "{refused}");
    for profile in [Profile::Node, Profile::Admin, Profile::Client] {
        verify_chain(&client(&authority, profile), ALONE, &ca, NOW).unwrap();
    }
}

#[test]
fn any_purpose_or_none_given_is_accepted_and_code_signing_is_not() {
    const ANY: &str = "2.5.29.37.0";
    const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
    const PRIVATE: &str = "1.3.6.1.4.1.99999.1";
    for (usage, accepted) in
        [(None, true), (Some(ANY), true), (Some(CODE_SIGNING), false), (Some(PRIVATE), false)]
    {
        let [_, issuing, leaf] = chain_of_three(usage);
        let verdict = verify_chain(&leaf, ALONE, &issuing, NOW);
        assert_eq!(verdict.is_ok(), accepted, "{usage:?}: {verdict:?}");
        if let Err(refused) = verdict {
            assert!(matches!(refused, ChainError::Purpose { .. }), "{refused:?}");
        }
    }
    let [_, _, leaf] = chain_of_three(Some(PRIVATE));
    assert_eq!(inspect(&leaf).unwrap().extended_key_usages, [PRIVATE]);
}

#[test]
fn dates_are_checked_at_the_given_time() {
    let (authority, ca) = authority("test CA", 1_000);
    let leaf = client(&authority, Profile::Admin);
    let end = inspect(&leaf).unwrap().not_after;
    verify_chain(&leaf, ALONE, &ca, end - 1).unwrap();
    let late = verify_chain(&leaf, ALONE, &ca, end).unwrap_err();
    assert!(matches!(late, ChainError::Expired { not_after, .. } if not_after == end), "{late:?}");
    assert!(late.to_string().contains("CN=vc01"), "{late}");
    let early = verify_chain(&leaf, ALONE, &ca, NOW - DAY_S).unwrap_err();
    assert!(matches!(early, ChainError::NotYetValid { .. }), "{early:?}");
}

#[test]
fn an_authority_past_its_end_vouches_for_nobody() {
    let [_, issuing, leaf] = chain_of_three(None);
    let end = inspect(&issuing).unwrap().not_after;
    let refused = verify_chain(&leaf, ALONE, &issuing, end + 1).unwrap_err();
    assert!(matches!(refused, ChainError::Expired { .. }), "{refused:?}");
}

#[test]
fn a_self_signed_client_is_no_client_of_an_authority() {
    let (_, ca) = authority("test CA", 1_000);
    for issued in [
        test_certificates::self_signed_client("kmipClient20161127094708", NOW),
        test_certificates::self_signed_ca_leaf("kmipClient20161127094708", NOW),
        test_certificates::x509_v1("kmipClient20161127094708", NOW),
    ] {
        let refused = verify_chain(&der(&issued.unwrap()), ALONE, &ca, NOW).unwrap_err();
        assert!(matches!(refused, ChainError::OtherAuthority { .. }), "{refused:?}");
    }
}

#[test]
fn a_changed_certificate_is_refused() {
    let (authority, ca) = authority("test CA", 1_000);
    let mut leaf = client(&authority, Profile::Client);
    let at = leaf.windows(4).position(|bytes| bytes == b"vc01").unwrap();
    leaf[at + 3] = b'2';
    let refused = verify_chain(&leaf, ALONE, &ca, NOW).unwrap_err();
    assert!(matches!(refused, ChainError::Signature { .. }), "{refused:?}");
}

#[test]
fn more_certificates_than_the_bound_are_not_looked_at() {
    let [root, issuing, leaf] = chain_of_three(None);
    let bound = vec![issuing.clone(); CHAIN_INTERMEDIATES_MAX];
    verify_chain(&leaf, &bound, &root, NOW).unwrap();
    let over = vec![issuing; CHAIN_INTERMEDIATES_MAX + 1];
    let refused = verify_chain(&leaf, &over, &root, NOW).unwrap_err();
    assert!(matches!(refused, ChainError::TooManyIntermediates { count: 9 }), "{refused:?}");
}

#[test]
fn bytes_that_are_no_certificate_are_refused_wherever_they_stand() {
    let [root, issuing, leaf] = chain_of_three(None);
    let unreadable = |verdict: Result<(), ChainError>| matches!(verdict, Err(ChainError::Unreadable(_)));
    assert!(unreadable(verify_chain(b"no", ALONE, &root, NOW)));
    assert!(unreadable(verify_chain(&leaf, &[b"no".to_vec()], &root, NOW)));
    assert!(unreadable(verify_chain(&leaf, &[issuing], b"no", NOW)));
}
