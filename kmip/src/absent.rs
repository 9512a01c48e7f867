//! Fields that may be absent, read.

use ttlv::{Error, Reader, Tag};

use crate::Secret;

pub(crate) fn optional_text(reader: &mut Reader<'_>, tag: Tag) -> Result<Option<String>, Error> {
    reader.optional(tag)?.map(|item| item.text_string().map(str::to_owned)).transpose()
}

pub(crate) fn optional_boolean(reader: &mut Reader<'_>, tag: Tag) -> Result<Option<bool>, Error> {
    reader.optional(tag)?.map(|item| item.boolean()).transpose()
}

pub(crate) fn optional_bytes(reader: &mut Reader<'_>, tag: Tag) -> Result<Option<Vec<u8>>, Error> {
    reader.optional(tag)?.map(|item| item.byte_string().map(<[u8]>::to_vec)).transpose()
}

pub(crate) fn optional_secret(reader: &mut Reader<'_>, tag: Tag) -> Result<Option<Secret>, Error> {
    reader.optional(tag)?.map(|item| item.byte_string().map(Secret::from)).transpose()
}
