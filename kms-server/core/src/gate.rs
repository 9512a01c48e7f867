//! What a client of an older version may see: no attribute, field or enumeration value that came later.

use kmip::enumeration;
use kmip::object::{KeyBlock, ManagedObject};
use kmip::{Attribute, AttributeName, ProtocolVersion, Tag, tag};
use ttlv::Value;

/// An attribute as a client of `version` may see it: without the fields of its value that came later; `None` where the
/// attribute itself, or an enumeration value that is its point, came later.
pub(crate) fn visible(attribute: Attribute, version: ProtocolVersion) -> Option<Attribute> {
    if version >= ProtocolVersion::V1_4 {
        return Some(attribute);
    }
    let rule = match &attribute.name {
        AttributeName::Other(_) => return Some(attribute),
        AttributeName::Standard(known) => known.rule(),
    };
    if rule.introduced > version {
        return None;
    }
    let value = visible_value(rule.tag, attribute.value, version)?;
    Some(Attribute { value, ..attribute })
}

fn visible_value(holder: Tag, value: Value, version: ProtocolVersion) -> Option<Value> {
    match value {
        Value::Enumeration(number) => {
            let introduced = enumeration::of(holder).and_then(|table| (table.introduced)(number));
            introduced.is_none_or(|introduced| introduced <= version).then_some(Value::Enumeration(number))
        }
        Value::Structure(nodes) => {
            let mut seen = Vec::with_capacity(nodes.len());
            for mut node in nodes.into_iter().filter(|node| field_introduced(holder, node.tag) <= version) {
                node.value = visible_value(node.tag, node.value, version)?;
                seen.push(node);
            }
            Some(Value::Structure(seen))
        }
        other => Some(other),
    }
}

/// The version that brought a field of a structure; that of its tag, but for tags that moved in later.
fn field_introduced(holder: Tag, field: Tag) -> ProtocolVersion {
    match (holder, field) {
        // KMIP 1.1 section 3.17 added it.
        (tag::DIGEST, tag::KEY_FORMAT_TYPE) => ProtocolVersion::V1_1,
        // What no table knows is an extension, and was the client's own.
        _ => tag::introduced(field).unwrap_or(ProtocolVersion::V1_0),
    }
}

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
