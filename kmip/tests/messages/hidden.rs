//! Key material and passwords are in no `Debug`.

use kmip::enumeration::{CredentialType, KeyFormatType, ObjectType, SecretDataType};
use kmip::message::{Credential, CredentialValue};
use kmip::object::{KeyMaterial, KeyValue, SecretValue};
use kmip::operations::register;
use kmip::{ManagedObject, ProtocolVersion, ResponseItem, Secret, tag};
use ttlv::{Node, Value};

use super::samples::{KEY, key_block, request, requests, response, responses};

/// The ways in which Rust would show the bytes of `KEY`.
#[track_caller]
fn check(shown: &str) {
    for seen in ["167, 167", "a7a7", "A7A7", "a7, a7", "0xa7", "\\xa7", "hunter2"] {
        assert!(!shown.contains(seen), "{seen} in {shown}");
    }
}

#[test]
fn no_message_shows_key_material() {
    for payload in requests() {
        check(&format!("{:?}", request(ProtocolVersion::V1_4, payload.clone())));
        check(&format!("{:#?}", payload));
    }
    for payload in responses() {
        let item = ResponseItem::success(None, payload.clone());
        check(&format!("{:?}", response(ProtocolVersion::V1_4, item)));
        check(&format!("{:#?}", payload));
    }
}

#[test]
fn no_form_of_a_key_shows_its_material() {
    let transparent = Value::Structure(vec![Node::new(tag::KEY, Value::ByteString(KEY.to_vec()))]);
    let mut blocks = vec![key_block()];
    for value in [
        KeyValue::Wrapped(Secret::from(&KEY[..])),
        KeyValue::Plain {
            material: KeyMaterial::Structure(SecretValue::new(transparent)),
            attributes: Vec::new(),
        },
    ] {
        let mut block = key_block();
        block.key_format_type = KeyFormatType::TransparentSymmetricKey;
        block.key_value = Some(value);
        blocks.push(block);
    }
    for block in blocks {
        check(&format!("{block:?}"));
        let object =
            ManagedObject::SecretData { secret_data_type: SecretDataType::Password, key_block: block };
        let template_attribute = Default::default();
        let object_type = ObjectType::SecretData;
        check(&format!(
            "{:?}",
            register::Request { object_type, template_attribute, object: Some(Box::new(object)) }
        ));
    }
    check(&format!("{:?}", Secret::from(&KEY[..])));
}

#[test]
fn no_credential_shows_its_password() {
    let credential = Credential {
        credential_type: CredentialType::UsernameAndPassword,
        value: CredentialValue::UsernameAndPassword {
            username: "vc01".to_owned(),
            password: Some(Secret::new(b"hunter2".to_vec())),
        },
    };
    check(&format!("{credential:?}"));
    let mut message = request(ProtocolVersion::V1_1, requests().remove(0));
    message.header.authentication.push(credential);
    check(&format!("{message:#?}"));
}
