//! Obtain Lease (KMIP 1.4 sections 4.17 and 11.18): every key is lent for the same time, and a compromised one not at all.

use kmip::enumeration::{ObjectType, State};
use kmip::operations::obtain_lease::{Request, Response};

use super::Call;
use crate::Refusal;
use crate::objects::LEASE_TIME_S;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    if matches!(object.object_type, ObjectType::Template | ObjectType::OpaqueObject) {
        return Err(Refusal::permission_denied(format!("a {} is not lent", object.object_type)));
    }
    let state = object.state_at(call.now());
    match state {
        // What a Deactivated key protected is processed still.
        State::PreActive | State::Active | State::Deactivated => {}
        State::Compromised | State::Destroyed | State::DestroyedCompromised | State::Unknown(_) => {
            return Err(Refusal::permission_denied(format!("the object is {state}, it is not lent")));
        }
    }
    Ok(Response {
        unique_identifier: object.id.to_string(),
        lease_time: LEASE_TIME_S,
        last_change_date: object.last_change_date,
    })
}
