//! One request of a cryptographic operation whose data comes in several (KMIP 1.4 sections 2.1.15 to 2.1.17 and 4: "multi-part
//! cryptographic operations").

use ttlv::{Error, Reader, Writer};

use crate::absent::{optional_boolean, optional_bytes};
use crate::{ProtocolVersion, tag};

/// Which part of which operation this is. Whole where all are absent; since 1.3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The operation, as the answer to its first part named it.
    pub correlation_value: Option<Vec<u8>>,
    /// Whether it is the first.
    pub init_indicator: Option<bool>,
    /// Whether it is the last.
    pub final_indicator: Option<bool>,
}

impl Part {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            correlation_value: optional_bytes(reader, tag::CORRELATION_VALUE)?,
            init_indicator: optional_boolean(reader, tag::INIT_INDICATOR)?,
            final_indicator: optional_boolean(reader, tag::FINAL_INDICATOR)?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        write_correlation_value(writer, self.correlation_value.as_deref(), version);
        if version < ProtocolVersion::V1_3 {
            return;
        }
        for (tag, indicator) in
            [(tag::INIT_INDICATOR, self.init_indicator), (tag::FINAL_INDICATOR, self.final_indicator)]
        {
            if let Some(indicator) = indicator {
                writer.boolean(tag, indicator);
            }
        }
    }

    /// Whether the data is whole: neither continued nor to be continued (KMIP 1.4 chapter 4).
    pub fn is_whole(&self) -> bool {
        self.correlation_value.is_none()
            && self.init_indicator.unwrap_or(false) == self.final_indicator.unwrap_or(false)
    }
}

pub(super) fn write_correlation_value(
    writer: &mut Writer<'_>,
    value: Option<&[u8]>,
    version: ProtocolVersion,
) {
    if let Some(value) = value.filter(|_| version >= ProtocolVersion::V1_3) {
        writer.byte_string(tag::CORRELATION_VALUE, value);
    }
}
