//! All objects and clients of a server, in memory, with the indexes that Locate and names need; and what else the log
//! must remember: answers given, and the cluster's own affairs.
//!
//! Changed by [`Objects::apply`] alone, event by event, in the order of the log.

mod answers;
mod cluster;
mod deferred;
mod index;
mod object;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;

use kmip::attribute::{Name, StandardAttribute};
use kmip::tag;
use ttlv::{Node, Value, Writer};

use self::answers::Answers;
use self::deferred::DeferredRequests;
use self::index::{Entries, Index};
use self::streams::Streams;
use crate::event::{
    Deferred, InvitationDigest, StreamId, Token, read_record, write_answer, write_answers_seen, write_client,
    write_object,
};
use crate::{DecodeError, Event, Id, RegisteredClient, Tenant};

pub use answers::{ANSWERS_BYTES_MAX, ANSWERS_MAX, ANSWERS_S_MAX};
pub(crate) use cluster::Cluster;
pub use cluster::{Authority, INVITATIONS_MAX, Invitation, NUMBERED_MAX, Numbered};
pub use deferred::{DEFERRED_BYTES_PER_CLIENT_MAX, DEFERRED_PER_CLIENT_MAX, DEFERRED_S_MAX};
pub(crate) use index::{Age, Lookup, fresh_member, value};
pub(crate) use object::LEASE_TIME_S;
pub use object::Object;
pub use streams::{STREAM_S_MAX, STREAMS_MAX};

/// The state that the log makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    objects: BTreeMap<Id, Arc<Object>>,
    index: Index,
    clients: BTreeMap<String, Arc<RegisteredClient>>,
    answers: Answers,
    deferred: DeferredRequests,
    streams: Streams,
    cluster: Cluster,
}

/// One record of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An object.
    Object(Arc<Object>),
    /// A client.
    Client(Arc<RegisteredClient>),
    /// What of the cluster's own affairs must be remembered, as the event that makes it: a data key, an invitation that is
    /// open, a number that was given out, a tenant's authority; and how far operations in parts have come.
    Event(Event),
    /// An answer that is kept, shared rather than copied; its bytes are those of the event `Answered`.
    Answer {
        /// What the request carried.
        token: Token,
        /// When it was given, in seconds since 1970.
        at: i64,
        /// Sealed.
        sealed: Arc<[u8]>,
    },
    /// How many answers there ever were, and when the newest was given; behind the answers.
    AnswersSeen {
        /// All that were ever kept.
        seen: u64,
        /// Seconds since 1970.
        newest_at: i64,
    },
}

impl Objects {
    /// The object with this identifier, whoever's it is.
    pub fn object(&self, id: Id) -> Option<&Arc<Object>> {
        self.objects.get(&id)
    }

