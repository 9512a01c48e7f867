//! The inside of attribute values that are structures: read from a [`Value`], and made into one.
//!
//! Reading gives `None` where the value is not of the attribute's form; fields that this version of the house does
//! not know are no fault, as the value itself is kept beside.

use ttlv::{Node, Tag, Value};

use crate::enumeration::{
    AlternativeNameType, HashingAlgorithm, KeyFormatType, LinkType, NameType, RevocationReasonCode,
    UsageLimitsUnit,
};
use crate::tag;

/// One field of a structure, if it is there.
fn field(value: &Value, tag: Tag) -> Option<&Value> {
    value.children().iter().find(|node| node.tag == tag).map(|node| &node.value)
}

fn text(value: &Value, tag: Tag) -> Option<String> {
    match field(value, tag)? {
        Value::TextString(text) => Some(text.clone()),
        _ => None,
    }
}

fn number(value: &Value, tag: Tag) -> Option<u32> {
    match field(value, tag)? {
        Value::Enumeration(number) => Some(*number),
        _ => None,
    }
}

fn long(value: &Value, tag: Tag) -> Option<i64> {
    match field(value, tag)? {
        Value::LongInteger(number) => Some(*number),
        _ => None,
    }
}

/// KMIP 1.4 section 3.2.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// The name.
    pub value: String,
    /// What kind of name it is.
    pub name_type: NameType,
}

impl Name {
    /// A name that is just text.
    pub fn text(value: impl Into<String>) -> Self {
        Self { value: value.into(), name_type: NameType::UninterpretedTextString }
    }

    /// Reads the attribute's value.
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(Self {
            value: text(value, tag::NAME_VALUE)?,
            name_type: NameType::from_number(number(value, tag::NAME_TYPE)?),
        })
    }

    /// The attribute's value.
    pub fn to_value(&self) -> Value {
        Value::Structure(vec![
            Node::new(tag::NAME_VALUE, Value::TextString(self.value.clone())),
            Node::new(tag::NAME_TYPE, Value::Enumeration(self.name_type.number())),
        ])
    }
}

/// KMIP 1.4 section 3.17.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// How it was made.
    pub hashing_algorithm: HashingAlgorithm,
    /// The digest.
    pub value: Vec<u8>,
    /// The form of the key that was hashed (since 1.1).
    pub key_format_type: Option<KeyFormatType>,
}

impl Digest {
    /// Reads the attribute's value.
    pub fn from_value(value: &Value) -> Option<Self> {
        let Value::ByteString(digest) = field(value, tag::DIGEST_VALUE)? else { return None };
        Some(Self {
            hashing_algorithm: HashingAlgorithm::from_number(number(value, tag::HASHING_ALGORITHM)?),
            value: digest.clone(),
            key_format_type: number(value, tag::KEY_FORMAT_TYPE).map(KeyFormatType::from_number),
        })
    }

    /// The attribute's value.
    pub fn to_value(&self) -> Value {
        let mut nodes = vec![
            Node::new(tag::HASHING_ALGORITHM, Value::Enumeration(self.hashing_algorithm.number())),
            Node::new(tag::DIGEST_VALUE, Value::ByteString(self.value.clone())),
        ];
        if let Some(format) = self.key_format_type {
            nodes.push(Node::new(tag::KEY_FORMAT_TYPE, Value::Enumeration(format.number())));
        }
        Value::Structure(nodes)
    }
}

/// KMIP 1.4 section 3.31.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationReason {
    /// Why.
    pub code: RevocationReasonCode,
    /// In words, for people.
    pub message: Option<String>,
}

impl RevocationReason {
    /// Reads the attribute's value.
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(Self {
            code: RevocationReasonCode::from_number(number(value, tag::REVOCATION_REASON_CODE)?),
            message: text(value, tag::REVOCATION_MESSAGE),
        })
    }

    /// The attribute's value.
    pub fn to_value(&self) -> Value {
        let mut nodes = vec![Node::new(tag::REVOCATION_REASON_CODE, Value::Enumeration(self.code.number()))];
        if let Some(message) = &self.message {
            nodes.push(Node::new(tag::REVOCATION_MESSAGE, Value::TextString(message.clone())));
        }
        Value::Structure(nodes)
    }
}

/// KMIP 1.4 section 3.35.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What the other object is to this one.
    pub link_type: LinkType,
    /// The other object's Unique Identifier.
    pub linked_object_identifier: String,
}

impl Link {
    /// Reads the attribute's value.
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(Self {
            link_type: LinkType::from_number(number(value, tag::LINK_TYPE)?),
            linked_object_identifier: text(value, tag::LINKED_OBJECT_IDENTIFIER)?,
        })
    }

    /// The attribute's value.
    pub fn to_value(&self) -> Value {
        Value::Structure(vec![
            Node::new(tag::LINK_TYPE, Value::Enumeration(self.link_type.number())),
            Node::new(
                tag::LINKED_OBJECT_IDENTIFIER,
                Value::TextString(self.linked_object_identifier.clone()),
            ),
        ])
    }
}

/// KMIP 1.4 section 3.36.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationSpecificInformation {
    /// Whose data it is.
    pub namespace: String,
    /// The data; a server may make it up where the client leaves it out (since 1.3 optional).
    pub data: Option<String>,
}

impl ApplicationSpecificInformation {
    /// Reads the attribute's value.
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(Self {
            namespace: text(value, tag::APPLICATION_NAMESPACE)?,
            data: text(value, tag::APPLICATION_DATA),
        })
    }

    /// The attribute's value.
    pub fn to_value(&self) -> Value {
        let mut nodes =
            vec![Node::new(tag::APPLICATION_NAMESPACE, Value::TextString(self.namespace.clone()))];
        if let Some(data) = &self.data {
            nodes.push(Node::new(tag::APPLICATION_DATA, Value::TextString(data.clone())));
        }
        Value::Structure(nodes)
    }
}

/// KMIP 1.4 section 3.40.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlternativeName {
    /// The name.
    pub value: String,
    /// What kind of name it is.
    pub name_type: AlternativeNameType,
}

impl AlternativeName {
    /// Reads the attribute's value.
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(Self {
            value: text(value, tag::ALTERNATIVE_NAME_VALUE)?,
            name_type: AlternativeNameType::from_number(number(value, tag::ALTERNATIVE_NAME_TYPE)?),
        })
    }
}

/// KMIP 1.4 section 3.21.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageLimits {
    /// The whole allowance, in units.
    pub total: i64,
    /// What is left of it; set by the server.
    pub count: Option<i64>,
    /// Bytes or objects.
    pub unit: UsageLimitsUnit,
}

impl UsageLimits {
    /// Reads the attribute's value.
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(Self {
            total: long(value, tag::USAGE_LIMITS_TOTAL)?,
            count: long(value, tag::USAGE_LIMITS_COUNT),
            unit: UsageLimitsUnit::from_number(number(value, tag::USAGE_LIMITS_UNIT)?),
        })
    }

    /// The attribute's value.
    pub fn to_value(&self) -> Value {
        let mut nodes = vec![Node::new(tag::USAGE_LIMITS_TOTAL, Value::LongInteger(self.total))];
        if let Some(count) = self.count {
            nodes.push(Node::new(tag::USAGE_LIMITS_COUNT, Value::LongInteger(count)));
        }
        nodes.push(Node::new(tag::USAGE_LIMITS_UNIT, Value::Enumeration(self.unit.number())));
        Value::Structure(nodes)
    }
}
