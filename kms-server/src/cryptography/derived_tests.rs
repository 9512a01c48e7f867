//! Derive Key as kms-core decides it, over OpenSSL: against values that others have published.

use kmip::attribute::CryptographicParameters;
use kmip::enumeration::{
    BlockCipherMode, CryptographicAlgorithm as Algorithm, DerivationMethod as Method,
    HashingAlgorithm as Hash, KeyFormatType, ObjectType, RecommendedCurve, SecretDataType,
};
use kmip::object::{KeyBlock, KeyMaterial, KeyValue, SecretValue};
use kmip::operations::{derive_key, get, register};
use kmip::{
    Attribute, ManagedObject, ProtocolVersion, RequestHeader, RequestItem, RequestMessage, RequestPayload,
    ResponseMessage, ResponsePayload, Secret, StandardAttribute, TemplateAttribute, tag,
};
use kms_core::{
    About, Client, Context, Draft, Entropy, Limits, Objects, Rights, Tenant, Vault, VaultError, handle,
};
use ttlv::{Node, Value};
use zeroize::Zeroizing;

use super::OpenSsl;

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

struct System;

impl Entropy for System {
    fn fill(&mut self, bytes: &mut [u8]) {
        crate::entropy::fill(bytes);
    }
}

/// Keeps material as it came: sealing is not what this is about.
struct Open;

impl Vault for Open {
    fn seal(&self, _: &About<'_>, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(plain.to_vec())
    }

    fn open(&self, _: &About<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        Ok(Zeroizing::new(sealed.to_vec()))
    }
}

struct World(Objects);

impl World {
    fn ask(&mut self, payload: impl Into<RequestPayload>) -> ResponsePayload {
        let request = RequestMessage {
            header: RequestHeader::new(ProtocolVersion::V1_4, 1),
            items: vec![RequestItem::new(payload.into())],
        };
        let client = Client { name: "test".into(), tenant: Tenant::new("test"), rights: Rights::ALL };
        let limits = Limits::default();
        let mut context = Context {
            now: 1_700_000_000,
            client: &client,
            entropy: &mut System,
            vault: &Open,
            cryptography: &OpenSsl,
            workshop: &OpenSsl,
            limits: &limits,
            vendor_identification: "test",
        };
        let mut draft = Draft::new(&self.0);
        let outcome = handle(&request, &mut context, &mut draft);
        for event in draft.into_events() {
            self.0.apply(&event);
        }
        let response = ResponseMessage::decode(&outcome.encoded, ttlv::Limits::default()).unwrap();
        let item = response.items.into_iter().next().unwrap();
        item.payload.unwrap_or_else(|| panic!("{:?}", item.result_message))
    }

    fn registered(&mut self, object: ManagedObject) -> String {
        let answer = self.ask(register::Request {
            object_type: object.object_type(),
            template_attribute: TemplateAttribute {
                names: Vec::new(),
                attributes: vec![
                    Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(512)),
                    Attribute::new(StandardAttribute::ActivationDate, Value::DateTime(5)),
                ],
            },
            object: Some(Box::new(object)),
        });
        answer.unique_identifier().unwrap().to_owned()
    }

    fn key(&mut self, bytes: &str) -> String {
        let bytes = hex(bytes);
        let bits = i32::try_from(bytes.len() * 8).unwrap();
        let block = KeyBlock::plain(KeyFormatType::Raw, Secret::new(bytes), Some(Algorithm::Aes), Some(bits));
        self.registered(ManagedObject::SymmetricKey(block))
    }

    fn secret(&mut self, bytes: &[u8]) -> String {
        self.registered(ManagedObject::SecretData {
            secret_data_type: SecretDataType::Password,
            key_block: KeyBlock::plain(KeyFormatType::Opaque, Secret::from(bytes), None, None),
        })
    }

    /// What is derived, in so many bytes, as hex.
    fn derived(
        &mut self,
        from: &[String],
        derivation_method: Method,
        derivation_parameters: derive_key::DerivationParameters,
        bytes: i32,
    ) -> String {
        let derived = self.ask(derive_key::Request {
            object_type: ObjectType::SecretData,
            unique_identifiers: from.to_vec(),
            derivation_method,
            derivation_parameters,
            template_attribute: TemplateAttribute {
                names: Vec::new(),
                attributes: vec![Attribute::new(
                    StandardAttribute::CryptographicLength,
                    Value::Integer(bytes * 8),
                )],
            },
        });
        let got = self.ask(get::Request {
            unique_identifier: derived.unique_identifier().map(str::to_owned),
            ..get::Request::default()
        });
        let ResponsePayload::Get(got) = got else { panic!("no Get") };
        hex::encode(got.object.key_block().unwrap().plain_bytes().unwrap().danger_bytes())
    }
}

