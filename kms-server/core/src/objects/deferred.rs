//! Requests that were put off, and what became of them: kept for whoever sent them, for a bounded time and number.
//!
//! All of it follows from the log, so every node keeps the same, and a new leader goes on where the last one was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Record;
use crate::event::Deferred;
use crate::{Event, Id};

/// Seconds that a request which was put off, or its outcome, is kept from its arrival on: an hour. After it nobody is told
/// of it, and one that was not carried out by then, as no node led, never is.
pub const DEFERRED_S_MAX: i64 = 3600;

/// Requests and outcomes that are kept for one client; one more, and its oldest outcome is forgotten. A request more than
/// that wait is answered at once.
pub const DEFERRED_PER_CLIENT_MAX: usize = 64;

/// Sealed bytes that are kept for one client, 8 MiB; for more, its oldest outcomes are forgotten.
pub const DEFERRED_BYTES_PER_CLIENT_MAX: usize = 8 << 20;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DeferredRequests {
    kept: BTreeMap<Id, Arc<Deferred>>,
    /// By arrival, the oldest first, of each client.
    by_client: BTreeMap<Arc<str>, BTreeSet<(i64, Id)>>,
    /// Those that are not carried out yet, by arrival.
    waiting: BTreeSet<(i64, Id)>,
}

impl DeferredRequests {
    pub(super) fn get(&self, value: Id) -> Option<&Arc<Deferred>> {
        self.kept.get(&value)
    }

