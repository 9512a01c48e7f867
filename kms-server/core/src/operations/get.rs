//! Get (KMIP 1.4 sections 4.11 and 11.12): an object with its material, whatever its state, as long as it has any.

use kmip::enumeration::{KeyFormatType, KeyWrapType, ResultReason};
use kmip::operations::get::{Request, Response};
use kmip::{ManagedObject, StandardAttribute};
use ttlv::Value;

use super::Call;
use crate::{Event, Object, Refusal, gate, key_format, wrapping};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    // Departs from KMIP 1.4 11.12: a destroyed object is Item Not Found rather than Illegal Operation, as the public
    // test case TC-314 has it.
    if object.is_destroyed() {
        return Err(Refusal::new(
            ResultReason::ItemNotFound,
            format!("the object {} was destroyed, its material is gone", object.id),
        ));
    }
    let managed = given(request, &object, call)?;
    deliver(&object, &managed, call)?;
    Ok(Response {
        object_type: object.object_type,
        unique_identifier: object.id.to_string(),
        object: managed,
    })
}

/// Notes that material goes out, if the client's version has words for it.
pub(super) fn deliver(
    object: &Object,
    managed: &ManagedObject,
    call: &mut Call<'_, '_, '_>,
) -> Result<(), Refusal> {
    let introduced = gate::object_introduced(managed);
    if introduced > call.version {
        return Err(Refusal::new(
            ResultReason::KeyFormatTypeNotSupported,
            format!("KMIP {} has no words for this object; hint: ask in KMIP {introduced}", call.version),
        ));
    }
    // A node without quorum answers all the same; its stale draft takes no event.
    if object.fresh {
        call.draft(Event::Served { id: object.id });
    }
    call.served.push(object.id);
    Ok(())
}

/// The object's material in the form that is asked for, wrapped or not.
pub(super) fn given(
    request: &Request,
    object: &Object,
    call: &mut Call<'_, '_, '_>,
) -> Result<ManagedObject, Refusal> {
    let managed = call.open(object)?;
    let as_registered = match request.key_wrap_type {
        None | Some(KeyWrapType::AsRegistered) => true,
        Some(KeyWrapType::NotWrapped) => false,
        Some(other @ KeyWrapType::Unknown(_)) => {
            return Err(Refusal::new(
                ResultReason::FeatureNotSupported,
                format!("{other} is no Key Wrap Type here; hint: Not Wrapped or As Registered"),
            ));
        }
    };
    let specification = request.key_wrapping_specification.as_deref();
    check_extractable(object, specification.is_some() || (as_registered && wrapping::is_wrapped(&managed)))?;
    check_form(request, &managed)?;
    let managed =
        if as_registered || specification.is_some() { managed } else { wrapping::unwrap(call, managed)? };
    let managed = match request.key_format_type {
        Some(KeyFormatType::X509) if matches!(managed, ManagedObject::Certificate { .. }) => managed,
        Some(KeyFormatType::Pkcs12) if !kept_as(&managed, KeyFormatType::Pkcs12) => {
            key_format::contained(call, object, &managed)?
        }
        Some(asked) => key_format::given_as(managed, asked, call.context.cryptography)?,
        None => managed,
    };
    match specification {
        Some(specification) => wrapping::wrap(call, object, managed, specification),
        None => Ok(managed),
    }
}

/// A key that its client marked so leaves the server wrapped or not at all (KMIP 1.4 sections 3.48 and 3.50).
fn check_extractable(object: &Object, wrapped: bool) -> Result<(), Refusal> {
    let is = |attribute, flag| object.first(attribute) == Some(&Value::Boolean(flag));
    if is(StandardAttribute::Sensitive, true) && !wrapped {
        let message = "the object is Sensitive; hint: ask for it wrapped, with a Key Wrapping Specification";
        return Err(Refusal::new(ResultReason::Sensitive, message));
    }
    if is(StandardAttribute::Extractable, false) {
        return Err(Refusal::new(ResultReason::NotExtractable, "the object is not Extractable"));
    }
    Ok(())
}

fn kept_as(managed: &ManagedObject, format: KeyFormatType) -> bool {
    managed.key_block().is_some_and(|block| block.key_format_type == format)
}

/// Compressed, the material goes out as it came in.
fn check_form(request: &Request, managed: &ManagedObject) -> Result<(), Refusal> {
    let key_block = managed.key_block();
    if let Some(asked) = request.key_compression_type
        && key_block.and_then(|block| block.key_compression_type) != Some(asked)
    {
        return Err(Refusal::new(
            ResultReason::KeyCompressionTypeNotSupported,
            format!("the object is not kept as {asked}, and not turned into it"),
        ));
    }
    Ok(())
}
