//! Transparent keys (KMIP 1.4 section 2.1.7): numbers as the fields of a structure.

use kmip::enumeration::{KeyFormatType, RecommendedCurve};
use kmip::object::SecretValue;
use kmip::tag;
use ttlv::{Node, Tag, Value};
use zeroize::Zeroizing;

use crate::cryptography::{KeyNumbers, Number};

/// What a transparent format is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    RsaPrivate,
    RsaPublic,
    EcPrivate,
    EcPublic,
    DsaPrivate,
    DsaPublic,
    DhPrivate,
    DhPublic,
}

impl Kind {
    /// ECDSA, ECDH and ECMQV keys have the fields of EC ones, which took their place with 1.3.
    fn of(format: KeyFormatType) -> Option<Self> {
        use KeyFormatType as F;
        Some(match format {
            F::TransparentRsaPrivateKey => Self::RsaPrivate,
            F::TransparentRsaPublicKey => Self::RsaPublic,
            F::TransparentEcPrivateKey
            | F::TransparentEcdsaPrivateKey
            | F::TransparentEcdhPrivateKey
            | F::TransparentEcmqvPrivateKey => Self::EcPrivate,
            F::TransparentEcPublicKey
            | F::TransparentEcdsaPublicKey
            | F::TransparentEcdhPublicKey
            | F::TransparentEcmqvPublicKey => Self::EcPublic,
            F::TransparentDsaPrivateKey => Self::DsaPrivate,
            F::TransparentDsaPublicKey => Self::DsaPublic,
            F::TransparentDhPrivateKey => Self::DhPrivate,
            F::TransparentDhPublicKey => Self::DhPublic,
            _ => return None,
        })
    }
}

/// A field that is a number; `None` where it is absent, negative or of another type.
fn number(value: &Value, tag: Tag) -> Option<Number> {
    let Value::BigInteger(bytes) = &value.children().iter().find(|node| node.tag == tag)?.value else {
        return None;
    };
    if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
        return None;
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(bytes.len().saturating_sub(1));
    Some(Zeroizing::new(bytes.get(zeros..)?.to_vec()))
}

fn curve(value: &Value) -> Option<RecommendedCurve> {
    match &value.children().iter().find(|node| node.tag == tag::RECOMMENDED_CURVE)?.value {
        Value::Enumeration(number) => Some(RecommendedCurve::from_number(*number)),
        _ => None,
    }
}

/// The numbers of a key of this format; `None` where fields that it needs are not there.
pub(super) fn read(value: &Value, format: KeyFormatType) -> Option<KeyNumbers> {
    let field = |tag| number(value, tag);
    let needed = |tag| number(value, tag);
    Some(match Kind::of(format)? {
        Kind::RsaPrivate => KeyNumbers::RsaPrivate {
            modulus: needed(tag::MODULUS)?,
            private_exponent: field(tag::PRIVATE_EXPONENT),
            public_exponent: field(tag::PUBLIC_EXPONENT),
            p: field(tag::P),
            q: field(tag::Q),
            prime_exponent_p: field(tag::PRIME_EXPONENT_P),
            prime_exponent_q: field(tag::PRIME_EXPONENT_Q),
            crt_coefficient: field(tag::CRT_COEFFICIENT),
        },
        Kind::RsaPublic => KeyNumbers::RsaPublic {
            modulus: needed(tag::MODULUS)?,
            public_exponent: needed(tag::PUBLIC_EXPONENT)?,
        },
        Kind::EcPrivate => KeyNumbers::EcPrivate { curve: curve(value)?, d: needed(tag::D)? },
        Kind::EcPublic => {
            let q_string = match &value.children().iter().find(|node| node.tag == tag::Q_STRING)?.value {
                Value::ByteString(bytes) => bytes.clone(),
                _ => return None,
            };
            KeyNumbers::EcPublic { curve: curve(value)?, q_string }
        }
        Kind::DsaPrivate => KeyNumbers::DsaPrivate {
            p: needed(tag::P)?,
            q: needed(tag::Q)?,
            g: needed(tag::G)?,
            x: needed(tag::X)?,
        },
        Kind::DsaPublic => KeyNumbers::DsaPublic {
            p: needed(tag::P)?,
            q: needed(tag::Q)?,
            g: needed(tag::G)?,
            y: needed(tag::Y)?,
        },
        Kind::DhPrivate => KeyNumbers::DhPrivate {
            p: needed(tag::P)?,
            q: field(tag::Q),
            g: needed(tag::G)?,
            x: needed(tag::X)?,
        },
        Kind::DhPublic => KeyNumbers::DhPublic {
            p: needed(tag::P)?,
            q: field(tag::Q),
            g: needed(tag::G)?,
            y: needed(tag::Y)?,
        },
    })
}

