//! One question as bytes, encoded once and sent many times, and what its answer must be.
//!
//! Answers are walked without building anything of them: the load shares its machine with the server.

use kmip::enumeration::{ObjectType, QueryFunction, ResultReason, ResultStatus};
use kmip::operations::{create, get, get_attributes, locate, query};
use kmip::{
    Attribute, AttributeName, ProtocolVersion, RequestMessage, RequestPayload, StandardAttribute,
    TemplateAttribute, tag,
};
use ttlv::{Budget, Item, Limits, Reader, Tag, Value};

use super::fault::Fault;

/// vCenter's version, which every server speaks.
pub(super) const VERSION: ProtocolVersion = ProtocolVersion::V1_1;

/// Bytes of the keys that are made: AES-256.
pub(super) const KEY_BYTES: usize = 32;

/// Objects that one Locate asks for.
const LOCATED_MAX: i32 = 10;

/// AES, as the wire has it (KMIP 1.4 section 9.1.3.2.13).
const AES: u32 = 3;
/// Encrypt and Decrypt (KMIP 1.4 section 9.1.3.3.1).
const ENCRYPT_DECRYPT: i32 = 0x0c;

/// A question, and what its answer must hold.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) bytes: Vec<u8>,
    expected: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Success.
    Success,
    /// Success, and plain key material of this many bytes; of any, where the key was there before.
    Key { bytes: Option<usize> },
}

impl Question {
    /// Get of a key.
    pub(super) fn get(id: &str, bytes: Option<usize>) -> Self {
        let request = get::Request { unique_identifier: Some(id.to_owned()), ..get::Request::default() };
        Self::of(request, Expected::Key { bytes })
    }

    /// Get Attributes: a key's State.
    pub(super) fn state(id: &str) -> Self {
        let request = get_attributes::Request {
            unique_identifier: Some(id.to_owned()),
            attribute_names: vec![AttributeName::from(StandardAttribute::State)],
        };
        Self::of(request, Expected::Success)
    }

    /// Create, as vCenter asks for it.
    pub(super) fn create() -> Self {
        Self::of(create_request(), Expected::Success)
    }

    /// Locate of a few symmetric keys.
    pub(super) fn locate() -> Self {
        let symmetric = Value::Enumeration(ObjectType::SymmetricKey.number());
        let request = locate::Request {
            maximum_items: Some(LOCATED_MAX),
            attributes: vec![Attribute::new(StandardAttribute::ObjectType, symmetric)],
            ..locate::Request::default()
        };
        Self::of(request, Expected::Success)
    }

    /// Query for what every server tells of itself.
    pub(super) fn query() -> Self {
        let query_functions = vec![
            QueryFunction::QueryOperations,
            QueryFunction::QueryObjects,
            QueryFunction::QueryServerInformation,
        ];
        Self::of(query::Request { query_functions }, Expected::Success)
    }

    fn of(payload: impl Into<RequestPayload>, expected: Expected) -> Self {
        let mut bytes = Vec::new();
        RequestMessage::new(VERSION, [payload.into()]).encode(&mut bytes);
        Self { bytes, expected }
    }

