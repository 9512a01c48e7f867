//! Get Usage Allocation (KMIP 1.4 sections 4.18 and 11.19): a client that protects data itself takes units first.

use kmip::operations::get_usage_allocation::{Request, Response};

use super::Call;
use crate::{Refusal, usage, usage_limits};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    let units = request.usage_limits_count;
    if units < 0 {
        return Err(Refusal::invalid_field(format!("the Usage Limits Count is {units}, less than zero")));
    }
    usage::check_can_protect(&object)?;
    let Some(limits) = usage_limits::of(&object) else {
        return Err(Refusal::illegal_operation("the object has no Usage Limits, it is used without any"));
    };
    usage::check_protects_now(&object, call.now())?;
    call.allocate(&object, limits, units)?;
    Ok(Response { unique_identifier: object.id.to_string() })
}
