//! Where the objects of a tenant are found without a look at each: by age, by state, and by the values that clients
//! search for; and which object's state the next date changes.
//!
//! Only tells where to look. Values go by a hash, so whoever asks compares what is found.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};
use std::iter::Peekable;

use kmip::attribute::{AttributeName, StandardAttribute};
use kmip::enumeration::{ObjectType, State};
use kmip::{Tag, tag};
use ttlv::{Value, Writer};

use super::Object;
use crate::{Id, Tenant};

/// When an object came to be: the second, and which of its tenant's objects of that second it is, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Age {
    pub(crate) initial_date: i64,
    pub(crate) number: u32,
}

/// Places to look for objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// All of a tenant.
    All,
    /// Objects that bear a value: [`value`] or [`fresh_member`].
    Value(u64),
    /// Objects of this type or any, in this state or in any but the destroyed ones.
    State(Option<ObjectType>, Option<State>),
}

/// The indexes over all objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    tenants: BTreeMap<Tenant, OfTenant>,
    /// Objects that are to change their state when this date comes, in seconds since 1970.
    due: BTreeSet<(i64, Id)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OfTenant {
    ages: BTreeMap<Age, Id>,
    /// By the numbers of type and state.
    states: BTreeMap<(u32, u32), BTreeSet<Age>>,
    /// Of objects that are not destroyed.
    values: BTreeSet<(u64, Age)>,
}

/// What stands in the indexes of one object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entries {
    state: (u32, u32),
    values: BTreeSet<u64>,
    due: Option<i64>,
}

impl Entries {
    pub(super) fn of(object: &Object) -> Self {
        let state = (object.object_type.number(), object.state.number());
        if object.is_destroyed() {
            return Self { state, values: BTreeSet::new(), due: None };
        }
        let mut values = BTreeSet::new();
        for attribute in &object.attributes {
            values.extend(value(&attribute.name, &attribute.value));
            if let (Value::TextString(group), true) = (&attribute.value, object.fresh)
                && attribute.name == StandardAttribute::ObjectGroup.into()
            {
                values.insert(fresh_member(group));
            }
        }
        Self { state, values, due: object.due() }
    }
}

impl Index {
    /// The objects of a tenant that came to be in this second, oldest first.
    pub(super) fn of_second(
        &self,
        tenant: &Tenant,
        initial_date: i64,
    ) -> impl DoubleEndedIterator<Item = (Age, Id)> {
        let range = Age { initial_date, number: 0 }..=Age { initial_date, number: u32::MAX };
        let ages = self.tenants.get(tenant).into_iter().flat_map(move |of| of.ages.range(range.clone()));
        ages.map(|(age, id)| (*age, *id))
    }

    /// The number of a new object: the last of those that came to be in its second.
    pub(super) fn next_number(&self, tenant: &Tenant, initial_date: i64) -> u32 {
        self.of_second(tenant, initial_date).next_back().map_or(0, |(age, _)| age.number.saturating_add(1))
    }

    /// Whether another object of the tenant than `id` has this age.
    pub(super) fn is_taken(&self, tenant: &Tenant, age: Age, id: Id) -> bool {
        let known = self.tenants.get(tenant).and_then(|of| of.ages.get(&age));
        known.is_some_and(|known| *known != id)
    }

    pub(super) fn insert(&mut self, object: &Object, entries: &Entries) {
        let of = self.tenants.entry(object.tenant.clone()).or_default();
        let age = object.age();
        of.ages.insert(age, object.id);
        of.states.entry(entries.state).or_default().insert(age);
        of.values.extend(entries.values.iter().map(|value| (*value, age)));
        self.due.extend(entries.due.map(|date| (date, object.id)));
    }

