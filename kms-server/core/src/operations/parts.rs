//! Data in parts (KMIP 1.4 chapter 4 and sections 2.1.15 to 2.1.17): what has to be remembered from one request to the next.
//!
//! The next part may reach another node, so the state of the operation travels with the client: sealed in the Correlation Value,
//! bound to the client, the operation and the key, and good for [`STREAM_S_MAX`] seconds. The log remembers which value of
//! an operation was used last, so that none is used twice; its first part changes nothing.

use kmip::attribute::CryptographicParameters;
use kmip::enumeration::{ObjectType, Operation, ResultReason};
use kmip::operations::Part;
use kmip::{Secret, StandardAttribute, tag};
use ttlv::{Budget, Reader, Tag, Value, Writer};
use zeroize::Zeroizing;

use super::Call;
use crate::event::{STORED, StreamId};
use crate::usage::{InUse, Purpose, read_parameters};
use crate::{About, Event, Id, Refusal, STREAM_S_MAX, STREAMS_MAX};

/// In the place of an object's type, so that what was sealed as a Correlation Value is opened as nothing else.
const SEALED_AS: ObjectType = ObjectType::Unknown(0x8054_5354);

const STREAM: Tag = Tag::new(0x54_0101);
const CLIENT: Tag = Tag::new(0x54_0102);
const PART: Tag = Tag::new(0x54_0103);
const EXPIRES_AT: Tag = Tag::new(0x54_0104);
const CHECKED: Tag = Tag::new(0x54_0105);
const STATE: Tag = Tag::new(0x54_0106);

/// Bytes of a record but for its state; more for larger ones, at the price of a copy that is wiped too late.
const RECORD_BYTES_USUAL: usize = 1024;

/// A request that may be a part.
pub(super) struct Asked<'r> {
    pub(super) operation: Operation,
    pub(super) part: &'r Part,
    pub(super) unique_identifier: Option<&'r str>,
    /// `None` for Hash, which uses no key.
    pub(super) purpose: Option<Purpose>,
    pub(super) parameters: Option<&'r Value>,
    pub(super) data: Option<&'r Secret>,
}

/// What an operation remembers from part to part.
#[derive(Default)]
pub(super) struct Remembered {
    parameters: Option<Value>,
    pub(super) iv: Vec<u8>,
    pub(super) additional: Vec<u8>,
    /// The code or signature to be checked.
    pub(super) checked: Option<Vec<u8>>,
    /// The library's own state; empty before the first part.
    pub(super) state: Zeroizing<Vec<u8>>,
}

impl Remembered {
    /// Takes the code or signature to be checked from whichever part brings it; two are refused.
    pub(super) fn expects(&mut self, given: Option<&Vec<u8>>) -> Result<(), Refusal> {
        match (given, &self.checked) {
            (None, _) => Ok(()),
            (Some(given), None) => {
                self.checked = Some(given.clone());
                Ok(())
            }
            (Some(_), Some(_)) => {
                Err(Refusal::invalid_message("what is to be checked was given with an earlier part already"))
            }
        }
    }
}

/// One part of an operation, before anything is computed.
pub(super) struct Advance<'r> {
    operation: Operation,
    stream: StreamId,
    /// The number of the next Correlation Value.
    next: u32,
    pub(super) first: bool,
    pub(super) last: bool,
    key: Option<InUse>,
    pub(super) parameters: CryptographicParameters,
    pub(super) remembered: Remembered,
    pub(super) data: &'r [u8],
}

