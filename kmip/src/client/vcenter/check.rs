//! What vCenter accepts as an answer: the right ids, the request's version and nothing of a later one, and of each
//! operation exactly what it needs.

use std::fmt;

use ttlv::{Limits, Node, Value};

use super::request;
use crate::enumeration::{CryptographicAlgorithm, KeyFormatType, ObjectType, ResultStatus, State};
use crate::leaks::leaks;
use crate::message::Credential;
use crate::{
    AttributeName, ManagedObject, ProtocolVersion, RequestMessage, RequestPayload, ResponseMessage,
    ResponsePayload, Secret, StandardAttribute,
};

/// The version in every header of vCenter's.
const VERSION: ProtocolVersion = ProtocolVersion::V1_1;
/// Bytes of vCenter's keys.
const KEY_BYTES: usize = 32;

/// An answer that vCenter would not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got}; hint: vCenter reports this as a fault of the key server")]
pub struct Unexpected {
    /// What vCenter waits for.
    pub expected: String,
    /// What came; never key material.
    pub got: String,
}

impl Unexpected {
    pub(super) fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into() }
    }
}

fn expect<T: PartialEq + fmt::Debug>(what: &str, expected: &T, got: &T) -> Result<(), Unexpected> {
    if expected == got {
        return Ok(());
    }
    Err(Unexpected::new(format!("{what} {expected:?}"), format!("{got:?}")))
}

/// One request and what its answer has to match.
pub(super) struct Exchange {
    pub(super) request: RequestMessage,
}

impl Exchange {
    /// The first message on every connection: Discover Versions, without a Unique Batch Item ID.
    pub(super) fn first() -> Self {
        Self { request: RequestMessage::new(VERSION, [request::discover_versions()]) }
    }

    /// Any later message: every item has an id, on batches of one too, counted from 1 in each message.
    pub(super) fn with_ids(credential: Option<&Credential>, payloads: Vec<RequestPayload>) -> Self {
        let mut request = RequestMessage::new(VERSION, payloads);
        request.header.authentication.extend(credential.cloned());
        for (item, count) in request.items.iter_mut().zip(1_u32..) {
            item.unique_batch_item_id = Some([*b"QLKC", count.to_le_bytes()].concat());
        }
        Self { request }
    }

    /// The payloads of `answer`, one an item, when all have succeeded and everything around them is as it must be.
    pub(super) fn accept(&self, answer: &[u8]) -> Result<Vec<ResponsePayload>, Unexpected> {
        let limits = Limits { message_bytes_max: answer.len(), ..Limits::default() };
        let malformed = |error: ttlv::Error| Unexpected::new("a KMIP response", error.to_string());
        let response = ResponseMessage::decode(answer, limits).map_err(malformed)?;
        expect("version", &VERSION, &response.header.protocol_version)?;
        expect("Batch Count", &self.request.header.batch_count, &response.header.batch_count)?;
        expect("items", &self.request.items.len(), &response.items.len())?;
        let early = leaks(&Node::decode(answer, limits).map_err(malformed)?, VERSION);
        if let Some(leak) = early.first() {
            return Err(Unexpected::new(format!("nothing later than {VERSION}"), leak.to_string()));
        }
        let mut payloads = Vec::with_capacity(response.items.len());
        for (asked, item) in self.request.items.iter().zip(response.items) {
            expect("Unique Batch Item ID", &asked.unique_batch_item_id, &item.unique_batch_item_id)?;
            expect("Operation", &Some(asked.operation), &item.operation)?;
            if item.result_status != ResultStatus::Success {
                let got =
                    format!("{}, {:?}, {:?}", item.result_status, item.result_reason, item.result_message);
                return Err(Unexpected::new(format!("{} to succeed", asked.operation), got));
            }
            expect("Result Reason", &None, &item.result_reason)?;
            expect("unknown fields", &0, &item.unrecognised.len())?;
            let missing = || Unexpected::new("a Response Payload", "none");
            payloads.push(item.payload.ok_or_else(missing)?);
        }
        if let Some(ResponsePayload::DiscoverVersions(versions)) = payloads.first()
            && !versions.protocol_versions.contains(&VERSION)
        {
            let got = format!("{:?}", versions.protocol_versions);
            return Err(Unexpected::new(format!("{VERSION} among the versions"), got));
        }
        Ok(payloads)
    }
}

