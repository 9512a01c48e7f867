//! Events and records as TTLV: KMIP's own tags where there is one, private ones (0x54….) else. The same codec, with the
//! same bounds, reads the wire and the log.

use kmip::attribute::AttributeName;
use kmip::enumeration::{ObjectType, State};
use kmip::{Attribute, ProtocolVersion, tag};
use ttlv::{Budget, ErrorKind, Item, Limits, Reader, Tag, Writer};

use super::{Deferred, Event, Stage, Token};
use crate::client::{
    Client, KnownCredential, KnownCredentials, RegisteredClient, Rights, Tenant, Trust, TrustKind,
};
use crate::{Id, Object, Record};

const EVENTS: Tag = Tag::new(0x54_0001);
const EVENT: Tag = Tag::new(0x54_0002);
const KIND: Tag = Tag::new(0x54_0003);
const TENANT: Tag = Tag::new(0x54_0004);
const AT: Tag = Tag::new(0x54_0005);
const SEALED: Tag = Tag::new(0x54_0006);
const CLIENT: Tag = Tag::new(0x54_0007);
const CLIENT_NAME: Tag = Tag::new(0x54_0008);
const RIGHT: Tag = Tag::new(0x54_0009);
const TRUST_KIND: Tag = Tag::new(0x54_000a);
const TRUST_CERTIFICATE: Tag = Tag::new(0x54_000b);
const OBJECT: Tag = Tag::new(0x54_000c);
const CHANGED_AT: Tag = Tag::new(0x54_000d);
const FRESH: Tag = Tag::new(0x54_000e);
const TOKEN: Tag = Tag::new(0x54_000f);
const KEY_VERSION: Tag = Tag::new(0x54_0010);
const WRAPPED: Tag = Tag::new(0x54_0011);
const INVITATION: Tag = Tag::new(0x54_0012);
const EXPIRES_AT: Tag = Tag::new(0x54_0013);
const LEARNER: Tag = Tag::new(0x54_0014);
const NODE: Tag = Tag::new(0x54_0015);
const NODE_NAME: Tag = Tag::new(0x54_0016);
const LINK: Tag = Tag::new(0x54_0017);
const KMIP: Tag = Tag::new(0x54_0018);
const RECORD: Tag = Tag::new(0x54_0019);
const ANSWERS: Tag = Tag::new(0x54_001a);
const SEEN: Tag = Tag::new(0x54_001b);
const NUMBER: Tag = Tag::new(0x54_001c);
const CORRELATION: Tag = Tag::new(0x54_0030);
const STAGE: Tag = Tag::new(0x54_0031);
const STREAM: Tag = Tag::new(0x54_001d);
const PART: Tag = Tag::new(0x54_001e);
const PRIVATE_KEY: Tag = Tag::new(0x54_001f);
const USER: Tag = Tag::new(0x54_0032);
const DEVICE: Tag = Tag::new(0x54_0033);
const CREDENTIAL_NAME: Tag = Tag::new(0x54_0034);
const PASSWORD_HASH: Tag = Tag::new(0x54_0035);

/// What is in the log was within a request's limits when it went in, and checksums watch over it since. An entry gathers
/// many requests, so nothing but the stack is guarded here: an entry that was acknowledged must never be too large to
/// be read back.
pub(crate) const STORED: Limits =
    Limits { message_bytes_max: usize::MAX, depth_max: 128, items_max: u32::MAX };

/// Attributes are stored in full; what a client may see of them is decided when it asks.
const STORED_VERSION: ProtocolVersion = ProtocolVersion::V1_4;