    /// Those that are not carried out, the oldest first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Arc<Deferred>> {
        self.waiting.iter().filter_map(|(_, value)| self.kept.get(value))
    }

    /// How many of a client's are not carried out.
    pub(super) fn waiting_of(&self, client: &str) -> usize {
        let of_client = self.by_client.get(client).into_iter().flatten();
        of_client.filter(|arrival| self.waiting.contains(arrival)).count()
    }

    /// Keeps a request that was put off, or what became of one that is kept, and forgets what is too old or too much.
    pub(super) fn keep(&mut self, deferred: &Arc<Deferred>) {
        self.restore(deferred);
        self.make_room(&deferred.client, deferred.value, deferred.at);
    }

    /// Takes in what a snapshot holds: as much as was kept, and in another order than it came.
    pub(super) fn restore(&mut self, deferred: &Arc<Deferred>) {
        let Deferred { value, client, at, .. } = &**deferred;
        let arrival = (*at, *value);
        self.forget(*value);
        self.by_client.entry(Arc::clone(client)).or_default().insert(arrival);
        if deferred.is_waiting() {
            self.waiting.insert(arrival);
        }
        self.kept.insert(*value, Arc::clone(deferred));
    }

    /// Forgets all of a client that was removed: another may come under its name.
    pub(super) fn forget_client(&mut self, client: &str) {
        let values = self.by_client.get(client).into_iter().flatten();
        let values: Vec<Id> = values.map(|(_, value)| *value).collect();
        values.into_iter().for_each(|value| self.forget(value));
    }

    /// For a snapshot: all of it, by arrival.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let order: BTreeSet<(i64, Id)> = self.by_client.values().flatten().copied().collect();
        order
            .into_iter()
            .filter_map(|(_, value)| self.kept.get(&value))
            .map(|deferred| Record::Event(Event::Deferred(Arc::clone(deferred))))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn forget(&mut self, value: Id) {
        let Some(deferred) = self.kept.remove(&value) else { return };
        let arrival = (deferred.at, value);
        self.waiting.remove(&arrival);
        if let Some(of_client) = self.by_client.get_mut(&deferred.client) {
            of_client.remove(&arrival);
            if of_client.is_empty() {
                self.by_client.remove(&deferred.client);
            }
        }
    }

    /// `newest` stays, whatever it takes.
    fn make_room(&mut self, client: &str, newest: Id, now: i64) {
        let of_client: Vec<Arc<Deferred>> = self
            .by_client
            .get(client)
            .into_iter()
            .flatten()
            .filter_map(|(_, value)| self.kept.get(value).cloned())
            .collect();
        let mut count = of_client.len();
        let mut bytes: usize = of_client.iter().map(|deferred| deferred.sealed.len()).sum();
        for deferred in of_client.iter().filter(|deferred| deferred.value != newest) {
            let too_old = now.saturating_sub(deferred.at) > DEFERRED_S_MAX;
            let too_much = count > DEFERRED_PER_CLIENT_MAX || bytes > DEFERRED_BYTES_PER_CLIENT_MAX;
            if too_old || too_much && !deferred.is_waiting() {
                count -= 1;
                bytes -= deferred.sealed.len();
                self.forget(deferred.value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stage;

    fn deferred(number: u8, client: &str, at: i64, stage: Stage, bytes: usize) -> Arc<Deferred> {
        let value = Id::from_slice(&[number; 16]).unwrap();
        Arc::new(Deferred { value, client: client.into(), at, stage, sealed: vec![0; bytes] })
    }

    fn numbers(kept: &DeferredRequests) -> Vec<u8> {
        kept.kept.keys().map(|value| value.as_bytes()[0]).collect()
    }

    #[test]
    fn the_oldest_outcome_of_a_client_makes_room_and_no_others() {
        let mut kept = DeferredRequests::default();
        kept.keep(&deferred(200, "other", 1, Stage::Completed, 1));
        kept.keep(&deferred(0, "vc01", 2, Stage::Waiting, 1));
        let most = u8::try_from(DEFERRED_PER_CLIENT_MAX).unwrap();
        (1..=most).for_each(|number| kept.keep(&deferred(number, "vc01", 3, Stage::Failed, 1)));
        let expected: Vec<u8> = [0].into_iter().chain(2..=most).chain([200]).collect();
        assert_eq!(numbers(&kept), expected, "what waits is not forgotten");
    }

    #[test]
    fn the_oldest_outcomes_make_room_for_bytes() {
        let mut kept = DeferredRequests::default();
        let half = DEFERRED_BYTES_PER_CLIENT_MAX / 2;
        (1..=2).for_each(|number| kept.keep(&deferred(number, "vc01", 3, Stage::Completed, half)));
        assert_eq!(numbers(&kept), [1, 2]);
        kept.keep(&deferred(3, "vc01", 3, Stage::Completed, 1));
        assert_eq!(numbers(&kept), [2, 3]);
        kept.keep(&deferred(4, "vc01", 3, Stage::Completed, 3 * half));
        assert_eq!(numbers(&kept), [4], "one that is larger than all is kept alone");
    }

    #[test]
    fn what_is_older_than_the_bound_is_forgotten_when_another_comes() {
        let mut kept = DeferredRequests::default();
        kept.keep(&deferred(1, "vc01", 0, Stage::Waiting, 1));
        kept.keep(&deferred(2, "vc01", DEFERRED_S_MAX, Stage::Waiting, 1));
        assert_eq!(numbers(&kept), [1, 2]);
        kept.keep(&deferred(3, "vc01", DEFERRED_S_MAX + 1, Stage::Waiting, 1));
        assert_eq!(numbers(&kept), [2, 3]);
        assert_eq!(kept.waiting_of("vc01"), 2);
    }

    #[test]
    fn an_outcome_takes_the_place_of_what_waited() {
        let mut kept = DeferredRequests::default();
        kept.keep(&deferred(1, "vc01", 5, Stage::Waiting, 1));
        kept.keep(&deferred(1, "vc01", 5, Stage::Completed, 9));
        assert_eq!((kept.waiting().count(), kept.waiting_of("vc01"), kept.kept.len()), (0, 0, 1));
        kept.forget_client("vc01");
        assert_eq!(kept, DeferredRequests::default());
    }
}