fn other(expected: &str, got: &ResponsePayload) -> Unexpected {
    Unexpected::new(format!("an answer to {expected}"), format!("one to {:?}", got.operation()))
}

/// A new symmetric key, and its id.
pub(super) fn created(answer: &ResponsePayload) -> Result<String, Unexpected> {
    let ResponsePayload::Create(created) = answer else { return Err(other("Create", answer)) };
    expect("Object Type", &ObjectType::SymmetricKey, &created.object_type)?;
    if created.unique_identifier.is_empty() {
        return Err(Unexpected::new("a Unique Identifier", "an empty one"));
    }
    Ok(created.unique_identifier.clone())
}

/// A plain AES-256 key under the id that was asked for.
pub(super) fn key(answer: &ResponsePayload, key_id: &str) -> Result<Secret, Unexpected> {
    let ResponsePayload::Get(got) = answer else { return Err(other("Get", answer)) };
    expect("Unique Identifier", &key_id, &got.unique_identifier.as_str())?;
    expect("Object Type", &ObjectType::SymmetricKey, &got.object_type)?;
    let ManagedObject::SymmetricKey(block) = &got.object else {
        return Err(Unexpected::new("a Symmetric Key", format!("{:?}", got.object.object_type())));
    };
    expect("Key Format Type", &KeyFormatType::Raw, &block.key_format_type)?;
    expect("Cryptographic Algorithm", &Some(CryptographicAlgorithm::Aes), &block.cryptographic_algorithm)?;
    expect("Cryptographic Length", &Some(256), &block.cryptographic_length)?;
    expect("wrapping", &false, &block.key_wrapping_data.is_some())?;
    let bytes = block.plain_bytes().ok_or_else(|| Unexpected::new("plain bytes", "none"))?;
    expect("bytes of key material", &KEY_BYTES, &bytes.len())?;
    Ok(bytes.clone())
}

/// The State and nothing else. Without it vCenter gives up the key.
pub(super) fn state(answer: &ResponsePayload, key_id: &str) -> Result<State, Unexpected> {
    let ResponsePayload::GetAttributes(got) = answer else { return Err(other("Get Attributes", answer)) };
    expect("Unique Identifier", &key_id, &got.unique_identifier.as_str())?;
    match got.attributes.as_slice() {
        [attribute] => {
            expect("attribute", &AttributeName::from(StandardAttribute::State), &attribute.name)?;
            match attribute.value {
                Value::Enumeration(number) => Ok(State::from_number(number)),
                ref wrong => Err(Unexpected::new("an Enumeration", format!("{:?}", wrong.item_type()))),
            }
        }
        several => Err(Unexpected::new("the State alone", format!("{} attributes", several.len()))),
    }
}

/// This state and no other.
pub(super) fn state_is(state: State, expected: State) -> Result<(), Unexpected> {
    expect("State", &expected, &state)
}

/// The id that was asked for.
pub(super) fn activated(answer: &ResponsePayload, key_id: &str) -> Result<(), Unexpected> {
    let ResponsePayload::Activate(activated) = answer else { return Err(other("Activate", answer)) };
    expect("Unique Identifier", &key_id, &activated.unique_identifier.as_str())
}

/// A success with the Unique Identifier only: the way to say that an attribute has no value.
pub(super) fn absent(answer: &ResponsePayload, key_id: &str, name: &str) -> Result<(), Unexpected> {
    let ResponsePayload::GetAttributes(got) = answer else { return Err(other("Get Attributes", answer)) };
    expect("Unique Identifier", &key_id, &got.unique_identifier.as_str())?;
    expect(&format!("instances of {name} on a new key"), &0, &got.attributes.len())
}

/// The attribute as it was sent. An index, where there is one, is 0: the new key had none of that name.
pub(super) fn added(
    answer: &ResponsePayload,
    key_id: &str,
    name: &str,
    text: &str,
) -> Result<(), Unexpected> {
    let ResponsePayload::AddAttribute(added) = answer else { return Err(other("Add Attribute", answer)) };
    expect("Unique Identifier", &key_id, &added.unique_identifier.as_str())?;
    expect("attribute", &name, &added.attribute.name.as_str())?;
    expect("Attribute Index", &0, &added.attribute.index.unwrap_or(0))?;
    expect("value", &Value::TextString(text.to_owned()), &added.attribute.value)
}
