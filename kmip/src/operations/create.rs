//! Create: a new symmetric key, made by the server (KMIP 1.4 section 4.1).

use ttlv::{Error, Reader, Writer};

use super::{Payload, optional_template, required_id, write_id, write_template};
use crate::enumeration::ObjectType;
use crate::{ProtocolVersion, TemplateAttribute, tag};

/// KMIP 1.4 table 163.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Symmetric Key is the only type that can be made.
    pub object_type: ObjectType,
    /// The attributes it is to have.
    pub template_attribute: TemplateAttribute,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            object_type: ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?),
            template_attribute: TemplateAttribute::read(&reader.required(tag::TEMPLATE_ATTRIBUTE)?)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.enumeration(tag::OBJECT_TYPE, self.object_type.number());
        self.template_attribute.write(tag::TEMPLATE_ATTRIBUTE, writer, version);
    }
}

/// KMIP 1.4 table 164.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// As asked.
    pub object_type: ObjectType,
    /// The new object.
    pub unique_identifier: String,
    /// Attributes that the server set of its own accord.
    pub template_attribute: Option<TemplateAttribute>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            object_type: ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?),
            unique_identifier: required_id(reader)?,
            template_attribute: optional_template(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.enumeration(tag::OBJECT_TYPE, self.object_type.number());
        write_id(writer, Some(&self.unique_identifier));
        write_template(writer, self.template_attribute.as_ref(), version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