impl Advance<'_> {
    pub(super) fn key(&self) -> Result<&InUse, Refusal> {
        self.key.as_ref().ok_or_else(|| Refusal::general_failure("the operation lost its key"))
    }

    /// The key's identifier, for the answer.
    pub(super) fn unique_identifier(&self) -> Result<String, Refusal> {
        Ok(self.key()?.object.id.to_string())
    }

    /// The Correlation Value that goes on from here.
    pub(super) fn correlation_value(self, call: &mut Call<'_, '_, '_>) -> Result<Vec<u8>, Refusal> {
        let mut record = Zeroizing::new(Vec::with_capacity(RECORD_BYTES_USUAL + self.remembered.state.len()));
        let Remembered { parameters, iv, additional, checked, state } = &self.remembered;
        Writer::new(&mut record).structure(STREAM, |writer| {
            writer.enumeration(tag::OPERATION, self.operation.number());
            writer.text_string(CLIENT, &call.context.client.name);
            if let Some(key) = &self.key {
                writer.byte_string(tag::UNIQUE_IDENTIFIER, key.object.id.as_bytes());
            }
            writer.long_integer(PART, i64::from(self.next));
            writer.date_time(EXPIRES_AT, call.now().saturating_add(STREAM_S_MAX));
            if let Some(parameters) = parameters {
                parameters.write(tag::CRYPTOGRAPHIC_PARAMETERS, writer);
            }
            writer.byte_string(tag::IV_COUNTER_NONCE, iv);
            writer.byte_string(tag::AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA, additional);
            if let Some(checked) = checked {
                writer.byte_string(CHECKED, checked);
            }
            writer.byte_string(STATE, state);
        });
        let sealed = call.context.vault.seal(&about(call, &self.stream)?, &record).map_err(|error| {
            Refusal::general_failure("the server could not seal the Correlation Value")
                .logged(format!("sealing a Correlation Value: {error}"))
        })?;
        Ok([self.stream.as_slice(), &sealed].concat())
    }
}

fn about<'a>(call: &Call<'_, 'a, '_>, stream: &StreamId) -> Result<About<'a>, Refusal> {
    let id = Id::from_slice(stream).ok_or_else(not_outstanding)?;
    Ok(About { id, object_type: SEALED_AS, tenant: call.authorised.tenant() })
}

/// Takes a part in; `None` where the data are whole.
///
/// Fails with Item Not Found, in the same words, for a Correlation Value that is not this server's, this client's, this
/// operation's or this key's, that was used before, or has expired.
pub(super) fn advance<'r>(
    asked: &Asked<'r>,
    call: &mut Call<'_, '_, '_>,
) -> Result<Option<Advance<'r>>, Refusal> {
    let part = asked.part;
    if part.is_whole() {
        return Ok(None);
    }
    let (first, last) = (part.init_indicator == Some(true), part.final_indicator == Some(true));
    match (&part.correlation_value, first) {
        (None, true) => begin(asked, call, last).map(Some),
        (Some(value), false) => go_on(asked, call, value, last).map(Some),
        (Some(_), true) => Err(Refusal::invalid_message(
            "an Init Indicator stands beside a Correlation Value; hint: the first part has the one, all later parts the other",
        )),
        (None, false) => Err(Refusal::invalid_message(
            "a later part needs the Correlation Value of the answer before it; hint: the first part has Init Indicator",
        )),
    }
}

fn begin<'r>(asked: &Asked<'r>, call: &mut Call<'_, '_, '_>, last: bool) -> Result<Advance<'r>, Refusal> {
    // "Data is always required in cryptographic operations except when either Init Indicator or Final Indicator is true."
    let data = asked.data.map(Secret::danger_bytes).unwrap_or_default();
    let key = match asked.purpose {
        Some(purpose) => Some(call.use_key(asked.unique_identifier, purpose, data.len())?),
        None => None,
    };
    let of_key = || key.as_ref()?.object.first(StandardAttribute::CryptographicParameters);
    let parameters = asked.parameters.or_else(of_key).cloned();
    let mut stream = StreamId::default();
    call.context.entropy.fill(&mut stream);
    Ok(Advance {
        operation: asked.operation,
        stream,
        next: 1,
        first: true,
        last,
        parameters: read(parameters.as_ref())?,
        key,
        remembered: Remembered { parameters, ..Remembered::default() },
        data,
    })
}

fn read(parameters: Option<&Value>) -> Result<CryptographicParameters, Refusal> {
    parameters.map_or_else(|| Ok(CryptographicParameters::default()), read_parameters)
}