/// Bytes that are no events: damage that no checksum saw, or a newer version's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log holds what this version does not know: {0}; hint: was it written by a newer version, or damaged? nothing \
     was changed"
)]
pub struct DecodeError(#[from] ttlv::Error);

#[rustfmt::skip]
mod kind {
    pub(super) const CREATED:           u32 = 1;
    pub(super) const ATTRIBUTE_SET:     u32 = 2;
    pub(super) const ATTRIBUTE_DELETED: u32 = 3;
    pub(super) const STATE_CHANGED:     u32 = 4;
    pub(super) const SERVED:            u32 = 5;
    pub(super) const DESTROYED:         u32 = 6;
    pub(super) const REMOVED:           u32 = 7;
    pub(super) const CLIENT_REGISTERED: u32 = 8;
    pub(super) const CLIENT_REMOVED:    u32 = 9;
    pub(super) const ANSWERED:          u32 = 10;
    pub(super) const DATA_KEY:          u32 = 11;
    pub(super) const INVITED:           u32 = 12;
    pub(super) const NODE_NUMBERED:     u32 = 13;
    pub(super) const RESTORED:          u32 = 14;
    pub(super) const DEFERRED:          u32 = 20;
    pub(super) const STREAM_PART:       u32 = 15;
    pub(super) const TOLD:              u32 = 30;
    pub(super) const AUTHORITY_MADE:    u32 = 16;
}

impl Event {
    /// Appends events, as one log entry holds them.
    pub fn encode_all(events: &[Self], out: &mut Vec<u8>) {
        Writer::new(out).structure(EVENTS, |writer| events.iter().for_each(|event| event.write(writer)));
    }

    /// Reads what [`encode_all`](Self::encode_all) made.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let budget = Budget::new(STORED);
        let mut reader = Reader::message(bytes, &budget)?.structure()?;
        let mut events = Vec::new();
        while let Some(item) = reader.optional(EVENT)? {
            let event = Self::read(&item)?;
            // To apply an event cannot fail, so a record that is none ends here.
            if let Self::Restored { record } = &event {
                read_record(record)?;
            }
            events.push(event);
        }
        reader.finish()?;
        Ok(events)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        if let Self::Answered { token, at, sealed } = self {
            return write_answer(writer, token, *at, sealed);
        }
        writer.structure(EVENT, |writer| match self {
            // Written above.
            Self::Answered { .. } => {}
            Self::Created { id, tenant, object_type, state, at, attributes, material } => {
                writer.enumeration(KIND, kind::CREATED);
                write_id(writer, *id);
                writer.text_string(TENANT, tenant.as_str());
                writer.enumeration(tag::OBJECT_TYPE, object_type.number());
                writer.enumeration(tag::STATE, state.number());
                writer.date_time(AT, *at);
                attributes.iter().for_each(|attribute| attribute.write(writer, STORED_VERSION));
                if let Some(sealed) = material {
                    writer.byte_string(SEALED, sealed);
                }
            }
            Self::AttributeSet { id, at, attribute } => {
                writer.enumeration(KIND, kind::ATTRIBUTE_SET);
                write_id(writer, *id);
                writer.date_time(AT, *at);
                attribute.write(writer, STORED_VERSION);
            }
            Self::AttributeDeleted { id, at, name, index } => {
                writer.enumeration(KIND, kind::ATTRIBUTE_DELETED);
                write_id(writer, *id);
                writer.date_time(AT, *at);
                writer.text_string(tag::ATTRIBUTE_NAME, name.as_str());
                writer.integer(tag::ATTRIBUTE_INDEX, *index);
            }
            Self::StateChanged { id, at, state } => {
                writer.enumeration(KIND, kind::STATE_CHANGED);
                write_id(writer, *id);
                writer.date_time(AT, *at);
                writer.enumeration(tag::STATE, state.number());
            }
            Self::Served { id } => {
                writer.enumeration(KIND, kind::SERVED);
                write_id(writer, *id);
            }
            Self::Destroyed { id, at, state } => {
                writer.enumeration(KIND, kind::DESTROYED);
                write_id(writer, *id);
                writer.date_time(AT, *at);
                writer.enumeration(tag::STATE, state.number());
            }
            Self::Removed { id } => {
                writer.enumeration(KIND, kind::REMOVED);
                write_id(writer, *id);
            }
            Self::ClientRegistered { client } => {
                writer.enumeration(KIND, kind::CLIENT_REGISTERED);
                write_client(writer, client);
            }
            Self::ClientRemoved { name } => {
                writer.enumeration(KIND, kind::CLIENT_REMOVED);
                writer.text_string(CLIENT_NAME, name);
            }
            Self::DataKey { version, wrapped } => {
                writer.enumeration(KIND, kind::DATA_KEY);
                writer.long_integer(KEY_VERSION, i64::from(*version));
                writer.byte_string(WRAPPED, wrapped);
            }
            Self::Invited { digest, at, expires_at, learner } => {
                writer.enumeration(KIND, kind::INVITED);
                writer.byte_string(INVITATION, digest);
                writer.date_time(AT, *at);
                writer.date_time(EXPIRES_AT, *expires_at);
                writer.boolean(LEARNER, *learner);
            }
            Self::NodeNumbered { node, name, link, kmip, invitation, at, learner } => {
                writer.enumeration(KIND, kind::NODE_NUMBERED);
                write_number(writer, NODE, *node);
                writer.text_string(NODE_NAME, name);
                writer.text_string(LINK, link);
                writer.text_string(KMIP, kmip);
                writer.byte_string(INVITATION, invitation);
                writer.date_time(AT, *at);
                writer.boolean(LEARNER, *learner);
            }
            Self::Deferred(deferred) => {
                writer.enumeration(KIND, kind::DEFERRED);
                writer.byte_string(CORRELATION, deferred.value.as_bytes());
                writer.text_string(CLIENT_NAME, &deferred.client);
                writer.date_time(AT, deferred.at);
                writer.enumeration(STAGE, deferred.stage.number());
                writer.byte_string(SEALED, &deferred.sealed);
            }
            Self::StreamPart { stream, part, at, expires_at } => {
                writer.enumeration(KIND, kind::STREAM_PART);
                writer.byte_string(STREAM, stream);
                write_number(writer, PART, u64::from(*part));
                writer.date_time(AT, *at);
                writer.date_time(EXPIRES_AT, *expires_at);
            }
            Self::Told { tenant, number } => {
                writer.enumeration(KIND, kind::TOLD);
                writer.text_string(TENANT, tenant.as_str());
                write_number(writer, NUMBER, *number);
            }
            Self::AuthorityMade { tenant, certificate, private_key, at } => {
                writer.enumeration(KIND, kind::AUTHORITY_MADE);
                write_id(writer, *certificate);
                writer.byte_string(PRIVATE_KEY, private_key.as_bytes());
                writer.text_string(TENANT, tenant.as_str());
                writer.date_time(AT, *at);
            }
            Self::Restored { record } => {
                writer.enumeration(KIND, kind::RESTORED);
                writer.byte_string(RECORD, record);
            }
        });
    }

    fn read(item: &Item<'_>) -> Result<Self, ttlv::Error> {
        let mut reader = item.structure()?;
        let kind_item = reader.required(KIND)?;
        let event = match kind_item.enumeration()? {
            kind::CREATED => Self::Created {
                id: read_id(&mut reader)?,
                tenant: Tenant::new(reader.required(TENANT)?.text_string()?),
                object_type: ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?),
                state: State::from_number(reader.required(tag::STATE)?.enumeration()?),
                at: reader.required(AT)?.date_time()?,
                attributes: Attribute::read_all(&mut reader)?,
                material: read_sealed(&mut reader)?,
            },
            kind::ATTRIBUTE_SET => Self::AttributeSet {
                id: read_id(&mut reader)?,
                at: reader.required(AT)?.date_time()?,
                attribute: Attribute::read(&reader.required(tag::ATTRIBUTE)?)?,
            },
            kind::ATTRIBUTE_DELETED => Self::AttributeDeleted {
                id: read_id(&mut reader)?,
                at: reader.required(AT)?.date_time()?,
                name: AttributeName::new(reader.required(tag::ATTRIBUTE_NAME)?.text_string()?),
                index: reader.required(tag::ATTRIBUTE_INDEX)?.integer()?,
            },
            kind::STATE_CHANGED => Self::StateChanged {
                id: read_id(&mut reader)?,
                at: reader.required(AT)?.date_time()?,
                state: State::from_number(reader.required(tag::STATE)?.enumeration()?),
            },
            kind::SERVED => Self::Served { id: read_id(&mut reader)? },
            kind::DESTROYED => Self::Destroyed {
                id: read_id(&mut reader)?,
                at: reader.required(AT)?.date_time()?,
                state: State::from_number(reader.required(tag::STATE)?.enumeration()?),
            },
            kind::REMOVED => Self::Removed { id: read_id(&mut reader)? },
            kind::CLIENT_REGISTERED => {
                Self::ClientRegistered { client: read_client(&reader.required(CLIENT)?)? }
            }
            kind::CLIENT_REMOVED => {
                Self::ClientRemoved { name: reader.required(CLIENT_NAME)?.text_string()?.to_owned() }
            }
            kind::ANSWERED => Self::Answered {
                token: read_array(&mut reader, TOKEN, "a token has 16 bytes")?,
                at: reader.required(AT)?.date_time()?,
                sealed: reader.required(SEALED)?.byte_string()?.to_vec(),
            },
            kind::DATA_KEY => {
                let version = reader.required(KEY_VERSION)?;
                let wrong = ErrorKind::WrongValue("a data key's version has 32 bits");
                Self::DataKey {
                    version: u32::try_from(version.long_integer()?).map_err(|_| version.error(wrong))?,
                    wrapped: reader.required(WRAPPED)?.byte_string()?.to_vec(),
                }
            }
            kind::INVITED => Self::Invited {
                digest: read_digest(&mut reader)?,
                at: reader.required(AT)?.date_time()?,
                expires_at: reader.required(EXPIRES_AT)?.date_time()?,
                learner: reader.required(LEARNER)?.boolean()?,
            },
            kind::NODE_NUMBERED => Self::NodeNumbered {
                node: read_number(&mut reader, NODE)?,
                name: reader.required(NODE_NAME)?.text_string()?.to_owned(),
                link: reader.required(LINK)?.text_string()?.to_owned(),
                kmip: reader.required(KMIP)?.text_string()?.to_owned(),
                invitation: read_digest(&mut reader)?,
                at: reader.required(AT)?.date_time()?,
                learner: reader.required(LEARNER)?.boolean()?,
            },
            kind::DEFERRED => {
                let value: [u8; 16] =
                    read_array(&mut reader, CORRELATION, "a correlation value has 16 bytes")?;
                let client = reader.required(CLIENT_NAME)?.text_string()?.into();
                let at = reader.required(AT)?.date_time()?;
                let stage = reader.required(STAGE)?;
                let unknown = stage.error(ErrorKind::WrongValue("a stage of an unknown number"));
                let stage = Stage::from_number(stage.enumeration()?).ok_or(unknown)?;
                let sealed = reader.required(SEALED)?.byte_string()?.to_vec();
                Self::Deferred(Deferred { value: Id::from(value), client, at, stage, sealed }.into())
            }
            kind::STREAM_PART => {
                let stream = read_array(&mut reader, STREAM, "an operation in parts has 16 bytes")?;
                let part = reader.required(PART)?;
                let wrong = ErrorKind::WrongValue("a part's number has 32 bits");
                Self::StreamPart {
                    stream,
                    part: u32::try_from(part.long_integer()?).map_err(|_| part.error(wrong))?,
                    at: reader.required(AT)?.date_time()?,
                    expires_at: reader.required(EXPIRES_AT)?.date_time()?,
                }
            }
            kind::TOLD => Self::Told {
                tenant: Tenant::new(reader.required(TENANT)?.text_string()?),
                number: read_number(&mut reader, NUMBER)?,
            },
            kind::AUTHORITY_MADE => Self::AuthorityMade {
                certificate: read_id(&mut reader)?,
                private_key: read_id_as(&mut reader, PRIVATE_KEY)?,
                tenant: Tenant::new(reader.required(TENANT)?.text_string()?),
                at: reader.required(AT)?.date_time()?,
            },
            kind::RESTORED => Self::Restored { record: reader.required(RECORD)?.byte_string()?.to_vec() },
            _ => return Err(kind_item.error(ErrorKind::WrongValue("an event of an unknown kind"))),
        };
        reader.finish()?;
        Ok(event)
    }
}

