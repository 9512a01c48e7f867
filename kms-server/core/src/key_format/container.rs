//! A private key with its certificates in a PKCS#12 container (KMIP 1.4 sections 3.45 and 4.11), under a password that is a Secret Data
//! object here.

use std::sync::Arc;

use kmip::attribute::Link;
use kmip::enumeration::{KeyFormatType, LinkType, ObjectType, ResultReason, SecretDataType, State};
use kmip::object::{KeyBlock, KeyValue};
use kmip::{ManagedObject, Secret, StandardAttribute};
use ttlv::Value;

use super::cannot_turn;
use crate::cryptography::Container;
use crate::operations::Call;
use crate::{Object, Refusal};

/// Certificates of one container; a chain that is longer, or goes in a circle, ends there.
const CHAIN_MAX: usize = 16;

/// "If this attribute is absent ..., the server SHOULD use an alias/friendly name of “alias”."
const ALIAS_USUAL: &str = "alias";

/// The private key in a container, with the certificates that it is linked to.
pub(crate) fn contained(
    call: &Call<'_, '_, '_>,
    object: &Object,
    managed: &ManagedObject,
) -> Result<ManagedObject, Refusal> {
    let refused = |why: &str| Refusal::new(ResultReason::KeyFormatTypeNotSupported, why);
    if object.object_type != ObjectType::PrivateKey {
        return Err(refused(
            "only a private key is given in a PKCS#12 container; hint: name the private key",
        ));
    }
    let cryptography = call.context.cryptography;
    let der = super::der(managed, cryptography).map_err(|error| cannot_turn(&error))?;
    let Some(der) = der else {
        return Err(refused("the key is kept in a form that no PKCS#12 container holds"));
    };
    let links: Vec<Link> = links(call, object);
    let password = password(call, &links)?;
    let certificates = chain(call, object)?;
    let alias = match object.first(StandardAttribute::Pkcs12FriendlyName) {
        Some(Value::TextString(alias)) => alias,
        _ => ALIAS_USUAL,
    };
    let container =
        Container { key: der.key(), password: password.danger_bytes(), alias, certificates: &certificates };
    let bytes = cryptography.container(&container).map_err(|error| cannot_turn(&error))?;
    Ok(ManagedObject::PrivateKey(KeyBlock {
        key_value: Some(KeyValue::Wrapped(Secret::from(bytes.as_slice()))),
        ..KeyBlock::plain(KeyFormatType::Pkcs12, Secret::default(), None, None)
    }))
}

/// The password that the one PKCS#12 Password Link leads to (KMIP 1.4 table 330), if it may be used.
pub(crate) fn password(call: &Call<'_, '_, '_>, links: &[Link]) -> Result<Secret, Refusal> {
    let mut of_password = links.iter().filter(|link| link.link_type == LinkType::Pkcs12PasswordLink);
    let (Some(link), None) = (of_password.next(), of_password.next()) else {
        return Err(Refusal::invalid_field(
            "a PKCS#12 container needs one PKCS#12 Password Link, to the Secret Data object that is its password",
        ));
    };
    let no_password = || {
        Refusal::invalid_field(
            "the PKCS#12 Password Link leads to no Secret Data object of the type Password",
        )
    };
    let object = call.object(Some(&link.linked_object_identifier)).map_err(|_| no_password())?;
    if object.object_type != ObjectType::SecretData || object.is_destroyed() {
        return Err(no_password());
    }
    let state = object.state_at(call.now());
    match call.open(&object)? {
        ManagedObject::SecretData { secret_data_type: SecretDataType::Password, key_block } => {
            // As the public test case TC-PKCS12-2 has it.
            if state != State::Active {
                return Err(Refusal::permission_denied(format!(
                    "the password {} is {state}; only an Active one is used",
                    object.id
                )));
            }
            key_block.plain_bytes().cloned().ok_or_else(no_password)
        }
        _ => Err(no_password()),
    }
}

fn links(call: &Call<'_, '_, '_>, object: &Object) -> Vec<Link> {
    let links = object.instances(&StandardAttribute::Link.into(), call.now());
    links.iter().filter_map(|attribute| Link::from_value(&attribute.value)).collect()
}

/// The object that the first link of a type leads to.
fn linked(call: &Call<'_, '_, '_>, object: &Object, link_type: LinkType) -> Option<Arc<Object>> {
    let links = links(call, object);
    let link = links.iter().find(|link| link.link_type == link_type)?;
    let found = call.object(Some(&link.linked_object_identifier)).ok()?;
    (!found.is_destroyed()).then_some(found)
}

/// The certificates, the key's own first: the key's PKCS#12 Certificate Link leads to it, or its public key's Certificate Link; and so
/// on from each to who signed it.
fn chain(call: &Call<'_, '_, '_>, key: &Object) -> Result<Vec<Vec<u8>>, Refusal> {
    let by_public_key = || {
        let public = linked(call, key, LinkType::PublicKeyLink)?;
        linked(call, &public, LinkType::CertificateLink)
    };
    let mut next = linked(call, key, LinkType::Pkcs12CertificateLink).or_else(by_public_key);
    let mut seen = Vec::new();
    let mut chain = Vec::new();
    while let Some(object) = next.filter(|object| chain.len() < CHAIN_MAX && !seen.contains(&object.id)) {
        let ManagedObject::Certificate { certificate_value, .. } = call.open(&object)? else { break };
        chain.push(certificate_value);
        seen.push(object.id);
        next = linked(call, &object, LinkType::Pkcs12CertificateLink)
            .or_else(|| linked(call, &object, LinkType::CertificateLink));
    }
    Ok(chain)
}
