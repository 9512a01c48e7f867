//! Derive Key: a key or a secret, computed from others that the server keeps (KMIP 1.4 section 4.6).

use ttlv::{Error, Item, Reader, Value, Writer};

use super::alike::names_a_new_object;
use super::{Payload, optional_parameters, required_id, write_id, write_parameters};
use crate::absent::{optional_bytes, optional_secret};
use crate::enumeration::{DerivationMethod, ObjectType};
use crate::{ProtocolVersion, Secret, TemplateAttribute, tag};

/// KMIP 1.4 table 180.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Symmetric Key or Secret Data.
    pub object_type: ObjectType,
    /// What it is derived from: a key, and perhaps a secret that is the data.
    pub unique_identifiers: Vec<String>,
    /// How.
    pub derivation_method: DerivationMethod,
    /// What the method needs.
    pub derivation_parameters: DerivationParameters,
    /// The attributes it is to have.
    pub template_attribute: TemplateAttribute,
}

/// KMIP 1.4 tables 182 and 183.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DerivationParameters {
    /// The function and its mode; the key's own first Cryptographic Parameters where absent.
    pub cryptographic_parameters: Option<Value>,
    /// Empty where absent.
    pub initialization_vector: Option<Vec<u8>>,
    /// What is hashed or encrypted under the key.
    pub derivation_data: Option<Secret>,
    /// For PBKDF2.
    pub salt: Option<Vec<u8>>,
    /// For PBKDF2.
    pub iteration_count: Option<i32>,
}

impl DerivationParameters {
    fn read(item: &Item<'_>) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let parameters = Self {
            cryptographic_parameters: optional_parameters(&mut reader)?,
            initialization_vector: optional_bytes(&mut reader, tag::INITIALIZATION_VECTOR)?,
            derivation_data: optional_secret(&mut reader, tag::DERIVATION_DATA)?,
            salt: optional_bytes(&mut reader, tag::SALT)?,
            iteration_count: reader.optional(tag::ITERATION_COUNT)?.map(|item| item.integer()).transpose()?,
        };
        reader.finish()?;
        Ok(parameters)
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.structure(tag::DERIVATION_PARAMETERS, |writer| {
            write_parameters(writer, self.cryptographic_parameters.as_ref(), version);
            if let Some(bytes) = &self.initialization_vector {
                writer.byte_string(tag::INITIALIZATION_VECTOR, bytes);
            }
            if let Some(bytes) = &self.derivation_data {
                writer.byte_string(tag::DERIVATION_DATA, bytes.danger_bytes());
            }
            if let Some(bytes) = &self.salt {
                writer.byte_string(tag::SALT, bytes);
            }
            if let Some(count) = self.iteration_count {
                writer.integer(tag::ITERATION_COUNT, count);
            }
        });
    }
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let object_type = ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?);
        let mut unique_identifiers = vec![required_id(reader)?];
        while let Some(item) = reader.optional(tag::UNIQUE_IDENTIFIER)? {
            unique_identifiers.push(item.text_string()?.to_owned());
        }
        Ok(Self {
            object_type,
            unique_identifiers,
            derivation_method: DerivationMethod::from_number(
                reader.required(tag::DERIVATION_METHOD)?.enumeration()?,
            ),
            derivation_parameters: DerivationParameters::read(&reader.required(tag::DERIVATION_PARAMETERS)?)?,
            template_attribute: TemplateAttribute::read(&reader.required(tag::TEMPLATE_ATTRIBUTE)?)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.enumeration(tag::OBJECT_TYPE, self.object_type.number());
        self.unique_identifiers.iter().for_each(|id| write_id(writer, Some(id)));
        writer.enumeration(tag::DERIVATION_METHOD, self.derivation_method.number());
        self.derivation_parameters.write(writer, version);
        self.template_attribute.write(tag::TEMPLATE_ATTRIBUTE, writer, version);
    }

    /// The first of them.
    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifiers.first().map(String::as_str)
    }
}

names_a_new_object!("KMIP 1.4 table 181.", "The new object.");
