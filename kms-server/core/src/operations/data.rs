//! What all cryptographic operations have in common: the data that they are given, and what a check of them says.

use kmip::Secret;
use kmip::enumeration::ValidityIndicator;

use crate::Refusal;

/// The data of a request whose data is whole.
pub(super) fn given(data: Option<&Secret>) -> Result<&[u8], Refusal> {
    data.map(Secret::danger_bytes).ok_or_else(|| Refusal::invalid_message("the Data are missing"))
}

/// What a part has made, if anything.
pub(super) fn made(bytes: &[u8]) -> Option<Secret> {
    (!bytes.is_empty()).then(|| Secret::from(bytes))
}

/// What a check of a code or a signature says.
pub(super) fn indicator(valid: bool) -> ValidityIndicator {
    if valid { ValidityIndicator::Valid } else { ValidityIndicator::Invalid }
}
