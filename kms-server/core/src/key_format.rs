//! One key in the forms that KMIP has for it (KMIP 1.4 sections 2.1.3 and 2.1.7): what Get gives in another form than the key is
//! kept in. "Any other format conversion MAY be supported by the server"; those that are not are refused, never guessed.

mod container;
mod transparent;

use kmip::enumeration::{KeyFormatType, ResultReason};
use kmip::object::{KeyBlock, KeyMaterial, KeyValue};
use kmip::{ManagedObject, Secret, tag};
use ttlv::{Node, Value};
use zeroize::Zeroizing;

use crate::Refusal;
pub(crate) use container::{contained, password};

use crate::cryptography::{AsymmetricForm, AsymmetricKey, Cryptography, CryptographyError, KeyNumbers};

/// The half of a pair that an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Private,
    Public,
}

/// An asymmetric key as DER, whichever form it is kept in.
pub(crate) struct Der {
    pub(crate) form: AsymmetricForm,
    bytes: Secret,
}

impl Der {
    pub(crate) fn key(&self) -> AsymmetricKey<'_> {
        AsymmetricKey { form: self.form, der: self.bytes.danger_bytes() }
    }
}

/// The object in the form that is asked for; as it is where that is its own.
pub(crate) fn given_as(
    object: ManagedObject,
    asked: KeyFormatType,
    cryptography: &dyn Cryptography,
) -> Result<ManagedObject, Refusal> {
    let refused = || not_turned(&object, asked);
    let Some(block) = object.key_block() else { return Err(refused()) };
    if block.key_format_type == asked {
        return Ok(object);
    }
    let material = match &object {
        ManagedObject::SymmetricKey(block) => symmetric(block, asked).ok_or_else(refused)?,
        ManagedObject::PrivateKey(block) => {
            asymmetric(block, Half::Private, asked, cryptography)?.ok_or_else(refused)?
        }
        ManagedObject::PublicKey(block) => {
            asymmetric(block, Half::Public, asked, cryptography)?.ok_or_else(refused)?
        }
        _ => return Err(refused()),
    };
    let turned = |block: KeyBlock| {
        let attributes = match block.key_value {
            Some(KeyValue::Plain { attributes, .. }) => attributes,
            _ => Vec::new(),
        };
        let key_value = Some(KeyValue::Plain { material, attributes });
        KeyBlock { key_format_type: asked, key_value, key_compression_type: None, ..block }
    };
    Ok(match object {
        ManagedObject::SymmetricKey(block) => ManagedObject::SymmetricKey(turned(block)),
        ManagedObject::PrivateKey(block) => ManagedObject::PrivateKey(turned(block)),
        ManagedObject::PublicKey(block) => ManagedObject::PublicKey(turned(block)),
        other => other,
    })
}

/// A private or public key, or a certificate for its key, as DER; `None` where it is no such object, or kept wrapped or in a
/// form without DER.
pub(crate) fn der(
    object: &ManagedObject,
    cryptography: &dyn Cryptography,
) -> Result<Option<Der>, CryptographyError> {
    let (block, half) = match object {
        ManagedObject::Certificate { certificate_value, .. } => {
            let bytes = Secret::from(certificate_value.as_slice());
            return Ok(Some(Der { form: AsymmetricForm::Certificate, bytes }));
        }
        ManagedObject::PrivateKey(block) => (block, Half::Private),
        ManagedObject::PublicKey(block) => (block, Half::Public),
        _ => return Ok(None),
    };
    if let (Some(form), Some(bytes)) = (der_form(block.key_format_type, half), block.plain_bytes()) {
        return Ok(Some(Der { form, bytes: bytes.clone() }));
    }
    let form = match half {
        Half::Private => AsymmetricForm::Pkcs8,
        Half::Public => AsymmetricForm::SubjectPublicKeyInfo,
    };
    let Some(numbers) = structured_numbers(block) else { return Ok(None) };
    let bytes = Secret::from(cryptography.der(&numbers, form)?.as_slice());
    Ok(Some(Der { form, bytes }))
}

