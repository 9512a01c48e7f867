//! The key block: how a key's material travels (KMIP 1.4 sections 2.1.3 to 2.1.6).

use ttlv::{Error, ErrorKind, Item, ItemType, Reader, Value, Writer};

use super::SecretValue;
use crate::absent::optional_bytes;
use crate::attribute::gate;
use crate::enumeration::{
    CryptographicAlgorithm, EncodingOption, KeyCompressionType, KeyFormatType, WrappingMethod,
};
use crate::{Attribute, ProtocolVersion, Secret, tag};

/// KMIP 1.4 section 2.1.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBlock {
    /// The form of the material.
    pub key_format_type: KeyFormatType,
    /// The form of an elliptic curve's public key.
    pub key_compression_type: Option<KeyCompressionType>,
    /// The material; absent where the server holds none (since 1.2).
    pub key_value: Option<KeyValue>,
    /// What the key is for.
    pub cryptographic_algorithm: Option<CryptographicAlgorithm>,
    /// Bits.
    pub cryptographic_length: Option<i32>,
    /// How the value is wrapped; absent where it is plain.
    pub key_wrapping_data: Option<KeyWrappingData>,
}

/// KMIP 1.4 section 2.1.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValue {
    /// The material in the clear, with the attributes that travel with it.
    Plain {
        /// The material.
        material: KeyMaterial,
        /// What travels with it; not the object's attributes.
        attributes: Vec<Attribute>,
    },
    /// Wrapped bytes.
    Wrapped(Secret),
}

/// Key material: bytes, or the fields of a transparent key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// For Raw, Opaque, PKCS#1, PKCS#8, X.509, ECPrivateKey and extensions.
    Bytes(Secret),
    /// For the Transparent formats (KMIP 1.4 section 2.1.7).
    Structure(SecretValue),
}

/// KMIP 1.4 section 2.1.5.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub struct KeyWrappingData {
    pub wrapping_method: WrappingMethod,
    pub encryption_key_information: Option<WrappingKeyInformation>,
    pub mac_signature_key_information: Option<WrappingKeyInformation>,
    pub mac_signature: Option<Vec<u8>>,
    pub iv_counter_nonce: Option<Vec<u8>>,
    /// Since 1.1.
    pub encoding_option: Option<EncodingOption>,
}

/// KMIP 1.4 section 2.1.6: how a client wants a key wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub struct KeyWrappingSpecification {
    pub wrapping_method: WrappingMethod,
    pub encryption_key_information: Option<WrappingKeyInformation>,
    pub mac_signature_key_information: Option<WrappingKeyInformation>,
    pub attribute_names: Vec<String>,
    /// Since 1.1.
    pub encoding_option: Option<EncodingOption>,
}

/// The key that wraps, and how (KMIP 1.4 tables 10 and 11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappingKeyInformation {
    /// The wrapping key.
    pub unique_identifier: String,
    /// How it is used; the key's own Cryptographic Parameters where absent.
    pub cryptographic_parameters: Option<Value>,
}

impl KeyBlock {
    /// A plain key of bytes.
    pub fn plain(
        key_format_type: KeyFormatType,
        material: Secret,
        cryptographic_algorithm: Option<CryptographicAlgorithm>,
        cryptographic_length: Option<i32>,
    ) -> Self {
        Self {
            key_format_type,
            key_compression_type: None,
            key_value: Some(KeyValue::Plain {
                material: KeyMaterial::Bytes(material),
                attributes: Vec::new(),
            }),
            cryptographic_algorithm,
            cryptographic_length,
            key_wrapping_data: None,
        }
    }

    /// The material's bytes, where it is plain and bytes.
    pub fn plain_bytes(&self) -> Option<&Secret> {
        match &self.key_value {
            Some(KeyValue::Plain { material: KeyMaterial::Bytes(bytes), .. }) => Some(bytes),
            _ => None,
        }
    }

