//! Check (KMIP 1.4 sections 4.10 and 11.11): may the object be used so?

use kmip::StandardAttribute;
use kmip::attribute::UsageLimits;
use kmip::enumeration::ObjectType;
use kmip::mask::CryptographicUsageMask;
use kmip::operations::check::{Request, Response};

use super::Call;
use crate::objects::LEASE_TIME_S;
use crate::{Object, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    if matches!(object.object_type, ObjectType::Template | ObjectType::OpaqueObject) {
        return Err(Refusal::illegal_operation(format!("a {} has no use to be checked", object.object_type)));
    }
    let against = objections(request, &object);
    if !against.is_empty() {
        // "the server empties the ID Placeholder", so that a Get behind this in the batch does not run.
        *call.id_placeholder = None;
        return Err(Refusal::permission_denied(format!(
            "the object may not be used so: {}",
            against.join(", ")
        )));
    }
    *call.id_placeholder = Some(object.id);
    Ok(Response { unique_identifier: Some(object.id.to_string()), ..Response::default() })
}

fn objections(request: &Request, object: &Object) -> Vec<&'static str> {
    let limits = object.first(StandardAttribute::UsageLimits).and_then(UsageLimits::from_value);
    let left = limits.map(|limits| limits.count.unwrap_or(limits.total));
    let allowed = object.integer(StandardAttribute::CryptographicUsageMask).unwrap_or(0);
    let allowed = CryptographicUsageMask::from_bits(allowed);
    let mut against = Vec::new();
    if request.usage_limits_count.is_some_and(|count| left.is_some_and(|left| count > left)) {
        against.push("Usage Limits Count");
    }
    if request.cryptographic_usage_mask.is_some_and(|mask| !allowed.contains(mask)) {
        against.push("Cryptographic Usage Mask");
    }
    if request.lease_time.is_some_and(|seconds| seconds > LEASE_TIME_S) {
        against.push("Lease Time");
    }
    against
}
