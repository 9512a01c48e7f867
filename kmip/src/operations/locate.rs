//! Locate: which objects have these attributes? (KMIP 1.4 section 4.9.)

use ttlv::{Error, Reader, Writer};

use super::Payload;
use crate::enumeration::ObjectGroupMember;
use crate::mask::StorageStatusMask;
use crate::{Attribute, ProtocolVersion, tag};

/// KMIP 1.4 table 190.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The most identifiers to answer with.
    pub maximum_items: Option<i32>,
    /// Matches to pass over first; since 1.3.
    pub offset_items: Option<i32>,
    /// On-line, archived or both; on-line where absent.
    pub storage_status_mask: Option<StorageStatusMask>,
    /// Fresh or default members of a group; since 1.1.
    pub object_group_member: Option<ObjectGroupMember>,
    /// All must match; any object does where there is none.
    pub attributes: Vec<Attribute>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            maximum_items: reader.optional(tag::MAXIMUM_ITEMS)?.map(|item| item.integer()).transpose()?,
            offset_items: reader.optional(tag::OFFSET_ITEMS)?.map(|item| item.integer()).transpose()?,
            storage_status_mask: reader
                .optional(tag::STORAGE_STATUS_MASK)?
                .map(|item| item.integer().map(StorageStatusMask::from_bits))
                .transpose()?,
            object_group_member: reader
                .optional(tag::OBJECT_GROUP_MEMBER)?
                .map(|item| item.enumeration().map(ObjectGroupMember::from_number))
                .transpose()?,
            attributes: read_filters(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        if let Some(count) = self.maximum_items {
            writer.integer(tag::MAXIMUM_ITEMS, count);
        }
        if let Some(count) = self.offset_items.filter(|_| version >= ProtocolVersion::V1_3) {
            writer.integer(tag::OFFSET_ITEMS, count);
        }
        if let Some(mask) = self.storage_status_mask {
            writer.integer(tag::STORAGE_STATUS_MASK, mask.bits());
        }
        if let Some(member) = self.object_group_member.filter(|_| version >= ProtocolVersion::V1_1) {
            writer.enumeration(tag::OBJECT_GROUP_MEMBER, member.number());
        }
        self.attributes.iter().for_each(|attribute| attribute.write(writer, version));
    }
}

// Departs from KMIP 1.4 4.9: attributes within a Template-Attribute are filters too. Clients of 1.x wrap them as all their
// other requests do, and refused they would find none of their keys. A template's name there stays an error: it is no
// filter, and passed over it would show more objects than were asked for.
fn read_filters(reader: &mut Reader<'_>) -> Result<Vec<Attribute>, Error> {
    let mut attributes = Attribute::read_all(reader)?;
    while let Some(wrapped) = reader.optional(tag::TEMPLATE_ATTRIBUTE)? {
        let mut inside = wrapped.structure()?;
        attributes.extend(Attribute::read_all(&mut inside)?);
        inside.finish()?;
    }
    Ok(attributes)
}

/// KMIP 1.4 table 191.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// How many match in all; since 1.3.
    pub located_items: Option<i32>,
    /// Those that match.
    pub unique_identifiers: Vec<String>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let located_items = reader.optional(tag::LOCATED_ITEMS)?.map(|item| item.integer()).transpose()?;
        let mut unique_identifiers = Vec::new();
        while let Some(item) = reader.optional(tag::UNIQUE_IDENTIFIER)? {
            unique_identifiers.push(item.text_string()?.to_owned());
        }
        Ok(Self { located_items, unique_identifiers })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        if let Some(count) = self.located_items.filter(|_| version >= ProtocolVersion::V1_3) {
            writer.integer(tag::LOCATED_ITEMS, count);
        }
        self.unique_identifiers.iter().for_each(|id| writer.text_string(tag::UNIQUE_IDENTIFIER, id));
    }

    fn unique_identifier(&self) -> Option<&str> {
        match self.unique_identifiers.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}
