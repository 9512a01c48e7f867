//! What the operations that make a key pair have in common: attributes for both keys, and for each (KMIP 1.4 sections 4.2 and
//! 4.5).

use ttlv::{Error, Reader, Tag, Writer};

use crate::{ProtocolVersion, TemplateAttribute, tag};

/// The attributes that a new pair is to have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairTemplates {
    /// Those of both keys.
    pub common: Option<TemplateAttribute>,
    /// Those of the private key; they take precedence.
    pub private_key: Option<TemplateAttribute>,
    /// Those of the public key; they take precedence.
    pub public_key: Option<TemplateAttribute>,
}

/// A pair that was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewPair {
    /// The new private key.
    pub private_key_unique_identifier: String,
    /// The new public key.
    pub public_key_unique_identifier: String,
    /// Attributes of the private key that the server set of its own accord.
    pub private_key_template_attribute: Option<TemplateAttribute>,
    /// Attributes of the public key that the server set of its own accord.
    pub public_key_template_attribute: Option<TemplateAttribute>,
}

impl PairTemplates {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            common: template(reader, tag::COMMON_TEMPLATE_ATTRIBUTE)?,
            private_key: template(reader, tag::PRIVATE_KEY_TEMPLATE_ATTRIBUTE)?,
            public_key: template(reader, tag::PUBLIC_KEY_TEMPLATE_ATTRIBUTE)?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        for (tag, template) in [
            (tag::COMMON_TEMPLATE_ATTRIBUTE, &self.common),
            (tag::PRIVATE_KEY_TEMPLATE_ATTRIBUTE, &self.private_key),
            (tag::PUBLIC_KEY_TEMPLATE_ATTRIBUTE, &self.public_key),
        ] {
            if let Some(template) = template {
                template.write(tag, writer, version);
            }
        }
    }
}

impl NewPair {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let id = |reader: &mut Reader<'_>, tag| Ok(reader.required(tag)?.text_string()?.to_owned());
        Ok(Self {
            private_key_unique_identifier: id(reader, tag::PRIVATE_KEY_UNIQUE_IDENTIFIER)?,
            public_key_unique_identifier: id(reader, tag::PUBLIC_KEY_UNIQUE_IDENTIFIER)?,
            private_key_template_attribute: template(reader, tag::PRIVATE_KEY_TEMPLATE_ATTRIBUTE)?,
            public_key_template_attribute: template(reader, tag::PUBLIC_KEY_TEMPLATE_ATTRIBUTE)?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.text_string(tag::PRIVATE_KEY_UNIQUE_IDENTIFIER, &self.private_key_unique_identifier);
        writer.text_string(tag::PUBLIC_KEY_UNIQUE_IDENTIFIER, &self.public_key_unique_identifier);
        for (tag, template) in [
            (tag::PRIVATE_KEY_TEMPLATE_ATTRIBUTE, &self.private_key_template_attribute),
            (tag::PUBLIC_KEY_TEMPLATE_ATTRIBUTE, &self.public_key_template_attribute),
        ] {
            if let Some(template) = template {
                template.write(tag, writer, version);
            }
        }
    }
}

fn template(reader: &mut Reader<'_>, tag: Tag) -> Result<Option<TemplateAttribute>, Error> {
    reader.optional(tag)?.map(|item| TemplateAttribute::read(&item)).transpose()
}