    /// Reads the Key Block that is next.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut reader = reader.required(tag::KEY_BLOCK)?.structure()?;
        let key_format_type =
            KeyFormatType::from_number(reader.required(tag::KEY_FORMAT_TYPE)?.enumeration()?);
        let key_compression_type = reader
            .optional(tag::KEY_COMPRESSION_TYPE)?
            .map(|item| item.enumeration().map(KeyCompressionType::from_number))
            .transpose()?;
        let key_value = reader.optional(tag::KEY_VALUE)?.map(|item| KeyValue::read(&item)).transpose()?;
        let cryptographic_algorithm = reader
            .optional(tag::CRYPTOGRAPHIC_ALGORITHM)?
            .map(|item| item.enumeration().map(CryptographicAlgorithm::from_number))
            .transpose()?;
        let cryptographic_length =
            reader.optional(tag::CRYPTOGRAPHIC_LENGTH)?.map(|item| item.integer()).transpose()?;
        let key_wrapping_data =
            reader.optional(tag::KEY_WRAPPING_DATA)?.map(|item| KeyWrappingData::read(&item)).transpose()?;
        reader.finish()?;
        Ok(Self {
            key_format_type,
            key_compression_type,
            key_value,
            cryptographic_algorithm,
            cryptographic_length,
            key_wrapping_data,
        })
    }

    /// Appends the Key Block.
    pub fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.structure(tag::KEY_BLOCK, |writer| {
            writer.enumeration(tag::KEY_FORMAT_TYPE, self.key_format_type.number());
            if let Some(compression) = self.key_compression_type {
                writer.enumeration(tag::KEY_COMPRESSION_TYPE, compression.number());
            }
            if let Some(value) = &self.key_value {
                value.write(writer, version);
            }
            if let Some(algorithm) = self.cryptographic_algorithm {
                writer.enumeration(tag::CRYPTOGRAPHIC_ALGORITHM, algorithm.number());
            }
            if let Some(length) = self.cryptographic_length {
                writer.integer(tag::CRYPTOGRAPHIC_LENGTH, length);
            }
            if let Some(wrapping) = &self.key_wrapping_data {
                wrapping.write(writer, version);
            }
        });
    }
}

impl KeyValue {
    /// Reads a Key Value: a Byte String where it is wrapped, a Structure else.
    pub fn read(item: &Item<'_>) -> Result<Self, Error> {
        if item.item_type == ItemType::ByteString {
            return Ok(Self::Wrapped(Secret::from(item.byte_string()?)));
        }
        let mut reader = item.structure()?;
        let material = reader.required(tag::KEY_MATERIAL)?;
        let material = match material.item_type {
            ItemType::ByteString => KeyMaterial::Bytes(Secret::from(material.byte_string()?)),
            ItemType::Structure => KeyMaterial::Structure(SecretValue::new(Value::read(&material)?)),
            _ => {
                let wrong = "Key Material is a Byte String, or a Structure for transparent keys";
                return Err(material.error(ErrorKind::WrongValue(wrong)));
            }
        };
        let attributes = Attribute::read_all(&mut reader)?;
        reader.finish()?;
        Ok(Self::Plain { material, attributes })
    }

    /// Appends the Key Value.
    pub fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        match self {
            Self::Wrapped(bytes) => writer.byte_string(tag::KEY_VALUE, bytes.danger_bytes()),
            Self::Plain { material, attributes } => writer.structure(tag::KEY_VALUE, |writer| {
                match material {
                    KeyMaterial::Bytes(bytes) => {
                        writer.byte_string(tag::KEY_MATERIAL, bytes.danger_bytes());
                    }
                    KeyMaterial::Structure(value) => value.danger_value().write(tag::KEY_MATERIAL, writer),
                }
                attributes.iter().for_each(|attribute| attribute.write(writer, version));
            }),
        }
    }
}

