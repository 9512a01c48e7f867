//! What dates have done, as events: a state that follows from a date is the same for every reader, and goes back with a
//! clock that does. Once it is in the log it stays.

use crate::{Draft, Event};

/// Objects that are moved at once. What is left is moved next time, and read as if it had been.
pub const DATES_MAX: usize = 1024;

/// Drafts the states that dates have brought by `now`, of [`DATES_MAX`] objects at most, those whose dates came first
/// before the others. Costs as many steps as there are such objects, and those among them that the draft has moved.
pub fn move_by_dates(draft: &mut Draft<'_>, now: i64) -> usize {
    let moved = |object: &std::sync::Arc<crate::Object>| {
        let (state, at) = object.moved_by(now)?;
        Some(Event::StateChanged { id: object.id, at, state })
    };
    let events: Vec<Event> = draft.due(now).filter_map(moved).take(DATES_MAX).collect();
    let count = events.len();
    events.into_iter().for_each(|event| draft.push(event));
    count
}
