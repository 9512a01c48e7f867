//! What has happened: the only thing that is stored and replicated. Key material in events is sealed.

mod encoding;

use kmip::enumeration::{ObjectType, State};
use kmip::{Attribute, AttributeName};

use crate::{Id, RegisteredClient, Tenant};

pub use encoding::DecodeError;
pub(crate) use encoding::{STORED, read_client, read_object, write_client, write_object};

/// Something that was decided. To apply one cannot fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `Object`")]
pub enum Event {
    /// An object came to be: by Create, Register or Re-key.
    Created {
        id: Id,
        tenant: Tenant,
        object_type: ObjectType,
        state: State,
        at: i64,
        attributes: Vec<Attribute>,
        /// Sealed; absent for an object that never had any.
        material: Option<Vec<u8>>,
    },
    /// An attribute instance was added, or has another value; its index says which.
    AttributeSet { id: Id, at: i64, attribute: Attribute },
    /// An attribute instance is gone.
    AttributeDeleted { id: Id, at: i64, name: AttributeName, index: i32 },
    /// The state is another.
    StateChanged { id: Id, at: i64, state: State },
    /// The material was handed out for the first time: the object is no longer fresh (KMIP 1.4 section 3.34).
    Served { id: Id },
    /// The material is gone for ever; what is known of the object stays.
    Destroyed { id: Id, at: i64, state: State },
    /// The object is gone with all that was known of it: a Template (KMIP 1.4 section 4.21).
    Removed { id: Id },
    /// A client was let in.
    ClientRegistered { client: RegisteredClient },
    /// A client is no longer let in. Its tenant's objects stay.
    ClientRemoved { name: String },
}

impl Event {
    /// The object that this is about, if any.
    pub fn object(&self) -> Option<Id> {
        match self {
            Self::Created { id, .. }
            | Self::AttributeSet { id, .. }
            | Self::AttributeDeleted { id, .. }
            | Self::StateChanged { id, .. }
            | Self::Served { id }
            | Self::Destroyed { id, .. }
            | Self::Removed { id } => Some(*id),
            Self::ClientRegistered { .. } | Self::ClientRemoved { .. } => None,
        }
    }
}

impl Event {
    /// When it was decided, in seconds since 1970, where that is part of it.
    pub fn at(&self) -> Option<i64> {
        match self {
            Self::Created { at, .. }
            | Self::AttributeSet { at, .. }
            | Self::AttributeDeleted { at, .. }
            | Self::StateChanged { at, .. }
            | Self::Destroyed { at, .. } => Some(*at),
            Self::ClientRegistered { client } => Some(client.registered_at),
            Self::Served { .. } | Self::Removed { .. } | Self::ClientRemoved { .. } => None,
        }
    }
}
