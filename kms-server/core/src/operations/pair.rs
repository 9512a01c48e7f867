//! What Create Key Pair and Re-key Key Pair have in common: which pair the attributes of its halves ask for, and how both come to
//! be at once.

use kmip::attribute::Link;
use kmip::enumeration::{
    CryptographicAlgorithm as Algorithm, KeyFormatType, LinkType, ObjectType, RecommendedCurve,
};
use kmip::object::KeyBlock;
use kmip::operations::{NewPair, PairTemplates};
use kmip::{ManagedObject, Secret, StandardAttribute, tag};
use ttlv::Value;

use super::Call;
use super::create::made_here;
use super::register::draft_created_as;
use crate::attributes::NewAttributes;
use crate::cryptography::PairKind;
use crate::{Id, Refusal};

/// Bits of an RSA modulus that is made here. Shorter ones are broken; the longest takes seconds to make.
pub(super) const RSA_BITS_MIN: i32 = 1024;
/// See [`RSA_BITS_MIN`].
pub(super) const RSA_BITS_MAX: i32 = 8192;

/// Bits of an RSA modulus where the request names no length.
const RSA_BITS_USUAL: i32 = 2048;

/// The attributes of both halves of a new pair.
pub(super) struct Halves {
    pub(super) private_key: NewAttributes,
    pub(super) public_key: NewAttributes,
}

impl Halves {
    /// Resolves the templates of a request, each half's own over the common ones.
    pub(super) fn resolve(call: &Call<'_, '_, '_>, templates: &PairTemplates) -> Result<Self, Refusal> {
        let half = |own, object_type| {
            let order = templates.common.iter().chain(own);
            NewAttributes::gather(call, order)?.checked(call, object_type)
        };
        let mut halves = Self {
            private_key: half(templates.private_key.iter(), ObjectType::PrivateKey)?,
            public_key: half(templates.public_key.iter(), ObjectType::PublicKey)?,
        };
        let of_public = |name| halves.public_key.all(StandardAttribute::Name).any(|other| other == name);
        if halves.private_key.all(StandardAttribute::Name).any(of_public) {
            return Err(Refusal::invalid_field(
                "both keys would go by one Name; hint: names belong into the Private and Public Key Template-Attribute",
            ));
        }
        halves.shared(StandardAttribute::CryptographicParameters)?;
        Ok(halves)
    }

    /// A value that both halves have to have alike (KMIP 1.4 table 168), wherever the request named it; both have it from now on.
    fn shared(&mut self, attribute: StandardAttribute) -> Result<Option<Value>, Refusal> {
        let (private, public) = (self.private_key.first(attribute), self.public_key.first(attribute));
        let value = match (private, public) {
            (Some(private), Some(public)) if private != public => {
                return Err(Refusal::invalid_field(format!(
                    "{} differs between the private and the public key",
                    attribute.name()
                )));
            }
            (private, public) => private.or(public).cloned(),
        };
        if let Some(value) = &value {
            self.set_if_absent(attribute, value);
        }
        Ok(value)
    }

    fn set_if_absent(&mut self, attribute: StandardAttribute, value: &Value) {
        self.private_key.set_if_absent(attribute, value.clone());
        self.public_key.set_if_absent(attribute, value.clone());
    }

    /// Which pair they ask for; what the request left open is noted.
    fn wanted(&mut self) -> Result<Wanted, Refusal> {
        use StandardAttribute::{CryptographicAlgorithm, CryptographicDomainParameters, CryptographicLength};
        let Some(Value::Enumeration(algorithm)) = self.shared(CryptographicAlgorithm)? else {
            return Err(Refusal::invalid_message("a new pair needs a Cryptographic Algorithm"));
        };
        let algorithm = Algorithm::from_number(algorithm);
        let bits = match self.shared(CryptographicLength)? {
            Some(Value::Integer(bits)) => Some(bits),
            _ => None,
        };
        let curve = self.shared(CryptographicDomainParameters)?.and_then(|parameters| {
            let field = parameters.children().iter().find(|node| node.tag == tag::RECOMMENDED_CURVE)?;
            match field.value {
                Value::Enumeration(number) => Some(RecommendedCurve::from_number(number)),
                _ => None,
            }
        });
        let (kind, bits) = match algorithm {
            Algorithm::Rsa => rsa(bits.unwrap_or(RSA_BITS_USUAL))?,
            Algorithm::Ec | Algorithm::Ecdsa | Algorithm::Ecdh | Algorithm::Ecmqv => ec(curve, bits)?,
            other => {
                return Err(Refusal::invalid_field(format!(
                    "this server makes no pairs for {other}; hint: RSA, or EC on a curve of a name"
                )));
            }
        };
        self.set_if_absent(CryptographicLength, &Value::Integer(bits));
        Ok(Wanted { algorithm, kind, bits })
    }

