//! Register (KMIP 1.4 sections 4.3 and 11.4): an object that the client made.

use kmip::attribute::{Attribute, Digest, Link};
use kmip::enumeration::{HashingAlgorithm, KeyFormatType, ObjectType, State};
use kmip::object::{KeyBlock, KeyMaterial, KeyValue, ManagedObject};
use kmip::operations::register::{Request, Response};
use kmip::tag;
use kmip::{ProtocolVersion, StandardAttribute, TemplateAttribute};
use sha2::{Digest as _, Sha256};
use ttlv::{Value, Writer};
use zeroize::Zeroizing;

use super::{Call, certificate};
use crate::attributes::{NewAttributes, check_in_template};
use crate::{Event, Id, Refusal, key_format, wrapping};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object_type = request.object_type;
    if let ObjectType::Unknown(number) = object_type {
        return Err(Refusal::invalid_field(format!("Object Type 0x{number:08x} is unknown")));
    }
    if object_type.introduced() > call.version {
        return Err(Refusal::invalid_field(format!("KMIP {} has no {object_type}", call.version)));
    }
    let Some(object) = &request.object else {
        return Err(Refusal::invalid_message(format!("the {object_type} itself is missing")));
    };
    if object.object_type() != object_type {
        return Err(Refusal::invalid_field(format!(
            "Object Type says {object_type}, the object is a {}",
            object.object_type()
        )));
    }
    wrapping::check_encoding(object)?;
    call.check_room()?;
    let own = match &**object {
        ManagedObject::Template(inside) => &of_template(call, &request.template_attribute, inside)?,
        _ => &request.template_attribute,
    };
    let mut attributes = NewAttributes::resolve(call, object_type, own)?;
    if object.key_block().is_some_and(|block| block.key_format_type == KeyFormatType::Pkcs12) {
        let links: Vec<Link> = attributes.all(StandardAttribute::Link).filter_map(Link::from_value).collect();
        key_format::password(call, &links)?;
    }
    describe(object, &mut attributes)?;
    let id = draft_created(call, object, attributes)?;
    Ok(Response { unique_identifier: id.to_string(), template_attribute: None })
}

/// What a new Template is to have of its own. In 1.0 and 1.1 a Name inside the Template is the Template's own too; since
/// 1.2 the error table of Register refuses it.
fn of_template(
    call: &Call<'_, '_, '_>,
    asked: &TemplateAttribute,
    inside: &[Attribute],
) -> Result<TemplateAttribute, Refusal> {
    let mut own = asked.clone();
    for attribute in inside {
        check_in_template(call, attribute)?;
        if attribute.name != StandardAttribute::Name.into() {
            continue;
        }
        if call.version >= ProtocolVersion::V1_2 {
            return Err(Refusal::invalid_field(
                "a Template holds no Name inside; hint: its own Name goes into the Template-Attribute",
            ));
        }
        if !own.attributes.contains(attribute) {
            own.attributes.push(attribute.clone());
        }
    }
    Ok(own)
}

/// Sets what the object says of itself, and refuses a request that says otherwise.
pub(super) fn describe(object: &ManagedObject, attributes: &mut NewAttributes) -> Result<(), Refusal> {
    if let Some(key_block) = object.key_block() {
        describe_key(key_block, object.object_type(), attributes)?;
        if key_block.key_value.is_none() {
            absent_value(object.object_type(), attributes)?;
        }
    }
    if let ManagedObject::Certificate { certificate_type, certificate_value } = object {
        certificate::describe(*certificate_type, certificate_value, attributes)?;
    }
    let cryptographic = !matches!(object, ManagedObject::Template(_) | ManagedObject::OpaqueObject { .. });
    if cryptographic {
        // Departs from KMIP 1.4 table 169: a request without a usage mask is taken, for no use at all, as several
        // clients register secrets so.
        attributes.set_if_absent(StandardAttribute::CryptographicUsageMask, Value::Integer(0));
    }
    Ok(())
}

/// A key whose value is kept elsewhere: its client has to say where (KMIP 1.4 sections 3.41 and 3.42).
fn absent_value(object_type: ObjectType, attributes: &mut NewAttributes) -> Result<(), Refusal> {
    let present = StandardAttribute::KeyValuePresent;
    if !present.rule().applies_to.includes(object_type) {
        return Err(Refusal::invalid_field(format!("the Key Block of a {object_type} holds no Key Value")));
    }
    if attributes.first(StandardAttribute::KeyValueLocation).is_none() {
        return Err(Refusal::invalid_field(
            "the Key Value is absent, and no Key Value Location says where it is",
        ));
    }
    attributes.set(present, Value::Boolean(false));
    Ok(())
}

fn describe_key(
    key_block: &KeyBlock,
    object_type: ObjectType,
    attributes: &mut NewAttributes,
) -> Result<(), Refusal> {
    use StandardAttribute::{CryptographicAlgorithm, CryptographicLength};
    let block_algorithm = key_block.cryptographic_algorithm.map(|algorithm| algorithm.number());
    for (name, asked, found) in [
        ("Cryptographic Algorithm", attributes.enumeration(CryptographicAlgorithm), block_algorithm),
        (
            "Cryptographic Length",
            attributes.integer(CryptographicLength).map(i32::cast_unsigned),
            key_block.cryptographic_length.map(i32::cast_unsigned),
        ),
    ] {
        if let (Some(asked), Some(found)) = (asked, found)
            && asked != found
        {
            return Err(Refusal::invalid_field(format!(
                "{name} is {asked} in the request's attributes and {found} in the Key Block"
            )));
        }
    }
    if let Some(number) = block_algorithm {
        attributes.set_if_absent(CryptographicAlgorithm, Value::Enumeration(number));
    }
    if let Some(bits) = key_block.cryptographic_length {
        attributes.set_if_absent(CryptographicLength, Value::Integer(bits));
    }
    if object_type == ObjectType::SymmetricKey {
        check_symmetric(key_block, attributes)?;
    }
    Ok(())
}

