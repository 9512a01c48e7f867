//! Events and records as TTLV: KMIP's own tags where there is one, private ones (0x54….) else. The same codec, with the
//! same bounds, reads the wire and the log.

use kmip::attribute::AttributeName;
use kmip::enumeration::{ObjectType, State};
use kmip::{Attribute, ProtocolVersion, tag};
use ttlv::{Budget, ErrorKind, Item, Limits, Reader, Tag, Writer};

use super::Event;
use crate::client::{Client, RegisteredClient, Rights, Tenant, Trust, TrustKind};
use crate::{Id, Object};

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
            events.push(Self::read(&item)?);
        }
        reader.finish()?;
        Ok(events)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.structure(EVENT, |writer| match self {
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
            kind::CLIENT_REGISTERED => Self::ClientRegistered { client: read_client(&mut reader)? },
            kind::CLIENT_REMOVED => {
                Self::ClientRemoved { name: reader.required(CLIENT_NAME)?.text_string()?.to_owned() }
            }
            _ => return Err(kind_item.error(ErrorKind::WrongValue("an event of an unknown kind"))),
        };
        reader.finish()?;
        Ok(event)
    }
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
    });
}

/// Reads what [`write_object`] made, if that is next.
pub(crate) fn read_object(bytes: &[u8]) -> Result<Option<Object>, DecodeError> {
    let budget = Budget::new(STORED);
    let item = Reader::message(bytes, &budget)?;
    if item.tag != OBJECT {
        return Ok(None);
    }
    let mut reader = item.structure()?;
    let object = Object {
        id: read_id(&mut reader)?,
        tenant: Tenant::new(reader.required(TENANT)?.text_string()?),
        object_type: ObjectType::from_number(reader.required(tag::OBJECT_TYPE)?.enumeration()?),
        state: State::from_number(reader.required(tag::STATE)?.enumeration()?),
        initial_date: reader.required(AT)?.date_time()?,
        last_change_date: reader.required(CHANGED_AT)?.date_time()?,
        fresh: reader.required(FRESH)?.boolean()?,
        attributes: Attribute::read_all(&mut reader)?,
        material: read_sealed(&mut reader)?,
    };
    reader.finish()?;
    Ok(Some(object))
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
    });
}

/// Reads the registered client that is next.
pub(crate) fn read_client(reader: &mut Reader<'_>) -> Result<RegisteredClient, ttlv::Error> {
    let mut reader = reader.required(CLIENT)?.structure()?;
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
    reader.finish()?;
    Ok(RegisteredClient { client: Client { name, tenant, rights }, trust, registered_at })
}

fn write_id(writer: &mut Writer<'_>, id: Id) {
    writer.byte_string(tag::UNIQUE_IDENTIFIER, id.as_bytes());
}

fn read_id(reader: &mut Reader<'_>) -> Result<Id, ttlv::Error> {
    let item = reader.required(tag::UNIQUE_IDENTIFIER)?;
    let wrong = ErrorKind::WrongValue("an identifier has 16 bytes");
    Id::from_slice(item.byte_string()?).ok_or_else(|| item.error(wrong))
}

fn read_sealed(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, ttlv::Error> {
    reader.optional(SEALED)?.map(|item| item.byte_string().map(<[u8]>::to_vec)).transpose()
}
