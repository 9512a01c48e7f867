//! Date-Time as ISO 8601: seconds since 1970 to a calendar date and back, for the text and XML forms.
//!
//! Proleptic Gregorian calendar, no leap seconds, every `i64` has a text. Pure: nothing here asks what time it is.

const DAY_SECONDS: i64 = 86_400;
/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01, where an era begins, to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// `seconds` as `2012-04-27T08:12:21Z`.
pub(crate) fn format(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(DAY_SECONDS));
    let rest = seconds.rem_euclid(DAY_SECONDS);
    let sign = if year < 0 { "-" } else { "" };
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{sign}{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", year.abs())
}

/// The seconds of an ISO 8601 date and time. The zone is `Z`, `+hh:mm`, `-hh:mm` or none, which means UTC;
/// parts of a second are dropped. `None` for anything else and for what an `i64` does not hold.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (date, time) = unsigned.split_once('T')?;
    let mut date = date.split('-');
    let year = sign * number(date.next()?, 4, 12)?;
    let (month, day) = (number(date.next()?, 2, 2)?, number(date.next()?, 2, 2)?);
    if date.next().is_some() || !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    let (time, offset) = split_zone(time)?;
    let time = match time.split_once('.') {
        Some((time, parts)) if parts.bytes().all(|byte| byte.is_ascii_digit()) => time,
        Some(_) => return None,
        None => time,
    };
    let mut time = time.split(':');
    let hour = number(time.next()?, 2, 2)?;
    let (minute, second) = (number(time.next()?, 2, 2)?, number(time.next()?, 2, 2)?);
    if time.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Through i128, as the first and last days that an i64 reaches are cut short.
    let day_start = i128::from(days(year, month, day)) * i128::from(DAY_SECONDS);
    i64::try_from(day_start + i128::from(hour * 3600 + minute * 60 + second - offset)).ok()
}

/// The time without its zone, and the seconds that the zone is ahead of UTC.
fn split_zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let (time, zone) = time.split_at(at);
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours, 2, 2)?, number(minutes, 2, 2)?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    Some((time, if zone.starts_with('-') { -seconds } else { seconds }))
}

fn number(text: &str, digits_min: usize, digits_max: usize) -> Option<i64> {
    let fits = (digits_min..=digits_max).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn month_days(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date. Years count from March, so that the leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_DAYS
}

/// The date `days` after 1970-01-01, the inverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / (ERA_DAYS - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_have_their_seconds_and_back() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2012-04-27T08:12:21Z", 1_335_514_341),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("0000-03-01T00:00:00Z", -62_162_035_200),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
            assert_eq!(format(seconds), text);
        }
    }

    #[test]
    fn zones_and_parts_of_a_second_are_understood() {
        let utc = Some(978_307_200);
        for text in [
            "2001-01-01T10:00:00+10:00",
            "2000-12-31T19:30:00-04:30",
            "2001-01-01T00:00:00",
            "2001-01-01T00:00:00.125Z",
            "2001-01-01T00:00:00+00:00",
        ] {
            assert_eq!(parse(text), utc, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2001",
            "2001-13-01T00:00:00Z",
            "2001-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2001-01-01T24:00:00Z",
            "2001-01-01T00:60:00Z",
            "2001-01-01T00:00:00+1",
            "2001-01-01T00:00:00+é:00",
            "2001-01-01T00:00:00.xZ",
            "2001-01-01-01T00:00:00Z",
            "+2001-01-01T00:00:00Z",
            "999999999999-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_and_last_seconds_of_an_i64_survive() {
        for seconds in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            assert_eq!(parse(&format(seconds)), Some(seconds));
        }
    }
}
