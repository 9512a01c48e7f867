//! A decision in the making: the objects as they would be if the events drafted so far had happened.
//!
//! Several requests may share one draft, so that each sees what those before it decided; all their events then go to
//! the log as one entry. A batch item can be taken back to where it began.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use kmip::attribute::Name;

use crate::event::Deferred;
use crate::objects::Lookup;
use crate::{
    Authorised, Authority, Client, Event, Id, Invitation, InvitationDigest, Object, Objects, Record, Refusal,
    RegisteredClient, StreamId, Tenant, Token,
};

/// Events on top of the objects as they are. Nothing changes until they are applied.
#[derive(Debug)]
pub struct Draft<'a> {
    base: &'a Objects,
    /// Whether `base` may lack what others decided.
    stale: bool,
    events: Vec<Event>,
    /// Objects that the events touch, as they would be; `None` where one would be gone.
    touched: BTreeMap<Id, Option<Arc<Object>>>,
    /// Answers that the events hold, by token.
    answers: BTreeMap<Token, Vec<u8>>,
    /// Operations in parts that the events touch, by the last part.
    streams: BTreeMap<StreamId, u32>,
    /// Events about clients and the cluster: too few to be worth an index.
    others: Vec<Event>,
    /// For each event how it is taken back.
    undo: Vec<Undo>,
    /// Objects that the events add to a tenant, less those that they remove.
    added: BTreeMap<Tenant, i64>,
}

/// What taking an event back means.
#[derive(Debug)]
enum Undo {
    /// It came to nothing.
    Nothing,
    /// It took the place of this entry of `touched`, if its object had one.
    Object(Id, Option<Option<Arc<Object>>>),
    /// It brought the answer to this token.
    Answer(Token),
    /// It took the place of this entry of `streams`, if there was one.
    Stream(StreamId, Option<u32>),
    /// It is the last of `others`.
    Other,
}

impl<'a> Draft<'a> {
    /// An empty draft on `base`.
    pub fn new(base: &'a Objects) -> Self {
        Self {
            base,
            stale: false,
            events: Vec::new(),
            touched: BTreeMap::new(),
            answers: BTreeMap::new(),
            streams: BTreeMap::new(),
            others: Vec::new(),
            undo: Vec::new(),
            added: BTreeMap::new(),
        }
    }

