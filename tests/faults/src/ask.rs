//! The few questions that faults are watched with.

use kmip::client::{Client, ClientConfig, ClientError, Connection};
use kmip::enumeration::ObjectType;
use kmip::operations::{activate as op_activate, add_attribute as op_add, create as op_create};
use kmip::operations::{get as op_get, get_attributes as op_attributes, locate as op_locate};
use kmip::{Attribute, AttributeName, RequestPayload, ResponsePayload, StandardAttribute, TemplateAttribute};
use ttlv::Value;

/// Opens a connection. Panics where it cannot be had.
pub async fn connect(config: &ClientConfig) -> Connection {
    Client::connect(config).await.unwrap_or_else(|error| panic!("no connection: {error}"))
}

/// A normal client makes a key, reads it and closes: the server lives. Panics when anything of it fails.
pub async fn works(config: &ClientConfig) {
    let done = async {
        let mut connection = Client::connect(config).await?;
        let ResponsePayload::Create(created) = connection.one(create()).await? else {
            panic!("not Create's answer")
        };
        connection.one(get(&created.unique_identifier)).await?;
        connection.close().await
    };
    let done: Result<(), ClientError> = done.await;
    done.unwrap_or_else(|error| panic!("a normal client is not served: {error}"));
}

/// The attribute that tells a create from every other.
pub(crate) const MARK: &str = "x-mark";

/// Create an AES-256 key.
pub fn create() -> RequestPayload {
    create_with(Vec::new())
}

/// The same with a mark of its own, so that it is known again when its answer was lost.
pub fn create_marked(mark: &str) -> RequestPayload {
    create_with(vec![Attribute::new(AttributeName::new(MARK), Value::TextString(mark.to_owned()))])
}

fn create_with(more: Vec<Attribute>) -> RequestPayload {
    let mut attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(3)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(0x0c)),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
    ];
    attributes.extend(more);
    let template_attribute = TemplateAttribute { names: Vec::new(), attributes };
    op_create::Request { object_type: ObjectType::SymmetricKey, template_attribute }.into()
}

/// Get.
pub fn get(id: &str) -> RequestPayload {
    op_get::Request { unique_identifier: Some(id.to_owned()), ..Default::default() }.into()
}

/// Get Attributes, all of them.
pub fn get_attributes(id: &str) -> RequestPayload {
    op_attributes::Request { unique_identifier: Some(id.to_owned()), attribute_names: Vec::new() }.into()
}

/// Locate, whatever there is: `count` identifiers after the first `offset`.
pub fn locate(count: usize, offset: usize) -> RequestPayload {
    let number = |number: usize| i32::try_from(number).ok();
    op_locate::Request { maximum_items: number(count), offset_items: number(offset), ..Default::default() }
        .into()
}

/// Activate.
pub fn activate(id: &str) -> RequestPayload {
    op_activate::Request { unique_identifier: Some(id.to_owned()) }.into()
}

/// Add Attribute with a text.
pub fn add_attribute(id: &str, name: &str, text: &str) -> RequestPayload {
    let attribute = Attribute::new(AttributeName::new(name), Value::TextString(text.to_owned()));
    op_add::Request { unique_identifier: Some(id.to_owned()), attribute }.into()
}
