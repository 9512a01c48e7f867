//! The methods of Derive Key (KMIP 1.4 section 4.6): which of its objects is the key and which the data, and what is computed of both.

use kmip::attribute::CryptographicParameters;
use kmip::enumeration::{
    CryptographicAlgorithm as Algorithm, DerivationMethod, HashingAlgorithm as Hash, ObjectType, ResultReason,
};
use kmip::operations::derive_key::Request;
use kmip::{Secret, StandardAttribute};
use ttlv::Value;
use zeroize::Zeroizing;

use super::derive_key::DERIVED_BYTES_MAX;
use super::{Call, cipher};
use crate::cryptography::{Cipher, Cryptography, Mac, Stretching};
use crate::usage::{InUse, read_parameters};
use crate::{Refusal, key_format};

/// Rounds of HMAC that one PBKDF2 may cost: its iterations, once for each digest's length of what is derived. Ten million, some
/// seconds of one processor; more is Invalid Field.
pub(super) const PBKDF2_ROUNDS_MAX: u64 = 10_000_000;

/// Bytes derived by the request's method, exactly so many.
pub(super) fn derive(
    request: &Request,
    bases: &[InUse],
    bytes: usize,
    call: &Call<'_, '_, '_>,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    if bytes > DERIVED_BYTES_MAX {
        return Err(too_long(bytes, DERIVED_BYTES_MAX));
    }
    let cryptography = call.context.cryptography;
    let made = match request.derivation_method {
        DerivationMethod::Pbkdf2 => return stretched(request, bases, bytes, call),
        DerivationMethod::AsymmetricKey => agreed(request, bases, cryptography)?,
        DerivationMethod::Hash => hashed(request, bases, cryptography)?,
        DerivationMethod::Hmac => {
            let given = Given::of(request, bases)?;
            let parameters = hmac_parameters(given.key, request)?;
            let mac = Mac::Hmac(hmac_hash(given.key, &parameters).ok_or_else(no_hash)?);
            Zeroizing::new(cryptography.mac(
                mac,
                given.key_bytes()?.danger_bytes(),
                given.data.danger_bytes(),
            )?)
        }
        DerivationMethod::Encrypt => encrypted(&Given::of(request, bases)?, request, cryptography)?,
        DerivationMethod::Nist800_108C
        | DerivationMethod::Nist800_108F
        | DerivationMethod::Nist800_108Dpi => {
            let given = Given::of(request, bases)?;
            let prf = prf(&given, request)?;
            let iv = request.derivation_parameters.initialization_vector.as_deref().unwrap_or_default();
            let key = given.key_bytes()?;
            let kdf = Kdf { cryptography, prf, key: key.danger_bytes(), data: given.data.danger_bytes() };
            return kdf.run(request.derivation_method, iv, bytes);
        }
        DerivationMethod::Unknown(number) => {
            return Err(Refusal::invalid_field(format!("Derivation Method 0x{number:08x} is unknown")));
        }
    };
    made.get(..bytes).map(|made| Zeroizing::new(made.to_vec())).ok_or_else(|| too_long(bytes, made.len()))
}

fn too_long(bytes: usize, most: usize) -> Refusal {
    Refusal::new(
        ResultReason::CryptographicFailure,
        format!(
            "{bytes} bytes are to be derived, this gives {most}; hint: another method, or a shorter Cryptographic Length"
        ),
    )
}

fn no_hash() -> Refusal {
    Refusal::invalid_field("no Hashing Algorithm is given, by the request or by the key")
}

/// What a method that takes a key and data is given.
struct Given<'a> {
    key: &'a InUse,
    data: Secret,
}

impl<'a> Given<'a> {
    /// The data are in the request, or a Secret Data object beside the key: "If both are provided, then an error SHALL be
    /// returned". An only object is the key, secret or not.
    fn of(request: &Request, bases: &'a [InUse]) -> Result<Self, Refusal> {
        let in_request = request.derivation_parameters.derivation_data.clone();
        let is_secret = |base: &InUse| base.object.object_type == ObjectType::SecretData;
        match (bases, in_request) {
            ([key], Some(data)) => Ok(Self { key, data }),
            ([_], None) => Err(Refusal::invalid_field(
                "the Derivation Data are missing; hint: send them, or name a Secret Data object that is them",
            )),
            ([first, second], in_request) => {
                let (key, secret) = match (is_secret(first), is_secret(second)) {
                    (_, true) => (first, second),
                    (true, false) => (second, first),
                    (false, false) => {
                        return Err(Refusal::invalid_field(
                            "two keys are given; hint: one key, and the Derivation Data or a Secret Data object",
                        ));
                    }
                };
                if in_request.is_some() {
                    return Err(ambiguous());
                }
                Ok(Self { key, data: secret.symmetric()? })
            }
            _ => Err(Refusal::invalid_field("no key is given to derive from")),
        }
    }

    fn key_bytes(&self) -> Result<Secret, Refusal> {
        self.key.symmetric()
    }
}