impl KeyWrappingData {
    fn read(item: &Item<'_>) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let data = Self {
            wrapping_method: WrappingMethod::from_number(
                reader.required(tag::WRAPPING_METHOD)?.enumeration()?,
            ),
            encryption_key_information: WrappingKeyInformation::read(
                &mut reader,
                tag::ENCRYPTION_KEY_INFORMATION,
            )?,
            mac_signature_key_information: WrappingKeyInformation::read(
                &mut reader,
                tag::MAC_SIGNATURE_KEY_INFORMATION,
            )?,
            mac_signature: optional_bytes(&mut reader, tag::MAC_SIGNATURE)?,
            iv_counter_nonce: optional_bytes(&mut reader, tag::IV_COUNTER_NONCE)?,
            encoding_option: encoding_option(&mut reader)?,
        };
        reader.finish()?;
        Ok(data)
    }

    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.structure(tag::KEY_WRAPPING_DATA, |writer| {
            writer.enumeration(tag::WRAPPING_METHOD, self.wrapping_method.number());
            WrappingKeyInformation::write(
                self.encryption_key_information.as_ref(),
                tag::ENCRYPTION_KEY_INFORMATION,
                writer,
                version,
            );
            WrappingKeyInformation::write(
                self.mac_signature_key_information.as_ref(),
                tag::MAC_SIGNATURE_KEY_INFORMATION,
                writer,
                version,
            );
            if let Some(bytes) = &self.mac_signature {
                writer.byte_string(tag::MAC_SIGNATURE, bytes);
            }
            if let Some(bytes) = &self.iv_counter_nonce {
                writer.byte_string(tag::IV_COUNTER_NONCE, bytes);
            }
            if let Some(option) = self.encoding_option.filter(|_| version >= ProtocolVersion::V1_1) {
                writer.enumeration(tag::ENCODING_OPTION, option.number());
            }
        });
    }
}

impl KeyWrappingSpecification {
    /// Reads a Key Wrapping Specification.
    pub fn read(item: &Item<'_>) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let wrapping_method =
            WrappingMethod::from_number(reader.required(tag::WRAPPING_METHOD)?.enumeration()?);
        let encryption_key_information =
            WrappingKeyInformation::read(&mut reader, tag::ENCRYPTION_KEY_INFORMATION)?;
        let mac_signature_key_information =
            WrappingKeyInformation::read(&mut reader, tag::MAC_SIGNATURE_KEY_INFORMATION)?;
        let mut attribute_names = Vec::new();
        while let Some(item) = reader.optional(tag::ATTRIBUTE_NAME)? {
            attribute_names.push(item.text_string()?.to_owned());
        }
        let encoding_option = encoding_option(&mut reader)?;
        reader.finish()?;
        Ok(Self {
            wrapping_method,
            encryption_key_information,
            mac_signature_key_information,
            attribute_names,
            encoding_option,
        })
    }

    /// Appends the Key Wrapping Specification.
    pub fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
        writer.structure(tag::KEY_WRAPPING_SPECIFICATION, |writer| {
            writer.enumeration(tag::WRAPPING_METHOD, self.wrapping_method.number());
            WrappingKeyInformation::write(
                self.encryption_key_information.as_ref(),
                tag::ENCRYPTION_KEY_INFORMATION,
                writer,
                version,
            );
            WrappingKeyInformation::write(
                self.mac_signature_key_information.as_ref(),
                tag::MAC_SIGNATURE_KEY_INFORMATION,
                writer,
                version,
            );
            self.attribute_names.iter().for_each(|name| writer.text_string(tag::ATTRIBUTE_NAME, name));
            if let Some(option) = self.encoding_option.filter(|_| version >= ProtocolVersion::V1_1) {
                writer.enumeration(tag::ENCODING_OPTION, option.number());
            }
        });
    }
}

impl WrappingKeyInformation {
    fn read(reader: &mut Reader<'_>, tag: ttlv::Tag) -> Result<Option<Self>, Error> {
        let Some(item) = reader.optional(tag)? else { return Ok(None) };
        let mut reader = item.structure()?;
        let unique_identifier = reader.required(tag::UNIQUE_IDENTIFIER)?.text_string()?.to_owned();
        let cryptographic_parameters =
            reader.optional(tag::CRYPTOGRAPHIC_PARAMETERS)?.map(|item| Value::read(&item)).transpose()?;
        reader.finish()?;
        Ok(Some(Self { unique_identifier, cryptographic_parameters }))
    }

    fn write(information: Option<&Self>, tag: ttlv::Tag, writer: &mut Writer<'_>, version: ProtocolVersion) {
        let Some(information) = information else { return };
        writer.structure(tag, |writer| {
            writer.text_string(tag::UNIQUE_IDENTIFIER, &information.unique_identifier);
            if let Some(parameters) = &information.cryptographic_parameters {
                let tag = tag::CRYPTOGRAPHIC_PARAMETERS;
                gate::write(parameters, tag, tag, writer, version);
            }
        });
    }
}

fn encoding_option(reader: &mut Reader<'_>) -> Result<Option<EncodingOption>, Error> {
    reader
        .optional(tag::ENCODING_OPTION)?
        .map(|item| item.enumeration().map(EncodingOption::from_number))
        .transpose()
}