fn world() -> World {
    World(Objects::default())
}

fn with_hash(hash: Hash) -> Option<Value> {
    let parameters =
        CryptographicParameters { hashing_algorithm: Some(hash), ..CryptographicParameters::default() };
    Some(parameters.to_value())
}

#[test]
fn pbkdf2_is_as_rfc_6070_says() {
    for (password, salt, iteration_count, bytes, expected) in [
        ("password", "salt", 1, 20, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
        ("password", "salt", 2, 20, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
        ("password", "salt", 4096, 20, "4b007901b765489abead49d926f721d065a429c1"),
        (
            "passwordPASSWORDpassword",
            "saltSALTsaltSALTsaltSALTsaltSALTsalt",
            4096,
            25,
            "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
        ),
        ("pass\0word", "sa\0lt", 4096, 16, "56fa6aa75548099dcc37d7f03425e0c3"),
    ] {
        let mut w = world();
        let secret = w.secret(password.as_bytes());
        let parameters = derive_key::DerivationParameters {
            salt: Some(salt.as_bytes().to_vec()),
            iteration_count: Some(iteration_count),
            ..derive_key::DerivationParameters::default()
        };
        assert_eq!(w.derived(&[secret], Method::Pbkdf2, parameters, bytes), expected);
    }
}

/// The labels end in the byte that divides them from the context, which is empty.
#[test]
fn counter_mode_is_as_rfc_8009_says() {
    for (key, hash, label, bytes, expected) in [
        (
            "3705d96080c17728a0e800eab6e0d23c",
            Hash::Sha256,
            "0000000299 00",
            16,
            "b31a018a48f54776f403e9a396325dc3",
        ),
        (
            "3705d96080c17728a0e800eab6e0d23c",
            Hash::Sha256,
            "00000002aa 00",
            16,
            "9b197dd1e8c5609d6e67c3e37c62c72e",
        ),
        (
            "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52",
            Hash::Sha384,
            "0000000299 00",
            24,
            "ef5718be86cc84963d8bbb5031e9f5c4ba41f28faf69e73d",
        ),
    ] {
        let mut w = world();
        let key = w.key(key);
        let parameters = derive_key::DerivationParameters {
            cryptographic_parameters: with_hash(hash),
            derivation_data: Some(Secret::new(hex(label))),
            ..derive_key::DerivationParameters::default()
        };
        assert_eq!(w.derived(&[key], Method::Nist800_108C, parameters, bytes), expected);
    }
}

/// Counter and feedback mode as the command `openssl kdf` computes them, double-pipeline mode by hand from NIST SP 800-108,
/// section 5.3: `label`, a byte of zeros, `context`.
#[test]
fn the_modes_of_sp_800_108_agree_with_other_makes() {
    let hmac = with_hash(Hash::Sha256);
    let cmac = Some(CryptographicParameters::default().to_value());
    for (method, prf, iv, bytes, expected) in [
        (
            Method::Nist800_108C,
            &hmac,
            None,
            64,
            "e32f899a01f87469303b8b02afa8746ac206af6b4da9cde17fabfc34ba4f9f40\
             58725ee39b3901ee79b6b9dd6eca93b598044b7d157bac0f136cf617d2b2ded2",
        ),
        (
            Method::Nist800_108C,
            &cmac,
            None,
            32,
            "4a63599f94bd3bf38b763386bb5397c690a3a40600f96a691059cc001c163c49",
        ),
        (
            Method::Nist800_108F,
            &hmac,
            Some(vec![0xaa; 32]),
            64,
            "f3eff9bff1b4f06b2748b3ff433dc7872e86d44daaedec7d41d6d7a5f5a467b3\
             7c6f39e91c80a966582b28d537a478e7df7496585be8005b48ac6dd68138fddd",
        ),
        (
            Method::Nist800_108Dpi,
            &hmac,
            None,
            64,
            "a250a0dde7c0cd53c64f0d4074302ce900e3438898bfb358ef24cdb96fe25f07\
             cfce38abd7074989dabf16ef420dd3db3b220b3f82e880a6c1b676e1d0380e10",
        ),
    ] {
        let mut w = world();
        let key = w.key("000102030405060708090a0b0c0d0e0f");
        let parameters = derive_key::DerivationParameters {
            cryptographic_parameters: prf.clone(),
            initialization_vector: iv,
            derivation_data: Some(Secret::from(&b"label\0context"[..])),
            ..derive_key::DerivationParameters::default()
        };
        assert_eq!(w.derived(&[key], method, parameters, bytes), expected, "{method}");
    }
}

#[test]
fn hash_hmac_and_encrypt_are_as_their_standards_say() {
    let mut w = world();
    // FIPS 180-4's "abc", and RFC 4231's test case 2 with the data in an object of its own.
    let abc = w.secret(b"abc");
    let parameters = derive_key::DerivationParameters {
        cryptographic_parameters: with_hash(Hash::Sha256),
        ..derive_key::DerivationParameters::default()
    };
    assert_eq!(
        w.derived(&[abc], Method::Hash, parameters.clone(), 32),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    let (key, data) = (w.secret(b"Jefe"), w.secret(b"what do ya want for nothing?"));
    assert_eq!(
        w.derived(&[key, data], Method::Hmac, parameters, 32),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    // NIST SP 800-38A, F.2.1.
    let key = w.key("2b7e151628aed2a6abf7158809cf4f3c");
    let cbc = CryptographicParameters {
        block_cipher_mode: Some(BlockCipherMode::Cbc),
        ..CryptographicParameters::default()
    };
    let parameters = derive_key::DerivationParameters {
        cryptographic_parameters: Some(cbc.to_value()),
        initialization_vector: Some(hex("000102030405060708090a0b0c0d0e0f")),
        derivation_data: Some(Secret::new(hex("6bc1bee22e409f96e93d7e117393172a"))),
        ..derive_key::DerivationParameters::default()
    };
    assert_eq!(w.derived(&[key], Method::Encrypt, parameters, 16), "7649abac8119b246cee98e9b12e9197d");
}

fn transparent(private: bool, fields: Vec<Node>) -> ManagedObject {
    let format =
        if private { KeyFormatType::TransparentEcPrivateKey } else { KeyFormatType::TransparentEcPublicKey };
    let curve = Node::new(tag::RECOMMENDED_CURVE, Value::Enumeration(RecommendedCurve::P256.number()));
    let fields = [vec![curve], fields].concat();
    let material = KeyMaterial::Structure(SecretValue::new(Value::Structure(fields)));
    let block = KeyBlock {
        key_value: Some(KeyValue::Plain { material, attributes: Vec::new() }),
        ..KeyBlock::plain(format, Secret::default(), Some(Algorithm::Ec), Some(256))
    };
    if private { ManagedObject::PrivateKey(block) } else { ManagedObject::PublicKey(block) }
}

/// RFC 5903, 8.1: the x-coordinate of what the two agree on.
#[test]
fn ecdh_is_as_rfc_5903_says_with_keys_that_are_kept_as_numbers() {
    let mut w = world();
    let d = hex("00 c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433");
    let private = transparent(true, vec![Node::new(tag::D, Value::BigInteger(d))]);
    let point = hex("04 d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63 \
         56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab");
    let public = transparent(false, vec![Node::new(tag::Q_STRING, Value::ByteString(point))]);
    let keys = [w.registered(public), w.registered(private)];
    let derived = w.derived(&keys, Method::AsymmetricKey, derive_key::DerivationParameters::default(), 32);
    assert_eq!(derived, "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
}