    pub(super) fn remove(&mut self, object: &Object, entries: &Entries) {
        if let Some(date) = entries.due {
            self.due.remove(&(date, object.id));
        }
        let Some(of) = self.tenants.get_mut(&object.tenant) else { return };
        let age = object.age();
        of.ages.remove(&age);
        if let Some(ages) = of.states.get_mut(&entries.state) {
            ages.remove(&age);
            if ages.is_empty() {
                of.states.remove(&entries.state);
            }
        }
        for value in &entries.values {
            of.values.remove(&(*value, age));
        }
        if of.ages.is_empty() {
            self.tenants.remove(&object.tenant);
        }
    }

    /// How many objects a tenant has.
    pub(super) fn count(&self, tenant: &Tenant) -> usize {
        self.tenants.get(tenant).map_or(0, |of| of.ages.len())
    }

    /// A tenant's objects, oldest first.
    pub(super) fn of_tenant(&self, tenant: &Tenant) -> impl Iterator<Item = Id> {
        self.tenants.get(tenant).into_iter().flat_map(|of| of.ages.values()).copied()
    }

    /// Objects whose date has come by `now`, the earliest first.
    pub(super) fn due(&self, now: i64) -> impl Iterator<Item = Id> {
        self.due.iter().take_while(move |(date, _)| *date <= now).map(|(_, id)| *id)
    }

    /// The next date that changes an object's state.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.due.first().map(|(date, _)| *date)
    }

    /// Where a tenant's objects are, newest first; `more` are looked at beside them, whatever is asked for.
    pub(super) fn newest<'i>(
        &'i self,
        tenant: &Tenant,
        lookup: &Lookup,
        more: Vec<Age>,
    ) -> Box<dyn Iterator<Item = Id> + 'i> {
        let Some(of) = self.tenants.get(tenant) else { return Box::new(std::iter::empty()) };
        match lookup {
            Lookup::All => Box::new(of.ages.values().rev().copied()),
            Lookup::Value(value) => Box::new(of.bearing(*value).rev().filter_map(|age| of.id(age))),
            Lookup::State(object_type, state) => {
                let wanted = |(known_type, known_state): &(u32, u32)| {
                    object_type.is_none_or(|asked| asked.number() == *known_type)
                        && match state {
                            Some(asked) => asked.number() == *known_state,
                            None => !DESTROYED.contains(known_state),
                        }
                };
                let sets = of.states.iter().filter(|(key, _)| wanted(key));
                let mut sources: Vec<Peekable<Ages<'i>>> = sets
                    .map(|(_, ages)| (Box::new(ages.iter().rev().copied()) as Ages<'i>).peekable())
                    .collect();
                let mut more = more;
                more.sort_unstable_by(|a, b| b.cmp(a));
                sources.push((Box::new(more.into_iter()) as Ages<'i>).peekable());
                Box::new(Merged { sources, last: None }.filter_map(|age| of.id(age)))
            }
        }
    }

    /// A tenant's objects that bear a value, oldest first.
    pub(super) fn oldest(&self, tenant: &Tenant, value: u64) -> impl Iterator<Item = Id> {
        let of = self.tenants.get(tenant);
        of.into_iter().flat_map(move |of| of.bearing(value).filter_map(|age| of.id(age)))
    }
}

impl OfTenant {
    fn bearing(&self, value: u64) -> impl DoubleEndedIterator<Item = Age> {
        let (first, last) =
            (Age { initial_date: i64::MIN, number: 0 }, Age { initial_date: i64::MAX, number: u32::MAX });
        self.values.range((value, first)..=(value, last)).map(|(_, age)| *age)
    }

    fn id(&self, age: Age) -> Option<Id> {
        self.ages.get(&age).copied()
    }
}

const DESTROYED: [u32; 2] = [State::Destroyed.number(), State::DestroyedCompromised.number()];

type Ages<'i> = Box<dyn Iterator<Item = Age> + 'i>;

/// Several descending rows of ages as one, each age once.
struct Merged<'i> {
    sources: Vec<Peekable<Ages<'i>>>,
    last: Option<Age>,
}

impl Iterator for Merged<'_> {
    type Item = Age;

    fn next(&mut self) -> Option<Age> {
        loop {
            let heads = self.sources.iter_mut().enumerate().map(|(at, source)| (source.peek().copied(), at));
            let (_, newest) = heads.max()?;
            let age = self.sources.get_mut(newest)?.next()?;
            if self.last != Some(age) {
                self.last = Some(age);
                return Some(age);
            }
        }
    }
}

