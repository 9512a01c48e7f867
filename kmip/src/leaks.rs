//! What of an encoded message its version does not know: for tests, and for clients that are as strict as the
//! strictest. Walks the items alone and shares nothing with the code that writes them but the tables.

use std::fmt;

use ttlv::{Node, Value};

use crate::enumeration::{self, Enumeration};
use crate::{AttributeName, ProtocolVersion, Tag, tag};

/// One thing that came too early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The names from the message down to the thing, with slashes between.
    pub path: String,
    /// What it is.
    pub what: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// Fields whose tag is older than their place: parent, field, the version that put it there.
#[rustfmt::skip]
const FIELDS: &[(Tag, Tag, ProtocolVersion)] = &[
    (tag::DIGEST,                   tag::KEY_FORMAT_TYPE,             ProtocolVersion::V1_1),
    (tag::CRYPTOGRAPHIC_PARAMETERS, tag::CRYPTOGRAPHIC_ALGORITHM,     ProtocolVersion::V1_2),
    (tag::CRYPTOGRAPHIC_PARAMETERS, tag::DIGITAL_SIGNATURE_ALGORITHM, ProtocolVersion::V1_2),
];

/// Everything in `node` that a peer of `version` has no table for: tags, attributes, values of enumerations, and
/// fields. Extensions are allowed anywhere. The Operation that a batch item echoes is the client's own word, and the
/// answer to Discover Versions names later versions by intent.
pub fn leaks(node: &Node, version: ProtocolVersion) -> Vec<Leak> {
    let mut walk = Walk { version, path: Vec::new(), found: Vec::new() };
    walk.node(node, node.tag, None);
    walk.found
}

/// When the field `child` came to stand in `parent`; `None` where that is as old as the tag.
pub(crate) fn field_introduced(parent: Tag, child: Tag) -> Option<ProtocolVersion> {
    FIELDS.iter().find(|(p, c, _)| (*p, *c) == (parent, child)).map(|&(_, _, version)| version)
}

struct Walk {
    version: ProtocolVersion,
    path: Vec<String>,
    found: Vec<Leak>,
}

impl Walk {
    fn leak(&mut self, what: String) {
        self.found.push(Leak { path: self.path.join("/"), what });
    }

    /// `means` is the tag whose table the value goes by: the attribute's own for an Attribute Value.
    fn node(&mut self, node: &Node, means: Tag, parent: Option<Tag>) {
        self.path.push(tag::name(node.tag).map_or_else(|| node.tag.to_string(), str::to_owned));
        match tag::introduced(node.tag) {
            Some(since) if since > self.version => self.leak(format!("a tag of {since}")),
            None if node.tag.number() >> 16 != 0x54 => self.leak("a tag of no version".to_owned()),
            _ => {}
        }
        let placed = parent.and_then(|parent| field_introduced(parent, node.tag));
        if let Some(since) = placed.filter(|since| *since > self.version) {
            self.leak(format!("a field that came here with {since}"));
        }
        match &node.value {
            Value::Enumeration(number) => {
                let echo = node.tag == tag::OPERATION && parent == Some(tag::BATCH_ITEM);
                if let Some(table) = enumeration::of(means).filter(|_| !echo) {
                    self.enumeration(table, *number);
                }
            }
            Value::TextString(name)
                if node.tag == tag::ATTRIBUTE_NAME && !AttributeName::new(name).known_in(self.version) =>
            {
                self.leak(format!("the attribute {name}"));
            }
            Value::Structure(children) => {
                let attribute = attribute_tag(children);
                for child in children {
                    let value = child.tag == tag::ATTRIBUTE_VALUE;
                    self.node(child, attribute.filter(|_| value).unwrap_or(child.tag), Some(means));
                }
            }
            _ => {}
        }
        self.path.pop();
    }

    fn enumeration(&mut self, table: &Enumeration, number: u32) {
        match (table.introduced)(number) {
            Some(since) if since > self.version => {
                let name = (table.name_of)(number).unwrap_or_default();
                self.leak(format!("the value {name} of {since}"));
            }
            None if number >> 31 == 0 => self.leak(format!("the value 0x{number:08x} of no version")),
            _ => {}
        }
    }
}

/// The tag that the value of the attribute named among `fields` goes by.
fn attribute_tag(fields: &[Node]) -> Option<Tag> {
    let name = fields.iter().find(|field| field.tag == tag::ATTRIBUTE_NAME)?;
    match &name.value {
        Value::TextString(name) => AttributeName::new(name).rule().map(|rule| rule.tag),
        _ => None,
    }
}
