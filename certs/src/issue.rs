//! Makes one certificate by its profile's row, whoever asked for it.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, PKeyRef, Private, Public};
use openssl::rand::rand_bytes;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509NameRef, X509Ref};

use crate::error::{Error, while_doing};
use crate::key::PrivateKeyPem;
use crate::name::AltName;
use crate::profile::{BACKDATED_S, DAYS_MAX, Profile};
use crate::time::DAY_S;

/// A new certificate and its private key.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate alone, PEM; a server adds the authority's after it.
    pub cert_pem: String,
    /// Its private key.
    pub key_pem: PrivateKeyPem,
}

/// All that varies between two certificates.
pub(crate) struct Order<'a> {
    pub(crate) profile: Profile,
    pub(crate) subject: &'a X509NameRef,
    pub(crate) alt_names: &'a [AltName],
    pub(crate) public_key: &'a PKey<Public>,
    pub(crate) validity: Validity,
}

/// First and last second, Unix.
#[derive(Clone, Copy)]
pub(crate) struct Validity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Validity {
    /// From a little before now, for this many days after it.
    pub(crate) fn from(now: i64, days: u32) -> Result<Self, Error> {
        // Year 9999 is the last an X.509 date can say (RFC 5280 section 4.1.2.5).
        const LAST_S: i64 = 253_402_300_799;
        let refused = Error::Validity { now, days };
        if !(1..=DAYS_MAX).contains(&days) || !(BACKDATED_S..LAST_S).contains(&now) {
            return Err(refused);
        }
        let not_after = now + i64::from(days) * DAY_S;
        if not_after > LAST_S {
            Err(refused)
        } else {
            Ok(Validity { not_before: now - BACKDATED_S, not_after })
        }
    }

    /// Not beyond the authority's end: a chain is only as long-lived as its shortest certificate.
    pub(crate) fn within(self, authority_not_after: i64) -> Self {
        Validity { not_after: self.not_after.min(authority_not_after), ..self }
    }
}

/// Signs an order. Without an issuer it is signed by itself, and `key` is its own.
pub(crate) fn sign(
    order: &Order<'_>,
    issuer: Option<&X509Ref>,
    key: &PKeyRef<Private>,
) -> Result<X509, Error> {
    if order.profile.row().alt_names_required && order.alt_names.is_empty() {
        return Err(Error::NoAltNames { profile: order.profile });
    }
    build(order, issuer, key).map_err(while_doing("making a certificate"))
}

fn build(order: &Order<'_>, issuer: Option<&X509Ref>, key: &PKeyRef<Private>) -> Result<X509, ErrorStack> {
    /// Wire value of X.509 version 3 (RFC 5280 section 4.1.2.1).
    const VERSION_3: i32 = 2;
    let row = order.profile.row();
    let mut certificate = X509::builder()?;
    certificate.set_version(VERSION_3)?;
    let serial = random_serial()?;
    certificate.set_serial_number(&serial)?;
    certificate.set_subject_name(order.subject)?;
    certificate.set_issuer_name(issuer.map_or(order.subject, |issuer| issuer.subject_name()))?;
    let (not_before, not_after) =
        (Asn1Time::from_unix(order.validity.not_before)?, Asn1Time::from_unix(order.validity.not_after)?);
    certificate.set_not_before(&not_before)?;
    certificate.set_not_after(&not_after)?;
    certificate.set_pubkey(order.public_key)?;

    let mut constraints = BasicConstraints::new();
    constraints.critical();
    let mut usage = KeyUsage::new();
    usage.critical();
    if row.ca {
        constraints.ca().pathlen(0);
        usage.key_cert_sign().crl_sign();
    } else {
        usage.digital_signature();
    }
    if row.encipher && order.public_key.rsa().is_ok() {
        usage.key_encipherment();
    }
    certificate.append_extension(constraints.build()?)?;
    certificate.append_extension(usage.build()?)?;
    if row.server_auth || row.client_auth {
        let mut purposes = ExtendedKeyUsage::new();
        if row.server_auth {
            purposes.server_auth();
        }
        if row.client_auth {
            purposes.client_auth();
        }
        certificate.append_extension(purposes.build()?)?;
    }
    append_names_and_identifiers(&mut certificate, order.alt_names, issuer)?;
    certificate.sign(key, MessageDigest::sha256())?;
    Ok(certificate.build())
}

fn append_names_and_identifiers(
    certificate: &mut X509Builder,
    alt_names: &[AltName],
    issuer: Option<&X509Ref>,
) -> Result<(), ErrorStack> {
    let context = certificate.x509v3_context(issuer, None);
    let mut extensions = vec![SubjectKeyIdentifier::new().build(&context)?];
    if issuer.is_some() {
        extensions.push(AuthorityKeyIdentifier::new().keyid(true).build(&context)?);
    }
    if !alt_names.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for name in alt_names {
            match name {
                AltName::Ip(address) => names.ip(&address.to_string()),
                AltName::Dns(name) => names.dns(name),
            };
        }
        extensions.push(names.build(&context)?);
    }
    extensions.into_iter().try_for_each(|extension| certificate.append_extension(extension))
}

/// 20 random bytes, positive and never shorter: as long as RFC 5280 section 4.1.2.2 allows, so that two
/// authorities with one name do not meet.
fn random_serial() -> Result<Asn1Integer, ErrorStack> {
    let mut bytes = [0; 20];
    rand_bytes(&mut bytes)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    BigNum::from_slice(&bytes)?.to_asn1_integer()
}
