//! Cryptographic operations whose data come in parts: how far each has come, so that a Correlation Value is used once. The state
//! of the operation itself travels sealed in the Correlation Value.

use std::collections::{BTreeMap, BTreeSet};

use crate::Event;
use crate::event::StreamId;

/// Operations in parts that are remembered at most, of all tenants: 65,536. One more is refused until one is over or expires.
pub const STREAMS_MAX: usize = 65_536;

/// Seconds that a client may take from one part to the next: 300. Later the operation is forgotten.
pub const STREAM_S_MAX: i64 = 300;

/// The operations under way. All of it follows from the log alone: no clock is asked, so all nodes forget alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Streams {
    used: BTreeMap<StreamId, Used>,
    by_expiry: BTreeSet<(i64, StreamId)>,
    newest_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Used {
    part: u32,
    at: i64,
    expires_at: i64,
}

impl Streams {
    /// The last Correlation Value of the operation that was used, by its number; `None` where none was.
    pub(super) fn used(&self, stream: &StreamId) -> Option<u32> {
        self.used.get(stream).map(|used| used.part)
    }

    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    /// The time that the log has come to: whatever expired before is forgotten, and must not be taken for new.
    pub(super) fn newest_at(&self) -> Option<i64> {
        self.newest_at
    }

    /// Notes that a Correlation Value was used, and forgets what has expired since.
    pub(super) fn note(&mut self, stream: &StreamId, part: u32, at: i64, expires_at: i64) {
        let mut at = at;
        if let Some(before) = self.used.get(stream).copied() {
            if before.part >= part {
                return;
            }
            at = at.max(before.at);
            self.by_expiry.remove(&(before.expires_at, *stream));
        }
        // Never over before it began; a snapshot could not tell of it.
        let expires_at = expires_at.max(at);
        self.used.insert(*stream, Used { part, at, expires_at });
        self.by_expiry.insert((expires_at, *stream));
        let newest = self.newest_at.map_or(at, |newest| newest.max(at));
        self.newest_at = Some(newest);
        while let Some(&(expires_at, oldest)) =
            self.by_expiry.first().filter(|(expires_at, _)| *expires_at < newest)
        {
            self.by_expiry.remove(&(expires_at, oldest));
            self.used.remove(&oldest);
        }
    }

    /// For a snapshot: the events that make it, the oldest first.
    pub(super) fn events(&self) -> impl Iterator<Item = Event> {
        let mut all: Vec<(&StreamId, &Used)> = self.used.iter().collect();
        all.sort_by_key(|(_, used)| used.at);
        all.into_iter().map(|(stream, used)| Event::StreamPart {
            stream: *stream,
            part: used.part,
            at: used.at,
            expires_at: used.expires_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_was_used_stays_so_until_the_log_has_passed_its_time() {
        let mut streams = Streams::default();
        streams.note(&[1; 16], 1, 10, 20);
        streams.note(&[1; 16], 3, 11, 21);
        streams.note(&[1; 16], 2, 12, 30);
        assert_eq!(streams.used(&[1; 16]), Some(3));
        streams.note(&[2; 16], 1, 21, 31);
        assert_eq!(streams.used(&[1; 16]), Some(3), "exactly at the bound");
        streams.note(&[3; 16], 1, 22, 32);
        assert_eq!((streams.used(&[1; 16]), streams.len()), (None, 2));
        assert_eq!(streams.newest_at(), Some(22));
    }

    #[test]
    fn a_snapshots_events_make_the_same_again() {
        let mut streams = Streams::default();
        (1..9).for_each(|number| streams.note(&[number; 16], 1, 20 - i64::from(number), 40));
        let mut again = Streams::default();
        for event in streams.events() {
            let Event::StreamPart { stream, part, at, expires_at } = event else { panic!() };
            again.note(&stream, part, at, expires_at);
        }
        assert_eq!(again, streams);
    }
}