/// A plain symmetric key has as many bits as it says; DES lengths may leave the parity bits out.
fn check_symmetric(key_block: &KeyBlock, attributes: &mut NewAttributes) -> Result<(), Refusal> {
    use StandardAttribute::{CryptographicAlgorithm, CryptographicLength};
    if attributes.enumeration(CryptographicAlgorithm).is_none() {
        return Err(Refusal::invalid_field("a Symmetric Key needs a Cryptographic Algorithm"));
    }
    let raw = key_block.key_format_type == KeyFormatType::Raw && key_block.key_wrapping_data.is_none();
    let Some(material) = key_block.plain_bytes().filter(|_| raw) else { return Ok(()) };
    let bits = i32::try_from(material.len().saturating_mul(8)).unwrap_or(i32::MAX);
    let stated = attributes.integer(CryptographicLength);
    if stated.is_some_and(|stated| stated != bits && stated != bits / 8 * 7) {
        return Err(Refusal::invalid_field(format!(
            "Cryptographic Length is {} bits, the Key Material has {bits}",
            stated.unwrap_or_default()
        )));
    }
    attributes.set_if_absent(CryptographicLength, Value::Integer(bits));
    Ok(())
}

/// Seals a new object and drafts its coming to be, with the attributes that every new object has; the ID Placeholder
/// is then its identifier.
pub(super) fn draft_created(
    call: &mut Call<'_, '_, '_>,
    object: &ManagedObject,
    attributes: NewAttributes,
) -> Result<Id, Refusal> {
    let id = Id::random(call.context.entropy);
    draft_created_as(call, id, object, attributes)?;
    Ok(id)
}

/// The same under an identifier that is known already, as other objects link to it.
pub(super) fn draft_created_as(
    call: &mut Call<'_, '_, '_>,
    id: Id,
    object: &ManagedObject,
    mut attributes: NewAttributes,
) -> Result<(), Refusal> {
    let now = call.now();
    let object_type = object.object_type();
    if let Some(digest) = digest(object) {
        attributes.set(StandardAttribute::Digest, digest.to_value());
    }
    attributes.begin_usage_limits();
    if object_type != ObjectType::Template {
        set_sensitivity(&mut attributes);
    }
    let dated = attributes.date(StandardAttribute::ActivationDate).is_some_and(|date| date <= now);
    let state = if dated { State::Active } else { State::PreActive };
    let material = Some(call.seal(id, object)?);
    let tenant = call.authorised.tenant().clone();
    let attributes = attributes.into_attributes();
    call.draft(Event::Created { id, tenant, object_type, state, at: now, attributes, material });
    *call.id_placeholder = Some(id);
    Ok(())
}

/// Not sensitive and extractable, unless the client says otherwise; "always" and "never" begin as what holds now (KMIP
/// 1.4 sections 3.48 to 3.51).
fn set_sensitivity(attributes: &mut NewAttributes) {
    use StandardAttribute::{AlwaysSensitive, Extractable, NeverExtractable, Sensitive};
    attributes.set_if_absent(Sensitive, Value::Boolean(false));
    attributes.set_if_absent(Extractable, Value::Boolean(true));
    let sensitive = attributes.first(Sensitive) == Some(&Value::Boolean(true));
    let extractable = attributes.first(Extractable) == Some(&Value::Boolean(true));
    attributes.set(AlwaysSensitive, Value::Boolean(sensitive));
    attributes.set(NeverExtractable, Value::Boolean(!extractable));
}

/// The SHA-256 of the material, with its form (KMIP 1.4 section 3.17); none for what is wrapped or has none.
pub(super) fn digest(object: &ManagedObject) -> Option<Digest> {
    let of = |bytes: &[u8], key_format_type| Digest {
        hashing_algorithm: HashingAlgorithm::Sha256,
        value: Sha256::digest(bytes).to_vec(),
        key_format_type,
    };
    match object {
        // A certificate has no Key Format Type of its own; the public test case TC-CERTATTR-1 has it so.
        ManagedObject::Certificate { certificate_value, .. } => {
            Some(of(certificate_value, Some(KeyFormatType::Raw)))
        }
        ManagedObject::OpaqueObject { opaque_data_value, .. } => {
            Some(of(opaque_data_value.danger_bytes(), None))
        }
        ManagedObject::Template(_) => None,
        _ => {
            let key_block = object.key_block()?;
            let format = Some(key_block.key_format_type);
            match key_block.key_value.as_ref()? {
                KeyValue::Plain { material: KeyMaterial::Bytes(bytes), .. } => {
                    Some(of(bytes.danger_bytes(), format))
                }
                KeyValue::Plain { material: KeyMaterial::Structure(value), .. } => {
                    let mut bytes = Zeroizing::new(Vec::new());
                    value.danger_value().write(tag::KEY_MATERIAL, &mut Writer::new(&mut bytes));
                    Some(of(&bytes, format))
                }
                KeyValue::Wrapped(_) => None,
            }
        }
    }
}
