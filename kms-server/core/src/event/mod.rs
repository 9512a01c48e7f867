//! What has happened: the only thing that is stored and replicated. Key material in events is sealed.

mod encoding;

use std::fmt;
use std::sync::Arc;

use kmip::enumeration::{ObjectType, State};
use kmip::{Attribute, AttributeName};

use crate::{Id, RegisteredClient, Tenant};

pub use encoding::DecodeError;
pub(crate) use encoding::{
    STORED, read_record, write_answer, write_answers_seen, write_client, write_object,
};

/// What a request carries so that it is carried out once, however often it arrives: random, made by whoever may send it
/// again.
pub type Token = [u8; 16];

/// An operation whose data come in parts: random.
pub type StreamId = [u8; 16];

/// SHA-256 of an invitation's secret. The secret itself is never stored.
pub type InvitationDigest = [u8; 32];

/// A request that its client let the server put off (KMIP 1.4 section 6.7), as it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Deferred {
    /// Its Asynchronous Correlation Value: nobody can guess it.
    pub value: Id,
    /// The name of the client that sent it, and that alone may ask for it.
    pub client: Arc<str>,
    /// When it came, in seconds since 1970.
    pub at: i64,
    /// How far it is.
    pub stage: Stage,
    /// The request message while it waits, then the response message; sealed, as either may hold a key.
    pub sealed: Vec<u8>,
}

/// How far a request is that was put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is to be carried out.
    Waiting,
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
    /// Its client canceled it before it was carried out.
    Canceled,
}

impl Stage {
    /// All of them, in the order of their numbers in the log.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Completed, Self::Failed, Self::Canceled];

    /// The number in the log.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Waiting => 1,
            Self::Completed => 2,
            Self::Failed => 3,
            Self::Canceled => 4,
        }
    }

    /// The stage of this number.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.number() == number)
    }
}

impl Deferred {
    /// Whether it is yet to be carried out.
    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }
}

/// Shows no sealed byte.
impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred")
            .field("value", &self.value)
            .field("client", &self.client)
            .field("at", &self.at)
            .field("stage", &self.stage)
            .field("sealed_bytes", &self.sealed.len())
            .finish()
    }
}

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
    /// A request that carried a token was answered; in one log entry with what it changed.
    Answered {
        token: Token,
        at: i64,
        /// The whole answer, sealed by the shell.
        sealed: Vec<u8>,
    },
    /// Another data key seals from now on.
    DataKey {
        version: u32,
        /// Wrapped under the root key that all nodes share.
        wrapped: Vec<u8>,
    },
    /// A node may join: once, until `expires_at`.
    Invited { digest: InvitationDigest, at: i64, expires_at: i64, learner: bool },
    /// A node got its number, and used its invitation up.
    NodeNumbered {
        node: u64,
        name: String,
        /// Where other nodes reach it, `host:port`.
        link: String,
        /// Where clients reach it, `host:port`.
        kmip: String,
        invitation: InvitationDigest,
        at: i64,
        /// Whether it keeps to learning until it is promoted by hand.
        learner: bool,
    },
    /// A request was put off, or carried out or canceled since.
    Deferred(Arc<Deferred>),
    /// A Correlation Value of an operation whose data come in parts was used; it and those before it are used up.
    StreamPart {
        stream: StreamId,
        /// The value's number, from 1.
        part: u32,
        at: i64,
        /// Until when it is remembered.
        expires_at: i64,
    },
    /// A tenant's listener was told everything up to this notice (KMIP 1.4 chapter 5).
    Told {
        tenant: Tenant,
        /// Rises with the log; what it counts is the shell's.
        number: u64,
    },
    /// A tenant's certificates are signed by this authority from now on; both are objects of the tenant.
    AuthorityMade { tenant: Tenant, certificate: Id, private_key: Id, at: i64 },
    /// A record of a backup was taken in, as [`Objects::restore`](crate::Objects::restore) reads it.
    Restored { record: Vec<u8> },
}

impl Event {
    /// The object that this is about, if any. What a restored record is about, only the record says.
    pub fn object(&self) -> Option<Id> {
        match self {
            Self::Created { id, .. }
            | Self::AttributeSet { id, .. }
            | Self::AttributeDeleted { id, .. }
            | Self::StateChanged { id, .. }
            | Self::Served { id }
            | Self::Destroyed { id, .. }
            | Self::Removed { id } => Some(*id),
            Self::ClientRegistered { .. }
            | Self::ClientRemoved { .. }
            | Self::Answered { .. }
            | Self::DataKey { .. }
            | Self::Invited { .. }
            | Self::NodeNumbered { .. }
            | Self::Deferred(_)
            | Self::StreamPart { .. }
            | Self::Told { .. }
            | Self::AuthorityMade { .. }
            | Self::Restored { .. } => None,
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
            | Self::Destroyed { at, .. }
            | Self::Answered { at, .. }
            | Self::Invited { at, .. }
            | Self::AuthorityMade { at, .. }
            | Self::NodeNumbered { at, .. }
            | Self::StreamPart { at, .. } => Some(*at),
            Self::ClientRegistered { client } => Some(client.registered_at),
            Self::Deferred(deferred) => Some(deferred.at),
            Self::Served { .. }
            | Self::Removed { .. }
            | Self::ClientRemoved { .. }
            | Self::DataKey { .. }
            | Self::Told { .. }
            | Self::Restored { .. } => None,
        }
    }
}
