//! Create (KMIP 1.4 sections 4.1 and 11.2): a new symmetric key, or a password, made here.

use kmip::Secret;
use kmip::StandardAttribute;
use kmip::enumeration::{CryptographicAlgorithm, KeyFormatType, ObjectType, RngAlgorithm, SecretDataType};
use kmip::object::{KeyBlock, ManagedObject};
use kmip::operations::create::{Request, Response};
use ttlv::Value;

use super::Call;
use super::register::draft_created;
use crate::Refusal;
use crate::attributes::NewAttributes;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    match request.object_type {
        ObjectType::SymmetricKey => {}
        ObjectType::SecretData => return create_secret(request, call),
        other => {
            return Err(Refusal::invalid_field(format!(
                "Create makes a SymmetricKey or SecretData, got {other}; hint: Create Key Pair, or Register"
            )));
        }
    }
    call.check_room()?;
    let mut attributes = NewAttributes::resolve(call, ObjectType::SymmetricKey, &request.template_attribute)?;
    // Departs from KMIP 1.4 4.1: a request without a usage mask is taken, for no use at all, as the public test case
    // TC-CS-CORVAL-1 has it, and as Register does.
    attributes.set_if_absent(StandardAttribute::CryptographicUsageMask, Value::Integer(0));
    let object = make_key(call, &mut attributes)?;
    made_here(call, &mut attributes);
    let id = draft_created(call, &object, attributes)?;
    Ok(Response {
        object_type: ObjectType::SymmetricKey,
        unique_identifier: id.to_string(),
        template_attribute: None,
    })
}

/// A random password.
///
/// Departs from KMIP 1.4 4.1, which makes symmetric keys only: Secret Data too, as a public test case wants it. Its
/// Cryptographic Length says how much is made and is no attribute of it, as section 3.5 has it.
fn create_secret(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    call.check_room()?;
    let length = StandardAttribute::CryptographicLength.into();
    let mut asked = request.template_attribute.clone();
    let lengths: Vec<_> = asked.attributes.extract_if(.., |attribute| attribute.name == length).collect();
    let bits = match lengths.as_slice() {
        [] => SECRET_BITS_USUAL,
        [only] => match only.value {
            Value::Integer(bits) if bits > 0 && bits % 8 == 0 && bits <= SECRET_BITS_MAX => bits,
            _ => {
                let message =
                    format!("a password has a whole number of bytes, at most {SECRET_BITS_MAX} bits");
                return Err(Refusal::invalid_field(message));
            }
        },
        _ => return Err(Refusal::invalid_field("Cryptographic Length is there twice")),
    };
    let mut attributes = NewAttributes::resolve(call, ObjectType::SecretData, &asked)?;
    attributes.set_if_absent(StandardAttribute::CryptographicUsageMask, Value::Integer(0));
    let mut material = vec![0; usize::try_from(bits / 8).unwrap_or(0)];
    call.context.entropy.fill(&mut material);
    let key_block = KeyBlock::plain(KeyFormatType::Opaque, Secret::new(material), None, None);
    let object = ManagedObject::SecretData { secret_data_type: SecretDataType::Password, key_block };
    made_here(call, &mut attributes);
    let id = draft_created(call, &object, attributes)?;
    Ok(Response {
        object_type: ObjectType::SecretData,
        unique_identifier: id.to_string(),
        template_attribute: None,
    })
}

/// Bits of a password of which the request does not say how long it is to be.
const SECRET_BITS_USUAL: i32 = 256;

/// Bits of the longest password made here; a longer one is Invalid Field.
const SECRET_BITS_MAX: i32 = 8192;

/// Makes a key of the algorithm and length that the attributes ask for, and notes what the request left open.
pub(super) fn make_key(
    call: &mut Call<'_, '_, '_>,
    attributes: &mut NewAttributes,
) -> Result<ManagedObject, Refusal> {
    let wanted = wanted_key(attributes)?;
    attributes.set_if_absent(StandardAttribute::CryptographicLength, Value::Integer(wanted.bits));
    let mut material = vec![0; wanted.bytes];
    call.context.entropy.fill(&mut material);
    Ok(wanted.key(material))
}

/// A symmetric key as it is asked for.
pub(super) struct WantedKey {
    algorithm: CryptographicAlgorithm,
    bits: i32,
    /// Of its material.
    pub(super) bytes: usize,
}