    /// All objects, by identifier.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.values()
    }

    /// The objects behind this identifier, or all, by identifier.
    pub fn after(&self, id: Option<Id>) -> impl Iterator<Item = &Arc<Object>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.objects.range((id.map_or(Unbounded, Excluded), Unbounded)).map(|(_, object)| object)
    }

    /// Objects, destroyed ones counted.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The identifiers of a tenant's objects, oldest first.
    pub fn of_tenant(&self, tenant: &Tenant) -> impl Iterator<Item = Id> {
        self.index.of_tenant(tenant)
    }

    /// How many objects a tenant has, destroyed ones counted.
    pub fn count_of_tenant(&self, tenant: &Tenant) -> usize {
        self.index.count(tenant)
    }

    /// The identifiers of a tenant's objects that go by this name; those of destroyed objects are free again.
    pub fn named(&self, tenant: &Tenant, name: &str) -> impl Iterator<Item = Id> {
        let text = Node::new(tag::NAME_VALUE, Value::TextString(name.to_owned()));
        let hash = value(&StandardAttribute::Name.into(), &Value::Structure(vec![text]));
        let found = hash.into_iter().flat_map(|hash| self.index.oldest(tenant, hash));
        found.filter(move |id| {
            self.object(*id).is_some_and(|object| object.names().any(|known| known.value == name))
        })
    }

    /// A tenant's objects that may be what is looked for, newest first, as of `now`. All that are so are among them, and
    /// others may be.
    pub(crate) fn newest<'o>(
        &'o self,
        tenant: &Tenant,
        lookup: &Lookup,
        now: i64,
    ) -> impl Iterator<Item = &'o Arc<Object>> + use<'o> {
        // Their states are others by now than those they are found by.
        let moved = match lookup {
            Lookup::State(_, Some(_)) => self.index.due(now).filter_map(|id| self.object(id)).collect(),
            _ => Vec::new(),
        };
        let moved = moved.into_iter().filter(|object| object.tenant == *tenant).map(|object| object.age());
        self.index.newest(tenant, lookup, moved.collect()).filter_map(|id| self.object(id))
    }

    /// A tenant's objects that may bear what has this hash, oldest first.
    pub(crate) fn oldest<'o>(&'o self, tenant: &Tenant, hash: u64) -> impl Iterator<Item = &'o Arc<Object>> {
        self.index.oldest(tenant, hash).filter_map(|id| self.object(id))
    }

    /// A tenant's objects that came to be in this second, oldest first.
    pub(crate) fn of_second(
        &self,
        tenant: &Tenant,
        initial_date: i64,
    ) -> impl DoubleEndedIterator<Item = (Age, Id)> {
        self.index.of_second(tenant, initial_date)
    }

    /// Objects whose state a date has changed by `now`, though no event says so yet; the earliest first.
    pub fn due(&self, now: i64) -> impl Iterator<Item = &Arc<Object>> {
        self.index.due(now).filter_map(|id| self.object(id))
    }

    /// When the next date changes an object's state, in seconds since 1970.
    pub fn next_due(&self) -> Option<i64> {
        self.index.next_due()
    }

    /// All clients, by name.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<RegisteredClient>> {
        self.clients.values()
    }

    /// The client of this name.
    pub fn client(&self, name: &str) -> Option<&Arc<RegisteredClient>> {
        self.clients.get(name)
    }

    /// The sealed answer that was given to the request with this token, if it is still kept: see [`ANSWERS_MAX`],
    /// [`ANSWERS_BYTES_MAX`] and [`ANSWERS_S_MAX`].
    pub fn answer(&self, token: &Token) -> Option<Arc<[u8]>> {
        self.answers.get(token)
    }

    /// How many answers to requests with a token there ever were.
    pub fn answers_seen(&self) -> u64 {
        self.answers.seen()
    }

    /// How many of those are kept no longer.
    pub fn answers_forgotten(&self) -> u64 {
        self.answers.forgotten()
    }

    /// The request that was put off under this Asynchronous Correlation Value, whoever's it is, if it is still kept: see
    /// [`DEFERRED_S_MAX`], [`DEFERRED_PER_CLIENT_MAX`] and [`DEFERRED_BYTES_PER_CLIENT_MAX`].
    pub fn deferred(&self, value: Id) -> Option<&Arc<Deferred>> {
        self.deferred.get(value)
    }

    /// Requests that were put off and are not carried out, the oldest first.
    pub fn deferred_waiting(&self) -> impl Iterator<Item = &Arc<Deferred>> {
        self.deferred.waiting()
    }

    /// How many of those a client has.
    pub fn deferred_waiting_of(&self, client: &str) -> usize {
        self.deferred.waiting_of(client)
    }

    /// The last Correlation Value that was used of an operation whose data come in parts, by its number.
    pub fn stream_used(&self, stream: &StreamId) -> Option<u32> {
        self.streams.used(stream)
    }

    /// How many such operations are remembered; at most [`STREAMS_MAX`].
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// The time that such operations have come to.
    pub(crate) fn streams_newest_at(&self) -> Option<i64> {
        self.streams.newest_at()
    }

    /// The invitation of this digest, unless it was used, or the log has passed the time it expires at. Whether it has
    /// expired since, ask it: [`Invitation::is_open_at`].
    pub fn invitation(&self, digest: &InvitationDigest) -> Option<&Invitation> {
        self.cluster.invitation(digest)
    }

    /// The number of the next node: 2 at first, since 1 founds, and never one that was given out before, though that
    /// node be gone.
    pub fn next_node_number(&self) -> u64 {
        self.cluster.next_node_number()
    }

    /// The nodes that got a number, ascending, those that left since among them; at most [`NUMBERED_MAX`].
    pub fn numbered(&self) -> impl Iterator<Item = &Numbered> {
        self.cluster.numbered()
    }

    /// The data keys that the log holds, wrapped, by version. One that is older than the log is in the keyring alone.
    pub fn data_keys(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.cluster.data_keys()
    }

    /// Who signs a tenant's certificates; nobody before its first Certify.
    pub fn authority(&self, tenant: &Tenant) -> Option<&Authority> {
        self.cluster.authority(tenant)
    }

    /// Carries one event out. An event about an object that is not there changes nothing: a log that was purged behind
    /// a snapshot may be replayed from before it.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::ClientRegistered { client } => {
                self.clients.insert(client.client.name.to_string(), Arc::new(client.clone()));
            }
            Event::ClientRemoved { name } => {
                self.clients.remove(name);
                self.deferred.forget_client(name);
            }
            Event::Removed { id } => {
                if let Some(object) = self.objects.remove(id) {
                    self.index.remove(&object, &Entries::of(&object));
                }
            }
            Event::Answered { token, at, sealed } => self.answers.keep(token, *at, sealed),
            Event::Deferred(deferred) => self.deferred.keep(deferred),
            Event::StreamPart { stream, part, at, expires_at } => {
                self.streams.note(stream, *part, *at, *expires_at);
            }
            Event::DataKey { .. }
            | Event::Invited { .. }
            | Event::NodeNumbered { .. }
            | Event::AuthorityMade { .. } => {
                self.cluster.apply(event);
            }
            // What is left to tell is the shell's.
            Event::Told { .. } => {}
            Event::Restored { record } => match read_record(record) {
                // As if it happened now, and no second record in it.
                Ok(Record::Event(event)) => self.apply(&event),
                Ok(record) => self.take_in(record),
                // What is no record was refused when the event was read.
                Err(_) => {}
            },
            Event::Created { .. } => {
                if let Some(mut object) = Object::created(event) {
                    let known = self.objects.get(&object.id).filter(|known| known.tenant == object.tenant);
                    let known = known.filter(|known| known.initial_date == object.initial_date);
                    let next = || self.index.next_number(&object.tenant, object.initial_date);
                    object.number = known.map_or_else(next, |known| known.number);
                    self.insert(Arc::new(object));
                }
            }
            Event::AttributeSet { id, .. }
            | Event::AttributeDeleted { id, .. }
            | Event::StateChanged { id, .. }
            | Event::Served { id }
            | Event::Destroyed { id, .. } => {
                let Some(object) = self.objects.get_mut(id) else { return };
                let before = Entries::of(object);
                Arc::make_mut(object).apply(event);
                let after = Entries::of(object);
                if after != before {
                    self.index.remove(object, &before);
                    self.index.insert(object, &after);
                }
            }
        }
    }

    /// All that a snapshot has to hold, as it is now; cheap, as objects are shared and not copied.
    pub fn records(&self) -> Vec<Record> {
        let objects = self.objects.values().cloned().map(Record::Object);
        let clients = self.clients.values().cloned().map(Record::Client);
        let cluster = self.cluster.records();
        let streams = self.streams.events().map(Record::Event);
        let kept = self.deferred.records().chain(self.answers.records());
        objects.chain(clients).chain(cluster).chain(streams).chain(kept).collect()
    }

    /// Takes a record of a snapshot in. Fails, and changes nothing, where the bytes are none.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.take_in(Record::decode(bytes)?);
        Ok(())
    }

    /// What is known of the cluster, as `events` would make it.
    pub(crate) fn cluster_after(&self, events: &[Event]) -> Cluster {
        let mut cluster = self.cluster.clone();
        events.iter().for_each(|event| cluster.apply(event));
        cluster
    }

    fn take_in(&mut self, record: Record) {
        match record {
            Record::Object(object) => self.insert(object),
            Record::Client(client) => {
                self.clients.insert(client.client.name.to_string(), client);
            }
            Record::Event(event) => match event {
                Event::DataKey { .. }
                | Event::Invited { .. }
                | Event::NodeNumbered { .. }
                | Event::AuthorityMade { .. } => {
                    self.cluster.restore(&event);
                }
                Event::Deferred(deferred) => self.deferred.restore(&deferred),
                other => self.apply(&other),
            },
            Record::Answer { token, at, sealed } => self.answers.keep(&token, at, &sealed),
            Record::AnswersSeen { seen, newest_at } => self.answers.restore_seen(seen, newest_at),
        }
    }

    fn insert(&mut self, mut object: Arc<Object>) {
        // A log that is replayed from before a snapshot makes what is there already; its places go with it.
        if let Some(old) = self.objects.remove(&object.id) {
            self.index.remove(&old, &Entries::of(&old));
        }
        // Objects that were made here got theirs when they were, those of an older version or of two servers did not.
        if self.index.is_taken(&object.tenant, object.age(), object.id) {
            let number = self.index.next_number(&object.tenant, object.initial_date);
            Arc::make_mut(&mut object).number = number;
        }
        self.index.insert(&object, &Entries::of(&object));
        self.objects.insert(object.id, object);
    }
}

impl Record {
    /// Appends the record as [`Objects::restore`] reads it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        match self {
            Self::Object(object) => write_object(&mut writer, object),
            Self::Client(client) => write_client(&mut writer, client),
            Self::Event(event) => event.write(&mut writer),
            Self::Answer { token, at, sealed } => write_answer(&mut writer, token, *at, sealed),
            Self::AnswersSeen { seen, newest_at } => write_answers_seen(&mut writer, *seen, *newest_at),
        }
    }

    /// Reads what [`encode`](Self::encode) made. Fails where the bytes are no record, or a newer version's.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        read_record(bytes)
    }
}

impl Object {
    /// The names that the object holds.
    pub fn names(&self) -> impl Iterator<Item = Name> {
        let name = kmip::AttributeName::from(kmip::StandardAttribute::Name);
        self.attributes
            .iter()
            .filter(move |attribute| attribute.name == name)
            .filter_map(|attribute| Name::from_value(&attribute.value))
    }
}
