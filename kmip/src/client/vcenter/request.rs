//! vCenter's questions, byte for byte as they were seen.

use ttlv::Value;

use crate::enumeration::{ObjectType, QueryFunction};
use crate::operations::{activate, add_attribute, create, discover_versions, get, get_attributes, query};
use crate::{Attribute, AttributeName, RequestPayload, StandardAttribute, TemplateAttribute};

/// AES, as the wire has it.
const AES: u32 = 3;
/// Encrypt and Decrypt.
const USAGE_MASK: i32 = 0x0c;
/// Bits of vCenter's keys.
const LENGTH: i32 = 256;

pub(super) fn discover_versions() -> RequestPayload {
    discover_versions::Request::default().into()
}

pub(super) fn query_server_information() -> RequestPayload {
    query::Request { query_functions: vec![QueryFunction::QueryServerInformation] }.into()
}

pub(super) fn create() -> RequestPayload {
    let attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(AES)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(USAGE_MASK)),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(LENGTH)),
    ];
    create::Request {
        object_type: ObjectType::SymmetricKey,
        template_attribute: TemplateAttribute { names: Vec::new(), attributes },
    }
    .into()
}

pub(super) fn get(key_id: &str) -> RequestPayload {
    get::Request { unique_identifier: Some(key_id.to_owned()), ..Default::default() }.into()
}

pub(super) fn get_attribute(key_id: &str, name: &str) -> RequestPayload {
    get_attributes::Request {
        unique_identifier: Some(key_id.to_owned()),
        attribute_names: vec![AttributeName::new(name)],
    }
    .into()
}

pub(super) fn activate(key_id: &str) -> RequestPayload {
    activate::Request { unique_identifier: Some(key_id.to_owned()) }.into()
}

pub(super) fn add_attribute(key_id: &str, name: &str, text: &str) -> RequestPayload {
    let value = Value::TextString(text.to_owned());
    add_attribute::Request {
        unique_identifier: Some(key_id.to_owned()),
        attribute: Attribute::new(AttributeName::new(name), value),
    }
    .into()
}

/// Who made the key.
pub(super) fn set_a(product_version: &str) -> [(&'static str, String); 3] {
    [
        ("x-Product_Version", product_version.to_owned()),
        ("x-Vendor", "VMware, Inc.".to_owned()),
        ("x-Product", "VMware vSphere".to_owned()),
    ]
}

/// What the key is for.
pub(super) fn set_b(uuid: &str, component: &str, name: &str) -> [(&'static str, String); 3] {
    [("x-Identifier", uuid.to_owned()), ("x-Component", component.to_owned()), ("x-Name", name.to_owned())]
}