/// Appends an `Answered` event.
pub(crate) fn write_answer(writer: &mut Writer<'_>, token: &Token, at: i64, sealed: &[u8]) {
    writer.structure(EVENT, |writer| {
        writer.enumeration(KIND, kind::ANSWERED);
        writer.byte_string(TOKEN, token);
        writer.date_time(AT, at);
        writer.byte_string(SEALED, sealed);
    });
}

/// Appends how many answers there ever were, and the time of the newest.
pub(crate) fn write_answers_seen(writer: &mut Writer<'_>, seen: u64, newest_at: i64) {
    writer.structure(ANSWERS, |writer| {
        write_number(writer, SEEN, seen);
        writer.date_time(AT, newest_at);
    });
}

/// Reads a record of a snapshot.
pub(crate) fn read_record(bytes: &[u8]) -> Result<Record, DecodeError> {
    let budget = Budget::new(STORED);
    let item = Reader::message(bytes, &budget)?;
    Ok(match item.tag {
        OBJECT => Record::Object(read_object(&item)?.into()),
        CLIENT => Record::Client(read_client(&item)?.into()),
        EVENT => match Event::read(&item)? {
            Event::Answered { token, at, sealed } => Record::Answer { token, at, sealed: sealed.into() },
            // Records within records could nest without end.
            Event::Restored { .. } => {
                return Err(item.error(ErrorKind::WrongValue("a record holds no restored record")).into());
            }
            event => Record::Event(event),
        },
        ANSWERS => {
            let mut reader = item.structure()?;
            let seen = read_number(&mut reader, SEEN)?;
            let newest_at = reader.required(AT)?.date_time()?;
            reader.finish()?;
            Record::AnswersSeen { seen, newest_at }
        }
        _ => return Err(item.error(ErrorKind::WrongValue("a record of an unknown kind")).into()),
    })
}

