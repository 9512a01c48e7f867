//! What a certificate holds, for people and for programs.

use std::fmt;

use openssl::hash::MessageDigest;
use openssl::x509::{GeneralNameRef, X509Ref};

use crate::der;
use crate::error::{Error, confirmed, unreadable};
use crate::key::kind_text;
use crate::name::{AltName, name_text, printable};
use crate::pem;
use crate::time::{DAY_S, to_unix, utc_text};

pub(crate) const SERVER_AUTH: &str = "serverAuth";
pub(crate) const CLIENT_AUTH: &str = "clientAuth";
pub(crate) const ANY_PURPOSE: &str = "anyExtendedKeyUsage";

/// What a certificate holds. `Display` prints it as an aligned table; its texts are escaped for terminals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Subject, as `CN=vc01, O=Example`.
    pub subject: String,
    /// Issuer, in the same form.
    pub issuer: String,
    /// Serial number in upper-case hex.
    pub serial_hex: String,
    /// First second of validity, Unix.
    pub not_before: i64,
    /// Last second of validity, Unix.
    pub not_after: i64,
    /// SHA-1 of the DER, upper-case hex with colons: the fingerprint that vCenter shows.
    pub sha1: String,
    /// SHA-256 of the DER, in the same form.
    pub sha256: String,
    /// Addresses and host names.
    pub alt_names: Vec<AltName>,
    /// Alternative names of other kinds, as text for people.
    pub other_alt_names: Vec<String>,
    /// `RSA-2048`, `P-256` and the like.
    pub key_kind: String,
    /// Whether basicConstraints says CA:TRUE.
    pub is_ca: bool,
    /// `serverAuth`, `clientAuth`, …, or dotted numbers; empty without the extension, which means any purpose.
    pub extended_key_usages: Vec<String>,
    /// X.509 version, 1 to 3.
    pub version: u8,
    /// Whether its own key signed it.
    pub self_signed: bool,
}

impl Inspected {
    /// Whole days from `now` (Unix seconds) to the end; negative once it has ended.
    pub fn days_left(&self, now: i64) -> i64 {
        self.not_after.saturating_sub(now).div_euclid(DAY_S)
    }

    /// Whether it names this address or host among its alternative names; the common name does not count.
    pub fn is_for(&self, host: &AltName) -> bool {
        self.alt_names.iter().any(|name| name.covers(host))
    }
}

/// What the certificate holds: DER, or the first certificate of a PEM text.
pub fn inspect(pem_or_der: &[u8]) -> Result<Inspected, Error> {
    /// DER of a certificate starts with a SEQUENCE, PEM never does ("0" is no dash and no white space).
    const SEQUENCE: u8 = 0x30;
    if pem_or_der.first() == Some(&SEQUENCE) {
        return inspect_certificate(&*pem::certificate_from_der(pem_or_der)?);
    }
    let text = std::str::from_utf8(pem_or_der).map_err(|_| Error::NotPem { expected: "CERTIFICATE" })?;
    inspect_certificate(&*pem::first_certificate(text)?)
}

fn inspect_certificate(certificate: &X509Ref) -> Result<Inspected, Error> {
    let der = certificate.to_der().map_err(unreadable("certificate"))?;
    let serial =
        certificate.serial_number().to_bn().and_then(|number| number.to_hex_str().map(|hex| hex.to_string()));
    let public_key = certificate.public_key().ok();
    let same_name =
        certificate.subject_name().try_cmp(certificate.issuer_name()).is_ok_and(std::cmp::Ordering::is_eq);
    let names = certificate.subject_alt_names();
    let names = || names.iter().flatten();
    Ok(Inspected {
        subject: name_text(certificate.subject_name()),
        issuer: name_text(certificate.issuer_name()),
        serial_hex: serial.map_err(unreadable("serial number"))?,
        not_before: to_unix(certificate.not_before())?,
        not_after: to_unix(certificate.not_after())?,
        sha1: fingerprint(certificate, MessageDigest::sha1())?,
        sha256: fingerprint(certificate, MessageDigest::sha256())?,
        alt_names: names().filter_map(AltName::read).collect(),
        other_alt_names: names().filter(|name| AltName::read(name).is_none()).map(other_text).collect(),
        key_kind: public_key.as_ref().map_or_else(|| "unknown".to_owned(), |key| kind_text(key)),
        is_ca: der::is_ca(&der)?,
        extended_key_usages: der::extended_key_usages(&der)?.unwrap_or_default(),
        version: u8::try_from(certificate.version().saturating_add(1)).unwrap_or(0),
        self_signed: same_name && public_key.is_some_and(|key| confirmed(certificate.verify(&key))),
    })
}

fn fingerprint(certificate: &X509Ref, digest: MessageDigest) -> Result<String, Error> {
    let bytes = certificate.digest(digest).map_err(unreadable("certificate"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":"))
}

fn other_text(name: &GeneralNameRef) -> String {
    if let Some(address) = name.email() {
        return format!("email {}", printable(address));
    }
    match name.uri() {
        Some(uri) => format!("URI {}", printable(uri)),
        None => "a name of another kind".to_owned(),
    }
}

impl fmt::Display for Inspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: Vec<String>, none: &str| match items.is_empty() {
            true => none.to_owned(),
            false => items.join(", "),
        };
        let names = self.alt_names.iter().map(AltName::to_string).chain(self.other_alt_names.iter().cloned());
        let signed_by = if self.self_signed { "itself" } else { "its issuer" };
        let authority = if self.is_ca { "yes" } else { "no" };
        let rows = [
            ("Subject", self.subject.clone()),
            ("Issuer", self.issuer.clone()),
            ("Signed by", signed_by.to_owned()),
            ("Serial number", self.serial_hex.clone()),
            ("Valid from", utc_text(self.not_before)),
            ("Valid to", utc_text(self.not_after)),
            ("Names", list(names.collect(), "none")),
            ("Key", self.key_kind.clone()),
            ("Authority", authority.to_owned()),
            ("Purposes", list(self.extended_key_usages.clone(), "any (no extended key usage)")),
            ("X.509 version", self.version.to_string()),
            ("SHA-1", self.sha1.clone()),
            ("SHA-256", self.sha256.clone()),
        ];
        let mut separator = "";
        for (label, value) in rows {
            write!(f, "{separator}{label:<15}{value}")?;
            separator = "\n";
        }
        Ok(())
    }
}
