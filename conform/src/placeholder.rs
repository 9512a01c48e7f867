//! What a published case leaves open until it runs: `$UNIQUE_IDENTIFIER_0`, `$CORRELATION_VALUE`, `$NOW-3600`.
//!
//! A case is read once, before anything is known, so each placeholder is kept in the tree as a value of its own type:
//! text as it stands, bytes as [`MARK`] and the name, dates as seconds from [`NOW`]. Pure.

use std::collections::HashMap;

use kmip::{Kmip, Tag};
use ttlv::{ItemType, Node, Value, Vocabulary};

/// Stands for the moment at which a case begins. A million times further away than any date that is meant.
const NOW: i64 = 1 << 50;
/// Seconds from [`NOW`] within which a date is relative; over 30,000 years.
const RELATIVE_SECONDS_MAX: u64 = 1 << 40;
/// Leads the name of a placeholder in bytes. No key, tag or signature begins like this.
const MARK: &[u8] = b"\0kmip placeholder ";

/// What to read in place of `text` so that the tree keeps the placeholder: for [`ttlv::xml::Placeholders`].
pub(crate) fn keep(_: Tag, item_type: ItemType, text: &str) -> Option<String> {
    let text = text.trim();
    match item_type {
        ItemType::DateTime => {
            let offset = text.strip_prefix("$NOW")?.trim();
            let seconds = match offset {
                "" => 0,
                _ => offset.parse::<i64>().ok()?,
            };
            Some((NOW.checked_add(seconds)?).to_string())
        }
        ItemType::ByteString | ItemType::BigInteger if is_name(text) => {
            let mut bytes = MARK.to_vec();
            bytes.extend_from_slice(text.as_bytes());
            Some(hex::encode(bytes))
        }
        _ => None,
    }
}

/// The name of the placeholder that `value` is.
pub(crate) fn name(value: &Value) -> Option<&str> {
    let text = match value {
        Value::TextString(text) => text,
        Value::ByteString(bytes) => std::str::from_utf8(bytes.strip_prefix(MARK)?).ok()?,
        // Filled with zeros in front up to a multiple of eight.
        Value::BigInteger(bytes) => {
            let start = bytes.iter().position(|byte| *byte != 0)?;
            std::str::from_utf8(bytes.get(start..)?.strip_prefix(&MARK[1..])?).ok()?
        }
        _ => return None,
    };
    is_name(text).then_some(text)
}

/// The seconds from the beginning of the case to a date that is relative to it.
pub(crate) fn seconds_from_now(date: i64) -> Option<i64> {
    (date.abs_diff(NOW) < RELATIVE_SECONDS_MAX).then(|| date.wrapping_sub(NOW))
}

fn is_name(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

/// A request that uses what no response has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unbound(pub(super) String);

/// What the placeholders of a case, and the identifiers that it has in full, stand for in this run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bindings {
    /// When the case began, in seconds since 1970.
    pub(crate) now: i64,
    by_name: HashMap<String, Value>,
    /// The last value that came under a tag, for a placeholder that is named like a tag and that no response has.
    by_tag: HashMap<Tag, Value>,
}

