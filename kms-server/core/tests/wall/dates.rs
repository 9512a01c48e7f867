//! Dates move a state for good: what a date did is an event, and no clock that goes back undoes it.

use kms_core::{DATES_MAX, Draft, Event, Objects, move_by_dates};

use crate::common::{NOW, World};

const DATES: &str = "\"Activation Date\"=@1700000100 \"Deactivation Date\"=@1700000200";

/// Has what dates did by now happen; gives how many objects they moved.
fn moved(w: &mut World) -> usize {
    let objects = w.objects.clone();
    let mut draft = Draft::new(&objects);
    let count = move_by_dates(&mut draft, w.now);
    let events = draft.into_events();
    assert_eq!(events.len(), count);
    w.apply(&events);
    count
}

#[test]
fn what_a_date_did_stays_when_the_clock_goes_back() {
    let mut w = World::new();
    let id = w.key_with(DATES);
    assert_eq!((moved(&mut w), w.objects.next_due()), (0, Some(NOW + 100)));
    w.now += 150;
    assert_eq!((moved(&mut w), w.objects.next_due()), (1, Some(NOW + 200)));
    w.now -= 140;
    assert_eq!(w.state(&id), "Active");
    w.now += 300;
    assert_eq!((moved(&mut w), w.objects.next_due()), (1, None));
    w.now = NOW;
    assert_eq!(w.state(&id), "Deactivated");
    assert_eq!(moved(&mut w), 0, "each date once");
}

#[test]
fn a_client_cannot_tell_whether_the_event_is_there_yet() {
    for dates in
        [DATES, "\"Activation Date\"=@1700000100", "\"Activation Date\"=@1 \"Deactivation Date\"=@1700000100"]
    {
        for later in [0, 99, 100, 150, 200, 5000] {
            let mut w = World::new();
            let id = w.key_with(dates);
            w.now += later;
            let all = |w: &mut World| {
                let state = w.attribute(&id, "State") + &w.attribute(&id, "Last Change Date");
                let found = ["PreActive", "Active", "Deactivated"]
                    .map(|state| w.ask(&format!("Locate {{ OffsetItems=0 \"State\"={state} }}")).response);
                (state, format!("{found:?}"))
            };
            let before = all(&mut w);
            moved(&mut w);
            assert_eq!(all(&mut w), before, "{dates} after {later} s");
        }
    }
}

#[test]
fn a_state_that_two_dates_changed_at_once_is_the_last_one() {
    let mut w = World::new();
    let id = w.key_with(DATES);
    w.now += 1000;
    assert_eq!(moved(&mut w), 1);
    assert_eq!(w.state(&id), "Deactivated");
    assert!(w.attribute(&id, "Last Change Date").contains("@1700000200"), "when it came to be so");
}

#[test]
fn a_date_that_a_client_moved_or_a_state_that_a_client_changed_is_not_moved_by_what_was() {
    let mut w = World::new();
    w.key_with(DATES);
    w.key_with(DATES);
    w.key_with(DATES);
    w.done("ModifyAttribute { UniqueIdentifier=$1 \"Activation Date\"=@1700000150 }");
    w.done("Revoke { UniqueIdentifier=$2 RevocationReason { RevocationReasonCode=KeyCompromise } }");
    w.done("Destroy { UniqueIdentifier=$3 }");
    w.now += 120;
    assert_eq!((moved(&mut w), w.objects.next_due()), (0, Some(NOW + 150)));
}

#[test]
fn many_dates_at_once_are_moved_in_parts() {
    let mut w = World::new();
    w.key_with(DATES);
    let one = w.objects.iter().next().unwrap().clone();
    let mut objects = Objects::default();
    let many = DATES_MAX + 10;
    for number in 0..many {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        objects.apply(&Event::Created {
            id: kms_core::Id::from_slice(&bytes).unwrap(),
            tenant: one.tenant.clone(),
            object_type: one.object_type,
            state: one.state,
            at: one.initial_date,
            attributes: one.attributes.clone(),
            material: one.material.clone(),
        });
    }
    let now = NOW + 120;
    let mut draft = Draft::new(&objects);
    assert_eq!(move_by_dates(&mut draft, now), DATES_MAX);
    let first = draft.into_events();
    // Those that were handed to the log are not moved again before they are applied.
    let mut draft = Draft::behind(&objects, &first);
    assert_eq!(move_by_dates(&mut draft, now), 10);
    let second = draft.into_events();
    first.iter().chain(&second).for_each(|event| objects.apply(event));
    assert_eq!(objects.due(now).count(), 0);
    assert_eq!(objects.due(now + 1000).count(), many);
}
