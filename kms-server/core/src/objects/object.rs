//! One managed object: what is known of it, and its sealed material.

use kmip::attribute::{Attribute, AttributeName, RULES, StandardAttribute};
use kmip::enumeration::{ObjectType, State};
use ttlv::Value;

use super::Age;
use crate::{Event, Id, Tenant, lifecycle};

/// The lease that every key is on (KMIP 1.4 section 3.20): an hour, in seconds. After it a client should ask again; the
/// server takes nothing away.
pub(crate) const LEASE_TIME_S: u32 = 3600;

/// A managed object as the server keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// Its Unique Identifier.
    pub id: Id,
    /// Whose it is.
    pub tenant: Tenant,
    /// Its type.
    pub object_type: ObjectType,
    /// Its state when it last changed; [`state_at`](Self::state_at) knows what dates have made of it since.
    pub state: State,
    /// Seconds since 1970.
    pub initial_date: i64,
    /// Which of its tenant's objects of that second it is, from 0: what came later is newer.
    pub number: u32,
    /// Seconds since 1970.
    pub last_change_date: i64,
    /// Whether its material was never handed out.
    pub fresh: bool,
    /// All other attributes, each with its index.
    pub attributes: Vec<Attribute>,
    /// Sealed; absent once destroyed.
    pub material: Option<Vec<u8>>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("object_type", &self.object_type)
            .field("state", &self.state)
            .field("attributes", &self.attributes)
            .field("sealed_bytes", &self.material.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

impl Object {
    /// The object that a Created event makes; `None` for any other event.
    pub(crate) fn created(event: &Event) -> Option<Self> {
        let Event::Created { id, tenant, object_type, state, at, attributes, material } = event else {
            return None;
        };
        Some(Self {
            id: *id,
            tenant: tenant.clone(),
            object_type: *object_type,
            state: *state,
            initial_date: *at,
            number: 0,
            last_change_date: *at,
            fresh: true,
            attributes: attributes.clone(),
            material: material.clone(),
        })
    }

    /// Carries an event about this object out.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::AttributeSet { at, attribute, .. } => {
                let index = attribute.index.unwrap_or(0);
                let place = self
                    .attributes
                    .iter()
                    .position(|known| known.name == attribute.name && known.index.unwrap_or(0) == index);
                match place {
                    Some(place) => self.attributes[place] = attribute.clone(),
                    None => self.attributes.push(attribute.clone()),
                }
                self.last_change_date = *at;
            }
            Event::AttributeDeleted { at, name, index, .. } => {
                self.attributes.retain(|known| known.name != *name || known.index.unwrap_or(0) != *index);
                self.last_change_date = *at;
            }
            Event::StateChanged { at, state, .. } => {
                self.state = *state;
                self.last_change_date = *at;
            }
            Event::Served { .. } => self.fresh = false,
            Event::Destroyed { at, state, .. } => {
                self.state = *state;
                self.material = None;
                self.last_change_date = *at;
            }
            Event::Created { .. }
            | Event::Removed { .. }
            | Event::ClientRegistered { .. }
            | Event::ClientRemoved { .. }
            | Event::Answered { .. }
            | Event::DataKey { .. }
            | Event::Invited { .. }
            | Event::NodeNumbered { .. }
            | Event::Deferred(_)
            | Event::StreamPart { .. }
            | Event::Told { .. }
            | Event::AuthorityMade { .. }
            | Event::Restored { .. } => {}
        }
    }

    /// The state at `now`: what it was, and what the dates that its client set have made of it.
    pub fn state_at(&self, now: i64) -> State {
        lifecycle::state_at(
            self.state,
            self.date(StandardAttribute::ActivationDate),
            self.date(StandardAttribute::DeactivationDate),
            now,
        )
    }

    /// When it came to be.
    pub(crate) fn age(&self) -> Age {
        Age { initial_date: self.initial_date, number: self.number }
    }

    /// When a date is to change the state next, in seconds since 1970; past where that has not been noted yet.
    pub(crate) fn due(&self) -> Option<i64> {
        lifecycle::due(
            self.state,
            self.date(StandardAttribute::ActivationDate),
            self.date(StandardAttribute::DeactivationDate),
        )
    }

    /// The state that dates have brought by `now` without an event, and when it last changed with it.
    pub(crate) fn moved_by(&self, now: i64) -> Option<(State, i64)> {
        let (activation, deactivation) =
            (self.date(StandardAttribute::ActivationDate), self.date(StandardAttribute::DeactivationDate));
        let (state, at) = lifecycle::moved_by(self.state, activation, deactivation, now)?;
        Some((state, at.max(self.last_change_date)))
    }

    /// Whether the material is gone for ever.
    pub fn is_destroyed(&self) -> bool {
        matches!(self.state, State::Destroyed | State::DestroyedCompromised)
    }

    /// Whether it is archived: it then has an Archive Date (KMIP 1.4 section 3.32), and is not used before Recover.
    pub fn is_archived(&self) -> bool {
        self.first(StandardAttribute::ArchiveDate).is_some()
    }

    /// A date among the attributes, in seconds since 1970.
    pub fn date(&self, attribute: StandardAttribute) -> Option<i64> {
        match self.first(attribute)? {
            Value::DateTime(seconds) => Some(*seconds),
            _ => None,
        }
    }

    /// A number among the attributes.
    pub fn integer(&self, attribute: StandardAttribute) -> Option<i32> {
        match self.first(attribute)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// An enumeration's number among the attributes.
    pub fn enumeration(&self, attribute: StandardAttribute) -> Option<u32> {
        match self.first(attribute)? {
            Value::Enumeration(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of the first stored instance.
    pub fn first(&self, attribute: StandardAttribute) -> Option<&Value> {
        let name = AttributeName::from(attribute);
        self.attributes.iter().find(|known| known.name == name).map(|known| &known.value)
    }

    /// All instances of an attribute as they are at `now`, those that follow from the object's own fields among them.
    pub fn instances(&self, name: &AttributeName, now: i64) -> Vec<Attribute> {
        if let AttributeName::Standard(attribute) = name
            && let Some(value) = self.derived(*attribute, now)
        {
            return vec![Attribute::new(*attribute, value)];
        }
        self.attributes.iter().filter(|known| known.name == *name).map(shown).collect()
    }

    /// Whether an instance of an attribute as it is at `now` passes the test.
    pub(crate) fn any(&self, name: &AttributeName, now: i64, mut test: impl FnMut(&Value) -> bool) -> bool {
        if let AttributeName::Standard(attribute) = name
            && let Some(value) = self.derived(*attribute, now)
        {
            return test(&value);
        }
        self.attributes.iter().any(|known| known.name == *name && test(&known.value))
    }

    /// Every attribute that has a value at `now`: the specification's in its order, then the others in theirs.
    pub fn all_attributes(&self, now: i64) -> Vec<Attribute> {
        let mut all = Vec::with_capacity(self.attributes.len() + 8);
        for rule in RULES {
            all.extend(self.instances(&rule.attribute.into(), now));
        }
        let others = self.attributes.iter().filter(|known| known.name.rule().is_none());
        all.extend(others.map(shown));
        all
    }

    /// What is not stored as an attribute, but follows from the object.
    fn derived(&self, attribute: StandardAttribute, now: i64) -> Option<Value> {
        if !attribute.rule().applies_to.includes(self.object_type) {
            return None;
        }
        Some(match attribute {
            StandardAttribute::UniqueIdentifier => Value::TextString(self.id.to_string()),
            StandardAttribute::ObjectType => Value::Enumeration(self.object_type.number()),
            StandardAttribute::State => Value::Enumeration(self.state_at(now).number()),
            StandardAttribute::InitialDate => Value::DateTime(self.initial_date),
            StandardAttribute::LastChangeDate => {
                Value::DateTime(self.moved_by(now).map_or(self.last_change_date, |(_, at)| at))
            }
            StandardAttribute::LeaseTime => Value::Interval(LEASE_TIME_S),
            StandardAttribute::Fresh => Value::Boolean(self.fresh),
            _ => return None,
        })
    }
}

/// An instance as it is shown: index 0 goes without saying (KMIP 1.4 section 2.1.1).
fn shown(attribute: &Attribute) -> Attribute {
    Attribute { index: attribute.index.filter(|index| *index != 0), ..attribute.clone() }
}
