//! Check (KMIP 1.4 sections 4.10 and 11.11): may the object be used so?

use kmip::StandardAttribute;
use kmip::enumeration::ObjectType;
use kmip::mask::CryptographicUsageMask;
use kmip::operations::check::{Request, Response};

use super::Call;
use crate::objects::LEASE_TIME_S;
use crate::{Object, Refusal, usage_limits};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    if matches!(object.object_type, ObjectType::Template | ObjectType::OpaqueObject) {
        return Err(Refusal::illegal_operation(format!("a {} has no use to be checked", object.object_type)));
    }
    if let Some(denied) = denied(request, &object) {
        // "the server empties the ID Placeholder", so that a Get behind this in the batch does not run.
        *call.id_placeholder = None;
        let refusal = Refusal::permission_denied(format!(
            "the object may not be used so: {}",
            names(&denied).join(", ")
        ));
        return Err(Refusal { denied: Some(Box::new(denied)), ..refusal });
    }
    *call.id_placeholder = Some(object.id);
    Ok(Response { unique_identifier: Some(object.id.to_string()), ..Response::default() })
}

/// "The set of attributes specified in the request that caused the server policy denial"; `None` where there is none.
fn denied(request: &Request, object: &Object) -> Option<Response> {
    let left = usage_limits::of(object).as_ref().map(usage_limits::left);
    let allowed = object.integer(StandardAttribute::CryptographicUsageMask).unwrap_or(0);
    let allowed = CryptographicUsageMask::from_bits(allowed);
    let denied = Response {
        unique_identifier: None,
        usage_limits_count: request.usage_limits_count.filter(|count| left.is_some_and(|left| *count > left)),
        cryptographic_usage_mask: request.cryptographic_usage_mask.filter(|mask| !allowed.contains(*mask)),
        lease_time: request.lease_time.filter(|seconds| *seconds > LEASE_TIME_S),
    };
    (denied != Response::default()).then_some(denied)
}

fn names(denied: &Response) -> Vec<&'static str> {
    let mut names = Vec::new();
    if denied.usage_limits_count.is_some() {
        names.push("Usage Limits Count");
    }
    if denied.cryptographic_usage_mask.is_some() {
        names.push("Cryptographic Usage Mask");
    }
    if denied.lease_time.is_some() {
        names.push("Lease Time");
    }
    names
}
