//! What a vendor adds to a batch item (KMIP 1.4 section 6.16).

use ttlv::{Error, Item, Node, Writer};

use crate::tag;

/// An addition that the receiver may ignore, unless it is critical.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub struct MessageExtension {
    pub vendor_identification: String,
    pub criticality_indicator: bool,
    pub vendor_extension: Node,
}

impl MessageExtension {
    /// Reads a Message Extension structure.
    pub fn read(item: &Item<'_>) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let extension = Self {
            vendor_identification: reader.required(tag::VENDOR_IDENTIFICATION)?.text_string()?.to_owned(),
            criticality_indicator: reader.required(tag::CRITICALITY_INDICATOR)?.boolean()?,
            vendor_extension: Node::read(&reader.required(tag::VENDOR_EXTENSION)?)?,
        };
        reader.finish()?;
        Ok(extension)
    }

    /// Appends a Message Extension structure.
    pub fn write(&self, writer: &mut Writer<'_>) {
        writer.structure(tag::MESSAGE_EXTENSION, |writer| {
            writer.text_string(tag::VENDOR_IDENTIFICATION, &self.vendor_identification);
            writer.boolean(tag::CRITICALITY_INDICATOR, self.criticality_indicator);
            self.vendor_extension.write(writer);
        });
    }
}
