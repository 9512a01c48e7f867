//! Validate: whether certificates make a chain that holds (KMIP 1.4 section 4.24).

use ttlv::{Error, Reader, Writer};

use super::Payload;
use crate::enumeration::ValidityIndicator;
use crate::{ManagedObject, ProtocolVersion, tag};

/// KMIP 1.4 table 220.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Certificates that the request brings.
    pub certificates: Vec<ManagedObject>,
    /// Certificates that the server has.
    pub unique_identifiers: Vec<String>,
    /// Seconds since 1970 at which the chain has to hold; now where absent.
    pub validity_date: Option<i64>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let mut request = Self::default();
        while let Some(item) = reader.optional(tag::CERTIFICATE)? {
            request.certificates.push(ManagedObject::read(&item)?);
        }
        while let Some(item) = reader.optional(tag::UNIQUE_IDENTIFIER)? {
            request.unique_identifiers.push(item.text_string()?.to_owned());
        }
        request.validity_date =
            reader.optional(tag::VALIDITY_DATE)?.map(|item| item.date_time()).transpose()?;
        Ok(request)
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        for certificate in &self.certificates {
            certificate.write(writer, version);
        }
        for id in &self.unique_identifiers {
            writer.text_string(tag::UNIQUE_IDENTIFIER, id);
        }
        if let Some(seconds) = self.validity_date {
            writer.date_time(tag::VALIDITY_DATE, seconds);
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifiers.first().map(String::as_str)
    }
}

/// KMIP 1.4 table 221.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Whether the chain holds.
    pub validity_indicator: ValidityIndicator,
}

impl Payload for Response {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        let number = reader.required(tag::VALIDITY_INDICATOR)?.enumeration()?;
        Ok(Self { validity_indicator: ValidityIndicator::from_number(number) })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        writer.enumeration(tag::VALIDITY_INDICATOR, self.validity_indicator.number());
    }
}
