//! The clock, for dates of certificates and the skew of servers.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now in Unix seconds; 0 with a clock before 1970.
pub(crate) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// An RFC 3339 time in UTC as people read it: `2026-03-01 12:00:00`; other texts as they are.
pub(crate) fn short(rfc3339: &str) -> String {
    let Some(time) = rfc3339.strip_suffix('Z') else { return rfc3339.to_owned() };
    let seconds = time.split_once('.').map_or(time, |(seconds, _)| seconds);
    seconds.replacen('T', " ", 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_is_shown_without_its_letters() {
        assert_eq!(super::short("2026-03-01T12:00:00Z"), "2026-03-01 12:00:00");
        assert_eq!(super::short("2026-03-01T12:00:00.5Z"), "2026-03-01 12:00:00");
        assert_eq!(super::short("unknown"), "unknown");
    }
}
