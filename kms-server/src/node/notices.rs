//! What listeners are to be told: gathered from the log as it is carried out, on every node alike, and forgotten where the
//! log says that it was told. So whoever leads next knows what is left.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kmip::enumeration::State;
use kmip::{Attribute, AttributeName, StandardAttribute};
use kms_core::{Event, Id, Objects, Tenant};
use tokio::sync::watch;
use tracing::warn;
use ttlv::Value;

/// Notices that are kept for one listener while it does not answer; then the oldest go.
pub(super) const NOTICES_MAX: usize = 10_000;

/// Bits of a notice's number that tell it from others of the same entry of the log.
const PLACE_BITS: u32 = 20;

/// Something that one listener is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// Rises, and is the same on every node.
    pub(super) number: u64,
    pub(super) id: Id,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The object came to be.
    Made,
    /// Attributes of it have other values.
    Changed {
        /// Seconds since 1970.
        at: i64,
        attributes: Vec<Changed>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    Set(Attribute),
    Gone(AttributeName, i32),
}

impl Changed {
    fn instance(&self) -> (&AttributeName, i32) {
        match self {
            Self::Set(attribute) => (&attribute.name, attribute.index.unwrap_or_default()),
            Self::Gone(name, index) => (name, *index),
        }
    }
}

/// The notices that are left, by listener. Listeners are tenants'.
#[derive(Debug, Default)]
pub struct Notices {
    left: Mutex<BTreeMap<Tenant, VecDeque<Notice>>>,
    /// Counts up when notices come.
    came: watch::Sender<u64>,
}

impl Notices {
    /// For the listeners of these tenants; what happens to objects of others is passed over.
    pub fn new(tenants: impl IntoIterator<Item = Tenant>) -> Self {
        let left = tenants.into_iter().map(|tenant| (tenant, VecDeque::new())).collect();
        Self { left: Mutex::new(left), came: watch::Sender::new(0) }
    }

    /// Gathers from an entry of the log that `objects` holds already.
    pub(super) fn note(&self, entry: u64, events: &[Event], objects: &Objects) {
        let mut left = self.left();
        if left.is_empty() {
            return;
        }
        let mut found: Vec<(Tenant, Notice)> = Vec::new();
        for event in events {
            if let Event::Told { tenant, number } = event {
                if let Some(left) = left.get_mut(tenant) {
                    left.retain(|notice| notice.number > *number);
                }
                continue;
            }
            let Some((id, what)) = what(event) else { continue };
            let Some(object) = objects.object(id).filter(|object| left.contains_key(&object.tenant)) else {
                continue;
            };
            let same = found.iter_mut().find(|(_, notice)| notice.id == id);
            match (same, what) {
                (
                    Some((_, Notice { what: What::Changed { at, attributes }, .. })),
                    What::Changed { at: later, attributes: more },
                ) => {
                    *at = later;
                    for changed in more {
                        attributes.retain(|other| other.instance() != changed.instance());
                        attributes.push(changed);
                    }
                }
                // Who is told of a new object is told all of it.
                (Some((_, Notice { what: What::Made, .. })), _) => {}
                (_, what) => {
                    let place = u64::try_from(found.len()).unwrap_or(u64::MAX).min((1 << PLACE_BITS) - 1);
                    let number = entry << PLACE_BITS | place;
                    found.push((object.tenant.clone(), Notice { number, id, what }));
                }
            }
        }
        if found.is_empty() {
            return;
        }
        for (tenant, notice) in found {
            let Some(left) = left.get_mut(&tenant) else { continue };
            if left.len() == NOTICES_MAX {
                warn!(%tenant, "a notice is dropped: {NOTICES_MAX} wait; hint: does the tenant's listener answer?");
                left.pop_front();
            }
            left.push_back(notice);
        }
        drop(left);
        self.came.send_modify(|count| *count += 1);
    }

    /// The first notice for a tenant's listener after the one of this number.
    pub(super) fn next(&self, tenant: &Tenant, after: u64) -> Option<Notice> {
        self.left().get(tenant)?.iter().find(|notice| notice.number > after).cloned()
    }

    /// Tells when notices come.
    pub(super) fn coming(&self) -> watch::Receiver<u64> {
        self.came.subscribe()
    }

