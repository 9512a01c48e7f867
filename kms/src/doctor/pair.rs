//! The client's certificate and private key: whether they are a pair that a server could accept.

use std::path::{Path, PathBuf};

use certs::Inspected;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::report::Report;
use crate::{file, time};

/// Fewest days that a certificate should have left.
pub(super) const DAYS_LEFT_MIN: i64 = 30;

/// The client's files as they were read.
#[derive(Debug)]
pub(super) struct Pair {
    cert: PathBuf,
    key: PathBuf,
    pub(super) cert_pem: String,
    /// Not in `Debug`: `Zeroizing` prints what it holds, so it is wrapped.
    pub(super) key_pem: KeyPem,
}

/// A private key's PEM, wiped on drop and never printed.
pub(super) struct KeyPem(Zeroizing<String>);

impl KeyPem {
    /// The text: whoever calls this holds the key in the clear.
    pub(super) fn danger_expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for KeyPem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPem(..)")
    }
}

impl Pair {
    /// Reads both files.
    pub(super) fn read(cert: &Path, key: &Path) -> anyhow::Result<Self> {
        Ok(Pair {
            cert: cert.to_owned(),
            key: key.to_owned(),
            cert_pem: file::read_text(cert)?,
            key_pem: KeyPem(Zeroizing::new(file::read_text(key)?)),
        })
    }

    /// Checks the certificate, its dates, and that the key is its own.
    pub(super) fn check(&self, report: &mut Report) {
        match certs::inspect(self.cert_pem.as_bytes()) {
            Ok(certificate) => check_certificate(report, &certificate),
            Err(error) => {
                let name = self.cert.display();
                report.bad_error("client certificate", &format!("{name}: {error}"), "give a PEM certificate");
            }
        }
        match is_pair(&self.cert_pem, self.key_pem.danger_expose()) {
            Ok(()) => report.good("client key", "belongs to the certificate"),
            Err(PairError::Mismatch) => report.bad(
                "client key",
                format!("{} is not the key of {}", self.key.display(), self.cert.display()),
                "give the key that was made with this certificate (both are in one trust pack)",
            ),
            Err(PairError::Unreadable(why)) => report.bad(
                "client key",
                format!("{} and {} cannot be used: {why}", self.cert.display(), self.key.display()),
                "both are PEM; the key is not encrypted (openssl pkey -in KEY -out PLAIN_KEY)",
            ),
        }
    }
}

fn check_certificate(report: &mut Report, certificate: &Inspected) {
    let Inspected { subject, not_before, not_after, .. } = certificate;
    let now = time::now_s();
    let days = certificate.days_left(now);
    let dates = format!("{subject}, valid to {}", certs::utc_text(*not_after));
    if now < *not_before {
        let words = format!("{subject} is not valid before {}", certs::utc_text(*not_before));
        report.bad("client certificate", words, "compare the clocks of this machine and of who made it");
    } else if days < 0 {
        report.bad("client certificate", format!("{dates}: it has ended"), "issue it anew: kms client add");
    } else if days < DAYS_LEFT_MIN {
        report.warn(
            "client certificate",
            format!("{dates}: {days} days left"),
            "issue it anew before it ends",
        );
    } else {
        report.good("client certificate", dates);
    }
}

/// Why two files are no pair.
#[derive(Debug, PartialEq, Eq)]
enum PairError {
    Mismatch,
    Unreadable(String),
}

fn is_pair(cert_pem: &str, key_pem: &str) -> Result<(), PairError> {
    let unreadable = |error: &dyn std::fmt::Display| PairError::Unreadable(error.to_string());
    let chain = CertificateDer::pem_slice_iter(cert_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(&error))?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|error| unreadable(&error))?;
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(PairError::Mismatch),
        Err(error) => Err(unreadable(&error)),
    }
}

#[cfg(test)]
mod tests {
    use certs::{Authority, KeyKind, Profile, Subject};

    use super::*;
    use crate::print::{Format, Sign};

    fn issued(now: i64) -> certs::Issued {
        let authority = Authority::create("KMS CA", KeyKind::P256, now, 7300).unwrap();
        authority.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, now).unwrap()
    }

    fn pair(cert_pem: &str, key_pem: &str) -> Pair {
        let key_pem = KeyPem(Zeroizing::new(key_pem.to_owned()));
        Pair { cert: "cert.pem".into(), key: "key.pem".into(), cert_pem: cert_pem.to_owned(), key_pem }
    }

    fn signs(pair: &Pair) -> (Option<Sign>, Option<Sign>) {
        let mut report = Report::new("test", Format::Json);
        pair.check(&mut report);
        (report.sign_of("client certificate"), report.sign_of("client key"))
    }

    #[test]
    fn a_pair_that_belongs_together_is_good() {
        let made = issued(time::now_s());
        let pair = pair(&made.cert_pem, made.key_pem.danger_expose());
        assert_eq!(signs(&pair), (Some(Sign::Good), Some(Sign::Good)));
        assert!(!format!("{pair:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_key_of_another_certificate_is_found_out() {
        let (one, other) = (issued(time::now_s()), issued(time::now_s()));
        let pair = pair(&one.cert_pem, other.key_pem.danger_expose());
        assert_eq!(signs(&pair), (Some(Sign::Good), Some(Sign::Bad)));
    }

    #[test]
    fn a_certificate_that_has_ended_is_found_out() {
        let days = i64::from(Profile::Client.days());
        let made = issued(time::now_s() - (days + 2) * 86_400);
        let pair = pair(&made.cert_pem, made.key_pem.danger_expose());
        assert_eq!(signs(&pair).0, Some(Sign::Bad));
    }

    #[test]
    fn text_that_is_no_certificate_is_said_to_be_so() {
        assert_eq!(signs(&pair("hello", "world")), (Some(Sign::Bad), Some(Sign::Bad)));
    }
}
