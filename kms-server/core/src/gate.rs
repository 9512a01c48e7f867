//! The first version of KMIP that has words for an object. What of an attribute an older client may see, kmip knows.

use kmip::ProtocolVersion;
use kmip::object::{KeyBlock, ManagedObject};

/// The first version that can express an object.
pub(crate) fn object_introduced(object: &ManagedObject) -> ProtocolVersion {
    let inside = match object {
        ManagedObject::SecretData { secret_data_type, .. } => secret_data_type.introduced(),
        ManagedObject::SplitKey(split) => split.split_key_method.introduced(),
        ManagedObject::Certificate { certificate_type, .. } => certificate_type.introduced(),
        _ => ProtocolVersion::V1_0,
    };
    let key_block = object.key_block().map_or(ProtocolVersion::V1_0, key_block_introduced);
    object.object_type().introduced().max(inside).max(key_block)
}

fn key_block_introduced(key_block: &KeyBlock) -> ProtocolVersion {
    let algorithm =
        key_block.cryptographic_algorithm.map_or(ProtocolVersion::V1_0, |algorithm| algorithm.introduced());
    let value = if key_block.key_value.is_none() { ProtocolVersion::V1_2 } else { ProtocolVersion::V1_0 };
    key_block.key_format_type.introduced().max(algorithm).max(value)
}
