//! Join Split Key: a key from its parts (KMIP 1.4 section 4.39).

use ttlv::{Error, Reader, Writer};

use super::alike::names_a_new_object;
use super::{Payload, optional_id, optional_template, required_id, write_id, write_template};
use crate::enumeration::{ObjectType, SecretDataType};
use crate::{ProtocolVersion, TemplateAttribute, tag};

/// KMIP 1.4 table 249.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is made of the parts.
    pub object_type: ObjectType,
    /// The parts.
    pub unique_identifiers: Vec<String>,
    /// With Secret Data.
    pub secret_data_type: Option<SecretDataType>,
    /// The attributes that the object is to have.
    pub template_attribute: Option<TemplateAttribute>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let object_type = ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?);
        let mut unique_identifiers = vec![required_id(reader)?];
        while let Some(id) = optional_id(reader)? {
            unique_identifiers.push(id);
        }
        Ok(Self {
            object_type,
            unique_identifiers,
            secret_data_type: reader
                .optional(tag::SECRET_DATA_TYPE)?
                .map(|item| item.enumeration().map(SecretDataType::from_number))
                .transpose()?,
            template_attribute: optional_template(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.enumeration(tag::OBJECT_TYPE, self.object_type.number());
        self.unique_identifiers.iter().for_each(|id| write_id(writer, Some(id)));
        if let Some(secret_data_type) = self.secret_data_type {
            writer.enumeration(tag::SECRET_DATA_TYPE, secret_data_type.number());
        }
        write_template(writer, self.template_attribute.as_ref(), version);
    }

    /// The first part.
    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifiers.first().map(String::as_str)
    }
}

names_a_new_object!("KMIP 1.4 table 250.", "The object made of the parts.");
