//! Export: an object with its material and all of its attributes (KMIP 1.4 section 4.40).

use ttlv::{Error, Reader, Writer};

use super::{Payload, get, read_object, required_id, write_id};
use crate::enumeration::ObjectType;
use crate::{Attribute, ManagedObject, ProtocolVersion, tag};

/// KMIP 1.4 table 251, whose fields are those of Get.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The object, and in which form: as Get has it.
    pub get: get::Request,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, version: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self { get: get::Request::read(reader, version)? })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        self.get.write(writer, version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.get.unique_identifier()
    }
}

/// KMIP 1.4 table 252.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// What it is.
    pub object_type: ObjectType,
    /// The object.
    pub unique_identifier: String,
    /// All that is known of it.
    pub attributes: Vec<Attribute>,
    /// The object itself; absent where it was destroyed.
    pub object: Option<Box<ManagedObject>>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            object_type: ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?),
            unique_identifier: required_id(reader)?,
            attributes: Attribute::read_all(reader)?,
            object: read_object(reader)?.map(Box::new),
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.enumeration(tag::OBJECT_TYPE, self.object_type.number());
        write_id(writer, Some(&self.unique_identifier));
        self.attributes.iter().for_each(|attribute| attribute.write(writer, version));
        if let Some(object) = &self.object {
            object.write(writer, version);
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        Some(&self.unique_identifier)
    }
}
