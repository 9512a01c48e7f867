//! Which clients may connect before nodes of another make: those whose very certificate the operator has put into one file.
//!
//! To such nodes all clients are one, so this file alone decides who can read a key. It names leaves and no CA: whom a CA
//! signs tomorrow would be let in unseen, and vCenters have one leaf each, often self-signed, so that a chain would prove
//! nothing more. As at the port of our own nodes, a pinned leaf needs no extended key usage, and its dates count.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use certs::{DateError, check_dates, inspect};
use rustls_pki_types::CertificateDer;

use crate::links::{IdentityError, certificates};

/// The key of `[third_party]` that names the file.
const KEY: &str = "clients";

/// The leaves of those who may connect.
pub(crate) struct Admitted(HashSet<CertificateDer<'static>>);

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admitted({})", self.0.len())
    }
}

/// Why a client is not admitted.
#[derive(thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "the client's certificate ({0}) is not in [third_party] {KEY}; hint: add it there if it is one of yours, \
         and reload"
    )]
    Unknown(String),
    #[error(transparent)]
    Dates(DateError),
}

/// As text: this is what rustls shows of an error that it carries for others.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Admitted {
    /// Reads the file.
    ///
    /// # Errors
    /// Where it cannot be read, or one of its certificates.
    pub(crate) fn read(path: &Path) -> Result<Self, IdentityError> {
        let leaves = certificates(KEY, path)?;
        for (place, leaf) in (1..).zip(&leaves) {
            inspect(leaf)
                .map_err(|error| (KEY, format!("{}, certificate {place}: {error}", path.display())))?;
        }
        Ok(Self(leaves.into_iter().collect()))
    }

    /// Whether this client is in the file.
    pub(crate) fn holds(&self, leaf: &CertificateDer<'_>) -> bool {
        self.0.contains(leaf)
    }

    /// Whether a client with this leaf may connect at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self, leaf: &CertificateDer<'_>, now: i64) -> Result<(), Refused> {
        match self.holds(leaf) {
            true => check_dates(leaf, now).map_err(Refused::Dates),
            false => Err(Refused::Unknown(match inspect(leaf) {
                Ok(shown) => format!("{}, SHA-256 {}", shown.subject, shown.sha256),
                Err(error) => error.to_string(),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::x509::{X509, X509NameBuilder};

    use super::*;

    /// Valid from 1000 to 2000.
    fn leaf(name: &str) -> X509 {
        let key = PKey::generate_ed25519().unwrap();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_text("CN", name).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_subject_name(&subject.build()).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(1000).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(2000).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::null()).unwrap();
        builder.build()
    }

    fn der(certificate: &X509) -> CertificateDer<'static> {
        CertificateDer::from(certificate.to_der().unwrap())
    }

    #[test]
    fn who_is_in_the_file_is_admitted_within_its_dates_and_nobody_else() {
        let (one, two, stranger) = (leaf("one"), leaf("two"), leaf("one"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clients.pem");
        fs::write(&path, [one.to_pem().unwrap(), two.to_pem().unwrap()].concat()).unwrap();
        let admitted = Admitted::read(&path).unwrap();
        for known in [&one, &two] {
            assert!([1000, 2000].iter().all(|now| admitted.check(&der(known), *now).is_ok()));
            assert!(matches!(admitted.check(&der(known), 999), Err(Refused::Dates(_))));
            assert!(matches!(admitted.check(&der(known), 2001), Err(Refused::Dates(_))));
        }
        let refused = admitted.check(&der(&stranger), 1500).unwrap_err();
        let said = format!("{refused:?}");
        assert!(said.contains("(CN=one, SHA-256 ") && said.contains("; hint: add it there"), "{said}");
    }

    #[test]
    fn a_file_without_certificates_or_with_a_broken_one_is_a_mistake() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clients.pem");
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, expected) in
            [("", "holds no certificate in PEM"), (broken, "clients.pem, certificate 1: ")]
        {
            fs::write(&path, text).unwrap();
            let (key, why) = Admitted::read(&path).unwrap_err();
            assert!(key == "clients" && why.contains(expected), "{why}");
        }
    }
}