/// What key the attributes ask for, of a length that its algorithm has.
pub(super) fn wanted_key(attributes: &NewAttributes) -> Result<WantedKey, Refusal> {
    let Some(algorithm) = attributes.enumeration(StandardAttribute::CryptographicAlgorithm) else {
        return Err(Refusal::invalid_field("a new key needs a Cryptographic Algorithm"));
    };
    let algorithm = CryptographicAlgorithm::from_number(algorithm);
    let lengths = lengths(algorithm).ok_or_else(|| {
        Refusal::invalid_field(format!(
            "{algorithm} is no symmetric algorithm that this server makes keys for"
        ))
    })?;
    let bits = attributes.integer(StandardAttribute::CryptographicLength).unwrap_or(lengths.usual);
    if !lengths.allow(bits) {
        return Err(Refusal::invalid_field(format!("a key for {algorithm} cannot have {bits} bits")));
    }
    Ok(WantedKey { algorithm, bits, bytes: material_bytes(algorithm, bits) })
}

impl WantedKey {
    /// The key of these bytes, as many as it has.
    pub(super) fn key(&self, mut material: Vec<u8>) -> ManagedObject {
        if self.algorithm == CryptographicAlgorithm::TripleDes {
            set_odd_parity(&mut material);
        }
        let (algorithm, bits) = (Some(self.algorithm), Some(self.bits));
        ManagedObject::SymmetricKey(KeyBlock::plain(
            KeyFormatType::Raw,
            Secret::new(material),
            algorithm,
            bits,
        ))
    }
}

/// The key lengths of an algorithm, in bits.
struct Lengths {
    usual: i32,
    allowed: &'static [i32],
    /// Any multiple of 8 between these bounds, beside those allowed by name.
    range: (i32, i32),
}

impl Lengths {
    fn allow(&self, bits: i32) -> bool {
        let (low, high) = self.range;
        self.allowed.contains(&bits) || (bits % 8 == 0 && (low..=high).contains(&bits))
    }
}

/// The symmetric algorithms of KMIP 1.4 section 9.1.3.2.13, and the lengths that their own standards give.
#[rustfmt::skip]
fn lengths(algorithm: CryptographicAlgorithm) -> Option<Lengths> {
    use CryptographicAlgorithm as A;
    let named = |usual, allowed| Some(Lengths { usual, allowed, range: (1, 0) });
    let between = |usual, low, high| Some(Lengths { usual, allowed: &[], range: (low, high) });
    match algorithm {
        A::Aes | A::Camellia                        => named(256, &[128, 192, 256]),
        A::Twofish                                  => named(256, &[128, 192, 256]),
        A::TripleDes                                => named(168, &[112, 168, 128, 192]),
        A::Des                                      => named(56, &[56, 64]),
        A::Idea                                     => named(128, &[128]),
        A::Skipjack                                 => named(80, &[80]),
        A::ChaCha20 | A::ChaCha20Poly1305           => named(256, &[128, 256]),
        A::Poly1305                                 => named(256, &[256]),
        A::Blowfish                                 => between(128, 32, 448),
        A::Cast5                                    => between(128, 40, 128),
        A::Rc2                                      => between(128, 8, 1024),
        A::Rc4                                      => between(128, 40, 2048),
        A::Rc5                                      => between(128, 8, 2040),
        A::HmacSha1 | A::HmacMd5                    => between(160, 8, MAC_BITS_MAX),
        A::HmacSha224                               => between(224, 8, MAC_BITS_MAX),
        A::HmacSha256                               => between(256, 8, MAC_BITS_MAX),
        A::HmacSha384                               => between(384, 8, MAC_BITS_MAX),
        A::HmacSha512                               => between(512, 8, MAC_BITS_MAX),
        _                                           => None,
    }
}

/// Bits of the longest HMAC key made here: more than any hash's block, which is all that HMAC uses (RFC 2104).
const MAC_BITS_MAX: i32 = 8192;

/// DES keys travel with a parity bit to every seven of key, whether the length counts them or not.
pub(super) fn material_bytes(algorithm: CryptographicAlgorithm, bits: i32) -> usize {
    let bytes = match (algorithm, bits) {
        (CryptographicAlgorithm::TripleDes, 112) => 16,
        (CryptographicAlgorithm::TripleDes, 168) => 24,
        (CryptographicAlgorithm::Des, 56) => 8,
        _ => bits / 8,
    };
    usize::try_from(bytes).unwrap_or(0)
}

fn set_odd_parity(material: &mut [u8]) {
    for byte in material {
        let odd = (*byte >> 1).count_ones() % 2 == 0;
        *byte = (*byte & 0xfe) | u8::from(odd);
    }
}

/// What goes for every object that this server makes (KMIP 1.4 sections 3.43 and 3.44).
pub(super) fn made_here(call: &Call<'_, '_, '_>, attributes: &mut NewAttributes) {
    attributes.set_if_absent(StandardAttribute::OriginalCreationDate, Value::DateTime(call.now()));
    let generator =
        ttlv::Node::new(kmip::tag::RNG_ALGORITHM, Value::Enumeration(RngAlgorithm::Unspecified.number()));
    attributes.set(StandardAttribute::RandomNumberGenerator, Value::Structure(vec![generator]));
}