    /// Makes the pair, and drafts both keys, each linked to the other and to the key in whose place it comes; the ID Placeholder
    /// is then the private key.
    pub(super) fn make(
        mut self,
        call: &mut Call<'_, '_, '_>,
        replaced: Option<(Id, Id)>,
    ) -> Result<MadeHere, Refusal> {
        let Wanted { algorithm, kind, bits } = self.wanted()?;
        let made = call.context.workshop.make_pair(kind)?;
        let (private_format, public_format) = match kind {
            PairKind::Rsa { .. } => (KeyFormatType::Pkcs1, KeyFormatType::Pkcs1),
            PairKind::Ec(_) => (KeyFormatType::EcPrivateKey, KeyFormatType::X509),
        };
        let block = |format, bytes| KeyBlock::plain(format, bytes, Some(algorithm), Some(bits));
        let private = ManagedObject::PrivateKey(block(private_format, Secret::from(made.private.as_slice())));
        let public = ManagedObject::PublicKey(block(public_format, Secret::from(made.public.as_slice())));
        let private_id = Id::random(call.context.entropy);
        let public_id = Id::random(call.context.entropy);
        let link =
            |link_type, id: Id| Link { link_type, linked_object_identifier: id.to_string() }.to_value();
        self.private_key.add(StandardAttribute::Link, link(LinkType::PublicKeyLink, public_id));
        self.public_key.add(StandardAttribute::Link, link(LinkType::PrivateKeyLink, private_id));
        if let Some((old_private, old_public)) = replaced {
            self.private_key.add(StandardAttribute::Link, link(LinkType::ReplacedObjectLink, old_private));
            self.public_key.add(StandardAttribute::Link, link(LinkType::ReplacedObjectLink, old_public));
        }
        made_here(call, &mut self.private_key);
        made_here(call, &mut self.public_key);
        draft_created_as(call, public_id, &public, self.public_key)?;
        // Last, as the ID Placeholder is the private key.
        draft_created_as(call, private_id, &private, self.private_key)?;
        Ok(MadeHere { private_key: private_id, public_key: public_id })
    }
}

/// The keys of a pair that was made.
pub(super) struct MadeHere {
    pub(super) private_key: Id,
    pub(super) public_key: Id,
}

impl MadeHere {
    pub(super) fn answer(&self) -> NewPair {
        NewPair {
            private_key_unique_identifier: self.private_key.to_string(),
            public_key_unique_identifier: self.public_key.to_string(),
            private_key_template_attribute: None,
            public_key_template_attribute: None,
        }
    }
}

struct Wanted {
    algorithm: Algorithm,
    kind: PairKind,
    bits: i32,
}

fn rsa(bits: i32) -> Result<(PairKind, i32), Refusal> {
    let modulus =
        u32::try_from(bits).ok().filter(|_| (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) && bits % 8 == 0);
    let modulus = modulus.ok_or_else(|| {
        Refusal::invalid_field(format!(
            "an RSA key made here has {RSA_BITS_MIN} to {RSA_BITS_MAX} bits, in whole bytes, got {bits}"
        ))
    })?;
    Ok((PairKind::Rsa { bits: modulus }, bits))
}

/// The curve that is named, or the P-curve of the length that is asked for.
fn ec(curve: Option<RecommendedCurve>, bits: Option<i32>) -> Result<(PairKind, i32), Refusal> {
    let curve = match (curve, bits) {
        (Some(curve), _) => curve,
        (None, None | Some(256)) => RecommendedCurve::P256,
        (None, Some(192)) => RecommendedCurve::P192,
        (None, Some(224)) => RecommendedCurve::P224,
        (None, Some(384)) => RecommendedCurve::P384,
        (None, Some(521)) => RecommendedCurve::P521,
        (None, Some(bits)) => {
            return Err(Refusal::invalid_field(format!(
                "no P-curve has {bits} bits; hint: name a Recommended Curve in the Cryptographic Domain Parameters"
            )));
        }
    };
    let Some(curve_bits) = curve_bits(curve) else {
        return Err(Refusal::invalid_field(format!("this server makes no pairs on the curve {curve}")));
    };
    if let Some(bits) = bits.filter(|bits| *bits != curve_bits) {
        return Err(Refusal::invalid_field(format!(
            "Cryptographic Length is {bits} bits, the curve {curve} has {curve_bits}"
        )));
    }
    Ok((PairKind::Ec(curve), curve_bits))
}

/// Bits of the order of a curve that pairs are made on.
#[rustfmt::skip]
fn curve_bits(curve: RecommendedCurve) -> Option<i32> {
    use RecommendedCurve as C;
    match curve {
        C::P192                       => Some(192),
        C::P224                       => Some(224),
        C::P256 | C::Secp256k1        => Some(256),
        C::BrainpoolP256r1            => Some(256),
        C::P384 | C::BrainpoolP384r1  => Some(384),
        C::BrainpoolP512r1            => Some(512),
        C::P521                       => Some(521),
        _                             => None,
    }
}
