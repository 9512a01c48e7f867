//! What the server finds out about a certificate that is registered (KMIP 1.4 sections 3.8 to 3.17).

use kmip::ProtocolVersion;
use kmip::enumeration::ResultReason as R;

use crate::common::certificates::{EC, EDWARDS, RSA};
use crate::common::{World, made};

/// A Register of a certificate with these attributes.
pub fn register(kind: &str, value: &str, attributes: &str) -> String {
    format!(
        "Register {{ ObjectType=Certificate TemplateAttribute {{ {attributes} }} \
         Certificate {{ CertificateType={kind} CertificateValue={value} }} }}"
    )
}

/// The values of an attribute, one a line, each without the name around it.
fn values(w: &mut World, id: &str, name: &str) -> String {
    let text = w.attribute(id, name);
    let mut values = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("UniqueIdentifier") || line == "}" || line.ends_with('{') {
            continue;
        }
        let value = if line.starts_with('"') { line.split_once('=').map(|(_, value)| value) } else { None };
        values.push(value.unwrap_or(line));
    }
    values.join("\n")
}

#[test]
fn an_rsa_certificate_is_described() {
    let mut w = World::new();
    let id = made(&w.done(&register("X_509", RSA, ""))).unwrap();
    let mut all = String::new();
    for name in [
        "Certificate Type",
        "Certificate Length",
        "Cryptographic Algorithm",
        "Cryptographic Length",
        "Digital Signature Algorithm",
        "X.509 Certificate Identifier",
        "X.509 Certificate Subject",
        "X.509 Certificate Issuer",
        "Certificate Identifier",
        "Certificate Subject",
        "Certificate Issuer",
        "Certificate Subject CN",
        "Certificate Subject OU",
        "Certificate Subject Email",
        "Certificate Issuer C",
        "Certificate Issuer ST",
        "Digest",
    ] {
        all += &format!("# {name}\n{}\n", values(&mut w, &id, name));
    }
    print!("{all}");
    crate::golden::compare("certificate_attributes.txt", &all);
}

#[test]
fn a_key_on_a_curve_has_the_bits_of_its_field() {
    let mut w = World::new();
    let id = made(&w.done(&register("X_509", EC, ""))).unwrap();
    for (name, value) in [
        ("Cryptographic Algorithm", "ECDSA"),
        ("Cryptographic Length", "384"),
        ("Digital Signature Algorithm", "ECDSAWithSHA384"),
        ("Certificate Subject", "CertificateSubjectDistinguishedName=\"CN=curve\""),
        ("Certificate Identifier", "Issuer=\"CN=curve\"\nSerialNumber=\"01\""),
    ] {
        assert_eq!(values(&mut w, &id, name), value, "{name}");
    }
}

#[test]
fn what_kmip_has_no_word_for_is_left_out_and_the_rest_is_there() {
    let mut w = World::new();
    let id = made(&w.done(&register("X_509", EDWARDS, ""))).unwrap();
    for name in ["Cryptographic Algorithm", "Cryptographic Length", "Digital Signature Algorithm"] {
        assert_eq!(values(&mut w, &id, name), "", "{name}");
    }
    assert_eq!(values(&mut w, &id, "Certificate Subject CN"), "\"edwards\"");
}

#[test]
fn what_is_no_certificate_is_refused_with_the_place() {
    let mut w = World::new();
    let cut = &RSA[..RSA.len() - 2];
    for value in ["0x", "0x3082", "0x3000", cut, &format!("{RSA}00")] {
        let message = w.refused(&register("X_509", value, ""), R::InvalidField);
        assert!(message.contains("no X.509 certificate") && message.contains("hint:"), "{message}");
    }
}

#[test]
fn a_request_may_say_what_the_certificate_says_and_nothing_else() {
    let mut w = World::new();
    let same = "\"Certificate Type\"=X_509 \"Cryptographic Algorithm\"=RSA \"Cryptographic Length\"=1024 \
                \"Digital Signature Algorithm\"=SHA_256WithRSAEncryption";
    w.done(&register("X_509", RSA, same));
    w.done(&register("X_509", EC, "\"Cryptographic Algorithm\"=ECDH"));
    for other in [
        "\"Certificate Type\"=PGP",
        "\"Certificate Length\"=5",
        "\"Cryptographic Algorithm\"=ECDSA",
        "\"Cryptographic Length\"=2048",
        "\"Digital Signature Algorithm\"=ECDSAWithSHA256",
        "\"Certificate Subject CN\"=\"another\"",
        "\"Certificate Issuer\" { CertificateIssuerDistinguishedName=\"CN=another\" }",
    ] {
        w.refused(&register("X_509", RSA, other), R::InvalidField);
    }
}

#[test]
fn what_follows_from_a_certificate_is_read_only() {
    let mut w = World::new();
    let id = made(&w.done(&register("X_509", RSA, ""))).unwrap();
    for (name, value) in [
        ("Certificate Type", "=PGP"),
        ("Certificate Length", "=5"),
        ("Certificate Subject", " { CertificateSubjectDistinguishedName=\"CN=another\" }"),
        ("Certificate Subject CN", "=\"another\""),
        ("Digital Signature Algorithm", "=ECDSAWithSHA256"),
    ] {
        for operation in ["AddAttribute", "ModifyAttribute"] {
            let item = format!("{operation} {{ UniqueIdentifier={id:?} \"{name}\"{value} }}");
            w.refused(&item, R::PermissionDenied);
        }
        let item = format!("DeleteAttribute {{ UniqueIdentifier={id:?} AttributeName={name:?} }}");
        w.refused(&item, R::PermissionDenied);
    }
}

#[test]
fn each_version_sees_the_attributes_that_it_has() {
    let mut w = World::new();
    let id = made(&w.done(&register("X_509", RSA, ""))).unwrap();
    for (name, since) in [
        ("Certificate Identifier", ProtocolVersion::V1_0),
        ("Certificate Length", ProtocolVersion::V1_1),
        ("X.509 Certificate Subject", ProtocolVersion::V1_1),
        ("Digital Signature Algorithm", ProtocolVersion::V1_1),
        ("Certificate Subject CN", ProtocolVersion::V1_4),
    ] {
        for version in ProtocolVersion::ALL {
            w.version = *version;
            let item = w.done(&format!("GetAttributeList {{ UniqueIdentifier={id:?} }}"));
            let list = crate::common::written(&item, *version, &mut w.names.clone());
            assert_eq!(list.contains(&format!("{name:?}")), *version >= since, "{name} in {version}");
        }
    }
}

#[test]
fn a_certificate_is_found_by_its_subject() {
    let mut w = World::new();
    let id = made(&w.done(&register("X_509", RSA, ""))).unwrap();
    w.done(&register("X_509", EC, ""));
    let item = w.done("Locate { \"Certificate Subject CN\"=\"key server\" }");
    let found = crate::common::written(&item, w.version, &mut w.names.clone());
    assert_eq!((id, found.trim()), (w.names.0[0].clone(), "UniqueIdentifier=$1"));
}
