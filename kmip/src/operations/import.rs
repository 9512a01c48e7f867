//! Import: an object with its material and all of its attributes, as another server had it (KMIP 1.4 section 4.41).

use ttlv::{Error, Reader, Writer};

use super::alike::names_the_object;
use super::{Payload, read_object, required_id, write_id};
use crate::absent::optional_boolean;
use crate::enumeration::KeyWrapType;
use crate::{Attribute, ManagedObject, ProtocolVersion, tag};

/// KMIP 1.4 table 253.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the object was called, and is to be.
    pub unique_identifier: String,
    /// Whether it takes the place of one of that name.
    pub replace_existing: Option<bool>,
    /// Not Wrapped: it is unwrapped before it is kept.
    pub key_wrap_type: Option<KeyWrapType>,
    /// All that is known of it.
    pub attributes: Vec<Attribute>,
    /// The object; absent for one that was destroyed.
    pub object: Option<Box<ManagedObject>>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: required_id(reader)?,
            replace_existing: optional_boolean(reader, tag::REPLACE_EXISTING)?,
            key_wrap_type: reader
                .optional(tag::KEY_WRAP_TYPE)?
                .map(|item| item.enumeration().map(KeyWrapType::from_number))
                .transpose()?,
            attributes: Attribute::read_all(reader)?,
            object: read_object(reader)?.map(Box::new),
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, Some(&self.unique_identifier));
        if let Some(replace) = self.replace_existing {
            writer.boolean(tag::REPLACE_EXISTING, replace);
        }
        if let Some(wrap) = self.key_wrap_type {
            writer.enumeration(tag::KEY_WRAP_TYPE, wrap.number());
        }
        self.attributes.iter().for_each(|attribute| attribute.write(writer, version));
        if let Some(object) = &self.object {
            object.write(writer, version);
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}

names_the_object!("KMIP 1.4 table 254.", "What the object is called here.");