fn go_on<'r>(
    asked: &Asked<'r>,
    call: &mut Call<'_, '_, '_>,
    value: &[u8],
    last: bool,
) -> Result<Advance<'r>, Refusal> {
    if asked.data.is_none() && !last {
        return Err(Refusal::invalid_message(
            "the Data are missing; hint: only the first and the last part may have none",
        ));
    }
    let data = asked.data.map(Secret::danger_bytes).unwrap_or_default();
    let record = open(call, value)?;
    let of_another = record.operation != asked.operation || *record.client != *call.context.client.name;
    let now = call.draft.streams_newest_at().map_or(call.now(), |newest| newest.max(call.now()));
    let used = call.draft.stream_used(&record.stream).unwrap_or(0);
    if of_another || record.expires_at < now || record.part <= used {
        return Err(not_outstanding());
    }
    if used == 0 && call.draft.streams() >= STREAMS_MAX {
        return Err(Refusal::general_failure(format!(
            "{STREAMS_MAX} operations in parts are under way already; hint: send the data as a whole, or try again later"
        )));
    }
    call.draft(Event::StreamPart {
        stream: record.stream,
        part: record.part,
        at: call.now(),
        // At least as long as the value itself is good, whichever node's clock made it.
        expires_at: call.now().saturating_add(STREAM_S_MAX).max(record.expires_at),
    });
    let key = match (asked.purpose, record.key) {
        (Some(purpose), Some(id)) => {
            let id = id.to_string();
            if asked.unique_identifier.is_some_and(|named| named != id) {
                return Err(not_outstanding());
            }
            Some(call.use_key_further(&id, purpose, data.len())?)
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(not_outstanding()),
    };
    let parameters = read(record.remembered.parameters.as_ref())?;
    if asked.parameters.is_some() && asked.parameters != record.remembered.parameters.as_ref() {
        return Err(Refusal::invalid_field("the Cryptographic Parameters are not those of the first part"));
    }
    Ok(Advance {
        operation: asked.operation,
        stream: record.stream,
        next: record.part.saturating_add(1),
        first: false,
        last,
        key,
        parameters,
        remembered: record.remembered,
        data,
    })
}

struct Record {
    stream: StreamId,
    operation: Operation,
    client: String,
    key: Option<Id>,
    part: u32,
    expires_at: i64,
    remembered: Remembered,
}

/// One text for all that may be wrong with a Correlation Value: which it was helps only who made it up.
fn not_outstanding() -> Refusal {
    Refusal::new(
        ResultReason::ItemNotFound,
        "no operation with this Correlation Value is under way; hint: each is used once, by its own client, within five minutes",
    )
}

fn open(call: &Call<'_, '_, '_>, value: &[u8]) -> Result<Record, Refusal> {
    let (stream, sealed) = value.split_first_chunk().ok_or_else(not_outstanding)?;
    let plain = call
        .context
        .vault
        .open(&about(call, stream)?, sealed)
        .map_err(|error| not_outstanding().logged(format!("opening a Correlation Value: {error}")))?;
    let budget = Budget::new(STORED);
    let read = Reader::message(&plain, &budget).and_then(|item| {
        let mut reader = item.structure()?;
        let operation = Operation::from_number(reader.required(tag::OPERATION)?.enumeration()?);
        let client = reader.required(CLIENT)?.text_string()?.to_owned();
        let key = reader.optional(tag::UNIQUE_IDENTIFIER)?.map(|item| item.byte_string().map(Id::from_slice));
        let part = reader.required(PART)?.long_integer()?;
        let expires_at = reader.required(EXPIRES_AT)?.date_time()?;
        let parameters = reader.optional(tag::CRYPTOGRAPHIC_PARAMETERS)?;
        let parameters = parameters.map(|item| Value::read(&item)).transpose()?;
        let iv = reader.required(tag::IV_COUNTER_NONCE)?.byte_string()?.to_vec();
        let additional =
            reader.required(tag::AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA)?.byte_string()?.to_vec();
        let checked =
            reader.optional(CHECKED)?.map(|item| item.byte_string().map(<[u8]>::to_vec)).transpose()?;
        let state = Zeroizing::new(reader.required(STATE)?.byte_string()?.to_vec());
        reader.finish()?;
        Ok(Record {
            stream: *stream,
            operation,
            client,
            key: key.transpose()?.flatten(),
            part: u32::try_from(part).unwrap_or(0),
            expires_at,
            remembered: Remembered { parameters, iv, additional, checked, state },
        })
    });
    read.map_err(|error| not_outstanding().logged(format!("reading a Correlation Value: {error}")))
}
