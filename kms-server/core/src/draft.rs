//! A decision in the making: the objects as they would be if the events drafted so far had happened.
//!
//! Several requests may share one draft, so that each sees what those before it decided; all their events then go to
//! the log as one entry. A batch item can be taken back to where it began.

use std::collections::BTreeMap;
use std::sync::Arc;

use kmip::attribute::Name;

use crate::{Authorised, Event, Id, Object, Objects, Refusal, RegisteredClient, Tenant};

/// Events on top of the objects as they are. Nothing changes until they are applied.
#[derive(Debug)]
pub struct Draft<'a> {
    base: &'a Objects,
    events: Vec<Event>,
    /// Objects that the events touch, as they would be; `None` where one would be gone.
    touched: BTreeMap<Id, Option<Arc<Object>>>,
    /// For each event what `touched` held of its object before it, so that it can be taken back alone.
    before: Vec<Before>,
    /// Objects that the events add to a tenant, less those that they remove.
    added: BTreeMap<Tenant, i64>,
}

/// What an event took the place of: an entry of `touched`, if its object had one.
type Before = Option<(Id, Option<Option<Arc<Object>>>)>;

impl<'a> Draft<'a> {
    /// An empty draft on `base`.
    pub fn new(base: &'a Objects) -> Self {
        Self {
            base,
            events: Vec::new(),
            touched: BTreeMap::new(),
            before: Vec::new(),
            added: BTreeMap::new(),
        }
    }

    /// The events so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Ends the draft: the events, in order.
    pub fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// How far the draft has come; to be handed to [`rollback`](Self::rollback).
    pub fn mark(&self) -> usize {
        self.events.len()
    }

    /// Takes back all events since `mark`; costs as many steps as there are such events.
    pub fn rollback(&mut self, mark: usize) {
        while self.events.len() > mark {
            self.events.pop();
            let Some((id, before)) = self.before.pop().flatten() else { continue };
            let now = self.any(id).map(|object| object.tenant.clone());
            match before {
                Some(entry) => self.touched.insert(id, entry),
                None => self.touched.remove(&id),
            };
            let then = self.any(id).map(|object| object.tenant.clone());
            self.count(now, then);
        }
    }

    /// Adds an event.
    pub fn push(&mut self, event: Event) {
        self.before.push(event.object().map(|id| (id, self.touched.get(&id).cloned())));
        if let Some(id) = event.object() {
            let known = self.any(id);
            let then = known.map(|object| object.tenant.clone());
            let becomes = match &event {
                Event::Created { .. } => Object::created(&event).map(Arc::new),
                Event::Removed { .. } => None,
                _ => known.cloned().map(|mut object| {
                    Arc::make_mut(&mut object).apply(&event);
                    object
                }),
            };
            let now = becomes.as_ref().map(|object| object.tenant.clone());
            if then.is_some() || now.is_some() {
                self.touched.insert(id, becomes);
            }
            self.count(then, now);
        }
        self.events.push(event);
    }

    /// Notes that an object that was `then`'s is `now`'s.
    fn count(&mut self, then: Option<Tenant>, now: Option<Tenant>) {
        if then == now {
            return;
        }
        for (tenant, change) in [(then, -1), (now, 1)] {
            if let Some(tenant) = tenant {
                *self.added.entry(tenant).or_default() += change;
            }
        }
    }

    /// An object of the client's own tenant. Any other is not found, whether it exists or not.
    pub fn object(&self, authorised: &Authorised<'_>, id: &str) -> Result<&Arc<Object>, Refusal> {
        Id::parse(id)
            .and_then(|id| self.any(id))
            .filter(|object| object.tenant == *authorised.tenant())
            .ok_or_else(|| Refusal::item_not_found(id))
    }

    /// The client's own objects, by identifier.
    pub fn objects<'s>(&'s self, authorised: &Authorised<'s>) -> impl Iterator<Item = &'s Arc<Object>> {
        let tenant = authorised.tenant();
        let added = self
            .touched
            .iter()
            .filter(|(id, _)| self.base.object(**id).is_none())
            .filter_map(|(_, object)| object.as_ref())
            .filter(move |object| object.tenant == *tenant);
        self.base.of_tenant(tenant).filter_map(|id| self.any(id)).chain(added)
    }

    /// The client's own objects that go by this name and are not destroyed.
    pub fn named<'s>(
        &'s self,
        authorised: &Authorised<'s>,
        name: &'s Name,
    ) -> impl Iterator<Item = &'s Arc<Object>> {
        let tenant = authorised.tenant();
        let known = self
            .base
            .named(tenant, &name.value)
            .filter_map(|id| if self.touched.contains_key(&id) { None } else { self.base.object(id) });
        let touched = self
            .touched
            .values()
            .filter_map(|object| object.as_ref())
            .filter(move |object| object.tenant == *tenant && !object.is_destroyed());
        known.chain(touched).filter(move |object| object.names().any(|known| known == *name))
    }

    /// How many objects a tenant would have.
    pub fn count_of_tenant(&self, tenant: &Tenant) -> usize {
        let base = self.base.count_of_tenant(tenant);
        let added = self.added.get(tenant).copied().unwrap_or(0);
        usize::try_from(added.unsigned_abs()).map_or(base, |change| {
            if added < 0 { base.saturating_sub(change) } else { base.saturating_add(change) }
        })
    }

    /// The client of this name, as it would be.
    pub fn client(&self, name: &str) -> Option<RegisteredClient> {
        for event in self.events.iter().rev() {
            match event {
                Event::ClientRegistered { client } if *client.client.name == *name => {
                    return Some(client.clone());
                }
                Event::ClientRemoved { name: removed } if removed == name => return None,
                _ => {}
            }
        }
        self.base.client(name).map(|client| RegisteredClient::clone(client))
    }

    fn any(&self, id: Id) -> Option<&Arc<Object>> {
        match self.touched.get(&id) {
            Some(object) => object.as_ref(),
            None => self.base.object(id),
        }
    }
}
