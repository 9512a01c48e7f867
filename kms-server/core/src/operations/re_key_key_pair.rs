//! Re-key Key Pair (KMIP 1.4 sections 4.5 and 11.6): a new pair in the place of an old one, which stays as it is but for its names.

use std::sync::Arc;

use kmip::StandardAttribute;
use kmip::attribute::Link;
use kmip::enumeration::{LinkType, ObjectType, ResultReason};
use kmip::operations::re_key_key_pair::{Request, Response};
use kmip::tag;
use ttlv::{Node, Value};

use super::Call;
use super::pair::Halves;
use super::re_key::{check_replaceable, give_up_names, link_old, replacing};
use crate::cryptography::KeyNumbers;
use crate::{Object, Refusal, key_format};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let private = call.object(request.private_key_unique_identifier.as_deref())?;
    if private.object_type != ObjectType::PrivateKey {
        let message =
            format!("a {} is no private key of a pair, and cannot be re-keyed so", private.object_type);
        return Err(Refusal::permission_denied(message));
    }
    check_replaceable(&private)?;
    let public = public_half(call, &private)?;
    check_replaceable(&public)?;
    call.check_room_for(2)?;
    give_up_names(call, &private);
    give_up_names(call, &public);
    let wanted = Halves::resolve(call, &request.templates)?;
    let mut halves = Halves {
        private_key: replacing(call, &private, wanted.private_key, request.offset)?,
        public_key: replacing(call, &public, wanted.public_key, request.offset)?,
    };
    name_curve(call, &public, &mut halves)?;
    let made = halves.make(call, Some((private.id, public.id)))?;
    for (old, new) in [(&private, made.private_key), (&public, made.public_key)] {
        let link =
            Link { link_type: LinkType::ReplacementObjectLink, linked_object_identifier: new.to_string() };
        link_old(call, old, &link);
    }
    Ok(Response { pair: made.answer() })
}

/// The public key that the private one is linked to.
fn public_half(call: &Call<'_, '_, '_>, private: &Object) -> Result<Arc<Object>, Refusal> {
    let links = private.instances(&StandardAttribute::Link.into(), call.now());
    let linked = links
        .iter()
        .filter_map(|attribute| Link::from_value(&attribute.value))
        .find(|link| link.link_type == LinkType::PublicKeyLink);
    let public = match linked.map(|link| call.object(Some(&link.linked_object_identifier))) {
        Some(Err(refusal)) if refusal.reason == ResultReason::ObjectArchived => return Err(refusal),
        public => public.and_then(Result::ok),
    };
    public.filter(|public| public.object_type == ObjectType::PublicKey).ok_or_else(|| {
        Refusal::permission_denied(
            "the private key has no public one beside it, so there is no pair to re-key; hint: link it to its Public Key",
        )
    })
}

/// A pair that was registered may be on a curve that no attribute names: the new one is on the same.
fn name_curve(call: &Call<'_, '_, '_>, public: &Object, halves: &mut Halves) -> Result<(), Refusal> {
    let parameters = StandardAttribute::CryptographicDomainParameters;
    if [&halves.private_key, &halves.public_key].iter().any(|half| half.first(parameters).is_some()) {
        return Ok(());
    }
    let cryptography = call.context.cryptography;
    let Some(der) = key_format::der(&call.open(public)?, cryptography)? else { return Ok(()) };
    if let Ok(KeyNumbers::EcPublic { curve, .. }) = cryptography.numbers(&der.key()) {
        let curve = Node::new(tag::RECOMMENDED_CURVE, Value::Enumeration(curve.number()));
        halves.public_key.set(parameters, Value::Structure(vec![curve]));
    }
    Ok(())
}