    /// An empty draft on `base` as it will be when `pending` has happened: events that were handed to the log before, and
    /// are not applied yet. They are no events of this draft, and are not taken back.
    ///
    /// Costs as many steps as there are pending events.
    pub fn behind<'p>(base: &'a Objects, pending: impl IntoIterator<Item = &'p Event>) -> Self {
        let mut draft = Self::new(base);
        for event in pending {
            draft.carry_out(event);
        }
        draft
    }

    /// A draft for reading from `base` while nobody can say whether `base` is all there is: a node without quorum.
    ///
    /// What is held is answered, since key material never changes. A miss is General Failure, and never Item Not Found:
    /// another node may hold what this one has not heard of. Changes are refused; [`push`](Self::push) does nothing, so
    /// that a first Get is answered without its `Served`.
    pub fn stale(base: &'a Objects) -> Self {
        Self { stale: true, ..Self::new(base) }
    }

    /// Whether this is a draft that [`stale`](Self::stale) made.
    pub fn is_stale(&self) -> bool {
        self.stale
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
            match self.undo.pop() {
                None | Some(Undo::Nothing) => {}
                Some(Undo::Object(id, before)) => {
                    let now = self.any(id).map(|object| object.tenant.clone());
                    match before {
                        Some(entry) => self.touched.insert(id, entry),
                        None => self.touched.remove(&id),
                    };
                    let then = self.any(id).map(|object| object.tenant.clone());
                    self.count(now, then);
                }
                Some(Undo::Answer(token)) => {
                    self.answers.remove(&token);
                }
                Some(Undo::Stream(stream, before)) => {
                    match before {
                        Some(part) => self.streams.insert(stream, part),
                        None => self.streams.remove(&stream),
                    };
                }
                Some(Undo::Other) => {
                    self.others.pop();
                }
            }
        }
    }

    /// Adds an event; none to a draft that is stale.
    pub fn push(&mut self, event: Event) {
        if self.stale {
            return;
        }
        let undo = self.carry_out(&event);
        self.undo.push(undo);
        self.events.push(event);
    }

    /// Has an event happen in this draft.
    fn carry_out(&mut self, event: &Event) -> Undo {
        match event {
            Event::Created { .. } => match Object::created(event) {
                Some(mut object) => {
                    let known = self.any(object.id).filter(|known| known.tenant == object.tenant);
                    let known = known.filter(|known| known.initial_date == object.initial_date);
                    object.number = known.map_or_else(|| self.next_number(&object), |known| known.number);
                    self.put(object.id, Some(Arc::new(object)))
                }
                None => Undo::Nothing,
            },
            Event::Removed { id } => self.put(*id, None),
            Event::AttributeSet { id, .. }
            | Event::AttributeDeleted { id, .. }
            | Event::StateChanged { id, .. }
            | Event::Served { id }
            | Event::Destroyed { id, .. } => {
                let Some(mut object) = self.any(*id).cloned() else { return Undo::Nothing };
                Arc::make_mut(&mut object).apply(event);
                self.put(*id, Some(object))
            }
            Event::Answered { token, sealed, .. } => self.put_answer(token, sealed),
            Event::StreamPart { stream, part, .. } => {
                Undo::Stream(*stream, self.streams.insert(*stream, *part))
            }
            Event::ClientRegistered { .. }
            | Event::ClientRemoved { .. }
            | Event::DataKey { .. }
            | Event::Invited { .. }
            | Event::NodeNumbered { .. }
            | Event::Deferred(_)
            | Event::AuthorityMade { .. } => {
                self.others.push(event.clone());
                Undo::Other
            }
            Event::Told { .. } => Undo::Nothing,
            Event::Restored { record } => match Record::decode(record) {
                Ok(Record::Object(mut object)) => {
                    if self.is_taken(&object) {
                        let number = self.next_number(&object);
                        Arc::make_mut(&mut object).number = number;
                    }
                    self.put(object.id, Some(object))
                }
                Ok(Record::Client(client)) => {
                    self.carry_out(&Event::ClientRegistered { client: RegisteredClient::clone(&client) })
                }
                Ok(Record::Event(event)) => self.carry_out(&event),
                Ok(Record::Answer { token, sealed, .. }) => self.put_answer(&token, &sealed),
                Ok(Record::AnswersSeen { .. }) | Err(_) => Undo::Nothing,
            },
        }
    }

    fn put(&mut self, id: Id, becomes: Option<Arc<Object>>) -> Undo {
        let then = self.any(id).map(|object| object.tenant.clone());
        let now = becomes.as_ref().map(|object| object.tenant.clone());
        if then.is_none() && now.is_none() {
            return Undo::Nothing;
        }
        let before = self.touched.insert(id, becomes);
        self.count(then, now);
        Undo::Object(id, before)
    }

    /// Which of its tenant's objects of its second an object would be.
    fn next_number(&self, object: &Object) -> u32 {
        let known = self.base.of_second(&object.tenant, object.initial_date);
        let known = known.rev().find(|(_, id)| !self.touched.contains_key(id)).map(|(age, _)| age);
        let touched = self.touched.values().flatten().filter(|known| known.tenant == object.tenant);
        let touched =
            touched.filter(|known| known.initial_date == object.initial_date).map(|known| known.age());
        known.into_iter().chain(touched).max().map_or(0, |last| last.number.saturating_add(1))
    }

    /// Whether another object of its tenant has its age.
    fn is_taken(&self, object: &Object) -> bool {
        let age = object.age();
        let mut known = self.base.of_second(&object.tenant, age.initial_date);
        let mut touched = self.touched.values().flatten();
        known.any(|(known, id)| known == age && id != object.id && !self.touched.contains_key(&id))
            || touched
                .any(|known| known.tenant == object.tenant && known.age() == age && known.id != object.id)
    }

    /// A token that is known keeps its first answer.
    fn put_answer(&mut self, token: &Token, sealed: &[u8]) -> Undo {
        if self.answers.contains_key(token) || self.base.answer(token).is_some() {
            return Undo::Nothing;
        }
        self.answers.insert(*token, sealed.to_vec());
        Undo::Answer(*token)
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

    /// The last Correlation Value that was used of an operation whose data come in parts, by its number.
    pub fn stream_used(&self, stream: &StreamId) -> Option<u32> {
        self.streams.get(stream).copied().or_else(|| self.base.stream_used(stream))
    }

    /// How many operations in parts are remembered, and those that the events begin.
    pub fn streams(&self) -> usize {
        self.base.streams().saturating_add(self.streams.len())
    }

    /// The time that operations in parts have come to.
    pub(crate) fn streams_newest_at(&self) -> Option<i64> {
        self.base.streams_newest_at()
    }

    /// Whether any object, whoever's, has this identifier.
    pub(crate) fn is_there(&self, id: Id) -> bool {
        self.any(id).is_some()
    }

    /// An object of the client's own tenant. Any other is not found, whether it exists or not; a stale draft cannot even
    /// say that.
    pub fn object(&self, authorised: &Authorised<'_>, id: &str) -> Result<&Arc<Object>, Refusal> {
        Id::parse(id)
            .and_then(|id| self.any(id))
            .filter(|object| object.tenant == *authorised.tenant())
            .ok_or_else(|| if self.stale { Refusal::cannot_find(id) } else { Refusal::item_not_found(id) })
    }

    /// The client's own objects, newest first.
    pub fn objects<'s>(&'s self, authorised: &Authorised<'s>) -> impl Iterator<Item = &'s Arc<Object>> {
        self.newest(authorised, &Lookup::All, i64::MIN)
    }

    /// The client's own objects that may be what is looked for at `now`, newest first. All that are so are among them, and
    /// others may be.
    pub(crate) fn newest<'s>(
        &'s self,
        authorised: &Authorised<'s>,
        lookup: &Lookup,
        now: i64,
    ) -> impl Iterator<Item = &'s Arc<Object>> {
        let known = self.base.newest(authorised.tenant(), lookup, now);
        let mut touched = self.touched_of(authorised.tenant());
        touched.sort_unstable_by_key(|object| Reverse(object.age()));
        in_turn(self.untouched(known), touched, |known, touched| touched.age() > known.age())
    }

    /// The client's own objects that may bear what has this hash, oldest first.
    pub(crate) fn oldest<'s>(
        &'s self,
        authorised: &Authorised<'s>,
        hash: u64,
    ) -> impl Iterator<Item = &'s Arc<Object>> {
        let known = self.base.oldest(authorised.tenant(), hash);
        let mut touched = self.touched_of(authorised.tenant());
        touched.sort_unstable_by_key(|object| object.age());
        in_turn(self.untouched(known), touched, |known, touched| touched.age() < known.age())
    }

    /// Objects whose state a date has changed by `now`, though no event says so; the earliest first.
    pub(crate) fn due(&self, now: i64) -> impl Iterator<Item = &Arc<Object>> {
        let due = self.base.due(now).filter_map(|object| self.any(object.id));
        due.filter(move |object| object.due().is_some_and(|date| date <= now))
    }

    fn untouched<'s>(
        &'s self,
        known: impl Iterator<Item = &'s Arc<Object>>,
    ) -> impl Iterator<Item = &'s Arc<Object>> {
        known.filter(|object| !self.touched.contains_key(&object.id))
    }

    fn touched_of(&self, tenant: &Tenant) -> Vec<&Arc<Object>> {
        self.touched.values().flatten().filter(|object| object.tenant == *tenant).collect()
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
        for event in self.others.iter().rev() {
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

    /// Whether this client is registered just so, or would be.
    pub fn has_client(&self, client: &Client) -> bool {
        if self.others.is_empty() {
            return self.base.client(&client.name).is_some_and(|known| known.client == *client);
        }
        self.client(&client.name).is_some_and(|known| known.client == *client)
    }

    /// All clients, as they would be.
    pub fn clients(&self) -> Vec<Arc<RegisteredClient>> {
        let mut clients: BTreeMap<&str, Arc<RegisteredClient>> =
            self.base.clients().map(|client| (&*client.client.name, Arc::clone(client))).collect();
        for event in &self.others {
            match event {
                Event::ClientRegistered { client } => {
                    clients.insert(&client.client.name, Arc::new(client.clone()));
                }
                Event::ClientRemoved { name } => {
                    clients.remove(name.as_str());
                }
                _ => {}
            }
        }
        clients.into_values().collect()
    }

    /// Who signs the client's certificates, as it would be; nobody before the tenant's first Certify.
    pub(crate) fn authority(&self, authorised: &Authorised<'_>) -> Option<Authority> {
        let tenant = authorised.tenant();
        let drafted = self.others.iter().rev().find_map(|event| match event {
            Event::AuthorityMade { tenant: of, certificate, private_key, .. } if of == tenant => {
                Some(Authority { certificate: *certificate, private_key: *private_key })
            }
            _ => None,
        });
        drafted.or_else(|| self.base.authority(tenant).copied())
    }

    /// The sealed answer to the request with this token, if it was given already.
    pub fn answer(&self, token: &Token) -> Option<Vec<u8>> {
        self.answers.get(token).cloned().or_else(|| self.base.answer(token).map(|sealed| sealed.to_vec()))
    }

    /// The request that was put off under this correlation value, as it would be.
    pub fn deferred(&self, value: Id) -> Option<Arc<Deferred>> {
        let drafted = self.others.iter().rev().find_map(|event| match event {
            Event::Deferred(deferred) if deferred.value == value => Some(deferred),
            _ => None,
        });
        drafted.or_else(|| self.base.deferred(value)).cloned()
    }

    /// How many requests of a client would be waiting to be carried out.
    pub fn deferred_waiting_of(&self, client: &str) -> usize {
        let mut waiting = self.base.deferred_waiting_of(client);
        for event in &self.others {
            match event {
                Event::Deferred(deferred) if *deferred.client == *client => match deferred.is_waiting() {
                    true => waiting += 1,
                    false => waiting = waiting.saturating_sub(1),
                },
                _ => {}
            }
        }
        waiting
    }

    /// The invitation of this digest, if it may be used at `now` (seconds since 1970): not used, and not expired.
    pub fn invitation(&self, digest: &InvitationDigest, now: i64) -> Option<Invitation> {
        let cluster = self.base.cluster_after(&self.others);
        cluster.invitation(digest).filter(|invitation| invitation.is_open_at(now)).cloned()
    }

    /// The number of the next node: see [`Objects::next_node_number`].
    pub fn next_node_number(&self) -> u64 {
        self.base.cluster_after(&self.others).next_node_number()
    }

    /// The newest data key that is pending or drafted here, by version: while there is one, another is not asked for.
    pub fn drafted_data_key(&self) -> Option<u32> {
        self.others.iter().rev().find_map(|event| match event {
            Event::DataKey { version, .. } => Some(*version),
            _ => None,
        })
    }

    fn any(&self, id: Id) -> Option<&Arc<Object>> {
        match self.touched.get(&id) {
            Some(object) => object.as_ref(),
            None => self.base.object(id),
        }
    }
}

/// Two rows as one; `first` says of their next ones whether the second row's comes first.
fn in_turn<'s>(
    one: impl Iterator<Item = &'s Arc<Object>>,
    other: Vec<&'s Arc<Object>>,
    first: impl Fn(&Object, &Object) -> bool,
) -> impl Iterator<Item = &'s Arc<Object>> {
    let (mut one, mut other) = (one.peekable(), other.into_iter().peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(a), Some(b)) if first(a, b) => other.next(),
        (None, _) => other.next(),
        _ => one.next(),
    })
}
