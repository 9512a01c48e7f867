//! Until when a certificate is valid: the one thing that the page says of it, read from DER without judging the rest.
//!
//! Pure. RFC 5280 section 4.1; a certificate that is not of that shape has no end here.

/// Seconds of a day.
const DAY_S: i64 = 86_400;

mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const UTC_TIME: u8 = 0x17;
    pub(super) const GENERALIZED_TIME: u8 = 0x18;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const VERSION: u8 = 0xa0;
}

/// Its notAfter, in seconds since 1970.
pub fn not_after(der: &[u8]) -> Option<i64> {
    let (certificate, _) = element(der, tag::SEQUENCE)?;
    let (mut fields, _) = element(certificate, tag::SEQUENCE)?;
    if let Some((_, rest)) = element(fields, tag::VERSION) {
        fields = rest;
    }
    for passed_over in [tag::INTEGER, tag::SEQUENCE, tag::SEQUENCE] {
        (_, fields) = element(fields, passed_over)?;
    }
    let (validity, _) = element(fields, tag::SEQUENCE)?;
    let (_, after) = time(validity)?;
    time(after).map(|(not_after, _)| not_after)
}

/// The content of the element that begins here, if it has this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    if head[0] != tag {
        return None;
    }
    let (length, rest) = match head[1] {
        short @ 0..=0x7f => (usize::from(short), rest),
        // Four bytes of length are more than any message of TLS has.
        long @ 0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    if let Some((text, rest)) = element(bytes, tag::UTC_TIME) {
        let (year, text) = number(text, 2)?;
        // RFC 5280 section 4.1.2.5.1: YY from 50 on is 19YY.
        let century = if year >= 50 { 1900 } else { 2000 };
        return Some((seconds(century + year, text)?, rest));
    }
    let (text, rest) = element(bytes, tag::GENERALIZED_TIME)?;
    let (year, text) = number(text, 4)?;
    Some((seconds(year, text)?, rest))
}

/// Of `MMDDHHMMSSZ` in this year.
fn seconds(year: i64, text: &[u8]) -> Option<i64> {
    let mut rest = text;
    let mut fields = [0; 5];
    for field in &mut fields {
        (*field, rest) = number(rest, 2)?;
    }
    let [month, day, hour, minute, second] = fields;
    let fits =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    (rest == b"Z" && fits).then(|| days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second)
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (text, rest) = text.split_at_checked(digits)?;
    text.iter().all(u8::is_ascii_digit).then(|| {
        let number = text.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        (number, rest)
    })
}

/// Days since 1970 of a day of the Gregorian calendar; years begin in March, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::pkey::PKey;
    use openssl::x509::X509;

    use super::*;

    fn certificate(until: i64) -> Vec<u8> {
        let key = PKey::generate_ed25519().unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(until).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, openssl::hash::MessageDigest::null()).unwrap();
        builder.build().to_der().unwrap()
    }

    #[test]
    fn the_end_is_the_one_that_openssl_wrote() {
        // UTCTime up to 2049, GeneralizedTime after it; leap days on both sides.
        for until in [1, 951_782_399, 951_868_800, 1_793_000_000, 2_524_607_999, 2_524_608_000, 4_107_542_400]
        {
            assert_eq!(not_after(&certificate(until)), Some(until));
        }
    }

    #[test]
    fn a_certificate_that_is_cut_off_or_garbled_has_no_end_and_harms_nobody() {
        let whole = certificate(1_793_000_000);
        let end = whole.windows(2).rposition(|pair| pair == [tag::UTC_TIME, 13]).unwrap() + 15;
        for cut in 0..end {
            assert_eq!(not_after(&whole[..cut]), None, "cut at {cut}");
        }
        for place in 0..end {
            let mut garbled = whole.clone();
            garbled[place] ^= 0xff;
            let _ = not_after(&garbled);
        }
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(not_after(&[0x30, 0x80, 0x00, 0x00]), None);
    }
}
