//! Cryptography that anyone can do in their head, so that a test sees what the core asked for.

use kmip::enumeration::{HashingAlgorithm, RecommendedCurve};
use kms_core::cryptography::{
    AsymmetricForm, AsymmetricKey, Cipher, Container, Cryptography, CryptographyError, Encrypted, Finished,
    KeyNumbers, Mac, MadePair, PairKind, Progress, RsaPadding, Signed, Signing, Stream, Stretching, Workshop,
};
use zeroize::Zeroizing;

/// Adds up, and turns bits over.
pub struct Toy;

/// What a cipher is made of, in one byte that any change of it changes.
fn sum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u8 {
    let bytes = parts.into_iter().flatten();
    bytes.fold(0, |sum: u8, byte| sum.rotate_left(1).wrapping_add(*byte))
}

/// What the halves of a pair made here have in common, whatever form they are in: how they end.
fn belongs<'a>(key: &AsymmetricKey<'a>) -> &'a [u8] {
    &key.der[key.der.len().saturating_sub(16)..]
}

fn mask(cipher: &Cipher<'_>) -> u8 {
    sum([cipher.key, cipher.iv]) ^ u8::try_from(cipher.mode.map_or(0, |mode| mode.number())).unwrap()
}

fn tag(cipher: &Cipher<'_>, data: &[u8]) -> Vec<u8> {
    vec![sum([cipher.key, cipher.iv, cipher.additional, data]); cipher.tag_bytes]
}

impl Cryptography for Toy {
    fn encrypt(&self, cipher: &Cipher<'_>, plain: &[u8]) -> Result<Encrypted, CryptographyError> {
        let data: Vec<u8> = plain.iter().map(|byte| byte ^ mask(cipher)).collect();
        Ok(Encrypted { tag: tag(cipher, &data), data })
    }

    fn decrypt(
        &self,
        cipher: &Cipher<'_>,
        encrypted: &Encrypted,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        if tag(cipher, &encrypted.data) != encrypted.tag {
            return Err(CryptographyError::Failed("the tag is wrong".into()));
        }
        Ok(Zeroizing::new(encrypted.data.iter().map(|byte| byte ^ mask(cipher)).collect()))
    }

