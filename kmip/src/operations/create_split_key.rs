//! Create Split Key: a key in parts, of which so many make it again (KMIP 1.4 section 4.38).

use ttlv::{Error, Reader, Writer};

use super::{Payload, optional_id, optional_template, write_id, write_template};
use crate::enumeration::{ObjectType, SplitKeyMethod};
use crate::{ProtocolVersion, TemplateAttribute, tag};

/// KMIP 1.4 table 247.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is made: Split Keys.
    pub object_type: ObjectType,
    /// The key that is split; a new one where absent.
    pub unique_identifier: Option<String>,
    /// How many parts.
    pub split_key_parts: i32,
    /// How many of them make the key.
    pub split_key_threshold: i32,
    /// How.
    pub split_key_method: SplitKeyMethod,
    /// Big-endian; with Polynomial Sharing Prime Field, the server's choice where absent.
    pub prime_field_size: Option<Vec<u8>>,
    /// The attributes that each part is to have.
    pub template_attribute: Option<TemplateAttribute>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            object_type: ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?),
            unique_identifier: optional_id(reader)?,
            split_key_parts: reader.required(tag::SPLIT_KEY_PARTS)?.integer()?,
            split_key_threshold: reader.required(tag::SPLIT_KEY_THRESHOLD)?.integer()?,
            split_key_method: SplitKeyMethod::from_number(
                reader.required(tag::SPLIT_KEY_METHOD)?.enumeration()?,
            ),
            prime_field_size: reader
                .optional(tag::PRIME_FIELD_SIZE)?
                .map(|item| item.big_integer().map(<[u8]>::to_vec))
                .transpose()?,
            template_attribute: optional_template(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.enumeration(tag::OBJECT_TYPE, self.object_type.number());
        write_id(writer, self.unique_identifier.as_deref());
        writer.integer(tag::SPLIT_KEY_PARTS, self.split_key_parts);
        writer.integer(tag::SPLIT_KEY_THRESHOLD, self.split_key_threshold);
        writer.enumeration(tag::SPLIT_KEY_METHOD, self.split_key_method.number());
        if let Some(size) = &self.prime_field_size {
            writer.big_integer(tag::PRIME_FIELD_SIZE, size);
        }
        write_template(writer, self.template_attribute.as_ref(), version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

/// KMIP 1.4 table 248.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The parts, in the order of their Key Part Identifiers.
    pub unique_identifiers: Vec<String>,
    /// Attributes that the server set of its own accord.
    pub template_attribute: Option<TemplateAttribute>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let mut unique_identifiers = Vec::new();
        while let Some(id) = optional_id(reader)? {
            unique_identifiers.push(id);
        }
        let template_attribute = optional_template(reader)?;
        Ok(Self { unique_identifiers, template_attribute })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        self.unique_identifiers.iter().for_each(|id| write_id(writer, Some(id)));
        write_template(writer, self.template_attribute.as_ref(), version);
    }

    /// The first part, which the ID Placeholder stands for.
    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifiers.first().map(String::as_str)
    }
}
