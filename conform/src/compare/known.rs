//! What a case has brought so far, as later responses are compared by it.

use std::collections::HashSet;

use kmip::enumeration::PaddingMethod;
use kmip::{Kmip, ProtocolVersion, Tag, tag};
use ttlv::{Node, Value, Vocabulary};

use super::attribute_name;
use crate::placeholder::{self, Bindings};

/// What a case has brought so far.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) bindings: Bindings,
    pub(super) version: ProtocolVersion,
    /// Identifiers of objects whose material the server chose.
    pub(crate) made: HashSet<String>,
    /// Dates that requests have fixed.
    pub(super) dates: HashSet<(Tag, i64)>,
    /// Object Groups that requests have named.
    pub(super) groups: HashSet<String>,
    /// Padding methods that requests have named, for a key or for one use of it.
    pub(super) paddings: HashSet<PaddingMethod>,
    /// Whether a request has asked for initialization vectors of the server's own.
    pub(super) random_iv: bool,
}

impl Known {
    /// Nothing yet, at `now` in seconds since 1970.
    pub(crate) fn new(version: ProtocolVersion, now: i64) -> Self {
        let (made, dates, groups, paddings) = Default::default();
        Self { bindings: Bindings::new(now), version, made, dates, groups, paddings, random_iv: false }
    }

    /// Takes note of the dates, the groups and what makes cryptography random in a request. `$NOW` alone fixes nothing.
    pub(super) fn asked(&mut self, node: &Node, named: Tag) {
        match &node.value {
            Value::DateTime(date) if placeholder::seconds_from_now(*date) != Some(0) => {
                self.dates.insert((named, self.bindings.date(*date)));
            }
            Value::TextString(group) if named == tag::OBJECT_GROUP => {
                self.groups.insert(group.clone());
            }
            Value::Enumeration(number) if named == tag::PADDING_METHOD => {
                self.paddings.insert(PaddingMethod::from_number(*number));
            }
            Value::Boolean(true) if named == tag::RANDOM_IV => self.random_iv = true,
            Value::Structure(nodes) => {
                let attribute = attribute_name(node).and_then(|name| Kmip.attribute_tag(name));
                for child in nodes {
                    let own = child.tag;
                    let named = if own == tag::ATTRIBUTE_VALUE { attribute.unwrap_or(own) } else { own };
                    self.asked(child, named);
                }
            }
            _ => {}
        }
    }
}