    fn encrypt_to(
        &self,
        key: &AsymmetricKey<'_>,
        _: &RsaPadding<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, CryptographyError> {
        Ok(plain.iter().map(|byte| byte ^ sum([key.der])).collect())
    }

    fn decrypt_with(
        &self,
        key: &AsymmetricKey<'_>,
        _: &RsaPadding<'_>,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        Ok(Zeroizing::new(encrypted.iter().map(|byte| byte ^ sum([key.der])).collect()))
    }

    fn sign(
        &self,
        key: &AsymmetricKey<'_>,
        signing: &Signing,
        signed: Signed<'_>,
    ) -> Result<Vec<u8>, CryptographyError> {
        let (Signed::Data(bytes) | Signed::Digest(bytes)) = signed;
        Ok([&[sum([belongs(key), bytes])], format!("{signing:?}").as_bytes()].concat())
    }

    fn verify(
        &self,
        key: &AsymmetricKey<'_>,
        signing: &Signing,
        signed: Signed<'_>,
        signature: &[u8],
    ) -> Result<bool, CryptographyError> {
        Ok(self.sign(key, signing, signed)? == signature)
    }

    fn mac(&self, algorithm: Mac, key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptographyError> {
        Ok([&[sum([key, data])], format!("{algorithm:?}").as_bytes()].concat())
    }

    fn hash(&self, algorithm: HashingAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptographyError> {
        match algorithm {
            HashingAlgorithm::Md2 => Err(CryptographyError::Unsupported("no MD2 here".into())),
            _ => Ok(vec![sum([data])]),
        }
    }

    fn part(&self, stream: &Stream<'_>, state: &[u8], data: &[u8]) -> Result<Progress, CryptographyError> {
        let ready = match stream {
            Stream::Encrypt(cipher) | Stream::Decrypt(cipher) => {
                data.iter().map(|byte| byte ^ mask(cipher)).collect()
            }
            Stream::Hash(_) | Stream::Mac(_) => Vec::new(),
        };
        Ok(Progress { ready: Zeroizing::new(ready), state: Zeroizing::new([state, data].concat()) })
    }

    fn last_part(
        &self,
        stream: &Stream<'_>,
        state: &[u8],
        data: &[u8],
        tag: &[u8],
    ) -> Result<Finished, CryptographyError> {
        let all = [state, data].concat();
        let (rest, tag) = match stream {
            Stream::Encrypt(cipher) => {
                let encrypted = self.encrypt(cipher, &all)?;
                (encrypted.data[state.len()..].to_vec(), encrypted.tag)
            }
            Stream::Decrypt(cipher) => {
                let plain = self.decrypt(cipher, &Encrypted { data: all, tag: tag.to_vec() })?;
                (plain[state.len()..].to_vec(), Vec::new())
            }
            Stream::Hash(algorithm) => (self.hash(*algorithm, &all)?, Vec::new()),
            Stream::Mac(mac) => (self.mac(mac.algorithm, mac.key, &all)?, Vec::new()),
        };
        Ok(Finished { rest: Zeroizing::new(rest), tag })
    }

    fn agree(
        &self,
        private: &AsymmetricKey<'_>,
        public: &AsymmetricKey<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        if private.der.len().abs_diff(public.der.len()) > 1 {
            return Err(CryptographyError::Failed("not of one curve".into()));
        }
        Ok(Zeroizing::new(vec![sum([private.der]).wrapping_add(sum([public.der])); 32]))
    }

    /// A key whose only number is its DER.
    fn numbers(&self, key: &AsymmetricKey<'_>) -> Result<KeyNumbers, CryptographyError> {
        if key.der.is_empty() {
            return Err(CryptographyError::Failed("no key".into()));
        }
        let number = || Zeroizing::new(key.der.to_vec());
        Ok(match key.form {
            AsymmetricForm::Pkcs1Private | AsymmetricForm::Pkcs8 => KeyNumbers::RsaPrivate {
                modulus: number(),
                private_exponent: Some(number()),
                public_exponent: None,
                p: None,
                q: None,
                prime_exponent_p: None,
                prime_exponent_q: None,
                crt_coefficient: None,
            },
            AsymmetricForm::Pkcs1Public => {
                KeyNumbers::RsaPublic { modulus: number(), public_exponent: number() }
            }
            AsymmetricForm::EcPrivate => KeyNumbers::EcPrivate { curve: RecommendedCurve::P256, d: number() },
            AsymmetricForm::SubjectPublicKeyInfo | AsymmetricForm::Certificate => {
                KeyNumbers::EcPublic { curve: RecommendedCurve::P256, q_string: key.der.to_vec() }
            }
        })
    }

    fn container(&self, container: &Container<'_>) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        let Container { key, password, alias, certificates } = container;
        let of = format!("{alias} {} {} {certificates:?}", sum([key.der]), sum([*password]));
        Ok(Zeroizing::new(of.into_bytes()))
    }

    fn der(
        &self,
        numbers: &KeyNumbers,
        form: AsymmetricForm,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        let (number, fits) = match numbers {
            KeyNumbers::RsaPrivate { modulus, .. } => {
                (modulus.to_vec(), matches!(form, AsymmetricForm::Pkcs1Private | AsymmetricForm::Pkcs8))
            }
            KeyNumbers::RsaPublic { modulus, .. } => (
                modulus.to_vec(),
                matches!(form, AsymmetricForm::Pkcs1Public | AsymmetricForm::SubjectPublicKeyInfo),
            ),
            KeyNumbers::EcPrivate { d, .. } => {
                (d.to_vec(), matches!(form, AsymmetricForm::EcPrivate | AsymmetricForm::Pkcs8))
            }
            KeyNumbers::EcPublic { q_string, .. } => {
                (q_string.clone(), form == AsymmetricForm::SubjectPublicKeyInfo)
            }
            _ => (Vec::new(), false),
        };
        if fits {
            Ok(Zeroizing::new(number))
        } else {
            Err(CryptographyError::Unsupported(format!("no {form:?}")))
        }
    }
}

impl Workshop for Toy {
    fn make_pair(&self, kind: PairKind) -> Result<MadePair, CryptographyError> {
        if kind == PairKind::Ec(RecommendedCurve::P192) {
            return Err(CryptographyError::Failed("no P-192 here".into()));
        }
        let private = Zeroizing::new(format!("private half of {kind:?}").into_bytes());
        Ok(MadePair { private, public: format!("public half of {kind:?}").into_bytes() })
    }

    fn stretch(&self, stretching: &Stretching) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        let Stretching { hash, password, salt, iterations, bytes } = stretching;
        let of = format!("{hash:?} {iterations} {}", sum([password.as_slice(), salt]));
        Ok(Zeroizing::new(of.bytes().cycle().take(*bytes).collect()))
    }
}
