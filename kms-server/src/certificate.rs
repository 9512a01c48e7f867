//! What the server says of an X.509 certificate: names, dates, fingerprints.

use std::fmt;

use openssl::sha::{sha1, sha256};

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
    /// Reads a DER encoding. Names are cut to [`NAME_CHARACTERS_MAX`]. Fails when it is no certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let found = certs::inspect(der).map_err(|_| Error::NotACertificate)?;
        Ok(Self {
            subject: cut(found.subject),
            issuer: cut(found.issuer),
            not_before: found.not_before,
            not_after: found.not_after,
            sha1: sha1(der),
            sha256: sha256(der),
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

fn cut(mut name: String) -> String {
    if let Some((end, _)) = name.char_indices().nth(NAME_CHARACTERS_MAX) {
        name.truncate(end);
        name.push('…');
    }
    name
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
    fn garbage_is_no_certificate() {
        for bytes in [&b""[..], b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"hello", &[0x30; 64]] {
            assert_eq!(Certificate::from_der(bytes), Err(Error::NotACertificate));
        }
    }
}