fn ambiguous() -> Refusal {
    Refusal::invalid_message(
        "Derivation Data and an object in their place are given; hint: send the one or the other",
    )
}

/// The request's parameters, where one of the key's own allows them; the key's first where there are none.
fn parameters(key: &InUse, request: &Request) -> Result<CryptographicParameters, Refusal> {
    let own: Vec<&Value> = key
        .object
        .attributes
        .iter()
        .filter(|known| known.name == StandardAttribute::CryptographicParameters.into())
        .map(|known| &known.value)
        .collect();
    let Some(asked) = &request.derivation_parameters.cryptographic_parameters else {
        let first = own.first().ok_or_else(|| {
            Refusal::invalid_field("no Cryptographic Parameters are given, by the request or by the key")
        })?;
        return read_parameters(first);
    };
    // "The server SHALL verify that the specified mode matches one of the instances of Cryptographic Parameters set for the
    // corresponding key": a key without any takes what is asked, as the public test cases have it.
    let allows = |own: &Value| {
        asked.children().iter().all(|field| {
            let same = own.children().iter().find(|known| known.tag == field.tag);
            same.is_none_or(|known| known.value == field.value)
        })
    };
    if own.is_empty() || own.into_iter().any(allows) {
        return read_parameters(asked);
    }
    Err(Refusal::invalid_field("the key has no Cryptographic Parameters that allow those of the request"))
}

/// "If a key is derived using HMAC, then the attributes of the derivation key provide enough information about the PRF".
fn hmac_parameters(key: &InUse, request: &Request) -> Result<CryptographicParameters, Refusal> {
    let key_says = hmac_of(key.algorithm(&CryptographicParameters::default())).is_some();
    if key_says { Ok(CryptographicParameters::default()) } else { parameters(key, request) }
}

/// The digest of an HMAC: the key's own, where it is a key for one; or the parameters'.
fn hmac_hash(key: &InUse, parameters: &CryptographicParameters) -> Option<Hash> {
    hmac_of(key.algorithm(&CryptographicParameters::default()))
        .or_else(|| hmac_of(parameters.cryptographic_algorithm))
        .or(parameters.hashing_algorithm)
}

fn hmac_of(algorithm: Option<Algorithm>) -> Option<Hash> {
    match algorithm? {
        Algorithm::HmacMd5 => Some(Hash::Md5),
        Algorithm::HmacSha1 => Some(Hash::Sha1),
        Algorithm::HmacSha224 => Some(Hash::Sha224),
        Algorithm::HmacSha256 => Some(Hash::Sha256),
        Algorithm::HmacSha384 => Some(Hash::Sha384),
        Algorithm::HmacSha512 => Some(Hash::Sha512),
        _ => None,
    }
}

/// The pseudorandom function of NIST SP 800-108: HMAC where a digest is named, else CMAC of the block cipher.
fn prf(given: &Given<'_>, request: &Request) -> Result<Mac, Refusal> {
    let parameters = hmac_parameters(given.key, request)?;
    if let Some(hash) = hmac_hash(given.key, &parameters) {
        return Ok(Mac::Hmac(hash));
    }
    match given.key.algorithm(&parameters) {
        Some(algorithm @ (Algorithm::Aes | Algorithm::TripleDes)) => Ok(Mac::Cmac(algorithm)),
        _ => Err(no_hash()),
    }
}

/// A hash "over the derivation key or the derivation data".
fn hashed(
    request: &Request,
    bases: &[InUse],
    cryptography: &dyn Cryptography,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let [base] = bases else {
        return Err(Refusal::invalid_field("HASH takes one object to hash"));
    };
    if request.derivation_parameters.derivation_data.is_some() {
        return Err(ambiguous());
    }
    let hash = parameters(base, request)?.hashing_algorithm.ok_or_else(no_hash)?;
    Ok(Zeroizing::new(cryptography.hash(hash, base.symmetric()?.danger_bytes())?))
}

fn encrypted(
    given: &Given<'_>,
    request: &Request,
    cryptography: &dyn Cryptography,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let form = cipher::Form::of(given.key, &parameters(given.key, request)?)?;
    let key = given.key_bytes()?;
    let iv = request.derivation_parameters.initialization_vector.as_deref().unwrap_or_default();
    let cipher = Cipher { key: key.danger_bytes(), iv, ..form.cipher() };
    Ok(Zeroizing::new(cryptography.encrypt(&cipher, given.data.danger_bytes())?.data))
}

