//! What published cases presuppose: objects that somebody put on the server before they begin. Made anew for each run and
//! taken away after it, so that a case stands alone.

use kmip::enumeration::{CryptographicAlgorithm, ObjectType, Operation};
use kmip::mask::CryptographicUsageMask;
use kmip::tag;
use ttlv::{Node, Value};

use crate::judge::clean::{structure, text};

/// What is asked of the server before the case of this name begins: operation and payload.
pub(crate) fn of(name: &str) -> Option<(Operation, Vec<Node>)> {
    // "it is assumed that the server has fresh objects available in the default group"
    name.starts_with("TC_151_").then(|| (Operation::Create, fresh_member_of_the_default_group()))
}

fn fresh_member_of_the_default_group() -> Vec<Node> {
    let mask = CryptographicUsageMask::ENCRYPT.bits() | CryptographicUsageMask::DECRYPT.bits();
    let attributes = vec![
        attribute("Cryptographic Algorithm", Value::Enumeration(CryptographicAlgorithm::Aes.number())),
        attribute("Cryptographic Length", Value::Integer(256)),
        attribute("Cryptographic Usage Mask", Value::Integer(mask)),
        attribute("Object Group", Value::TextString("default".to_owned())),
    ];
    vec![
        Node::new(tag::OBJECT_TYPE, Value::Enumeration(ObjectType::SymmetricKey.number())),
        structure(tag::TEMPLATE_ATTRIBUTE, attributes),
    ]
}

fn attribute(name: &str, value: Value) -> Node {
    let value = Node::new(tag::ATTRIBUTE_VALUE, value);
    structure(tag::ATTRIBUTE, vec![text(tag::ATTRIBUTE_NAME, name), value])
}
