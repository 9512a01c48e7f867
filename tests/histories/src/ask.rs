//! The questions of a history.

use kmip::attribute::Name;
use kmip::enumeration::ObjectType;
use kmip::operations::{
    add_attribute, create, delete_attribute, destroy, get_attributes, locate, modify_attribute,
};
use kmip::{Attribute, AttributeName, RequestPayload, StandardAttribute, TemplateAttribute};
use ttlv::Value;

/// The custom attribute that is the register.
const REGISTER: &str = "x-value";

pub(crate) fn create(name: Option<&str>) -> RequestPayload {
    let mut attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(3)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(0x0c)),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
    ];
    attributes.extend(name.map(named));
    let template_attribute = TemplateAttribute { names: Vec::new(), attributes };
    create::Request { object_type: ObjectType::SymmetricKey, template_attribute }.into()
}

pub(crate) fn locate(name: &str) -> RequestPayload {
    locate::Request { attributes: vec![named(name)], ..Default::default() }.into()
}

pub(crate) fn destroy(id: &str) -> RequestPayload {
    destroy::Request { unique_identifier: Some(id.to_owned()) }.into()
}

pub(crate) fn read(id: &str) -> RequestPayload {
    let attribute_names = vec![AttributeName::new(REGISTER)];
    get_attributes::Request { unique_identifier: Some(id.to_owned()), attribute_names }.into()
}

pub(crate) fn add(id: &str, value: u32) -> RequestPayload {
    add_attribute::Request { unique_identifier: Some(id.to_owned()), attribute: register(value) }.into()
}

pub(crate) fn modify(id: &str, index: i32, value: u32) -> RequestPayload {
    let attribute = Attribute { index: Some(index), ..register(value) };
    modify_attribute::Request { unique_identifier: Some(id.to_owned()), attribute }.into()
}

pub(crate) fn delete(id: &str, index: i32) -> RequestPayload {
    delete_attribute::Request {
        unique_identifier: Some(id.to_owned()),
        attribute_name: AttributeName::new(REGISTER),
        attribute_index: Some(index),
    }
    .into()
}

fn named(name: &str) -> Attribute {
    Attribute::new(StandardAttribute::Name, Name::text(name).to_value())
}

fn register(value: u32) -> Attribute {
    Attribute::new(AttributeName::new(REGISTER), Value::TextString(value.to_string()))
}

/// An instance of the register. Panics where it is none.
pub(crate) fn instance(attribute: &Attribute) -> (i32, u32) {
    assert_eq!(attribute.name.as_str(), REGISTER, "an attribute that was not asked for");
    let Value::TextString(text) = &attribute.value else {
        panic!("the register holds {:?}", attribute.value)
    };
    (attribute.index.unwrap_or(0), text.parse().unwrap())
}
