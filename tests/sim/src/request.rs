//! KMIP, as the simulation's clients speak it.

use kmip::attribute::{Name, RevocationReason};
use kmip::enumeration::{
    BatchErrorContinuationOption, ObjectType, ResultReason, ResultStatus, RevocationReasonCode, State,
};
use kmip::object::{KeyMaterial, KeyValue};
use kmip::operations::{
    activate, add_attribute, create, delete_attribute, destroy, get, get_attributes, locate,
    modify_attribute, revoke,
};
use kmip::{
    Attribute, AttributeName, ProtocolVersion, RequestMessage, RequestPayload, ResponseItem, ResponseMessage,
    ResponsePayload, StandardAttribute, TemplateAttribute,
};
use ttlv::Value;

use crate::oracle::{
    ACTIVATED, ADDED, CREATED, DELETED, DESTROYED, Key, MODIFIED, MODIFIED_AGAIN, REVOKED, place,
};

/// The attribute that tells whose an object is, also without a Name.
pub(crate) const MARK: &str = "x-mark";
/// The attribute that a key's script changes.
const VALUE: &str = "x-v";

/// AES, as the wire has it.
const AES: u32 = 3;
/// Encrypt and Decrypt.
const USAGE_MASK: i32 = 0x0c;
const LENGTH_BITS: i32 = 256;

fn text(name: &str, value: impl Into<String>) -> Attribute {
    Attribute::new(AttributeName::new(name), Value::TextString(value.into()))
}

/// A message of these payloads, each carried out whatever becomes of the others.
pub(crate) fn message(payloads: Vec<RequestPayload>) -> Vec<u8> {
    let mut message = RequestMessage::new(ProtocolVersion::V1_4, payloads);
    message.header.batch_error_continuation_option = Some(BatchErrorContinuationOption::Continue);
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// Create, with a mark and perhaps a Name.
pub(crate) fn create(label: &str, named: bool) -> RequestPayload {
    let mut attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(AES)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(USAGE_MASK)),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(LENGTH_BITS)),
        text(MARK, label),
    ];
    if named {
        attributes.push(Attribute::new(StandardAttribute::Name, Name::text(label).to_value()));
    }
    let template_attribute = TemplateAttribute { names: Vec::new(), attributes };
    create::Request { object_type: ObjectType::SymmetricKey, template_attribute }.into()
}

/// The request that brings a key to `step`.
pub(crate) fn step(key: &Key, step: u64) -> RequestPayload {
    let unique_identifier = key.unique_identifier.clone();
    let modify = |value: &str| {
        let attribute = text(VALUE, value);
        modify_attribute::Request { unique_identifier: key.unique_identifier.clone(), attribute }.into()
    };
    match step {
        CREATED => create(&key.label, key.named),
        ADDED => add_attribute::Request { unique_identifier, attribute: text(VALUE, "1") }.into(),
        MODIFIED => modify("2"),
        ACTIVATED => activate::Request { unique_identifier }.into(),
        MODIFIED_AGAIN => modify("3"),
        DELETED => {
            let attribute_name = AttributeName::new(VALUE);
            delete_attribute::Request { unique_identifier, attribute_name, attribute_index: None }.into()
        }
        REVOKED => {
            let code = RevocationReasonCode::CessationOfOperation;
            let revocation_reason = RevocationReason { code, message: None };
            revoke::Request { unique_identifier, revocation_reason, compromise_occurrence_date: None }.into()
        }
        DESTROYED => destroy::Request { unique_identifier }.into(),
        other => unreachable!("no script has a step {other}"),
    }
}

/// Destroy, of an object that there never was.
pub(crate) fn destroy_nothing() -> RequestPayload {
    destroy::Request { unique_identifier: Some("00000000-0000-4000-8000-000000000000".to_owned()) }.into()
}

/// One more mark on an object that everyone marks.
pub(crate) fn add_mark(unique_identifier: &str, mark: &str, bytes: usize) -> RequestPayload {
    let unique_identifier = Some(unique_identifier.to_owned());
    add_attribute::Request { unique_identifier, attribute: text(mark, "m".repeat(bytes)) }.into()
}

pub(crate) fn get(unique_identifier: &str) -> RequestPayload {
    get::Request { unique_identifier: Some(unique_identifier.to_owned()), ..get::Request::default() }.into()
}

/// Get Attributes of all there are.
pub(crate) fn get_attributes(unique_identifier: &str) -> RequestPayload {
    let unique_identifier = Some(unique_identifier.to_owned());
    get_attributes::Request { unique_identifier, attribute_names: Vec::new() }.into()
}

