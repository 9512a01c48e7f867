//! Keys under keys (KMIP 1.4 sections 2.1.5 and 2.1.6): a key that goes out wrapped, and one that came wrapped, opened.
//!
//! What is wrapped is the Key Value, as TTLV or, without an encoding, the Key Material alone. A mode with a tag has it
//! behind the ciphertext, as RFC 5116 does; Key Wrapping Data has no field for it.

use std::sync::Arc;

use kmip::attribute::{CryptographicParameters, Link};
use kmip::enumeration::{EncodingOption, LinkType, ObjectType, ResultReason, WrappingMethod};
use kmip::object::{
    KeyBlock, KeyMaterial, KeyValue, KeyWrappingData, KeyWrappingSpecification, WrappingKeyInformation,
};
use kmip::{AttributeName, ManagedObject, Secret, StandardAttribute};
use ttlv::{Budget, Reader, Value, Writer};
use zeroize::Zeroizing;

use crate::cryptography::{Cipher, Encrypted};
use crate::event::STORED;
use crate::operations::Call;
use crate::operations::cipher::{self, Form, Iv};
use crate::usage::{InUse, Purpose, read_parameters};
use crate::{Object, Refusal};

/// Bytes of the tag of a wrapping mode that has one, where the parameters name no Tag Length.
const TAG_BYTES_USUAL: i32 = 16;

/// Whether the object's Key Value is wrapped.
pub(crate) fn is_wrapped(managed: &ManagedObject) -> bool {
    managed.key_block().is_some_and(|block| block.key_wrapping_data.is_some())
}

/// The object with its Key Value wrapped as the client asks.
///
/// Fails as the error table of Get says (KMIP 1.4 section 11.12).
pub(crate) fn wrap(
    call: &mut Call<'_, '_, '_>,
    object: &Object,
    managed: ManagedObject,
    specification: &KeyWrappingSpecification,
) -> Result<ManagedObject, Refusal> {
    if managed.key_block().is_none() {
        return Err(Refusal::illegal_operation(format!(
            "a {} has no Key Value that could be wrapped",
            object.object_type
        )));
    }
    let encrypting = wrapping_key(call, specification)?;
    // Departs from KMIP 1.4 2.1.4: what came with its wrapped Key Material inside a structure goes out so too, as the public test
    // case TC-WRAP-3 has it; all else goes out as a Byte String.
    let in_structure = is_wrapped(&managed) && as_bytes(&managed).is_some();
    let mut managed = if is_wrapped(&managed) { unwrap(call, managed)? } else { managed };
    let Some(block) = managed.key_block_mut() else {
        return Err(Refusal::general_failure("the object lost its Key Block"));
    };
    let value = block.key_value.take();
    let plain = encoded(call, object, value, specification)?;
    let asked = encrypting.information.cryptographic_parameters.as_ref();
    let parameters = chosen_parameters(&encrypting.key.object, asked)?;
    let (wrapped, iv) = encrypt(call, &encrypting.key, &parameters, &plain)?;
    let wrapped = Secret::new(wrapped);
    block.key_value = Some(if in_structure && no_encoding(specification.encoding_option) {
        KeyValue::Plain { material: KeyMaterial::Bytes(wrapped), attributes: Vec::new() }
    } else {
        KeyValue::Wrapped(wrapped)
    });
    block.key_wrapping_data = Some(KeyWrappingData {
        wrapping_method: specification.wrapping_method,
        encryption_key_information: Some(encrypting.information.clone()),
        mac_signature_key_information: None,
        mac_signature: None,
        iv_counter_nonce: iv,
        encoding_option: specification.encoding_option,
    });
    Ok(managed)
}

