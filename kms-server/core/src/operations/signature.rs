//! What Sign and Signature Verify have in common: the kind of a signature, from the key and its parameters.

use kmip::Secret;
use kmip::attribute::CryptographicParameters;
use kmip::enumeration::{
    CryptographicAlgorithm, DigitalSignatureAlgorithm as Dsa, HashingAlgorithm as Hash, PaddingMethod,
};

use super::Call;
use super::parts::Advance;
use crate::Refusal;
use crate::cryptography::{Signed, Signing, Stream};
use crate::usage::InUse;

/// The kind of signature that the parameters ask for: "either the Digital Signature Algorithm can be specified or the
/// Cryptographic Algorithm and Hashing Algorithm combination".
///
/// Departs from KMIP 1.4 4.31: a digest is signed without either too, as it is, which the public test cases with Digested Data
/// do.
pub(super) fn kind(
    key: &InUse,
    parameters: &CryptographicParameters,
    digested: bool,
) -> Result<Signing, Refusal> {
    if let Some(algorithm) = parameters.digital_signature_algorithm {
        return by_name(algorithm, parameters);
    }
    let Some(hash) = parameters.hashing_algorithm else {
        let padding = parameters.padding_method.unwrap_or(PaddingMethod::Pkcs1V1_5);
        match key.algorithm(parameters).filter(|_| digested) {
            Some(CryptographicAlgorithm::Rsa) if padding == PaddingMethod::Pkcs1V1_5 => {
                return Ok(Signing::RsaPkcs1V1_5Bare);
            }
            Some(CryptographicAlgorithm::Ecdsa | CryptographicAlgorithm::Ec) => {
                return Ok(Signing::EcdsaBare);
            }
            _ => {}
        }
        return Err(Refusal::invalid_field(
            "no Hashing Algorithm and no Digital Signature Algorithm is given, by the request or by the key",
        ));
    };
    match (key.algorithm(parameters), parameters.padding_method) {
        (Some(CryptographicAlgorithm::Rsa), Some(PaddingMethod::Pss)) => Ok(pss(hash, parameters)),
        (Some(CryptographicAlgorithm::Rsa), None | Some(PaddingMethod::Pkcs1V1_5)) => {
            Ok(Signing::RsaPkcs1V1_5(hash))
        }
        (Some(CryptographicAlgorithm::Ecdsa | CryptographicAlgorithm::Ec), _) => Ok(Signing::Ecdsa(hash)),
        (Some(CryptographicAlgorithm::Rsa), Some(other)) => {
            Err(Refusal::invalid_field(format!("{other} is no padding of RSA signatures")))
        }
        (Some(other), _) => Err(Refusal::invalid_field(format!("{other} makes no signatures here"))),
        (None, _) => {
            Err(Refusal::invalid_field("neither the key nor the request names a Cryptographic Algorithm"))
        }
    }
}

fn by_name(algorithm: Dsa, parameters: &CryptographicParameters) -> Result<Signing, Refusal> {
    Ok(match algorithm {
        Dsa::Sha1WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha1),
        Dsa::Sha224WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha224),
        Dsa::Sha256WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha256),
        Dsa::Sha384WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha384),
        Dsa::Sha512WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha512),
        Dsa::Sha3_256WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha3_256),
        Dsa::Sha3_384WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha3_384),
        Dsa::Sha3_512WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha3_512),
        Dsa::RsassaPss => pss(parameters.hashing_algorithm.unwrap_or(Hash::Sha1), parameters),
        Dsa::EcdsaWithSha1 => Signing::Ecdsa(Hash::Sha1),
        Dsa::EcdsaWithSha224 => Signing::Ecdsa(Hash::Sha224),
        Dsa::EcdsaWithSha256 => Signing::Ecdsa(Hash::Sha256),
        Dsa::EcdsaWithSha384 => Signing::Ecdsa(Hash::Sha384),
        Dsa::EcdsaWithSha512 => Signing::Ecdsa(Hash::Sha512),
        other => {
            return Err(Refusal::invalid_field(format!("{other} is no signature that this server makes")));
        }
    })
}

/// Departs from KMIP 1.4 table 65, whose mask is of SHA-1 and whose salt of a block where the request says nothing: both are of
/// the data's own digest, as the public test cases have it and as RFC 8017 advises.
fn pss(hash: Hash, parameters: &CryptographicParameters) -> Signing {
    let mask_hash = parameters.mask_generator_hashing_algorithm.unwrap_or(hash);
    Signing::RsaPss { hash, mask_hash, salt_bytes: parameters.salt_length }
}

/// What is signed: the data, or the digest in its place.
pub(super) fn signed<'a>(data: Option<&'a Secret>, digest: Option<&'a [u8]>) -> Result<Signed<'a>, Refusal> {
    match (data, digest) {
        (Some(data), None) => Ok(Signed::Data(data.danger_bytes())),
        (None, Some(digest)) => Ok(Signed::Digest(digest)),
        (None, None) => {
            Err(Refusal::invalid_message("the Data are missing, and no Digested Data in their place"))
        }
        (Some(_), Some(_)) => {
            Err(Refusal::invalid_message("Data and Digested Data are given; one of them is signed"))
        }
    }
}

/// What a part of Sign or Signature Verify came to.
pub(super) enum Step<'r> {
    /// The Correlation Value of the next.
    Further(Vec<u8>),
    /// The digest of all parts; the key and the kind of signature that it is for.
    Digested { advance: Advance<'r>, kind: Signing, digest: Vec<u8> },
}

/// Takes a part of the data in: they are hashed part by part, and their digest is signed.
pub(super) fn in_parts<'r>(
    mut advance: Advance<'r>,
    digest: Option<&Vec<u8>>,
    call: &mut Call<'_, '_, '_>,
) -> Result<Step<'r>, Refusal> {
    if digest.is_some() {
        return Err(Refusal::invalid_field("Digested Data come as a whole; hint: leave the indicators out"));
    }
    let kind = kind(advance.key()?, &advance.parameters, false)?;
    let hash = kind.hash().ok_or_else(|| Refusal::invalid_field("data in parts need a Hashing Algorithm"))?;
    let (stream, state) = (Stream::Hash(hash), &advance.remembered.state);
    let cryptography = call.context.cryptography;
    if advance.last {
        let digest = cryptography.last_part(&stream, state, advance.data, &[])?.rest.to_vec();
        return Ok(Step::Digested { advance, kind, digest });
    }
    advance.remembered.state = cryptography.part(&stream, state, advance.data)?.state;
    Ok(Step::Further(advance.correlation_value(call)?))
}
