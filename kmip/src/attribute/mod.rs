//! Attributes: a name, an index among those of the same name, and a value (KMIP 1.4 section 2.1.1).

mod cryptographic_parameters;
pub(crate) mod gate;
mod rules;
mod structures;

use std::fmt;

use ttlv::{Error, ErrorKind, Item, Reader, Value, Writer};

use crate::{ProtocolVersion, tag};

pub use cryptographic_parameters::CryptographicParameters;
pub use rules::{AppliesTo, Modifiable, RULES, Rule, SetBy, StandardAttribute};
pub use structures::{
    AlternativeName, ApplicationSpecificInformation, Digest, Link, Name, RevocationReason, UsageLimits,
};

/// The name of an attribute.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttributeName {
    /// One that the specification defines.
    Standard(StandardAttribute),
    /// Any other: custom ones begin with `x-` (client's) or `y-` (server's); the rest is unknown, and kept.
    Other(Box<str>),
}

impl AttributeName {
    /// The name as it stands on the wire. Never fails: what is unknown is kept.
    pub fn new(name: &str) -> Self {
        match StandardAttribute::from_name(name) {
            Some(attribute) => Self::Standard(attribute),
            None => Self::Other(name.into()),
        }
    }

    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Standard(attribute) => attribute.name(),
            Self::Other(name) => name,
        }
    }

    /// The rules, where the specification defines the attribute.
    pub fn rule(&self) -> Option<&'static Rule> {
        match self {
            Self::Standard(attribute) => Some(attribute.rule()),
            Self::Other(_) => None,
        }
    }

    /// Whether this is a custom attribute (KMIP 1.4 section 3.39): `x-` of a client, `y-` of a server.
    pub fn is_custom(&self) -> bool {
        matches!(self, Self::Other(name) if name.starts_with("x-") || name.starts_with("y-"))
    }

    /// Whether a client of `version` may see the attribute.
    pub fn known_in(&self, version: ProtocolVersion) -> bool {
        self.rule().is_none_or(|rule| rule.introduced <= version)
    }
}

impl From<StandardAttribute> for AttributeName {
    fn from(attribute: StandardAttribute) -> Self {
        Self::Standard(attribute)
    }
}

impl fmt::Debug for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An attribute of a managed object. Its value is kept as it was sent, whatever its type, so that custom and unknown
/// attributes survive; [`structures`](self) read the values that have an inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: AttributeName,
    /// Which of several of that name, from 0. Absent means 0.
    pub index: Option<i32>,
    /// Its value.
    pub value: Value,
}

impl Attribute {
    /// An attribute with no index.
    pub fn new(name: impl Into<AttributeName>, value: Value) -> Self {
        Self { name: name.into(), index: None, value }
    }

    /// Reads an Attribute structure.
    pub fn read(item: &Item<'_>) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let name = AttributeName::new(reader.required(tag::ATTRIBUTE_NAME)?.text_string()?);
        let index = reader.optional(tag::ATTRIBUTE_INDEX)?.map(|item| item.integer()).transpose()?;
        let value = Value::read(&reader.required(tag::ATTRIBUTE_VALUE)?)?;
        reader.finish()?;
        Ok(Self { name, index, value })
    }

    /// Whether a client of `version` may see the attribute with the value that it has.
    pub fn known_in(&self, version: ProtocolVersion) -> bool {
        let means = self.name.rule().map_or(tag::ATTRIBUTE_VALUE, |rule| rule.tag);
        self.name.known_in(version) && gate::known(&self.value, means, version)
    }

    /// Appends an Attribute structure without the fields that `version` does not know; nothing where it does not know
    /// the attribute or its value.
    pub fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        if !self.known_in(version) {
            return;
        }
        let means = self.name.rule().map_or(tag::ATTRIBUTE_VALUE, |rule| rule.tag);
        writer.structure(tag::ATTRIBUTE, |writer| {
            writer.text_string(tag::ATTRIBUTE_NAME, self.name.as_str());
            if let Some(index) = self.index {
                writer.integer(tag::ATTRIBUTE_INDEX, index);
            }
            gate::write(&self.value, tag::ATTRIBUTE_VALUE, means, writer, version);
        });
    }

    /// Reads all Attribute structures that follow.
    pub fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, Error> {
        let mut attributes = Vec::new();
        while let Some(item) = reader.optional(tag::ATTRIBUTE)? {
            attributes.push(Self::read(&item)?);
        }
        Ok(attributes)
    }
}

/// The attributes that a new object is to have: named templates and attributes of its own (KMIP 1.4 section 2.1.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateAttribute {
    /// Templates, by name. Deprecated since 1.3.
    pub names: Vec<Name>,
    /// Attributes.
    pub attributes: Vec<Attribute>,
}

impl TemplateAttribute {
    /// Reads a Template-Attribute structure, whichever of its four tags it has.
    pub fn read(item: &Item<'_>) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let mut names = Vec::new();
        while let Some(item) = reader.optional(tag::NAME)? {
            let value = Value::read(&item)?;
            let wrong = ErrorKind::WrongValue("a Name has a Name Value and a Name Type");
            names.push(Name::from_value(&value).ok_or_else(|| item.error(wrong))?);
        }
        let attributes = Attribute::read_all(&mut reader)?;
        reader.finish()?;
        Ok(Self { names, attributes })
    }

    /// Appends the structure under `tag`.
    pub fn write(&self, tag: ttlv::Tag, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.structure(tag, |writer| {
            self.names.iter().for_each(|name| name.to_value().write(tag::NAME, writer));
            self.attributes.iter().for_each(|attribute| attribute.write(writer, version));
        });
    }

    /// Whether it names no template and holds no attribute.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.attributes.is_empty()
    }
}