impl Bindings {
    pub(crate) fn new(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    pub(crate) fn bind(&mut self, name: &str, value: &Value) {
        self.by_name.insert(name.to_owned(), value.clone());
    }

    pub(crate) fn bound(&self, name: &str) -> Option<&Value> {
        self.by_name.get(name)
    }

    /// Remembers what came under a tag.
    pub(crate) fn came(&mut self, tag: Tag, value: &Value) {
        self.by_tag.insert(tag, value.clone());
    }

    /// A date of the case as seconds since 1970.
    pub(crate) fn date(&self, date: i64) -> i64 {
        seconds_from_now(date).map_or(date, |seconds| self.now.saturating_add(seconds))
    }

    /// `request` with every placeholder filled in.
    pub(crate) fn fill(&self, request: &Node) -> Result<Node, Unbound> {
        let value = match &request.value {
            Value::Structure(nodes) => {
                Value::Structure(nodes.iter().map(|node| self.fill(node)).collect::<Result<_, _>>()?)
            }
            Value::DateTime(date) => Value::DateTime(self.date(*date)),
            value => match (name(value), value) {
                (Some(name), _) => self.found(name).cloned().ok_or_else(|| Unbound(name.to_owned()))?,
                // An identifier that the case has in full, and that is another one here.
                (None, Value::TextString(text)) => self.bound(text).unwrap_or(value).clone(),
                (None, _) => value.clone(),
            },
        };
        Ok(Node::new(request.tag, value))
    }

    fn found(&self, name: &str) -> Option<&Value> {
        self.bound(name).or_else(|| self.by_tag.get(&tag_named(name)?))
    }
}

/// The tag that a placeholder is named after: `$MAC_DATA` and `$MAC_DATA_0` after MAC Data.
fn tag_named(name: &str) -> Option<Tag> {
    let name = name.trim_start_matches('$').trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let plain = name.replace('_', "");
    kmip::tag::all().find(|tag| Kmip.tag_name(*tag).is_some_and(|known| known.eq_ignore_ascii_case(&plain)))
}

#[cfg(test)]
mod tests {
    use kmip::tag;

    use super::*;

    fn kept(item_type: ItemType, text: &str) -> Option<String> {
        keep(tag::ATTRIBUTE_VALUE, item_type, text)
    }

    #[test]
    fn a_date_with_an_offset_is_that_far_from_the_beginning_of_the_case() {
        for (text, seconds) in [("$NOW", 0), ("$NOW-3600", -3600), (" $NOW+60 ", 60)] {
            let date = kept(ItemType::DateTime, text).unwrap().parse().unwrap();
            assert_eq!(seconds_from_now(date), Some(seconds), "{text}");
            assert_eq!(Bindings::new(1_000_000).date(date), 1_000_000 + seconds);
        }
        assert_eq!(kept(ItemType::DateTime, "2012-04-27T08:12:24+00:00"), None);
        assert_eq!(Bindings::new(1_000_000).date(5), 5);
    }

    #[test]
    fn a_placeholder_in_bytes_keeps_its_name() {
        let hex = kept(ItemType::ByteString, "$KEY_MATERIAL_0").unwrap();
        let value = Value::ByteString(hex::decode(hex).unwrap());
        assert_eq!(name(&value), Some("$KEY_MATERIAL_0"));
        assert_eq!(name(&Value::ByteString(b"$KEY_MATERIAL_0".to_vec())), None);
        assert_eq!(kept(ItemType::ByteString, "00ff"), None);
        assert_eq!(name(&Value::TextString("$5".to_owned())), None);
    }

    #[test]
    fn a_request_is_filled_with_what_came() {
        let mut bindings = Bindings::new(0);
        let text = |text: &str| Node::new(tag::UNIQUE_IDENTIFIER, Value::TextString(text.to_owned()));
        assert_eq!(bindings.fill(&text("$ID_0")), Err(Unbound("$ID_0".to_owned())));
        bindings.bind("$ID_0", &Value::TextString("a".to_owned()));
        bindings.bind("8590e6e9", &Value::TextString("b".to_owned()));
        assert_eq!(bindings.fill(&text("$ID_0")), Ok(text("a")));
        assert_eq!(bindings.fill(&text("8590e6e9")), Ok(text("b")));
        assert_eq!(bindings.fill(&text("other")), Ok(text("other")));
    }

    #[test]
    fn a_placeholder_that_no_response_has_is_the_last_value_under_its_tag() {
        let mut bindings = Bindings::new(0);
        let came = Value::ByteString(vec![7]);
        bindings.came(tag::MAC_DATA, &came);
        let hex = kept(ItemType::ByteString, "$MAC_DATA").unwrap();
        let request = Node::new(tag::MAC_DATA, Value::ByteString(hex::decode(hex).unwrap()));
        assert_eq!(bindings.fill(&request), Ok(Node::new(tag::MAC_DATA, came)));
    }
}
