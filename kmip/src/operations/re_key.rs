//! Re-key: a new key in the place of an old one (KMIP 1.4 section 4.4).

use ttlv::{Error, Reader, Writer};

use super::alike::names_a_new_object;
use super::{Payload, optional_id, optional_template, write_id, write_template};
use crate::{ProtocolVersion, TemplateAttribute, tag};

/// KMIP 1.4 table 174.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The old key; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// Seconds from the new key's Initial Date to its Activation Date.
    pub offset: Option<u32>,
    /// Attributes that the new key is to have instead of the old one's.
    pub template_attribute: Option<TemplateAttribute>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            offset: reader.optional(tag::OFFSET)?.map(|item| item.interval()).transpose()?,
            template_attribute: optional_template(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        if let Some(seconds) = self.offset {
            writer.interval(tag::OFFSET, seconds);
        }
        write_template(writer, self.template_attribute.as_ref(), version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

names_a_new_object!("KMIP 1.4 table 175.", "The new key.");