/// The object with its Key Value in the clear, where the key that it is wrapped with is on this server.
///
/// Fails as the error table of Get says of the wrapping key, and with Cryptographic Failure where it is another one.
pub(crate) fn unwrap(
    call: &mut Call<'_, '_, '_>,
    mut managed: ManagedObject,
) -> Result<ManagedObject, Refusal> {
    let Some(block) = managed.key_block_mut() else { return Ok(managed) };
    let Some(data) = block.key_wrapping_data.take() else { return Ok(managed) };
    if data.wrapping_method != WrappingMethod::Encrypt {
        return Err(unsupported(data.wrapping_method));
    }
    let Some(information) = &data.encryption_key_information else {
        return Err(Refusal::illegal_operation("the object does not say which key it is wrapped with"));
    };
    let object = unwrapping_key(call, &information.unique_identifier)?;
    let key = call.use_object(object, Purpose::UnwrapKey, 0)?;
    let parameters = key.parameters(information.cryptographic_parameters.as_ref())?;
    let wrapped = match block.key_value.take() {
        Some(KeyValue::Wrapped(bytes) | KeyValue::Plain { material: KeyMaterial::Bytes(bytes), .. }) => bytes,
        Some(KeyValue::Plain { .. }) | None => {
            return Err(Refusal::illegal_operation("the object holds no wrapped bytes"));
        }
    };
    let iv = data.iv_counter_nonce.as_deref().unwrap_or_default();
    let plain = decrypt(call, &key, &parameters, iv, wrapped.danger_bytes())?;
    block.key_value = Some(match data.encoding_option {
        Some(EncodingOption::NoEncoding) => KeyValue::Plain {
            material: KeyMaterial::Bytes(Secret::from(plain.as_slice())),
            attributes: Vec::new(),
        },
        None | Some(EncodingOption::TtlvEncoding) => decoded(&plain)?,
        Some(other @ EncodingOption::Unknown(_)) => return Err(unknown_encoding(other)),
    });
    Ok(managed)
}

/// "If No Encoding is specified, then the Key Value structure SHALL NOT contain any attributes."
pub(crate) fn check_encoding(managed: &ManagedObject) -> Result<(), Refusal> {
    let Some(block) = managed.key_block() else { return Ok(()) };
    let bare = block.key_wrapping_data.as_ref().is_some_and(|data| no_encoding(data.encoding_option));
    match &block.key_value {
        Some(KeyValue::Plain { attributes, .. }) if bare && !attributes.is_empty() => Err(Refusal::new(
            ResultReason::EncodingOptionError,
            "a Key Value that was wrapped without an encoding holds no attributes",
        )),
        _ => Ok(()),
    }
}

/// The wrapped bytes, where they stand in a structure.
fn as_bytes(managed: &ManagedObject) -> Option<&Secret> {
    managed.key_block().and_then(KeyBlock::plain_bytes)
}

fn no_encoding(option: Option<EncodingOption>) -> bool {
    option == Some(EncodingOption::NoEncoding)
}

fn unsupported(method: WrappingMethod) -> Refusal {
    Refusal::new(
        ResultReason::FeatureNotSupported,
        format!(
            "this server wraps and unwraps by Encrypt alone, not by {method}; hint: AES in GCM is authenticated"
        ),
    )
}

fn unknown_encoding(option: EncodingOption) -> Refusal {
    let message = format!("{option} is no Encoding Option here; hint: No Encoding or TTLV Encoding");
    Refusal::new(ResultReason::EncodingOptionError, message)
}

/// What encrypts, and how the client named it.
struct Encrypting<'a> {
    key: InUse,
    information: &'a WrappingKeyInformation,
}

/// The key that a specification wraps with, if it may be used so now; keys that are named for a method that the server
/// does not have are looked at all the same.
fn wrapping_key<'a>(
    call: &mut Call<'_, '_, '_>,
    specification: &'a KeyWrappingSpecification,
) -> Result<Encrypting<'a>, Refusal> {
    let encryption = specification.encryption_key_information.as_ref();
    let mac_signature = specification.mac_signature_key_information.as_ref();
    if encryption.is_none() && mac_signature.is_none() {
        return Err(Refusal::invalid_message(
            "the Key Wrapping Specification has neither Encryption nor MAC/Signature Key Information",
        ));
    }
    let key = match encryption {
        Some(information) => {
            let types = [ObjectType::SymmetricKey, ObjectType::PublicKey];
            Some((use_for(call, information, &types, Purpose::WrapKey)?, information))
        }
        None => None,
    };
    if let Some(information) = mac_signature {
        let object = call.object(Some(&information.unique_identifier))?;
        let purpose =
            if object.object_type == ObjectType::PrivateKey { Purpose::Sign } else { Purpose::MacGenerate };
        use_for(call, information, &[ObjectType::SymmetricKey, ObjectType::PrivateKey], purpose)?;
    }
    match (specification.wrapping_method, key) {
        (WrappingMethod::Encrypt, Some((key, information))) => Ok(Encrypting { key, information }),
        (WrappingMethod::Encrypt, None) => {
            Err(Refusal::invalid_message("the Encryption Key Information is missing"))
        }
        (other, _) => Err(unsupported(other)),
    }
}

