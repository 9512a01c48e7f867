//! Create Split Key (KMIP 1.4 sections 4.38 and 11.39): a key in parts, an old one's or a new one's.

use kmip::enumeration::{ObjectType, ResultReason, SplitKeyMethod};
use kmip::object::{KeyBlock, ManagedObject, SplitKey};
use kmip::operations::create_split_key::{Request, Response};
use kmip::{Secret, StandardAttribute};
use ttlv::Value;

use super::Call;
use super::create::make_key;
use super::register::draft_created;
use crate::attributes::NewAttributes;
use crate::sharing::{self, Scheme, SharingError};
use crate::{Object, Refusal, wrapping};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    if request.object_type != ObjectType::SplitKey {
        return Err(Refusal::invalid_field(format!(
            "Create Split Key makes Split Keys, got {}",
            request.object_type
        )));
    }
    let template = request.template_attribute.clone().unwrap_or_default();
    let mut attributes = NewAttributes::resolve(call, ObjectType::SplitKey, &template)?;
    if attributes.first(StandardAttribute::Name).is_some() {
        return Err(Refusal::invalid_field(
            "a Name belongs to one object, and this makes several; hint: Add Attribute names each part",
        ));
    }
    let block = match &request.unique_identifier {
        Some(id) => {
            let object = call.object(Some(id))?;
            let managed = call.open(&object)?;
            inherit(&object, &mut attributes);
            block_of(&object, managed)?
        }
        None => block_of_new(make_key(call, &mut attributes)?)?,
    };
    let Some(secret) = block.plain_bytes() else {
        return Err(Refusal::illegal_operation(
            "only a key whose Key Material is bytes is split, and not a transparent or absent one",
        ));
    };
    let scheme = scheme(request, secret.danger_bytes())?;
    let shares = sharing::split(&scheme, secret.danger_bytes(), call.context.entropy).map_err(refused)?;
    let mut unique_identifiers = Vec::with_capacity(shares.len());
    let mut first = None;
    for share in shares {
        call.check_room()?;
        let mut key_block = KeyBlock::plain(
            block.key_format_type,
            Secret::from(share.bytes.as_slice()),
            block.cryptographic_algorithm,
            block.cryptographic_length,
        );
        key_block.key_compression_type = block.key_compression_type;
        let part = ManagedObject::SplitKey(SplitKey {
            split_key_parts: i32::from(scheme.parts),
            key_part_identifier: i32::from(share.identifier),
            split_key_threshold: i32::from(scheme.threshold),
            split_key_method: scheme.method,
            prime_field_size: scheme.modulus.as_deref().map(as_big_integer),
            key_block,
        });
        let id = draft_created(call, &part, attributes.clone())?;
        first = first.or(Some(id));
        unique_identifiers.push(id.to_string());
    }
    // "The ID Placeholder value SHALL be set to the Unique Identifier of the split whose Key Part Identifier is 1."
    *call.id_placeholder = first;
    Ok(Response { unique_identifiers, template_attribute: None })
}

/// "the attributes of the key take precedence"; and what may not leave in the clear does not leave in parts either.
fn inherit(object: &Object, attributes: &mut NewAttributes) {
    use StandardAttribute as A;
    for attribute in [A::CryptographicAlgorithm, A::CryptographicLength, A::CryptographicUsageMask] {
        if let Some(value) =
            object.first(attribute).filter(|_| attribute.rule().applies_to.includes(ObjectType::SplitKey))
        {
            attributes.set(attribute, value.clone());
        }
    }
    for (attribute, guarding) in [(A::Sensitive, true), (A::Extractable, false)] {
        let value = Value::Boolean(guarding);
        if object.first(attribute) == Some(&value) {
            attributes.set(attribute, value);
        }
    }
}

fn block_of(object: &Object, managed: ManagedObject) -> Result<KeyBlock, Refusal> {
    if wrapping::is_wrapped(&managed) {
        return Err(Refusal::illegal_operation(format!("{} is kept wrapped, so it is not split", object.id)));
    }
    match managed {
        ManagedObject::SymmetricKey(block)
        | ManagedObject::PrivateKey(block)
        | ManagedObject::SecretData { key_block: block, .. } => {
            if block.key_value.is_none() {
                let message = format!("the server knows of {}, and does not hold its Key Value", object.id);
                return Err(Refusal::new(ResultReason::KeyValueNotPresent, message));
            }
            Ok(block)
        }
        _ => Err(Refusal::illegal_operation(format!(
            "{} is a {}, and no secret that could be split",
            object.id, object.object_type
        ))),
    }
}

fn block_of_new(key: ManagedObject) -> Result<KeyBlock, Refusal> {
    match key {
        ManagedObject::SymmetricKey(block) => Ok(block),
        _ => Err(Refusal::general_failure("the server made no key to split")),
    }
}

fn scheme(request: &Request, secret: &[u8]) -> Result<Scheme, Refusal> {
    let number = |number: i32| u16::try_from(number).unwrap_or(u16::MAX);
    let prime = request.split_key_method == SplitKeyMethod::PolynomialSharingPrimeField;
    let modulus = match &request.prime_field_size {
        Some(_) if !prime => {
            return Err(Refusal::invalid_field(
                "a Prime Field Size belongs to Polynomial Sharing Prime Field only",
            ));
        }
        Some(size) => Some(sharing::trimmed(size).to_vec()),
        None if prime => Some(sharing::modulus_for(secret.len()).ok_or_else(|| {
            Refusal::invalid_field("the key is too long for a prime field; hint: Polynomial Sharing GF(2^8)")
        })?),
        None => None,
    };
    Ok(Scheme {
        method: request.split_key_method,
        parts: number(request.split_key_parts),
        threshold: number(request.split_key_threshold),
        modulus,
    })
}

/// A number's bytes as a Big Integer has them: positive, a multiple of eight.
fn as_big_integer(bytes: &[u8]) -> Vec<u8> {
    let whole = (bytes.len() + 1).next_multiple_of(8);
    let mut padded = vec![0; whole.saturating_sub(bytes.len())];
    padded.extend_from_slice(bytes);
    padded
}

/// What is wrong with the request is an invalid field; parts that make no key are a failure of cryptography.
pub(super) fn refused(error: SharingError) -> Refusal {
    match error {
        SharingError::Scheme(why) => Refusal::invalid_field(why),
        SharingError::Parts(why) => Refusal::new(ResultReason::CryptographicFailure, why),
    }
}
