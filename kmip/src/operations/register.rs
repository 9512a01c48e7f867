//! Register: an object that the client made (KMIP 1.4 section 4.3).

use ttlv::{Error, Reader, Writer};

use super::alike::names_a_new_object;
use super::{Payload, read_object};
use crate::enumeration::ObjectType;
use crate::{ManagedObject, ProtocolVersion, TemplateAttribute, tag};

/// KMIP 1.4 table 169.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the object says it is.
    pub object_type: ObjectType,
    /// The attributes it is to have.
    pub template_attribute: TemplateAttribute,
    /// The object. Absent, which no version allows, is told apart from malformed by its own error.
    pub object: Option<Box<ManagedObject>>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            object_type: ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?),
            template_attribute: TemplateAttribute::read(&reader.required(tag::TEMPLATE_ATTRIBUTE)?)?,
            object: read_object(reader)?.map(Box::new),
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.enumeration(tag::OBJECT_TYPE, self.object_type.number());
        self.template_attribute.write(tag::TEMPLATE_ATTRIBUTE, writer, version);
        if let Some(object) = &self.object {
            object.write(writer, version);
        }
    }
}

names_a_new_object!("KMIP 1.4 table 170.", "The new object.");
