//! Revoke (KMIP 1.4 sections 4.20 and 11.21): Active to Deactivated, or, with a compromise, any state to Compromised.

use kmip::attribute::RevocationReason;
use kmip::enumeration::{ObjectType, RevocationReasonCode};
use kmip::operations::revoke::{Request, Response};
use kmip::{Attribute, StandardAttribute};
use ttlv::Value;

use super::Call;
use crate::lifecycle::{Cause, transition};
use crate::{Event, Id, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    let (id, now) = (object.id, call.now());
    let cause = cause(&request.revocation_reason)?;
    if object.object_type == ObjectType::Template {
        return Err(Refusal::illegal_operation("a Template cannot be revoked"));
    }
    let compromised = cause == Cause::RevokeCompromised;
    if request.compromise_occurrence_date.is_some() && !compromised {
        return Err(Refusal::invalid_field(
            "a Compromise Occurrence Date goes with key or CA compromise only",
        ));
    }
    // An Opaque Object has no State (KMIP 1.4 section 3.22), but keeps the reason and the dates.
    if object.object_type != ObjectType::OpaqueObject {
        let current = object.state_at(now);
        let Some(state) = transition(current, cause) else {
            return Err(Refusal::illegal_operation(format!(
                "the object is {current}, which cannot be revoked for this reason"
            )));
        };
        call.draft(Event::StateChanged { id, at: now, state });
        if !compromised {
            set(call, id, StandardAttribute::DeactivationDate, Value::DateTime(now));
        }
    }
    if compromised {
        let occurrence = request.compromise_occurrence_date.unwrap_or(object.initial_date);
        set(call, id, StandardAttribute::CompromiseDate, Value::DateTime(now));
        set(call, id, StandardAttribute::CompromiseOccurrenceDate, Value::DateTime(occurrence));
    }
    set(call, id, StandardAttribute::RevocationReason, request.revocation_reason.to_value());
    Ok(Response { unique_identifier: id.to_string() })
}

fn cause(reason: &RevocationReason) -> Result<Cause, Refusal> {
    match reason.code {
        RevocationReasonCode::KeyCompromise | RevocationReasonCode::CaCompromise => {
            Ok(Cause::RevokeCompromised)
        }
        RevocationReasonCode::Unspecified
        | RevocationReasonCode::AffiliationChanged
        | RevocationReasonCode::Superseded
        | RevocationReasonCode::CessationOfOperation
        | RevocationReasonCode::PrivilegeWithdrawn => Ok(Cause::Revoke),
        RevocationReasonCode::Unknown(number) => {
            Err(Refusal::invalid_field(format!("Revocation Reason Code 0x{number:08x} is unknown")))
        }
    }
}

fn set(call: &mut Call<'_, '_, '_>, id: Id, attribute: StandardAttribute, value: Value) {
    let attribute = Attribute { name: attribute.into(), index: Some(0), value };
    call.draft(Event::AttributeSet { id, at: call.now(), attribute });
}
