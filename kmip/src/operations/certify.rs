//! Certify: a certificate for a public key (KMIP 1.4 section 4.7).

use ttlv::{Error, Reader, Writer};

use super::alike::names_a_new_object;
use super::{Payload, optional_id, optional_template, write_id, write_template};
use crate::absent::optional_bytes;
use crate::enumeration::CertificateRequestType;
use crate::{ProtocolVersion, TemplateAttribute, tag};

/// KMIP 1.4 table 184.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The public key; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// What the Certificate Request is.
    pub certificate_request_type: Option<CertificateRequestType>,
    /// A request that its maker signed.
    pub certificate_request: Option<Vec<u8>>,
    /// Attributes that the certificate is to have.
    pub template_attribute: Option<TemplateAttribute>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            certificate_request_type: read_type(reader)?,
            certificate_request: optional_bytes(reader, tag::CERTIFICATE_REQUEST)?,
            template_attribute: optional_template(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        write_request(writer, self.certificate_request_type, self.certificate_request.as_deref());
        write_template(writer, self.template_attribute.as_ref(), version);
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

names_a_new_object!("KMIP 1.4 table 185.", "The certificate.");

pub(super) fn read_type(reader: &mut Reader<'_>) -> Result<Option<CertificateRequestType>, Error> {
    let item = reader.optional(tag::CERTIFICATE_REQUEST_TYPE)?;
    item.map(|item| item.enumeration().map(CertificateRequestType::from_number)).transpose()
}

pub(super) fn write_request(
    writer: &mut Writer<'_>,
    request_type: Option<CertificateRequestType>,
    request: Option<&[u8]>,
) {
    if let Some(request_type) = request_type {
        writer.enumeration(tag::CERTIFICATE_REQUEST_TYPE, request_type.number());
    }
    if let Some(request) = request {
        writer.byte_string(tag::CERTIFICATE_REQUEST, request);
    }
}
