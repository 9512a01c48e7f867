//! Locate (KMIP 1.4 sections 4.9 and 11.10): the client's own objects that have these attributes. Never another
//! tenant's, and none that is destroyed unless its State is asked for.

use std::sync::Arc;

use kmip::attribute::{Attribute, StandardAttribute, UsageLimits};
use kmip::enumeration::{ObjectGroupMember, ObjectType, State};
use kmip::mask::StorageStatusMask;
use kmip::operations::locate::{Request, Response};
use kmip::tag;
use ttlv::{ItemType, Node, Value};

use super::Call;
use crate::objects::{Lookup, fresh_member, value};
use crate::{Id, Object, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    check_filters(request, call)?;
    let number = |count: Option<i32>| count.and_then(|count| usize::try_from(count).ok());
    let most = number(request.maximum_items).unwrap_or(usize::MAX).min(call.limits().locate_items_max);
    let mut found = Found {
        ids: Vec::new(),
        total: 0,
        offset: number(request.offset_items).unwrap_or(0),
        most,
        // Optional, and wanted by a client that pages: the public test cases have it there, and nowhere else.
        counts: request.offset_items.is_some(),
    };
    search(request, call, &mut found);
    // Another node may hold what this one has not heard of.
    if found.ids.is_empty() && most > 0 && call.draft.is_stale() {
        return Err(Refusal::cannot_say("such objects exist"));
    }
    // "If the Locate operation matches more than one object ... the server SHALL empty the ID Placeholder".
    *call.id_placeholder = if let [only] = found.ids.as_slice() { Some(*only) } else { None };
    let located_items = i32::try_from(found.total).unwrap_or(i32::MAX);
    Ok(Response {
        located_items: found.counts.then_some(located_items),
        unique_identifiers: found.ids.iter().map(ToString::to_string).collect(),
    })
}

/// What was found so far, and how much of it is wanted.
struct Found {
    ids: Vec<Id>,
    total: usize,
    offset: usize,
    most: usize,
    /// Whether all are counted, also those that are not wanted.
    counts: bool,
}

impl Found {
    /// Takes what is wanted of objects that match, and looks no further.
    fn take<'o>(&mut self, mut objects: impl Iterator<Item = &'o Arc<Object>>) {
        while (self.counts || self.ids.len() < self.most)
            && let Some(object) = objects.next()
        {
            self.total += 1;
            if self.total > self.offset && self.ids.len() < self.most {
                self.ids.push(object.id);
            }
        }
    }
}

/// Newest first, as a client that takes one of several expects the latest; the fresh members of a group oldest first, as
/// they are used up in the order that they came.
fn search(request: &Request, call: &Call<'_, '_, '_>, found: &mut Found) {
    let matching = |object: &&Arc<Object>| matches(request, object, call);
    let asked = |name: StandardAttribute| {
        request.attributes.iter().find(move |filter| filter.name == name.into()).map(|filter| &filter.value)
    };
    if let Some(Value::TextString(id)) = asked(StandardAttribute::UniqueIdentifier) {
        return found.take(call.draft.object(&call.authorised, id).into_iter().filter(matching));
    }
    let group = match asked(StandardAttribute::ObjectGroup) {
        Some(Value::TextString(group)) => Some(group),
        _ => None,
    };
    match (request.object_group_member, group) {
        (Some(ObjectGroupMember::GroupMemberFresh), Some(group)) => {
            let fresh = call.draft.oldest(&call.authorised, fresh_member(group));
            found.take(fresh.filter(|object| object.fresh).filter(matching));
        }
        (Some(ObjectGroupMember::GroupMemberDefault), Some(group)) => {
            // The policy of this server: a member that nobody has had, the oldest where there is none.
            let fresh = call.draft.oldest(&call.authorised, fresh_member(group));
            let fresh = fresh.filter(|object| object.fresh).find(matching);
            let hash = value(&StandardAttribute::ObjectGroup.into(), &Value::TextString(group.clone()));
            let all = hash.into_iter().flat_map(|hash| call.draft.oldest(&call.authorised, hash));
            found.take(fresh.or_else(|| all.into_iter().find(matching)).into_iter());
        }
        (member, _) => {
            let fresh = member == Some(ObjectGroupMember::GroupMemberFresh);
            let lookup = lookup(request, &asked);
            let objects = call.draft.newest(&call.authorised, &lookup, call.now());
            found.take(objects.filter(|object| object.fresh || !fresh).filter(matching));
        }
    }
}