/// Appends a whole object, as a snapshot holds it.
pub(crate) fn write_object(writer: &mut Writer<'_>, object: &Object) {
    writer.structure(OBJECT, |writer| {
        write_id(writer, object.id);
        writer.text_string(TENANT, object.tenant.as_str());
        writer.enumeration(tag::OBJECT_TYPE, object.object_type.number());
        writer.enumeration(tag::STATE, object.state.number());
        writer.date_time(AT, object.initial_date);
        writer.date_time(CHANGED_AT, object.last_change_date);
        writer.boolean(FRESH, object.fresh);
        object.attributes.iter().for_each(|attribute| attribute.write(writer, STORED_VERSION));
        if let Some(sealed) = &object.material {
            writer.byte_string(SEALED, sealed);
        }
        // Most are alone in their second, and records of before had none.
        if object.number > 0 {
            write_number(writer, NUMBER, u64::from(object.number));
        }
    });
}

/// Reads what [`write_object`] made.
fn read_object(item: &Item<'_>) -> Result<Object, ttlv::Error> {
    let mut reader = item.structure()?;
    let mut object = Object {
        id: read_id(&mut reader)?,
        tenant: Tenant::new(reader.required(TENANT)?.text_string()?),
        object_type: ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?),
        state: State::from_number(reader.required(tag::STATE)?.enumeration()?),
        initial_date: reader.required(AT)?.date_time()?,
        number: 0,
        last_change_date: reader.required(CHANGED_AT)?.date_time()?,
        fresh: reader.required(FRESH)?.boolean()?,
        attributes: Attribute::read_all(&mut reader)?,
        material: read_sealed(&mut reader)?,
    };
    if let Some(item) = reader.optional(NUMBER)? {
        let wrong = ErrorKind::WrongValue("an object's number has 32 bits");
        object.number = u32::try_from(item.long_integer()?).map_err(|_| item.error(wrong))?;
    }
    reader.finish()?;
    Ok(object)
}

