//! Derive Key (KMIP 1.4 sections 4.6 and 11.7): a key or a secret, computed from others that stay here.

use std::sync::Arc;

use kmip::attribute::Link;
use kmip::enumeration::{
    DerivationMethod, KeyFormatType, LinkType, ObjectType, ResultReason, SecretDataType, State,
};
use kmip::mask::CryptographicUsageMask;
use kmip::object::KeyBlock;
use kmip::operations::derive_key::{Request, Response};
use kmip::{ManagedObject, Secret, StandardAttribute};
use ttlv::Value;

use super::create::{WantedKey, made_here, wanted_key};
use super::re_key::link_old;
use super::register::draft_created;
use super::{Call, derivation};
use crate::attributes::NewAttributes;
use crate::usage::InUse;
use crate::{Object, Refusal};

/// Bytes of what is derived at most: more than any key has, and room for several keys and their initialization vectors.
pub(super) const DERIVED_BYTES_MAX: usize = 8192;

/// Objects that one derivation takes: a key and its data, or the halves of two pairs.
pub(super) const BASES_MAX: usize = 2;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let method = request.derivation_method;
    if matches!(method, DerivationMethod::Unknown(_)) || introduced(method) > call.version {
        return Err(Refusal::invalid_field(format!(
            "KMIP {} has no Derivation Method {method}",
            call.version
        )));
    }
    if request.unique_identifiers.len() > BASES_MAX {
        return Err(Refusal::invalid_field(format!("a key is derived from at most {BASES_MAX} objects")));
    }
    let mut bases = Vec::with_capacity(BASES_MAX);
    for id in &request.unique_identifiers {
        bases.push(base(call, id, method)?);
    }
    call.check_room()?;
    let (wanted, mut attributes) = wanted(request, call)?;
    let bytes = derivation::derive(request, &bases, wanted.bytes(), call)?;
    let object = wanted.object(bytes.to_vec());
    made_here(call, &mut attributes);
    for base in &bases {
        let link = Link {
            link_type: LinkType::DerivationBaseObjectLink,
            linked_object_identifier: base.object.id.to_string(),
        };
        attributes.add(StandardAttribute::Link, link.to_value());
    }
    let id = draft_created(call, &object, attributes)?;
    let link = Link { link_type: LinkType::DerivedKeyLink, linked_object_identifier: id.to_string() };
    for base in &bases {
        link_old(call, &base.object, &link);
    }
    Ok(Response { unique_identifier: id.to_string(), template_attribute: None })
}

fn introduced(method: DerivationMethod) -> kmip::ProtocolVersion {
    if method == DerivationMethod::AsymmetricKey {
        kmip::ProtocolVersion::V1_4
    } else {
        kmip::ProtocolVersion::V1_0
    }
}

/// An object that may be derived from, opened.
fn base(call: &Call<'_, '_, '_>, id: &str, method: DerivationMethod) -> Result<InUse, Refusal> {
    let object = call.object(Some(id))?;
    let pairs = method == DerivationMethod::AsymmetricKey;
    let fits = match object.object_type {
        ObjectType::SymmetricKey | ObjectType::SecretData => !pairs,
        ObjectType::PrivateKey | ObjectType::PublicKey => pairs,
        _ => false,
    };
    if !fits {
        let message = format!("{id} is a {}, which {method} derives nothing from", object.object_type);
        return Err(Refusal::invalid_field(message));
    }
    check_usable(&object, pairs, call.now())?;
    if object.first(StandardAttribute::KeyValuePresent) == Some(&Value::Boolean(false)) {
        let message = format!("the server knows of {id}, and does not hold its Key Value");
        return Err(Refusal::new(ResultReason::KeyValueNotPresent, message));
    }
    let material = call.open(&object)?;
    Ok(InUse { object, material })
}

/// Invalid Field where other uses are Permission Denied, as table 333 has it.
fn check_usable(object: &Arc<Object>, pairs: bool, now: i64) -> Result<(), Refusal> {
    let id = object.id;
    let state = object.state_at(now);
    if state != State::Active {
        return Err(Refusal::invalid_field(format!("{id} is {state}; only what is Active is derived from")));
    }
    let mask = object.integer(StandardAttribute::CryptographicUsageMask).unwrap_or(0);
    let mask = CryptographicUsageMask::from_bits(mask);
    let agrees = pairs && mask.contains(CryptographicUsageMask::KEY_AGREEMENT);
    if agrees || mask.contains(CryptographicUsageMask::DERIVE_KEY) {
        return Ok(());
    }
    let needed = CryptographicUsageMask::DERIVE_KEY;
    Err(Refusal::invalid_field(format!("the Cryptographic Usage Mask of {id} does not allow {needed}")))
}

/// What is to come out.
enum Wanted {
    Key(WantedKey),
    Secret(usize),
}

impl Wanted {
    fn bytes(&self) -> usize {
        match self {
            Self::Key(key) => key.bytes,
            Self::Secret(bytes) => *bytes,
        }
    }

    fn object(&self, bytes: Vec<u8>) -> ManagedObject {
        match self {
            Self::Key(key) => key.key(bytes),
            Self::Secret(_) => ManagedObject::SecretData {
                secret_data_type: SecretDataType::Seed,
                key_block: KeyBlock::plain(KeyFormatType::Raw, Secret::new(bytes), None, None),
            },
        }
    }
}

/// "If a key is created, then the client SHALL specify both its Cryptographic Length and Cryptographic Algorithm"; of a Secret
/// Data object, its length, which is none of its attributes.
fn wanted(request: &Request, call: &Call<'_, '_, '_>) -> Result<(Wanted, NewAttributes), Refusal> {
    let length = StandardAttribute::CryptographicLength;
    let mut gathered = NewAttributes::gather(call, [&request.template_attribute])?;
    let Some(bits) = gathered.integer(length) else {
        return Err(Refusal::invalid_field("Derive Key needs the Cryptographic Length of what is derived"));
    };
    match request.object_type {
        ObjectType::SymmetricKey => {
            let attributes = gathered.checked(call, ObjectType::SymmetricKey)?;
            if attributes.integer(StandardAttribute::CryptographicUsageMask).is_none() {
                return Err(Refusal::invalid_field(
                    "Derive Key needs a Cryptographic Usage Mask for the key",
                ));
            }
            Ok((Wanted::Key(wanted_key(&attributes)?), attributes))
        }
        ObjectType::SecretData => {
            gathered.remove(length);
            let bytes = usize::try_from(bits / 8).ok().filter(|bytes| *bytes > 0 && bits % 8 == 0);
            let bytes = bytes.ok_or_else(|| {
                Refusal::invalid_field(format!("a secret has whole bytes, got a length of {bits} bits"))
            })?;
            let mut attributes = gathered.checked(call, ObjectType::SecretData)?;
            attributes.set_if_absent(StandardAttribute::CryptographicUsageMask, Value::Integer(0));
            Ok((Wanted::Secret(bytes), attributes))
        }
        other => {
            Err(Refusal::invalid_field(format!("Derive Key makes a SymmetricKey or SecretData, got {other}")))
        }
    }
}
