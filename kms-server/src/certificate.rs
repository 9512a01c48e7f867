//! What the server says and needs to know of an X.509 certificate: names, dates, fingerprints, public key.
//!
//! Version 1 certificates are read too: vCenter's may be, and webpki knows only version 3.

use std::fmt;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::sha::{sha1, sha256};
use openssl::x509::{X509, X509NameRef, X509Ref};

/// Seconds since 1970-01-01 UTC.
pub type UnixSeconds = i64;

/// Characters of a distinguished name that are kept for logs and listings; the rest is cut.
pub const NAME_CHARACTERS_MAX: usize = 512;

/// A certificate in words, as logs and listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Subject, as "CN=vc01, O=Example".
    pub subject: String,
    /// Issuer, in the same form.
    pub issuer: String,
    /// First second at which it is valid.
    pub not_before: UnixSeconds,
    /// Last second at which it is valid.
    pub not_after: UnixSeconds,
    /// SHA-1 of the DER encoding: what vCenter shows.
    pub sha1: [u8; 20],
    /// SHA-256 of the DER encoding: what trust is pinned by.
    pub sha256: [u8; 32],
}

impl Certificate {
    /// Reads a DER encoding. Fails when it is no certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let x509 = X509::from_der(der).map_err(|_| Error::NotACertificate)?;
        Self::from_x509(&x509)
    }

    pub(crate) fn from_x509(x509: &X509Ref) -> Result<Self, Error> {
        let der = x509.to_der().map_err(|_| Error::NotACertificate)?;
        Ok(Self {
            subject: name(x509.subject_name()),
            issuer: name(x509.issuer_name()),
            not_before: seconds(x509.not_before())?,
            not_after: seconds(x509.not_after())?,
            sha1: sha1(&der),
            sha256: sha256(&der),
        })
    }

    /// Whether `now` lies within its dates; the error says on which side it does not.
    pub fn check_dates(&self, now: UnixSeconds) -> Result<(), Error> {
        check_dates(self.not_before, self.not_after, now)
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "subject \"{}\", issuer \"{}\", valid {} to {}, SHA-256 {}",
            self.subject,
            self.issuer,
            utc(self.not_before),
            utc(self.not_after),
            hex::encode(self.sha256)
        )
    }
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no X.509 certificate.
    #[error("these bytes are no X.509 certificate")]
    NotACertificate,
    /// A date in it cannot be read.
    #[error("the certificate's dates cannot be read")]
    BadDate,
    /// Its time has passed.
    #[error("the certificate expired at {}, it is {} now", utc(*.not_after), utc(*.now))]
    Expired {
        /// Last second at which it was valid.
        not_after: UnixSeconds,
        /// The time it was held against.
        now: UnixSeconds,
    },
    /// Its time has not come.
    #[error("the certificate is valid from {} on, it is {} now", utc(*.not_before), utc(*.now))]
    NotYetValid {
        /// First second at which it is valid.
        not_before: UnixSeconds,
        /// The time it was held against.
        now: UnixSeconds,
    },
}

pub(crate) fn check_dates(
    not_before: UnixSeconds,
    not_after: UnixSeconds,
    now: UnixSeconds,
) -> Result<(), Error> {
    if now > not_after {
        return Err(Error::Expired { not_after, now });
    }
    if now < not_before {
        return Err(Error::NotYetValid { not_before, now });
    }
    Ok(())
}

/// The two halves of a SubjectPublicKeyInfo, as a signature algorithm wants them (RFC 5280 section 4.1.2.7).
pub(crate) struct PublicKey<'a> {
    /// Contents of the AlgorithmIdentifier, without the outer SEQUENCE.
    pub(crate) algorithm: &'a [u8],
    /// Contents of the subjectPublicKey BIT STRING.
    pub(crate) key: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Finds the public key in the DER encoding of a certificate of any version, without copying.
    pub(crate) fn of(certificate_der: &'a [u8]) -> Option<Self> {
        let (certificate, _) = expect(SEQUENCE, certificate_der)?;
        let (mut fields, _) = expect(SEQUENCE, certificate)?;
        if fields.first() == Some(&EXPLICIT_VERSION) {
            fields = element(fields)?.2;
        }
        // serialNumber, signature, issuer, validity, subject
        for _ in 0..5 {
            fields = element(fields)?.2;
        }
        let (info, _) = expect(SEQUENCE, fields)?;
        let (algorithm, info) = expect(SEQUENCE, info)?;
        let (bits, _) = expect(BIT_STRING, info)?;
        match bits.split_first()? {
            (0, key) => Some(Self { algorithm, key }),
            _ => None,
        }
    }
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const EXPLICIT_VERSION: u8 = 0xa0;

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (got, value, rest) = element(bytes)?;
    (got == tag).then_some((value, rest))
}

/// Splits one DER element of definite length off: tag, value, what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(first), bytes),
        0x81..=0x84 => {
            let (digits, bytes) = bytes.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |sum, &digit| sum << 8 | usize::from(digit)), bytes)
        }
        _ => return None,
    };
    let (value, rest) = bytes.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// A distinguished name on one line, without characters that could forge a log line, cut to
/// [`NAME_CHARACTERS_MAX`].
pub(crate) fn name(name: &X509NameRef) -> String {
    let mut text = String::new();
    for entry in name.entries() {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(entry.object().nid().short_name().unwrap_or("?"));
        text.push('=');
        match entry.data().to_string() {
            Ok(value) => text.extend(value.chars().flat_map(char::escape_debug)),
            Err(_) => text.push('?'),
        }
    }
    match text.char_indices().nth(NAME_CHARACTERS_MAX) {
        Some((end, _)) => {
            text.truncate(end);
            text.push('…');
            text
        }
        None => text,
    }
}

pub(crate) fn seconds(time: &Asn1TimeRef) -> Result<UnixSeconds, Error> {
    let epoch = Asn1Time::from_unix(0).map_err(|_| Error::BadDate)?;
    let since = epoch.diff(time).map_err(|_| Error::BadDate)?;
    Ok(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

/// A time as "2026-11-24T05:00:00Z" (RFC 3339).
pub fn utc(seconds: UnixSeconds) -> String {
    let days = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    // Days to a civil date in the proleptic Gregorian calendar; eras are 400 years, years begin in March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_writes_them() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(utc(4_102_444_800), "2100-01-01T00:00:00Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn garbage_has_no_public_key_and_no_names() {
        for bytes in [&b""[..], b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"hello", &[0x30; 64]] {
            assert!(PublicKey::of(bytes).is_none());
            assert_eq!(Certificate::from_der(bytes), Err(Error::NotACertificate));
        }
    }
}