/// Appends a registered client.
pub(crate) fn write_client(writer: &mut Writer<'_>, registered: &RegisteredClient) {
    writer.structure(CLIENT, |writer| {
        writer.text_string(CLIENT_NAME, &registered.client.name);
        writer.text_string(TENANT, registered.client.tenant.as_str());
        registered.client.rights.names().into_iter().for_each(|name| writer.text_string(RIGHT, name));
        writer.enumeration(TRUST_KIND, registered.trust.kind.number());
        writer.byte_string(TRUST_CERTIFICATE, &registered.trust.certificate);
        writer.date_time(AT, registered.registered_at);
        for (tag, credential) in
            [(USER, &registered.credentials.user), (DEVICE, &registered.credentials.device)]
        {
            if let Some(credential) = credential {
                writer.structure(tag, |writer| {
                    writer.text_string(CREDENTIAL_NAME, &credential.name);
                    if let Some(hash) = &credential.password_hash {
                        writer.text_string(PASSWORD_HASH, hash);
                    }
                });
            }
        }
    });
}

fn read_credential(reader: &mut Reader<'_>, tag: Tag) -> Result<Option<KnownCredential>, ttlv::Error> {
    let Some(item) = reader.optional(tag)? else { return Ok(None) };
    let mut reader = item.structure()?;
    let name = reader.required(CREDENTIAL_NAME)?.text_string()?.to_owned();
    let hash = reader.optional(PASSWORD_HASH)?;
    let password_hash = hash.map(|item| item.text_string().map(str::to_owned)).transpose()?;
    reader.finish()?;
    Ok(Some(KnownCredential { name, password_hash }))
}