/// What an attribute's value is found by: by the whole of it, by the field of a structure that tells it from others, or
/// not at all. A structure that is asked for without that field is not either.
pub(crate) fn value(name: &AttributeName, value: &Value) -> Option<u64> {
    let searched = match name {
        AttributeName::Standard(attribute) => field(*attribute, value)?,
        // Of a structure parts may be asked for.
        _ if matches!(value, Value::Structure(_)) => return None,
        _ => value,
    };
    let mut hasher = DefaultHasher::new();
    name.as_str().hash(&mut hasher);
    match searched {
        Value::TextString(text) => text.hash(&mut hasher),
        other => {
            let mut bytes = Vec::new();
            other.write(tag::ATTRIBUTE_VALUE, &mut Writer::new(&mut bytes));
            bytes.hash(&mut hasher);
        }
    }
    Some(hasher.finish())
}

/// What the members of a group that were never handed out are found by.
pub(crate) fn fresh_member(group: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (StandardAttribute::Fresh.name(), group).hash(&mut hasher);
    hasher.finish()
}

/// The attributes that objects are told apart by, and where in their values. Most objects share the values of the others.
fn field(attribute: StandardAttribute, value: &Value) -> Option<&Value> {
    use StandardAttribute as A;
    let inside = |tag: Tag| value.children().iter().find(|node| node.tag == tag).map(|node| &node.value);
    match attribute {
        A::ObjectGroup | A::ContactInformation | A::Pkcs12FriendlyName => Some(value),
        A::Name => inside(tag::NAME_VALUE),
        A::AlternativeName => inside(tag::ALTERNATIVE_NAME_VALUE),
        A::Link => inside(tag::LINKED_OBJECT_IDENTIFIER),
        A::ApplicationSpecificInformation => inside(tag::APPLICATION_DATA),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_ages_become_one_with_each_age_once() {
        let ages = |numbers: &'static [u32]| {
            let ages = numbers.iter().map(|number| Age { initial_date: 1, number: *number });
            (Box::new(ages) as Ages<'static>).peekable()
        };
        let sources = vec![ages(&[9, 4, 1]), ages(&[]), ages(&[8, 4, 3]), ages(&[4])];
        let numbers: Vec<u32> = Merged { sources, last: None }.map(|age| age.number).collect();
        assert_eq!(numbers, [9, 8, 4, 3, 1]);
    }

    #[test]
    fn a_structure_is_found_by_the_field_that_tells_it_from_others() {
        let name =
            |fields: Vec<ttlv::Node>| value(&StandardAttribute::Name.into(), &Value::Structure(fields));
        let text = |text: &str| ttlv::Node::new(tag::NAME_VALUE, Value::TextString(text.to_owned()));
        let kind = ttlv::Node::new(tag::NAME_TYPE, Value::Enumeration(1));
        assert_eq!(name(vec![text("a"), kind.clone()]), name(vec![text("a")]));
        assert_ne!(name(vec![text("a")]), name(vec![text("b")]));
        assert_eq!(name(vec![kind]), None);
    }

    #[test]
    fn a_value_is_its_attributes_own() {
        let text = Value::TextString("a".to_owned());
        let of = |name: &str| value(&AttributeName::new(name), &text);
        assert_ne!(of("x-a"), of("x-b"));
        assert_eq!(of("x-a"), of("x-a"));
        assert_eq!(of("Operation Policy Name"), None);
        assert_eq!(value(&AttributeName::new("x-a"), &Value::Structure(Vec::new())), None);
    }
}
