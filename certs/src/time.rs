//! Dates of certificates: read, checked against a given now, shown.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::X509Ref;

use crate::error::{Error, unreadable};
use crate::pem::certificate_from_der;

/// Seconds of a day.
pub(crate) const DAY_S: i64 = 86_400;

/// A certificate looked at outside its dates. Times are Unix seconds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DateError {
    /// Now is before its beginning.
    #[error("the certificate is not valid before {}, now is {}. hint: compare the clocks of both sides", utc_text(*not_before), utc_text(*now))]
    NotYetValid {
        /// Its first second.
        not_before: i64,
        /// The time it was looked at.
        now: i64,
    },
    /// Now is after its end.
    #[error("the certificate is not valid after {}, now is {}. hint: renew it, or set the clock right", utc_text(*not_after), utc_text(*now))]
    Expired {
        /// Its last second.
        not_after: i64,
        /// The time it was looked at.
        now: i64,
    },
    /// It could not be read at all.
    #[error(transparent)]
    Unreadable(Box<Error>),
}

/// Checks that `now` (Unix seconds) lies within the certificate's dates, both ends included.
pub fn check_dates(der: &[u8], now: i64) -> Result<(), DateError> {
    let certificate = certificate_from_der(der).map_err(|error| DateError::Unreadable(Box::new(error)))?;
    check_dates_of(&certificate, now)
}

pub(crate) fn check_dates_of(certificate: &X509Ref, now: i64) -> Result<(), DateError> {
    let read = |time| to_unix(time).map_err(|error| DateError::Unreadable(Box::new(error)));
    let (not_before, not_after) = (read(certificate.not_before())?, read(certificate.not_after())?);
    if now < not_before {
        return Err(DateError::NotYetValid { not_before, now });
    }
    if now > not_after {
        return Err(DateError::Expired { not_after, now });
    }
    Ok(())
}

/// Unix seconds of a certificate's date.
pub(crate) fn to_unix(time: &Asn1TimeRef) -> Result<i64, Error> {
    let since_1970 = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(time));
    let since_1970 = since_1970.map_err(unreadable("certificate's date"))?;
    Ok(i64::from(since_1970.days) * DAY_S + i64::from(since_1970.secs))
}

/// `2026-03-01 12:00:00 UTC` of Unix seconds, for people.
pub fn utc_text(unix: i64) -> String {
    let (days, second) = (unix.div_euclid(DAY_S), unix.rem_euclid(DAY_S));
    // Years counted from March, so that the leap day is a year's last: 400 such years have 146,097 days.
    let since_march_0 = days.saturating_add(719_468);
    let (era, day_of_era) = (since_march_0.div_euclid(146_097), since_march_0.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}