/// Reads what [`write_client`] made.
fn read_client(item: &Item<'_>) -> Result<RegisteredClient, ttlv::Error> {
    let mut reader = item.structure()?;
    let name = reader.required(CLIENT_NAME)?.text_string()?.into();
    let tenant = Tenant::new(reader.required(TENANT)?.text_string()?);
    let mut names = Vec::new();
    let offset = reader.offset();
    while let Some(item) = reader.optional(RIGHT)? {
        names.push(item.text_string()?);
    }
    let unknown = ErrorKind::WrongValue("a right of an unknown name");
    let rights = Rights::from_names(names).map_err(|_| ttlv::Error::new(offset, RIGHT, unknown))?;
    let kind = reader.required(TRUST_KIND)?;
    let unknown = ErrorKind::WrongValue("trust of an unknown kind");
    let trust = Trust {
        kind: TrustKind::from_number(kind.enumeration()?).ok_or_else(|| kind.error(unknown))?,
        certificate: reader.required(TRUST_CERTIFICATE)?.byte_string()?.to_vec(),
    };
    let registered_at = reader.required(AT)?.date_time()?;
    // Clients of older logs have none.
    let user = read_credential(&mut reader, USER)?;
    let device = read_credential(&mut reader, DEVICE)?;
    reader.finish()?;
    let credentials = KnownCredentials { user, device };
    Ok(RegisteredClient { client: Client { name, tenant, rights }, trust, credentials, registered_at })
}

fn write_id(writer: &mut Writer<'_>, id: Id) {
    writer.byte_string(tag::UNIQUE_IDENTIFIER, id.as_bytes());
}

fn read_id(reader: &mut Reader<'_>) -> Result<Id, ttlv::Error> {
    read_id_as(reader, tag::UNIQUE_IDENTIFIER)
}

fn read_id_as(reader: &mut Reader<'_>, tag: Tag) -> Result<Id, ttlv::Error> {
    let item = reader.required(tag)?;
    let wrong = ErrorKind::WrongValue("an identifier has 16 bytes");
    Id::from_slice(item.byte_string()?).ok_or_else(|| item.error(wrong))
}

fn read_digest(reader: &mut Reader<'_>) -> Result<[u8; 32], ttlv::Error> {
    read_array(reader, INVITATION, "an invitation's digest has 32 bytes")
}

fn read_array<const N: usize>(
    reader: &mut Reader<'_>,
    tag: Tag,
    wrong: &'static str,
) -> Result<[u8; N], ttlv::Error> {
    let item = reader.required(tag)?;
    item.byte_string()?.try_into().map_err(|_| item.error(ErrorKind::WrongValue(wrong)))
}

/// Appends a number of 64 bits without a sign, of which KMIP has no type.
fn write_number(writer: &mut Writer<'_>, tag: Tag, number: u64) {
    writer.long_integer(tag, number.cast_signed());
}

fn read_number(reader: &mut Reader<'_>, tag: Tag) -> Result<u64, ttlv::Error> {
    Ok(reader.required(tag)?.long_integer()?.cast_unsigned())
}

fn read_sealed(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, ttlv::Error> {
    reader.optional(SEALED)?.map(|item| item.byte_string().map(<[u8]>::to_vec)).transpose()
}
