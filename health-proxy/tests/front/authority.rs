//! Certificates for one test, made as it starts.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

pub(crate) struct Pair {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

impl Pair {
    pub(crate) fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    pub(crate) fn key_pem(&self) -> Vec<u8> {
        self.key.private_key_to_pem_pkcs8().unwrap()
    }
}

pub(crate) fn ec_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn builder(name: &str, key: &PKey<Private>) -> X509Builder {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, openssl::bn::MsbOption::ONE, false).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
}

/// An authority of its own.
pub(crate) fn authority(name: &str) -> Pair {
    let key = ec_key();
    let mut builder = builder(name, &key);
    builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    Pair { certificate: builder.build(), key }
}

/// A leaf under `authority`, with one name that is no address.
pub(crate) fn leaf(authority: &Pair, name: &str, key: PKey<Private>) -> Pair {
    let mut builder = builder(name, &key);
    builder.set_issuer_name(authority.certificate.subject_name()).unwrap();
    let names = SubjectAlternativeName::new()
        .dns(name)
        .build(&builder.x509v3_context(Some(&authority.certificate), None))
        .unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(&authority.key, MessageDigest::sha256()).unwrap();
    Pair { certificate: builder.build(), key }
}