    fn left(&self) -> MutexGuard<'_, BTreeMap<Tenant, VecDeque<Notice>>> {
        // Whole after each change: a panic between leaves a list of notices.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an event is to a listener. That a key was read for the first time is no change that anybody asked for.
fn what(event: &Event) -> Option<(Id, What)> {
    let changed = |at: i64, changed| What::Changed { at, attributes: vec![changed] };
    let state = |state: State| {
        Changed::Set(Attribute::new(StandardAttribute::State, Value::Enumeration(state.number())))
    };
    Some(match event {
        Event::Created { id, .. } => (*id, What::Made),
        Event::AttributeSet { id, at, attribute } => (*id, changed(*at, Changed::Set(attribute.clone()))),
        Event::AttributeDeleted { id, at, name, index } => {
            (*id, changed(*at, Changed::Gone(name.clone(), *index)))
        }
        Event::StateChanged { id, at, state: to } | Event::Destroyed { id, at, state: to } => {
            (*id, changed(*at, state(*to)))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmip::enumeration::ObjectType;

    const TENANT: &str = "arrays";

    fn id(number: u8) -> Id {
        Id::parse(&format!("00000000-0000-4000-8000-0000000000{number:02x}")).unwrap()
    }

    fn created(number: u8, tenant: &str) -> Event {
        Event::Created {
            id: id(number),
            tenant: Tenant::new(tenant),
            object_type: ObjectType::SymmetricKey,
            state: State::PreActive,
            at: 1,
            attributes: Vec::new(),
            material: None,
        }
    }

    fn set(number: u8, at: i64, name: &str, value: &str) -> Event {
        let attribute = Attribute::new(AttributeName::new(name), Value::TextString(value.to_owned()));
        Event::AttributeSet { id: id(number), at, attribute }
    }

    /// Carries entries out, from 1, and notes them.
    fn noted(entries: &[Vec<Event>]) -> Notices {
        let notices = Notices::new([Tenant::new(TENANT)]);
        let mut objects = Objects::default();
        for (at, events) in entries.iter().enumerate() {
            events.iter().for_each(|event| objects.apply(event));
            notices.note(at as u64 + 1, events, &objects);
        }
        notices
    }

    fn all(notices: &Notices) -> Vec<Notice> {
        let tenant = Tenant::new(TENANT);
        let next = |after: &Notice| notices.next(&tenant, after.number);
        std::iter::successors(notices.next(&tenant, 0), next).collect()
    }

    #[test]
    fn what_one_entry_changes_of_an_object_is_one_notice_with_the_last_values() {
        let notices = noted(&[
            vec![created(1, TENANT)],
            vec![set(1, 2, "x-a", "1"), set(1, 2, "x-b", "1"), set(1, 3, "x-a", "2")],
            vec![Event::Destroyed { id: id(1), at: 4, state: State::Destroyed }],
        ]);
        let whats: Vec<What> = all(&notices).into_iter().map(|notice| notice.what).collect();
        let value = |name: &str, value: &str| {
            Changed::Set(Attribute::new(AttributeName::new(name), Value::TextString(value.to_owned())))
        };
        let state = Attribute::new(StandardAttribute::State, Value::Enumeration(State::Destroyed.number()));
        assert_eq!(
            whats,
            [
                What::Made,
                What::Changed { at: 3, attributes: vec![value("x-b", "1"), value("x-a", "2")] },
                What::Changed { at: 4, attributes: vec![Changed::Set(state)] },
            ]
        );
    }

    #[test]
    fn objects_of_tenants_without_a_listener_are_passed_over_and_first_reads_too() {
        let notices =
            noted(&[vec![created(1, "other"), set(1, 2, "x-a", "1")], vec![Event::Served { id: id(1) }]]);
        assert_eq!(all(&notices), []);
        assert_eq!(*notices.coming().borrow(), 0);
    }

    #[test]
    fn what_the_log_says_was_told_is_forgotten() {
        let notices = noted(&[vec![created(1, TENANT), created(2, TENANT)], vec![created(3, TENANT)]]);
        let numbers: Vec<u64> = all(&notices).iter().map(|notice| notice.number).collect();
        assert_eq!(numbers.len(), 3);
        assert!(numbers.is_sorted());
        let told = Event::Told { tenant: Tenant::new(TENANT), number: numbers[1] };
        notices.note(3, &[told], &Objects::default());
        assert_eq!(all(&notices).iter().map(|notice| notice.id).collect::<Vec<_>>(), [id(3)]);
    }

    #[test]
    fn no_more_than_a_bound_wait_and_the_oldest_go() {
        let mut objects = Objects::default();
        objects.apply(&created(1, TENANT));
        let notices = Notices::new([Tenant::new(TENANT)]);
        for entry in 1..=NOTICES_MAX as u64 + 1 {
            notices.note(entry, &[set(1, 2, "x-a", "1")], &objects);
        }
        let tenant = Tenant::new(TENANT);
        assert_eq!(notices.next(&tenant, 0).unwrap().number, 2 << PLACE_BITS);
        assert_eq!(notices.left()[&tenant].len(), NOTICES_MAX);
    }
}
