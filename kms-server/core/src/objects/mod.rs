//! All objects and clients of a server, in memory, with the indexes that Locate and names need.
//!
//! Changed by [`Objects::apply`] alone, event by event, in the order of the log.

mod object;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kmip::attribute::Name;
use ttlv::Writer;

use crate::event::{STORED, read_client, read_object, write_client, write_object};
use crate::{DecodeError, Event, Id, RegisteredClient, Tenant};

pub(crate) use object::LEASE_TIME_S;
pub use object::Object;

/// The state that the log makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    objects: BTreeMap<Id, Arc<Object>>,
    by_tenant: BTreeMap<Tenant, BTreeSet<Id>>,
    by_name: BTreeMap<(Tenant, String), BTreeSet<Id>>,
    clients: BTreeMap<String, Arc<RegisteredClient>>,
}

/// One record of a snapshot.
#[derive(Clone, Debug)]
pub enum Record {
    /// An object.
    Object(Arc<Object>),
    /// A client.
    Client(Arc<RegisteredClient>),
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

    /// The identifiers of a tenant's objects, ascending.
    pub fn of_tenant(&self, tenant: &Tenant) -> impl Iterator<Item = Id> {
        self.by_tenant.get(tenant).into_iter().flatten().copied()
    }

    /// How many objects a tenant has, destroyed ones counted.
    pub fn count_of_tenant(&self, tenant: &Tenant) -> usize {
        self.by_tenant.get(tenant).map_or(0, BTreeSet::len)
    }

    /// The identifiers of a tenant's objects that go by this name; those of destroyed objects are free again.
    pub fn named(&self, tenant: &Tenant, name: &str) -> impl Iterator<Item = Id> {
        self.by_name.get(&(tenant.clone(), name.to_owned())).into_iter().flatten().copied()
    }

    /// All clients, by name.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<RegisteredClient>> {
        self.clients.values()
    }

    /// The client of this name.
    pub fn client(&self, name: &str) -> Option<&Arc<RegisteredClient>> {
        self.clients.get(name)
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
            }
            Event::Removed { id } => {
                if let Some(object) = self.objects.remove(id) {
                    self.unindex_names(&object);
                    if let Some(ids) = self.by_tenant.get_mut(&object.tenant) {
                        ids.remove(id);
                        if ids.is_empty() {
                            self.by_tenant.remove(&object.tenant);
                        }
                    }
                }
            }
            Event::Created { .. } => {
                if let Some(object) = Object::created(event) {
                    self.insert(object);
                }
            }
            Event::AttributeSet { id, .. }
            | Event::AttributeDeleted { id, .. }
            | Event::StateChanged { id, .. }
            | Event::Served { id }
            | Event::Destroyed { id, .. } => {
                let Some(mut object) = self.objects.remove(id) else { return };
                let renames = event_renames(event);
                if renames {
                    self.unindex_names(&object);
                }
                Arc::make_mut(&mut object).apply(event);
                if renames {
                    self.index_names(&object);
                }
                self.objects.insert(*id, object);
            }
        }
    }

    /// All that a snapshot has to hold, as it is now; cheap, as objects are shared and not copied.
    pub fn records(&self) -> Vec<Record> {
        let objects = self.objects.values().cloned().map(Record::Object);
        objects.chain(self.clients.values().cloned().map(Record::Client)).collect()
    }

    /// Takes a record of a snapshot in.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        if let Some(object) = read_object(bytes)? {
            self.insert(object);
            return Ok(());
        }
        let budget = ttlv::Budget::new(STORED);
        let client = read_client(&mut ttlv::Reader::items(bytes, &budget))?;
        self.clients.insert(client.client.name.to_string(), Arc::new(client));
        Ok(())
    }

    fn insert(&mut self, object: Object) {
        // A log that is replayed from before a snapshot makes what is there already; its names go with it.
        if let Some(old) = self.objects.remove(&object.id) {
            self.unindex_names(&old);
        }
        self.by_tenant.entry(object.tenant.clone()).or_default().insert(object.id);
        self.index_names(&object);
        self.objects.insert(object.id, Arc::new(object));
    }

    fn index_names(&mut self, object: &Object) {
        if object.is_destroyed() {
            return;
        }
        for name in object.names() {
            self.by_name.entry((object.tenant.clone(), name.value)).or_default().insert(object.id);
        }
    }

    fn unindex_names(&mut self, object: &Object) {
        for name in object.names() {
            let key = (object.tenant.clone(), name.value);
            if let Some(ids) = self.by_name.get_mut(&key) {
                ids.remove(&object.id);
                if ids.is_empty() {
                    self.by_name.remove(&key);
                }
            }
        }
    }
}

/// Whether an event may change the names that an object holds.
fn event_renames(event: &Event) -> bool {
    use kmip::StandardAttribute::Name;
    match event {
        Event::AttributeSet { attribute, .. } => attribute.name == Name.into(),
        Event::AttributeDeleted { name, .. } => *name == Name.into(),
        Event::Destroyed { .. } => true,
        _ => false,
    }
}

impl Record {
    /// Appends the record as [`Objects::restore`] reads it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        match self {
            Self::Object(object) => write_object(&mut writer, object),
            Self::Client(client) => write_client(&mut writer, client),
        }
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