fn use_for(
    call: &mut Call<'_, '_, '_>,
    information: &WrappingKeyInformation,
    types: &[ObjectType],
    purpose: Purpose,
) -> Result<InUse, Refusal> {
    let object = call.object(Some(&information.unique_identifier))?;
    if !types.contains(&object.object_type) {
        return Err(Refusal::illegal_operation(format!(
            "{} is a {}, and no key for that",
            object.id, object.object_type
        )));
    }
    call.use_object(object, purpose, 1)
}

/// The key that undoes what the named one did: itself, or the private half of a public key.
fn unwrapping_key(call: &Call<'_, '_, '_>, named: &str) -> Result<Arc<Object>, Refusal> {
    let object = call.object(Some(named))?;
    match object.object_type {
        ObjectType::SymmetricKey | ObjectType::PrivateKey => Ok(object),
        ObjectType::PublicKey => {
            let links = object.instances(&AttributeName::from(StandardAttribute::Link), call.now());
            let private = links
                .iter()
                .filter_map(|link| Link::from_value(&link.value))
                .find(|link| link.link_type == LinkType::PrivateKeyLink);
            let Some(private) = private else {
                return Err(Refusal::illegal_operation(format!(
                    "{} is a Public Key without a Link to its Private Key, which is what unwraps",
                    object.id
                )));
            };
            call.object(Some(&private.linked_object_identifier))
        }
        other => Err(Refusal::illegal_operation(format!("{} is a {other}, and no key for that", object.id))),
    }
}

/// "the server SHALL verify that they match one of the instances of the Cryptographic Parameters attribute of the corresponding
/// key. If Cryptographic Parameters are omitted, then the server SHALL use" the first.
fn chosen_parameters(object: &Object, asked: Option<&Value>) -> Result<CryptographicParameters, Refusal> {
    let missing = |what: &str| {
        let message = format!("the Cryptographic Parameters of {} {what}", object.id);
        Refusal::new(ResultReason::ItemNotFound, message)
    };
    let name = AttributeName::from(StandardAttribute::CryptographicParameters);
    let known = object.attributes.iter().filter(|attribute| attribute.name == name);
    let Some(asked) = asked else {
        let first = known.min_by_key(|attribute| attribute.index);
        return read_parameters(&first.ok_or_else(|| missing("do not exist"))?.value);
    };
    let matches = |value: &Value| asked.children().iter().all(|field| value.children().contains(field));
    let matching = known.map(|attribute| &attribute.value).find(|value| matches(value));
    read_parameters(matching.ok_or_else(|| missing("do not match those of the request"))?)
}

/// The bytes that are wrapped.
fn encoded(
    call: &Call<'_, '_, '_>,
    object: &Object,
    value: Option<KeyValue>,
    specification: &KeyWrappingSpecification,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let error = |message: &str| Refusal::new(ResultReason::EncodingOptionError, message);
    let Some(KeyValue::Plain { material, mut attributes }) = value else {
        return Err(Refusal::illegal_operation(
            "the server does not hold the Key Value that would be wrapped",
        ));
    };
    match specification.encoding_option {
        Some(EncodingOption::NoEncoding) => {
            if !specification.attribute_names.is_empty() {
                return Err(error("without an encoding no attributes are wrapped; hint: TTLV Encoding"));
            }
            match &material {
                KeyMaterial::Bytes(bytes) => Ok(Zeroizing::new(bytes.danger_bytes().to_vec())),
                KeyMaterial::Structure(_) => {
                    Err(error("a transparent key is wrapped with an encoding only; hint: TTLV Encoding"))
                }
            }
        }
        None | Some(EncodingOption::TtlvEncoding) => {
            for name in &specification.attribute_names {
                let instances = object.instances(&AttributeName::new(name.as_str()), call.now());
                attributes.extend(instances.into_iter().filter(|it| it.known_in(call.version)));
            }
            let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_VALUE_BYTES_USUAL));
            KeyValue::Plain { material, attributes }.write(&mut Writer::new(&mut bytes), call.version);
            Ok(bytes)
        }
        Some(other @ EncodingOption::Unknown(_)) => Err(unknown_encoding(other)),
    }
}