/// Locate by Name, or by mark.
pub(crate) fn locate(label: &str, by_name: bool) -> RequestPayload {
    let filter = match by_name {
        true => Attribute::new(StandardAttribute::Name, Name::text(label).to_value()),
        false => text(MARK, label),
    };
    locate::Request { attributes: vec![filter], ..locate::Request::default() }.into()
}

/// Locate without a condition: everything that is not destroyed.
pub(crate) fn locate_all() -> RequestPayload {
    locate::Request::default().into()
}

/// What one item of an answer says.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// Create and every other change: done, to this object.
    Done(String),
    Material(Vec<u8>),
    /// How far a key is, if its state is one that the script makes; all custom attributes; and both in words.
    Attributes {
        place: Option<u64>,
        names: Vec<String>,
        words: String,
    },
    Located(Vec<String>),
    NotFound,
    /// Nothing was done, for want of a majority.
    Unavailable,
    /// It may be done.
    Perhaps,
    /// Anything else, in words.
    #[allow(dead_code, reason = "shown where it breaks an invariant")]
    Refused(String),
}

impl Said {
    /// Its kind, for the trace.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Material(_) => "material",
            Self::Attributes { .. } => "attributes",
            Self::Located(ids) if ids.is_empty() => "located nothing",
            Self::Located(_) => "located",
            Self::NotFound => "not found",
            Self::Unavailable => "unavailable",
            Self::Perhaps => "perhaps",
            Self::Refused(_) => "refused",
        }
    }
}

/// The items of an answer; none where it cannot be read.
pub(crate) fn read(answer: &[u8]) -> Vec<Said> {
    match ResponseMessage::decode(answer, ttlv::Limits::default()) {
        Ok(message) => message.items.into_iter().map(said).collect(),
        Err(error) => vec![Said::Refused(format!("an answer that cannot be read: {error}"))],
    }
}

fn said(item: ResponseItem) -> Said {
    let message = item.result_message.unwrap_or_default();
    match (item.result_status, item.result_reason, item.payload) {
        (ResultStatus::Success, _, Some(payload)) => done(payload),
        (_, Some(ResultReason::ItemNotFound), _) => Said::NotFound,
        (_, Some(ResultReason::GeneralFailure), _) => {
            if message.contains("not known yet") || message.contains("no longer known") {
                Said::Perhaps
            } else if message.contains("nothing was changed")
                || message.contains("cannot reach")
                || message.contains("so it cannot say")
                || message.contains("have not agreed on a leader in time")
            {
                Said::Unavailable
            } else {
                Said::Refused(message)
            }
        }
        (_, reason, _) => Said::Refused(format!("{reason:?}: {message}")),
    }
}

fn done(payload: ResponsePayload) -> Said {
    match payload {
        ResponsePayload::Create(answer) => Said::Done(answer.unique_identifier),
        ResponsePayload::AddAttribute(answer) => Said::Done(answer.unique_identifier),
        ResponsePayload::ModifyAttribute(answer) => Said::Done(answer.unique_identifier),
        ResponsePayload::DeleteAttribute(answer) => Said::Done(answer.unique_identifier),
        ResponsePayload::Activate(answer) => Said::Done(answer.unique_identifier),
        ResponsePayload::Revoke(answer) => Said::Done(answer.unique_identifier),
        ResponsePayload::Destroy(answer) => Said::Done(answer.unique_identifier),
        ResponsePayload::Locate(answer) => Said::Located(answer.unique_identifiers),
        ResponsePayload::Get(answer) => {
            let material = answer.object.key_block().and_then(|block| match &block.key_value {
                Some(KeyValue::Plain { material: KeyMaterial::Bytes(bytes), .. }) => {
                    Some(bytes.danger_bytes().to_vec())
                }
                _ => None,
            });
            material.map_or_else(|| Said::Refused("a key without material".to_owned()), Said::Material)
        }
        ResponsePayload::GetAttributes(answer) => attributes(&answer.attributes),
        other => Said::Refused(format!("an answer to another question: {other:?}")),
    }
}

fn attributes(all: &[Attribute]) -> Said {
    let state = all.iter().find(|attribute| attribute.name == StandardAttribute::State.into());
    let state = match state.map(|attribute| &attribute.value) {
        Some(Value::Enumeration(number)) => State::from_number(*number).to_string(),
        _ => "no State".to_owned(),
    };
    let value = all.iter().find(|attribute| attribute.name.as_str() == VALUE);
    let value = value.and_then(|attribute| match &attribute.value {
        Value::TextString(text) => Some(text.as_str()),
        _ => None,
    });
    let custom = all.iter().filter(|attribute| attribute.name.is_custom());
    Said::Attributes {
        place: place(&state, value),
        names: custom.map(|attribute| attribute.name.as_str().to_owned()).collect(),
        words: format!("State {state}, {VALUE} {value:?}"),
    }
}