fn not_turned(object: &ManagedObject, asked: KeyFormatType) -> Refusal {
    let kept = match object {
        ManagedObject::Certificate { .. } => Some(KeyFormatType::X509),
        _ => object.key_block().map(|block| block.key_format_type),
    };
    let kept = kept.map_or("without a Key Format Type".to_owned(), |kept| format!("as {kept}"));
    Refusal::new(
        ResultReason::KeyFormatTypeNotSupported,
        format!(
            "the object is kept {kept}, and not turned into {asked}; hint: ask for the form it is kept in"
        ),
    )
}

/// What the bytes of a format are, if they are DER.
fn der_form(format: KeyFormatType, half: Half) -> Option<AsymmetricForm> {
    match (format, half) {
        (KeyFormatType::Pkcs1, Half::Private) => Some(AsymmetricForm::Pkcs1Private),
        (KeyFormatType::Pkcs1, Half::Public) => Some(AsymmetricForm::Pkcs1Public),
        (KeyFormatType::Pkcs8, Half::Private) => Some(AsymmetricForm::Pkcs8),
        (KeyFormatType::EcPrivateKey, Half::Private) => Some(AsymmetricForm::EcPrivate),
        (KeyFormatType::X509, Half::Public) => Some(AsymmetricForm::SubjectPublicKeyInfo),
        _ => None,
    }
}

/// Raw bytes are the one field of a transparent symmetric key.
fn symmetric(block: &KeyBlock, asked: KeyFormatType) -> Option<KeyMaterial> {
    let Some(KeyValue::Plain { material, .. }) = &block.key_value else { return None };
    match (block.key_format_type, material, asked) {
        (KeyFormatType::Raw, KeyMaterial::Bytes(bytes), KeyFormatType::TransparentSymmetricKey) => {
            let key = Node::new(tag::KEY, Value::ByteString(bytes.danger_bytes().to_vec()));
            Some(KeyMaterial::Structure(kmip::object::SecretValue::new(Value::Structure(vec![key]))))
        }
        (KeyFormatType::TransparentSymmetricKey, KeyMaterial::Structure(value), KeyFormatType::Raw) => {
            let key = value.danger_value().children().iter().find(|node| node.tag == tag::KEY)?;
            match &key.value {
                Value::ByteString(bytes) => Some(KeyMaterial::Bytes(Secret::from(bytes.as_slice()))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn asymmetric(
    block: &KeyBlock,
    half: Half,
    asked: KeyFormatType,
    cryptography: &dyn Cryptography,
) -> Result<Option<KeyMaterial>, Refusal> {
    let numbers = match (der_form(block.key_format_type, half), block.plain_bytes()) {
        (Some(form), Some(bytes)) => {
            let key = AsymmetricKey { form, der: bytes.danger_bytes() };
            cryptography.numbers(&key).map_err(|error| cannot_turn(&error))?
        }
        _ => match structured_numbers(block) {
            Some(numbers) => numbers,
            None => return Ok(None),
        },
    };
    if let Some(form) = der_form(asked, half) {
        let bytes: Zeroizing<Vec<u8>> =
            cryptography.der(&numbers, form).map_err(|error| cannot_turn(&error))?;
        return Ok(Some(KeyMaterial::Bytes(Secret::from(bytes.as_slice()))));
    }
    Ok(transparent::write(&numbers, asked).map(KeyMaterial::Structure))
}

/// The numbers of a transparent key.
fn structured_numbers(block: &KeyBlock) -> Option<KeyNumbers> {
    match &block.key_value {
        Some(KeyValue::Plain { material: KeyMaterial::Structure(value), .. }) => {
            transparent::read(value.danger_value(), block.key_format_type)
        }
        _ => None,
    }
}

fn cannot_turn(error: &CryptographyError) -> Refusal {
    let (CryptographyError::Unsupported(why) | CryptographyError::Failed(why)) = error else {
        return Refusal::from(error.clone());
    };
    let message =
        format!("the key is not turned into another form: {why}; hint: ask for the form it is kept in");
    Refusal::new(ResultReason::KeyFormatTypeNotSupported, message)
}
