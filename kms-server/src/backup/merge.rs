//! One object out of several copies of it. Keys never change and identifiers are never used again, so a union is safe; what
//! differs between copies is only how far each had come.

use std::cmp::Reverse;
use std::sync::Arc;

use kms_core::{Object, RegisteredClient, State};

/// How far an object is in its life; it never goes back.
fn stage(state: State) -> u8 {
    match state {
        State::Active => 1,
        State::Deactivated => 2,
        State::Compromised => 3,
        State::Destroyed => 4,
        State::DestroyedCompromised => 5,
        // Pre-Active, and the numbers that the specification does not have.
        _ => 0,
    }
}

/// Whether `one` knows something of an object that `other` does not.
pub(super) fn is_newer(one: &Object, other: &Object) -> bool {
    one.last_change_date > other.last_change_date || stage(one.state) > stage(other.state)
}

/// What two copies of one object say together: the attributes of the one that was changed last, the state of the one that
/// came further, and the material if either has it, unless one says that it was destroyed.
pub(super) fn merge(one: &Arc<Object>, other: &Arc<Object>) -> Arc<Object> {
    let rank = |object: &Object| (object.last_change_date, stage(object.state), Reverse(object.fresh));
    let (newest, oldest) = if rank(one) >= rank(other) { (one, other) } else { (other, one) };
    let further = if stage(oldest.state) > stage(newest.state) { oldest.state } else { newest.state };
    let destroyed = newest.is_destroyed() || oldest.is_destroyed();
    let material = newest.material.as_ref().or(oldest.material.as_ref()).filter(|_| !destroyed);
    let fresh = newest.fresh && oldest.fresh;
    if newest.state == further && newest.fresh == fresh && newest.material.as_ref() == material {
        return Arc::clone(newest);
    }
    Arc::new(Object { state: further, fresh, material: material.cloned(), ..Object::clone(newest) })
}

/// The copy of a client that was registered last.
pub(super) fn merge_client<'a>(
    one: &'a Arc<RegisteredClient>,
    other: &'a Arc<RegisteredClient>,
) -> &'a Arc<RegisteredClient> {
    if other.registered_at > one.registered_at { other } else { one }
}

#[cfg(test)]
mod tests {
    use kmip::enumeration::ObjectType;
    use kms_core::{Id, Tenant};

    use super::*;

    fn object(state: State, last_change_date: i64, material: Option<&[u8]>) -> Arc<Object> {
        Arc::new(Object {
            id: Id::from_slice(&[7; 16]).unwrap(),
            tenant: Tenant::new("vc01"),
            object_type: ObjectType::SymmetricKey,
            state,
            initial_date: 1,
            number: 0,
            last_change_date,
            fresh: false,
            attributes: Vec::new(),
            material: material.map(<[u8]>::to_vec),
        })
    }

    #[test]
    fn material_is_kept_if_any_copy_has_it() {
        let with = object(State::Active, 1, Some(b"sealed"));
        let without = object(State::Active, 5, None);
        for merged in [merge(&with, &without), merge(&without, &with)] {
            assert_eq!((merged.material.as_deref(), merged.last_change_date), (Some(&b"sealed"[..]), 5));
        }
    }

    #[test]
    fn what_one_copy_says_is_destroyed_stays_destroyed() {
        let with = object(State::Active, 9, Some(b"sealed"));
        let destroyed = object(State::Destroyed, 5, None);
        for merged in [merge(&with, &destroyed), merge(&destroyed, &with)] {
            assert_eq!((merged.state, merged.material.as_deref()), (State::Destroyed, None));
        }
    }

    #[test]
    fn the_state_that_came_further_and_the_change_that_came_last_are_kept() {
        let active = object(State::Active, 9, Some(b"sealed"));
        let revoked = object(State::Deactivated, 5, Some(b"sealed"));
        assert!(is_newer(&active, &revoked) && is_newer(&revoked, &active));
        for merged in [merge(&active, &revoked), merge(&revoked, &active)] {
            assert_eq!((merged.state, merged.last_change_date), (State::Deactivated, 9));
            assert!(!is_newer(&active, &merged) && !is_newer(&revoked, &merged));
        }
    }
}
