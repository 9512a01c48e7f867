//! What all cryptographic operations have in common: the data that they are given, and what a check of them says.

use kmip::Secret;
use kmip::enumeration::{ResultReason, ValidityIndicator};
use kmip::operations::Part;

use crate::Refusal;

/// The data of a request whose data is whole.
pub(super) fn given(data: Option<&Secret>) -> Result<&[u8], Refusal> {
    data.map(Secret::danger_bytes).ok_or_else(|| Refusal::invalid_message("the Data are missing"))
}

/// Refuses data in parts.
pub(super) fn whole(part: &Part) -> Result<(), Refusal> {
    if part.is_whole() {
        return Ok(());
    }
    Err(Refusal::new(
        ResultReason::FeatureNotSupported,
        "this server takes data as a whole, not in parts yet; hint: leave Init and Final Indicator out",
    ))
}

/// What a check of a code or a signature says.
pub(super) fn indicator(valid: bool) -> ValidityIndicator {
    if valid { ValidityIndicator::Valid } else { ValidityIndicator::Invalid }
}
