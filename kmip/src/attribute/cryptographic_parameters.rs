//! The inside of Cryptographic Parameters (KMIP 1.4 section 3.6).

use ttlv::{Node, Value};

use crate::enumeration::{
    BlockCipherMode, CryptographicAlgorithm, DigitalSignatureAlgorithm, HashingAlgorithm, KeyRoleType,
    MaskGenerator, PaddingMethod,
};
use crate::tag;

macro_rules! parameters {
    ($($(#[$doc:meta])* $field:ident: $Type:ty, $tag:ident;)*) => {
        /// How an object is used (KMIP 1.4 table 65). Each field may be absent.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct CryptographicParameters {
            $($(#[$doc])* pub $field: Option<$Type>,)*
        }

        impl CryptographicParameters {
            /// Reads the attribute's value. `None` where it is no structure, or a field is of another type.
            pub fn from_value(value: &Value) -> Option<Self> {
                let Value::Structure(fields) = value else { return None };
                let mut parameters = Self::default();
                for Node { tag, value } in fields {
                    match *tag {
                        $(tag::$tag => parameters.$field = Some(<$Type as Field>::of(value)?),)*
                        _ => {}
                    }
                }
                Some(parameters)
            }

            /// The attribute's value, its fields in the specification's order.
            pub fn to_value(&self) -> Value {
                let fields = [$(self.$field.as_ref().map(|field| Node::new(tag::$tag, field.value()))),*];
                Value::Structure(fields.into_iter().flatten().collect())
            }
        }
    };
}

#[rustfmt::skip]
parameters! {
    /// How a block cipher is chained or wraps.
    block_cipher_mode:                BlockCipherMode,           BLOCK_CIPHER_MODE;
    /// How data is filled up to whole blocks, or framed for RSA.
    padding_method:                   PaddingMethod,             PADDING_METHOD;
    /// The digest of a signature or of OAEP.
    hashing_algorithm:                HashingAlgorithm,          HASHING_ALGORITHM;
    /// What a bank uses the key for.
    key_role_type:                    KeyRoleType,               KEY_ROLE_TYPE;
    /// Digest, algorithm and padding of a signature in one; since 1.2.
    digital_signature_algorithm:      DigitalSignatureAlgorithm, DIGITAL_SIGNATURE_ALGORITHM;
    /// The algorithm; since 1.2.
    cryptographic_algorithm:          CryptographicAlgorithm,    CRYPTOGRAPHIC_ALGORITHM;
    /// Whether the server chooses the initialization vector; since 1.2.
    random_iv:                        bool,                      RANDOM_IV;
    /// Bits; since 1.2.
    iv_length:                        i32,                       IV_LENGTH;
    /// Bytes; since 1.2.
    tag_length:                       i32,                       TAG_LENGTH;
    /// Bits of an initialization vector that stay; since 1.2.
    fixed_field_length:               i32,                       FIXED_FIELD_LENGTH;
    /// Bits that are new for each use; since 1.2.
    invocation_field_length:          i32,                       INVOCATION_FIELD_LENGTH;
    /// Bits that count blocks; since 1.2.
    counter_length:                   i32,                       COUNTER_LENGTH;
    /// The first block's counter; since 1.2.
    initial_counter_value:            i32,                       INITIAL_COUNTER_VALUE;
    /// Bytes of the salt of PSS; since 1.4.
    salt_length:                      i32,                       SALT_LENGTH;
    /// MGF1 where absent; since 1.4.
    mask_generator:                   MaskGenerator,             MASK_GENERATOR;
    /// SHA-1 where absent; since 1.4.
    mask_generator_hashing_algorithm: HashingAlgorithm,          MASK_GENERATOR_HASHING_ALGORITHM;
    /// OAEP's label; since 1.4.
    p_source:                         Vec<u8>,                   P_SOURCE;
    /// PSS's trailer; since 1.4.
    trailer_field:                    i32,                       TRAILER_FIELD;
}

/// What a field holds.
trait Field: Sized {
    fn of(value: &Value) -> Option<Self>;
    fn value(&self) -> Value;
}

impl Field for bool {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Boolean(flag) = value { Some(*flag) } else { None }
    }

    fn value(&self) -> Value {
        Value::Boolean(*self)
    }
}

impl Field for i32 {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Integer(number) = value { Some(*number) } else { None }
    }

    fn value(&self) -> Value {
        Value::Integer(*self)
    }
}

impl Field for Vec<u8> {
    fn of(value: &Value) -> Option<Self> {
        if let Value::ByteString(bytes) = value { Some(bytes.clone()) } else { None }
    }

    fn value(&self) -> Value {
        Value::ByteString(self.clone())
    }
}

macro_rules! enumerations {
    ($($Type:ident)*) => {$(
        impl Field for $Type {
            fn of(value: &Value) -> Option<Self> {
                if let Value::Enumeration(number) = value { Some(Self::from_number(*number)) } else { None }
            }

            fn value(&self) -> Value {
                Value::Enumeration(self.number())
            }
        }
    )*};
}

enumerations! {
    BlockCipherMode PaddingMethod HashingAlgorithm KeyRoleType DigitalSignatureAlgorithm CryptographicAlgorithm
    MaskGenerator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_they_were_written() {
        let parameters = CryptographicParameters {
            block_cipher_mode: Some(BlockCipherMode::Gcm),
            random_iv: Some(true),
            tag_length: Some(16),
            p_source: Some(vec![1, 2]),
            ..CryptographicParameters::default()
        };
        let value = parameters.to_value();
        assert_eq!(value.children().len(), 4);
        assert_eq!(CryptographicParameters::from_value(&value), Some(parameters));
    }

    #[test]
    fn a_field_of_another_type_is_no_parameter() {
        let wrong = Value::Structure(vec![Node::new(tag::IV_LENGTH, Value::Boolean(true))]);
        assert_eq!(CryptographicParameters::from_value(&wrong), None);
        assert_eq!(CryptographicParameters::from_value(&Value::Integer(1)), None);
    }
}
