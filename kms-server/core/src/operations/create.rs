//! Create (KMIP 1.4 sections 4.1 and 11.2): a new symmetric key, made here.

use kmip::Secret;
use kmip::StandardAttribute;
use kmip::enumeration::{CryptographicAlgorithm, KeyFormatType, ObjectType, RngAlgorithm};
use kmip::object::{KeyBlock, ManagedObject};
use kmip::operations::create::{Request, Response};
use ttlv::Value;

use super::Call;
use super::register::draft_created;
use crate::Refusal;
use crate::attributes::NewAttributes;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    if request.object_type != ObjectType::SymmetricKey {
        return Err(Refusal::invalid_field(format!(
            "Create makes a SymmetricKey, got {}; hint: Create Key Pair, or Register",
            request.object_type
        )));
    }
    call.check_room()?;
    let mut attributes = NewAttributes::resolve(call, ObjectType::SymmetricKey, &request.template_attribute)?;
    if attributes.integer(StandardAttribute::CryptographicUsageMask).is_none() {
        return Err(Refusal::invalid_field("Create needs a Cryptographic Usage Mask"));
    }
    let object = make_key(call, &mut attributes)?;
    made_here(call, &mut attributes);
    let id = draft_created(call, &object, attributes)?;
    Ok(Response {
        object_type: ObjectType::SymmetricKey,
        unique_identifier: id.to_string(),
        template_attribute: None,
    })
}

/// Makes a key of the algorithm and length that the attributes ask for, and notes what the request left open.
pub(super) fn make_key(
    call: &mut Call<'_, '_, '_>,
    attributes: &mut NewAttributes,
) -> Result<ManagedObject, Refusal> {
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
    attributes.set_if_absent(StandardAttribute::CryptographicLength, Value::Integer(bits));
    let mut material = vec![0; material_bytes(algorithm, bits)];
    call.context.entropy.fill(&mut material);
    if algorithm == CryptographicAlgorithm::TripleDes {
        set_odd_parity(&mut material);
    }
    let key_block = KeyBlock::plain(KeyFormatType::Raw, Secret::new(material), Some(algorithm), Some(bits));
    Ok(ManagedObject::SymmetricKey(key_block))
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