/// Bytes of a Key Value's TTLV; more for larger ones, at the price of a copy that is wiped too late.
const KEY_VALUE_BYTES_USUAL: usize = 8192;

fn decoded(plain: &[u8]) -> Result<KeyValue, Refusal> {
    let budget = Budget::new(STORED);
    let read = Reader::message(plain, &budget).and_then(|item| KeyValue::read(&item));
    match read {
        Ok(value @ KeyValue::Plain { .. }) => Ok(value),
        // What its bytes are is nobody's business: not even how far they could be read.
        Ok(KeyValue::Wrapped(_)) | Err(_) => Err(Refusal::new(
            ResultReason::CryptographicFailure,
            "what was unwrapped is no Key Value; hint: was it wrapped with another key, or without encoding?",
        )),
    }
}

fn with_tag_length(mut parameters: CryptographicParameters) -> CryptographicParameters {
    parameters.tag_length = parameters.tag_length.or(Some(TAG_BYTES_USUAL));
    parameters
}

fn encrypt(
    call: &mut Call<'_, '_, '_>,
    key: &InUse,
    parameters: &CryptographicParameters,
    plain: &[u8],
) -> Result<(Vec<u8>, Option<Vec<u8>>), Refusal> {
    let cryptography = call.context.cryptography;
    if key.object.object_type == ObjectType::PublicKey {
        let padding = cipher::rsa_padding(parameters)?;
        return Ok((cryptography.encrypt_to(&key.asymmetric(cryptography)?.key(), &padding, plain)?, None));
    }
    let parameters = with_tag_length(parameters.clone());
    let form = Form::of(key, &parameters)?;
    let iv = match form.iv {
        Iv::None => Vec::new(),
        Iv::Bytes(usual) => {
            let mut iv = vec![0; cipher::iv_bytes(&parameters, usual)?];
            call.context.entropy.fill(&mut iv);
            iv
        }
    };
    let bytes = key.symmetric()?;
    let cipher = Cipher { key: bytes.danger_bytes(), iv: &iv, ..form.cipher() };
    let Encrypted { mut data, tag } = cryptography.encrypt(&cipher, plain)?;
    data.extend(tag);
    Ok((data, (!iv.is_empty()).then_some(iv)))
}

fn decrypt(
    call: &Call<'_, '_, '_>,
    key: &InUse,
    parameters: &CryptographicParameters,
    iv: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let cryptography = call.context.cryptography;
    if key.object.object_type == ObjectType::PrivateKey {
        let padding = cipher::rsa_padding(parameters)?;
        return Ok(cryptography.decrypt_with(&key.asymmetric(cryptography)?.key(), &padding, wrapped)?);
    }
    let form = Form::of(key, &with_tag_length(parameters.clone()))?;
    if form.iv != Iv::None && iv.is_empty() {
        return Err(cipher::missing_iv());
    }
    let Some((data, tag)) = wrapped.len().checked_sub(form.tag_bytes).map(|at| wrapped.split_at(at)) else {
        return Err(Refusal::new(
            ResultReason::CryptographicFailure,
            "the wrapped bytes are shorter than a tag",
        ));
    };
    let bytes = key.symmetric()?;
    let iv = if form.iv == Iv::None { &[] } else { iv };
    let cipher = Cipher { key: bytes.danger_bytes(), iv, ..form.cipher() };
    Ok(cryptography.decrypt(&cipher, &Encrypted { data: data.to_vec(), tag: tag.to_vec() })?)
}
