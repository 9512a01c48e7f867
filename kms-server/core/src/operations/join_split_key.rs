//! Join Split Key (KMIP 1.4 sections 4.39 and 11.40): a key from its parts.

use kmip::enumeration::{CryptographicAlgorithm, ObjectType, ResultReason, SecretDataType, SplitKeyMethod};
use kmip::object::{KeyBlock, ManagedObject, SplitKey};
use kmip::operations::join_split_key::{Request, Response};
use kmip::{Secret, StandardAttribute};
use ttlv::Value;
use zeroize::Zeroizing;

use super::Call;
use super::create::material_bytes;
use super::create_split_key::refused;
use super::register::{describe, draft_created};
use crate::attributes::NewAttributes;
use crate::sharing::{self, Scheme, Share};
use crate::{Refusal, wrapping};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object_type = request.object_type;
    if !matches!(object_type, ObjectType::SymmetricKey | ObjectType::PrivateKey | ObjectType::SecretData) {
        return Err(Refusal::invalid_field(format!(
            "parts are joined to a Symmetric Key, a Private Key or Secret Data, got {object_type}"
        )));
    }
    if request.secret_data_type.is_some() && object_type != ObjectType::SecretData {
        return Err(Refusal::invalid_field("a Secret Data Type belongs to Secret Data only"));
    }
    call.check_room()?;
    let parts = parts(request, call)?;
    let Some(first) = parts.keys.first() else {
        return Err(Refusal::invalid_message("the request names no Split Key"));
    };
    let secret = sharing::join(&scheme(first)?, &shares(&parts.keys)?).map_err(refused)?;
    let template = request.template_attribute.clone().unwrap_or_default();
    let mut attributes = NewAttributes::resolve(call, object_type, &template)?;
    for (attribute, guarding) in
        [(StandardAttribute::Sensitive, parts.sensitive), (StandardAttribute::Extractable, parts.kept)]
    {
        if guarding {
            attributes.set(attribute, Value::Boolean(attribute == StandardAttribute::Sensitive));
        }
    }
    let object = object(request, first, &attributes, &secret);
    describe(&object, &mut attributes)?;
    let id = draft_created(call, &object, attributes)?;
    Ok(Response { unique_identifier: id.to_string(), template_attribute: None })
}

struct Parts {
    keys: Vec<SplitKey>,
    /// Whether one of them is Sensitive, or not Extractable: then so is what they make.
    sensitive: bool,
    kept: bool,
}

fn parts(request: &Request, call: &Call<'_, '_, '_>) -> Result<Parts, Refusal> {
    let mut parts = Parts { keys: Vec::new(), sensitive: false, kept: false };
    if request.unique_identifiers.len() > usize::from(sharing::PARTS_MAX) {
        return Err(Refusal::invalid_field(format!("at most {} parts are joined", sharing::PARTS_MAX)));
    }
    for id in &request.unique_identifiers {
        let object = call.object(Some(id))?;
        parts.sensitive |= object.first(StandardAttribute::Sensitive) == Some(&Value::Boolean(true));
        parts.kept |= object.first(StandardAttribute::Extractable) == Some(&Value::Boolean(false));
        match call.open(&object)? {
            key if wrapping::is_wrapped(&key) => {
                return Err(Refusal::illegal_operation(format!("{id} is kept wrapped, so it is not joined")));
            }
            ManagedObject::SplitKey(key) => parts.keys.push(key),
            _ => {
                let message = format!("{id} is a {}, and no Split Key", object.object_type);
                return Err(Refusal::illegal_operation(message));
            }
        }
    }
    Ok(parts)
}

fn scheme(first: &SplitKey) -> Result<Scheme, Refusal> {
    let number = |number: i32| {
        u16::try_from(number).map_err(|_| {
            Refusal::invalid_field("a Split Key has parts or a threshold beyond what is joined here")
        })
    };
    Ok(Scheme {
        method: first.split_key_method,
        parts: number(first.split_key_parts)?,
        threshold: number(first.split_key_threshold)?,
        modulus: first.prime_field_size.as_deref().map(|size| sharing::trimmed(size).to_vec()),
    })
}

fn shares(keys: &[SplitKey]) -> Result<Vec<Share>, Refusal> {
    let other = || Refusal::new(ResultReason::CryptographicFailure, "the parts do not belong to one key");
    let Some(first) = keys.first() else { return Ok(Vec::new()) };
    let of_one = |key: &SplitKey| {
        key.split_key_parts == first.split_key_parts
            && key.split_key_threshold == first.split_key_threshold
            && key.split_key_method == first.split_key_method
            && key.prime_field_size == first.prime_field_size
            && key.key_block.key_format_type == first.key_block.key_format_type
    };
    let share = |key: &SplitKey| {
        let bytes = key.key_block.plain_bytes().filter(|_| of_one(key)).ok_or_else(other)?;
        Ok(Share {
            identifier: u16::try_from(key.key_part_identifier).map_err(|_| other())?,
            bytes: Zeroizing::new(bytes.danger_bytes().to_vec()),
        })
    };
    keys.iter().map(share).collect()
}

fn object(request: &Request, first: &SplitKey, attributes: &NewAttributes, secret: &[u8]) -> ManagedObject {
    let block = &first.key_block;
    let asked = attributes.enumeration(StandardAttribute::CryptographicAlgorithm);
    let algorithm = block.cryptographic_algorithm.or(asked.map(CryptographicAlgorithm::from_number));
    let length = block.cryptographic_length.or(attributes.integer(StandardAttribute::CryptographicLength));
    let material = if first.split_key_method == SplitKeyMethod::PolynomialSharingPrimeField {
        // A number has no leading zeros; a key of a known length has.
        let symmetric = request.object_type == ObjectType::SymmetricKey;
        let bytes = match (algorithm, length) {
            (Some(algorithm), Some(bits)) if symmetric => material_bytes(algorithm, bits),
            _ => 0,
        };
        padded(sharing::trimmed(secret), bytes)
    } else {
        Secret::from(secret)
    };
    let key_block = KeyBlock {
        key_compression_type: block.key_compression_type,
        ..KeyBlock::plain(block.key_format_type, material, algorithm, length)
    };
    match request.object_type {
        ObjectType::PrivateKey => ManagedObject::PrivateKey(key_block),
        ObjectType::SecretData => ManagedObject::SecretData {
            secret_data_type: request.secret_data_type.unwrap_or(SecretDataType::Seed),
            key_block,
        },
        _ => ManagedObject::SymmetricKey(key_block),
    }
}

fn padded(number: &[u8], bytes: usize) -> Secret {
    let mut padded = Zeroizing::new(vec![0; bytes.saturating_sub(number.len())]);
    padded.extend_from_slice(number);
    Secret::from(padded.as_slice())
}
