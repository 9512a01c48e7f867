//! Discover Versions (KMIP 1.4 section 4.26). The first thing that vCenter says on every connection.

use kmip::ProtocolVersion;
use kmip::operations::discover_versions::{Request, Response};

use super::Call;
use crate::Refusal;

pub(super) fn carry_out(request: &Request, _: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let asked = &request.protocol_versions;
    let protocol_versions = ProtocolVersion::ALL
        .iter()
        .copied()
        .filter(|version| asked.is_empty() || asked.contains(version))
        .collect();
    Ok(Response { protocol_versions })
}
