//! Locate (KMIP 1.4 sections 4.9 and 11.10): the client's own objects that have these attributes. Never another
//! tenant's, and none that is destroyed unless its State is asked for.

use std::sync::Arc;

use kmip::attribute::{Attribute, Name, StandardAttribute, UsageLimits};
use kmip::enumeration::ObjectGroupMember;
use kmip::mask::StorageStatusMask;
use kmip::operations::locate::{Request, Response};
use kmip::tag;
use ttlv::{ItemType, Node, Value};

use super::Call;
use crate::{Object, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    check_filters(request, call)?;
    let filter =
        |name: StandardAttribute| request.attributes.iter().find(move |filter| filter.name == name.into());
    // Destroyed objects no longer stand in the index of names.
    let name = filter(StandardAttribute::Name).filter(|_| filter(StandardAttribute::State).is_none());
    let name = name.and_then(|filter| Name::from_value(&filter.value));
    let mut found: Vec<&Arc<Object>> = Vec::new();
    // Nothing is archived, so a mask without the on-line bit matches nothing.
    let online =
        request.storage_status_mask.is_none_or(|mask| mask.contains(StorageStatusMask::ON_LINE_STORAGE));
    if online {
        match &name {
            Some(name) => {
                found.extend(call.draft.named(&call.authorised, name).filter(|o| matches(request, o, call)))
            }
            None => found.extend(call.draft.objects(&call.authorised).filter(|o| matches(request, o, call))),
        }
    }
    // Newest first: a client that takes one of several gets the latest, whatever the identifiers are.
    found.sort_by_key(|object| (std::cmp::Reverse(object.initial_date), object.id));
    let located_items = i32::try_from(found.len()).unwrap_or(i32::MAX);
    let number = |count: Option<i32>| count.and_then(|count| usize::try_from(count).ok());
    let offset = number(request.offset_items).unwrap_or(0);
    let most = number(request.maximum_items).unwrap_or(usize::MAX).min(call.limits().locate_items_max);
    let ids: Vec<_> = found.into_iter().skip(offset).take(most).map(|object| object.id).collect();
    // Another node may hold what this one has not heard of.
    if ids.is_empty() && most > 0 && call.draft.is_stale() {
        return Err(Refusal::cannot_say("such objects exist"));
    }
    // "If the Locate operation matches more than one object ... the server SHALL empty the ID Placeholder".
    *call.id_placeholder = if let [only] = ids.as_slice() { Some(*only) } else { None };
    Ok(Response {
        // Optional, and wanted by a client that pages: the public test cases have it there, and nowhere else.
        located_items: request.offset_items.map(|_| located_items),
        unique_identifiers: ids.iter().map(ToString::to_string).collect(),
    })
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
    match request.object_group_member {
        Some(ObjectGroupMember::GroupMemberFresh) if !object.fresh => return false,
        _ => {}
    }
    request.attributes.iter().enumerate().all(|(place, filter)| {
        let same = |other: &&Attribute| other.name == filter.name;
        let is_date = filter.value.item_type() == ItemType::DateTime && filter.name.rule().is_some();
        if !is_date {
            return object
                .instances(&filter.name, now)
                .iter()
                .any(|known| value_matches(filter, &known.value));
        }
        // Two instances of a date are the ends of a range, one is that date itself; the second says nothing new.
        let others: Vec<&Attribute> = request.attributes.iter().filter(same).collect();
        let first = request.attributes.iter().position(|other| other.name == filter.name) == Some(place);
        !first || date_matches(&others, &object.instances(&filter.name, now))
    })
}

fn date_matches(asked: &[&Attribute], known: &[Attribute]) -> bool {
    let seconds = |value: &Value| match value {
        Value::DateTime(seconds) => Some(*seconds),
        _ => None,
    };
    let ends: Vec<i64> = asked.iter().filter_map(|attribute| seconds(&attribute.value)).collect();
    let (Some(low), Some(high)) = (ends.iter().min(), ends.iter().max()) else { return false };
    let mut dates = known.iter().filter_map(|attribute| seconds(&attribute.value)).peekable();
    // "If a Date attribute is set to its largest possible value, then it is equivalent to an undefined attribute."
    if *low == i64::MAX && dates.peek().is_none() {
        return true;
    }
    dates.any(|date| (*low..=*high).contains(&date))
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