    /// Whether `answer` is what it must be.
    pub(super) fn check(&self, answer: &[u8]) -> Result<(), Fault> {
        let not_kmip = |error: ttlv::Error| {
            Fault::answer("an answer that is not KMIP", format!("the answer cannot be read: {error}"))
        };
        let budget = Budget::new(Limits { message_bytes_max: answer.len(), ..Limits::default() });
        match (look(answer, &budget).map_err(not_kmip)?, self.expected) {
            (Seen::Success { .. }, Expected::Success) => Ok(()),
            (Seen::Success { key_bytes: Some(got) }, Expected::Key { bytes: None }) if got > 0 => Ok(()),
            (Seen::Success { key_bytes: Some(got) }, Expected::Key { bytes: Some(bytes) })
                if got == bytes =>
            {
                Ok(())
            }
            (Seen::Success { key_bytes }, Expected::Key { bytes }) => {
                let got = key_bytes.map_or("no plain key".to_owned(), |got| format!("{got} bytes"));
                let expected =
                    bytes.map_or("a plain key".to_owned(), |bytes| format!("a key of {bytes} bytes"));
                Err(Fault::answer(
                    "not the key that was asked for",
                    format!("expected {expected}, got {got}"),
                ))
            }
            (Seen::Failure { status, reason, message }, _) => {
                let status = ResultStatus::from_number(status);
                let reason = reason.map(ResultReason::from_number);
                let reason = refused(status, reason);
                let example = message.map_or(reason.clone(), |message| format!("{reason}: {message}"));
                Err(Fault::answer(reason, example))
            }
            (Seen::Nothing, _) => {
                Err(Fault::answer("an answer without a batch item", "the answer holds no batch item"))
            }
        }
    }
}

/// The server said no.
pub(super) fn refused(status: ResultStatus, reason: Option<ResultReason>) -> String {
    match reason {
        Some(reason) => format!("refused: {reason}"),
        None => format!("refused: {status}"),
    }
}

/// An AES-256 key to encrypt and decrypt, in vCenter's order.
pub(super) fn create_request() -> create::Request {
    let attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(AES)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(ENCRYPT_DECRYPT)),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(8 * KEY_BYTES as i32)),
    ];
    create::Request {
        object_type: ObjectType::SymmetricKey,
        template_attribute: TemplateAttribute { names: Vec::new(), attributes },
    }
}

/// What an answer's first batch item says.
enum Seen<'a> {
    Success { key_bytes: Option<usize> },
    Failure { status: u32, reason: Option<u32>, message: Option<&'a str> },
    Nothing,
}

fn look<'a>(answer: &'a [u8], budget: &'a Budget) -> Result<Seen<'a>, ttlv::Error> {
    let message = Reader::message(answer, budget)?;
    let Some(item) = find(message.structure()?, tag::BATCH_ITEM)? else { return Ok(Seen::Nothing) };
    let mut seen = Seen::Nothing;
    let mut fields = item.structure()?;
    while let Some(field) = fields.next_item()? {
        match field.tag {
            tag::RESULT_STATUS => {
                let status = field.enumeration()?;
                seen = match ResultStatus::from_number(status) {
                    ResultStatus::Success => Seen::Success { key_bytes: None },
                    _ => Seen::Failure { status, reason: None, message: None },
                };
            }
            tag::RESULT_REASON => {
                if let Seen::Failure { reason, .. } = &mut seen {
                    *reason = Some(field.enumeration()?);
                }
            }
            tag::RESULT_MESSAGE => {
                if let Seen::Failure { message, .. } = &mut seen {
                    *message = Some(field.text_string()?);
                }
            }
            tag::RESPONSE_PAYLOAD => {
                if let Seen::Success { key_bytes } = &mut seen {
                    *key_bytes = plain_key_bytes(&field)?;
                }
            }
            _ => {}
        }
    }
    Ok(seen)
}

/// Bytes of the plain key in a Get's payload.
fn plain_key_bytes(payload: &Item<'_>) -> Result<Option<usize>, ttlv::Error> {
    let mut at = *payload;
    for tag in [tag::SYMMETRIC_KEY, tag::KEY_BLOCK, tag::KEY_VALUE, tag::KEY_MATERIAL] {
        match find(at.structure()?, tag)? {
            Some(inner) => at = inner,
            None => return Ok(None),
        }
    }
    Ok(at.byte_string().ok().map(<[u8]>::len))
}

fn find<'a>(mut items: Reader<'a>, tag: Tag) -> Result<Option<Item<'a>>, ttlv::Error> {
    while let Some(item) = items.next_item()? {
        if item.tag == tag {
            return Ok(Some(item));
        }
    }
    Ok(None)
}