/// PBKDF2 of a password: the object, or the Derivation Data.
fn stretched(
    request: &Request,
    bases: &[InUse],
    bytes: usize,
    call: &Call<'_, '_, '_>,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let given = &request.derivation_parameters;
    let [base] = bases else {
        return Err(Refusal::invalid_field("PBKDF2 takes one object, the password"));
    };
    if given.derivation_data.is_some() {
        return Err(ambiguous());
    }
    let (Some(salt), Some(iterations)) = (&given.salt, given.iteration_count) else {
        return Err(Refusal::invalid_field("PBKDF2 needs a Salt and an Iteration Count"));
    };
    let hash = match &given.cryptographic_parameters {
        Some(_) => {
            let parameters = parameters(base, request)?;
            let named = hmac_of(parameters.cryptographic_algorithm).or(parameters.hashing_algorithm);
            named.ok_or_else(no_hash)?
        }
        // The default of PBKDF2 (RFC 8018, A.2).
        None => Hash::Sha1,
    };
    let digest_bytes = call.context.cryptography.hash(hash, &[])?.len().max(1);
    let blocks = u64::try_from(bytes.div_ceil(digest_bytes)).unwrap_or(u64::MAX);
    let iterations = u32::try_from(iterations).ok().filter(|count| *count > 0);
    let iterations = iterations.ok_or_else(|| Refusal::invalid_field("an Iteration Count is at least 1"))?;
    let rounds = u64::from(iterations).saturating_mul(blocks);
    if rounds > PBKDF2_ROUNDS_MAX {
        return Err(Refusal::invalid_field(format!(
            "PBKDF2 of {iterations} iterations for {bytes} bytes takes {rounds} rounds, more than the {PBKDF2_ROUNDS_MAX} \
             that this server computes; hint: a lower Iteration Count"
        )));
    }
    let password = Zeroizing::new(base.symmetric()?.danger_bytes().to_vec());
    let stretching = Stretching { hash, password, salt: salt.clone(), iterations, bytes };
    Ok(call.context.workshop.stretch(&stretching)?)
}

/// What the private half of one pair and the public half of another agree on.
fn agreed(
    request: &Request,
    bases: &[InUse],
    cryptography: &dyn Cryptography,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let halves = |first: &InUse, second: &InUse| {
        let types = (first.object.object_type, second.object.object_type);
        types == (ObjectType::PrivateKey, ObjectType::PublicKey)
    };
    let (private, public) = match bases {
        [first, second] if halves(first, second) => (first, second),
        [first, second] if halves(second, first) => (second, first),
        _ => {
            return Err(Refusal::invalid_field(
                "AsymmetricKey derives from a private key and the public key of the other side",
            ));
        }
    };
    if let Some(asked) = &request.derivation_parameters.cryptographic_parameters {
        match read_parameters(asked)?.cryptographic_algorithm {
            None | Some(Algorithm::Ecdh | Algorithm::Ec | Algorithm::Dh) => {}
            Some(other) => {
                return Err(Refusal::invalid_field(format!("{other} is no key agreement of this server")));
            }
        }
    }
    let der = |half: &InUse| {
        let not_plain =
            || Refusal::invalid_field(format!("{} is kept in a form that is not used here", half.object.id));
        key_format::der(&half.material, cryptography)?.ok_or_else(not_plain)
    };
    Ok(cryptography.agree(&der(private)?.key(), &der(public)?.key())?)
}

/// A key derivation of NIST SP 800-108, with a counter of 32 bits before the fixed input, and the length in bits, of 32 bits too,
/// behind it: `[i] || Label || 0x00 || Context || [L]`, where the Derivation Data are `Label || 0x00 || Context`.
struct Kdf<'a> {
    cryptography: &'a dyn Cryptography,
    prf: Mac,
    key: &'a [u8],
    data: &'a [u8],
}

impl Kdf<'_> {
    fn run(&self, method: DerivationMethod, iv: &[u8], bytes: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let bits = u32::try_from(bytes.saturating_mul(8)).unwrap_or(u32::MAX);
        let fixed = Zeroizing::new([self.data, &bits.to_be_bytes()].concat());
        let mut made = Zeroizing::new(Vec::with_capacity(bytes.saturating_add(MAC_BYTES_MOST)));
        // K(i-1) in feedback mode, A(i) in double-pipeline mode.
        let mut before = match method {
            DerivationMethod::Nist800_108F => Zeroizing::new(iv.to_vec()),
            _ => fixed.clone(),
        };
        let mut counter: u32 = 0;
        while made.len() < bytes {
            counter = counter.saturating_add(1);
            let count = counter.to_be_bytes();
            let block = match method {
                DerivationMethod::Nist800_108F => {
                    let block = self.code(&[&before, &count, &fixed])?;
                    before = block.clone();
                    block
                }
                DerivationMethod::Nist800_108Dpi => {
                    before = self.code(&[&before])?;
                    self.code(&[&before, &count, &fixed])?
                }
                _ => self.code(&[&count, &fixed])?,
            };
            if block.is_empty() {
                return Err(too_long(bytes, made.len()));
            }
            made.extend_from_slice(&block);
        }
        made.truncate(bytes);
        Ok(made)
    }

    fn code(&self, parts: &[&[u8]]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let input = Zeroizing::new(parts.concat());
        Ok(Zeroizing::new(self.cryptography.mac(self.prf, self.key, &input)?))
    }
}

/// Bytes of the longest code, so that what is made does not grow and leave a copy behind.
const MAC_BYTES_MOST: usize = 64;
