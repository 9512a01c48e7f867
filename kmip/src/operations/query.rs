//! Query: what can the server do? (KMIP 1.4 section 4.25.)

use ttlv::{Error, Item, Reader, Tag, Value, Writer};

use super::Payload;
use crate::attribute::gate;
use crate::enumeration::{AttestationType, ClientRegistrationMethod, ObjectType, Operation, QueryFunction};
use crate::{ProtocolVersion, tag};

/// KMIP 1.4 table 222.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// What is asked.
    pub query_functions: Vec<QueryFunction>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            query_functions: all(reader, tag::QUERY_FUNCTION, |item| {
                item.enumeration().map(QueryFunction::from_number)
            })?,
        })
    }

    /// Writes all that is asked: a question less would be another question.
    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        for function in &self.query_functions {
            writer.enumeration(tag::QUERY_FUNCTION, function.number());
        }
    }
}

/// KMIP 1.4 table 223: empty where nothing can be said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// Operations.
    pub operations: Vec<Operation>,
    /// Types of managed objects.
    pub object_types: Vec<ObjectType>,
    /// Whose server it is.
    pub vendor_identification: Option<String>,
    /// What the vendor wants to say.
    pub server_information: Option<Value>,
    /// Namespaces for which the server makes up data.
    pub application_namespaces: Vec<String>,
    /// Extensions; since 1.1.
    pub extension_information: Vec<Value>,
    /// Kinds of attestation; since 1.2.
    pub attestation_types: Vec<AttestationType>,
    /// Random number generators; since 1.3.
    pub rng_parameters: Vec<Value>,
    /// Profiles; since 1.3.
    pub profile_information: Vec<Value>,
    /// Formal validations; since 1.3.
    pub validation_information: Vec<Value>,
    /// Capabilities; since 1.3.
    pub capability_information: Vec<Value>,
    /// How clients come to be known; since 1.3.
    pub client_registration_methods: Vec<ClientRegistrationMethod>,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            operations: all(reader, tag::OPERATION, |item| item.enumeration().map(Operation::from_number))?,
            object_types: all(reader, tag::OBJECT_TYPE, |item| {
                item.enumeration().map(ObjectType::from_number)
            })?,
            vendor_identification: reader
                .optional(tag::VENDOR_IDENTIFICATION)?
                .map(|item| item.text_string().map(str::to_owned))
                .transpose()?,
            server_information: reader
                .optional(tag::SERVER_INFORMATION)?
                .map(|item| Value::read(&item))
                .transpose()?,
            application_namespaces: all(reader, tag::APPLICATION_NAMESPACE, |item| {
                item.text_string().map(str::to_owned)
            })?,
            extension_information: all(reader, tag::EXTENSION_INFORMATION, |item| Value::read(&item))?,
            attestation_types: all(reader, tag::ATTESTATION_TYPE, |item| {
                item.enumeration().map(AttestationType::from_number)
            })?,
            rng_parameters: all(reader, tag::RNG_PARAMETERS, |item| Value::read(&item))?,
            profile_information: all(reader, tag::PROFILE_INFORMATION, |item| Value::read(&item))?,
            validation_information: all(reader, tag::VALIDATION_INFORMATION, |item| Value::read(&item))?,
            capability_information: all(reader, tag::CAPABILITY_INFORMATION, |item| Value::read(&item))?,
            client_registration_methods: all(reader, tag::CLIENT_REGISTRATION_METHOD, |item| {
                item.enumeration().map(ClientRegistrationMethod::from_number)
            })?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        for operation in self.operations.iter().filter(|operation| operation.introduced() <= version) {
            writer.enumeration(tag::OPERATION, operation.number());
        }
        for object_type in self.object_types.iter().filter(|object_type| object_type.introduced() <= version)
        {
            writer.enumeration(tag::OBJECT_TYPE, object_type.number());
        }
        if let Some(text) = &self.vendor_identification {
            writer.text_string(tag::VENDOR_IDENTIFICATION, text);
        }
        if let Some(value) = &self.server_information {
            gate::write(value, tag::SERVER_INFORMATION, tag::SERVER_INFORMATION, writer, version);
        }
        self.application_namespaces
            .iter()
            .for_each(|text| writer.text_string(tag::APPLICATION_NAMESPACE, text));
        if version < ProtocolVersion::V1_1 {
            return;
        }
        gate::write_all(&self.extension_information, tag::EXTENSION_INFORMATION, writer, version);
        if version < ProtocolVersion::V1_2 {
            return;
        }
        for value in self.attestation_types.iter().filter(|value| value.introduced() <= version) {
            writer.enumeration(tag::ATTESTATION_TYPE, value.number());
        }
        if version < ProtocolVersion::V1_3 {
            return;
        }
        gate::write_all(&self.rng_parameters, tag::RNG_PARAMETERS, writer, version);
        gate::write_all(&self.profile_information, tag::PROFILE_INFORMATION, writer, version);
        gate::write_all(&self.validation_information, tag::VALIDATION_INFORMATION, writer, version);
        gate::write_all(&self.capability_information, tag::CAPABILITY_INFORMATION, writer, version);
        for value in self.client_registration_methods.iter().filter(|value| value.introduced() <= version) {
            writer.enumeration(tag::CLIENT_REGISTRATION_METHOD, value.number());
        }
    }
}

fn all<'a, T>(
    reader: &mut Reader<'a>,
    tag: Tag,
    read: impl Fn(Item<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut values = Vec::new();
    while let Some(item) = reader.optional(tag)? {
        values.push(read(item)?);
    }
    Ok(values)
}
