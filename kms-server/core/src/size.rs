//! How large things are, without encoding them: to stop in time, not to be exact.

use kmip::object::{KeyMaterial, KeyValue, ManagedObject};
use kmip::{Attribute, ResponsePayload};
use ttlv::{HEADER_BYTES, Value};

/// Bytes that a value takes on the wire, with its header.
pub(crate) fn of_value(value: &Value) -> usize {
    let inside = match value {
        Value::Structure(nodes) => nodes.iter().map(|node| of_value(&node.value)).sum(),
        Value::TextString(text) => padded(text.len()),
        Value::ByteString(bytes) | Value::BigInteger(bytes) => padded(bytes.len()),
        Value::Integer(_)
        | Value::LongInteger(_)
        | Value::Enumeration(_)
        | Value::Boolean(_)
        | Value::DateTime(_)
        | Value::Interval(_) => 8,
    };
    HEADER_BYTES.saturating_add(inside)
}

/// Bytes that an attribute takes on the wire, its index left out.
pub(crate) fn of_attribute(attribute: &Attribute) -> usize {
    2 * HEADER_BYTES + padded(attribute.name.as_str().len()) + of_value(&attribute.value)
}

/// Bytes that an answer takes at least.
pub(crate) fn of_payload(payload: &ResponsePayload) -> usize {
    match payload {
        ResponsePayload::Get(response) => of_object(&response.object),
        ResponsePayload::GetAttributes(response) => response.attributes.iter().map(of_attribute).sum(),
        ResponsePayload::GetAttributeList(response) => {
            response.attribute_names.iter().map(|name| HEADER_BYTES + name.as_str().len()).sum()
        }
        ResponsePayload::AddAttribute(response) => of_attribute(&response.attribute),
        ResponsePayload::ModifyAttribute(response) => of_attribute(&response.attribute),
        ResponsePayload::DeleteAttribute(response) => of_attribute(&response.attribute),
        ResponsePayload::Locate(response) => {
            response.unique_identifiers.iter().map(|id| HEADER_BYTES + id.len()).sum()
        }
        _ => 0,
    }
}

fn of_object(object: &ManagedObject) -> usize {
    match object {
        ManagedObject::Certificate { certificate_value, .. } => certificate_value.len(),
        ManagedObject::OpaqueObject { opaque_data_value, .. } => opaque_data_value.len(),
        // Attributes that the request's version does not know are left out of it.
        ManagedObject::Template(attributes) => {
            attributes.iter().filter(|attribute| attribute.name.is_custom()).map(of_attribute).sum()
        }
        _ => match object.key_block().and_then(|key_block| key_block.key_value.as_ref()) {
            Some(KeyValue::Plain { material: KeyMaterial::Bytes(bytes), .. }) => bytes.len(),
            Some(KeyValue::Plain { material: KeyMaterial::Structure(value), .. }) => {
                of_value(value.danger_value())
            }
            Some(KeyValue::Wrapped(bytes)) => bytes.len(),
            None => 0,
        },
    }
}

fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}