/// The structure of this format; `None` where it is none for these numbers.
pub(super) fn write(numbers: &KeyNumbers, format: KeyFormatType) -> Option<SecretValue> {
    let some = |tag, number: &Number| Some(Node::new(tag, big_integer(number)));
    let any = |tag, number: &Option<Number>| number.as_ref().and_then(|number| some(tag, number));
    let curve =
        |curve: RecommendedCurve| Some(Node::new(tag::RECOMMENDED_CURVE, Value::Enumeration(curve.number())));
    let fields: Vec<Option<Node>> = match (numbers, Kind::of(format)?) {
        (
            KeyNumbers::RsaPrivate {
                modulus,
                private_exponent,
                public_exponent,
                p,
                q,
                prime_exponent_p,
                prime_exponent_q,
                crt_coefficient,
            },
            Kind::RsaPrivate,
        ) => vec![
            some(tag::MODULUS, modulus),
            any(tag::PRIVATE_EXPONENT, private_exponent),
            any(tag::PUBLIC_EXPONENT, public_exponent),
            any(tag::P, p),
            any(tag::Q, q),
            any(tag::PRIME_EXPONENT_P, prime_exponent_p),
            any(tag::PRIME_EXPONENT_Q, prime_exponent_q),
            any(tag::CRT_COEFFICIENT, crt_coefficient),
        ],
        (KeyNumbers::RsaPublic { modulus, public_exponent }, Kind::RsaPublic) => {
            vec![some(tag::MODULUS, modulus), some(tag::PUBLIC_EXPONENT, public_exponent)]
        }
        (KeyNumbers::EcPrivate { curve: on, d }, Kind::EcPrivate) => vec![curve(*on), some(tag::D, d)],
        (KeyNumbers::EcPublic { curve: on, q_string }, Kind::EcPublic) => {
            vec![curve(*on), Some(Node::new(tag::Q_STRING, Value::ByteString(q_string.clone())))]
        }
        (KeyNumbers::DsaPrivate { p, q, g, x }, Kind::DsaPrivate) => {
            vec![some(tag::P, p), some(tag::Q, q), some(tag::G, g), some(tag::X, x)]
        }
        (KeyNumbers::DsaPublic { p, q, g, y }, Kind::DsaPublic) => {
            vec![some(tag::P, p), some(tag::Q, q), some(tag::G, g), some(tag::Y, y)]
        }
        (KeyNumbers::DhPrivate { p, q, g, x }, Kind::DhPrivate) => {
            vec![some(tag::P, p), any(tag::Q, q), some(tag::G, g), some(tag::X, x)]
        }
        (KeyNumbers::DhPublic { p, q, g, y }, Kind::DhPublic) => {
            vec![some(tag::P, p), any(tag::Q, q), some(tag::G, g), some(tag::Y, y)]
        }
        _ => return None,
    };
    Some(SecretValue::new(Value::Structure(fields.into_iter().flatten().collect())))
}

/// With a byte of zeros before it where it would read as negative, and to whole eights of bytes (KMIP 1.4 section 9.1.1.4).
fn big_integer(number: &Number) -> Value {
    let sign = number.first().is_none_or(|byte| byte & 0x80 != 0);
    let length = number.len().saturating_add(usize::from(sign)).next_multiple_of(8);
    let mut bytes = vec![0; length.saturating_sub(number.len())];
    bytes.extend_from_slice(number);
    Value::BigInteger(bytes)
}
