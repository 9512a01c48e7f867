//! Revoke: Active to Deactivated, or any state to Compromised (KMIP 1.4 section 4.20).

use ttlv::{Error, ErrorKind, Reader, Value, Writer};

use super::alike::names_the_object;
use super::{Payload, optional_id, write_id};
use crate::attribute::RevocationReason;
use crate::{ProtocolVersion, tag};

/// KMIP 1.4 table 214.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The object; the ID Placeholder where absent.
    pub unique_identifier: Option<String>,
    /// Why.
    pub revocation_reason: RevocationReason,
    /// Seconds since 1970; with key or CA compromise only.
    pub compromise_occurrence_date: Option<i64>,
}

impl Payload for Request {
    fn read(reader: &mut Reader<'_>, _: ProtocolVersion) -> Result<Self, Error> {
        Ok(Self {
            unique_identifier: optional_id(reader)?,
            revocation_reason: {
                let item = reader.required(tag::REVOCATION_REASON)?;
                let wrong = ErrorKind::WrongValue("a Revocation Reason has a Revocation Reason Code");
                RevocationReason::from_value(&Value::read(&item)?).ok_or_else(|| item.error(wrong))?
            },
            compromise_occurrence_date: reader
                .optional(tag::COMPROMISE_OCCURRENCE_DATE)?
                .map(|item| item.date_time())
                .transpose()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>, _: ProtocolVersion) {
        write_id(writer, self.unique_identifier.as_deref());
        self.revocation_reason.to_value().write(tag::REVOCATION_REASON, writer);
        if let Some(date) = self.compromise_occurrence_date {
            writer.date_time(tag::COMPROMISE_OCCURRENCE_DATE, date);
        }
    }

    fn unique_identifier(&self) -> Option<&str> {
        self.unique_identifier.as_deref()
    }
}

names_the_object!("KMIP 1.4 table 215.", "The object.");