/// Where the fewest objects have to be looked at.
fn lookup<'r>(request: &'r Request, asked: &impl Fn(StandardAttribute) -> Option<&'r Value>) -> Lookup {
    let number = |name| match asked(name) {
        Some(Value::Enumeration(number)) => Some(*number),
        _ => None,
    };
    let object_type = number(StandardAttribute::ObjectType).map(ObjectType::from_number);
    let state = number(StandardAttribute::State).map(State::from_number);
    // Destroyed objects are found by their state alone.
    if matches!(state, Some(State::Destroyed | State::DestroyedCompromised)) {
        return Lookup::State(object_type, state);
    }
    // Many share a group, few a name.
    let shared = |filter: &&Attribute| {
        [StandardAttribute::ObjectGroup, StandardAttribute::ContactInformation]
            .iter()
            .any(|shared| filter.name == (*shared).into())
    };
    let own = request.attributes.iter().filter(|filter| !shared(filter));
    let by_value = own.chain(request.attributes.iter().filter(shared));
    let hash = by_value.into_iter().find_map(|filter| value(&filter.name, &filter.value));
    hash.map_or(Lookup::State(object_type, state), Lookup::Value)
}

fn check_filters(request: &Request, call: &Call<'_, '_, '_>) -> Result<(), Refusal> {
    for (name, count) in [("Maximum Items", request.maximum_items), ("Offset Items", request.offset_items)] {
        if count.is_some_and(|count| count < 0) {
            return Err(Refusal::invalid_field(format!("{name} is less than zero")));
        }
    }
    let limit = call.limits().attributes_per_object_max;
    if request.attributes.len() > limit {
        let count = request.attributes.len();
        return Err(Refusal::invalid_field(format!("Locate takes at most {limit} attributes, got {count}")));
    }
    for filter in &request.attributes {
        let known =
            filter.name.is_custom() || filter.name.rule().is_some_and(|rule| rule.introduced <= call.version);
        if !known {
            return Err(Refusal::invalid_field(format!(
                "KMIP {} knows no attribute {:?}",
                call.version, filter.name
            )));
        }
    }
    Ok(())
}

fn matches(request: &Request, object: &Object, call: &Call<'_, '_, '_>) -> bool {
    let now = call.now();
    // A destroyed object is found by those alone who ask for its State.
    let asks_state =
        || request.attributes.iter().any(|filter| filter.name == StandardAttribute::State.into());
    if object.is_destroyed() && !asks_state() {
        return false;
    }
    // "If omitted, then on-line only is assumed."
    let searched = request.storage_status_mask.unwrap_or(StorageStatusMask::ON_LINE_STORAGE);
    let stored = match object.is_archived() {
        true => StorageStatusMask::ARCHIVAL_STORAGE,
        false => StorageStatusMask::ON_LINE_STORAGE,
    };
    if !searched.contains(stored) {
        return false;
    }
    request.attributes.iter().enumerate().all(|(place, filter)| {
        let is_date = filter.value.item_type() == ItemType::DateTime && filter.name.rule().is_some();
        if !is_date {
            return object.any(&filter.name, now, |known| value_matches(filter, known));
        }
        // Two instances of a date are the ends of a range, one is that date itself; the second says nothing new.
        let first = request.attributes.iter().position(|other| other.name == filter.name) == Some(place);
        !first || date_matches(request, filter, object, now)
    })
}

fn date_matches(request: &Request, filter: &Attribute, object: &Object, now: i64) -> bool {
    let seconds = |value: &Value| match value {
        Value::DateTime(seconds) => Some(*seconds),
        _ => None,
    };
    let ends = || {
        let same = request.attributes.iter().filter(|other| other.name == filter.name);
        same.filter_map(|other| seconds(&other.value))
    };
    let (Some(low), Some(high)) = (ends().min(), ends().max()) else { return false };
    // "If a Date attribute is set to its largest possible value, then it is equivalent to an undefined attribute."
    if low == i64::MAX && !object.any(&filter.name, now, |_| true) {
        return true;
    }
    object.any(&filter.name, now, |known| seconds(known).is_some_and(|date| (low..=high).contains(&date)))
}

fn value_matches(filter: &Attribute, known: &Value) -> bool {
    match (&filter.value, known) {
        (Value::Integer(asked), Value::Integer(known))
            if filter.name == StandardAttribute::CryptographicUsageMask.into() =>
        {
            asked & known == *asked
        }
        (Value::Structure(asked), known) if filter.name == StandardAttribute::UsageLimits.into() => {
            UsageLimits::from_value(known)
                .is_some_and(|known| asked.iter().all(|field| enough(field, &known)))
        }
        // "all of the structure fields are not REQUIRED to be specified"
        (Value::Structure(asked), Value::Structure(known)) => asked.iter().all(|field| known.contains(field)),
        (asked, known) => asked == known,
    }
}

/// Whether a field of the Usage Limits that are asked for is met: as much in all, as much left, and the same unit.
fn enough(asked: &Node, known: &UsageLimits) -> bool {
    match (asked.tag, &asked.value) {
        (tag::USAGE_LIMITS_TOTAL, Value::LongInteger(total)) => known.total >= *total,
        (tag::USAGE_LIMITS_COUNT, Value::LongInteger(count)) => known.count.unwrap_or(known.total) >= *count,
        (tag::USAGE_LIMITS_UNIT, Value::Enumeration(unit)) => known.unit.number() == *unit,
        _ => false,
    }
}
