//! Counts by minute over the last hour, in memory that does not grow. Pure: `now` is given.

use std::time::Duration;

/// Minutes kept; the oldest goes.
pub const MINUTES: usize = 60;

/// The length of one.
pub const MINUTE: Duration = Duration::from_secs(60);

/// Counts of so many kinds.
#[derive(Clone, Debug)]
pub struct Minutes<const KINDS: usize> {
    counts: [[u32; KINDS]; MINUTES],
    /// The newest minute that has a place, counted from the start.
    newest: u64,
}

impl<const KINDS: usize> Default for Minutes<KINDS> {
    fn default() -> Self {
        Self { counts: [[0; KINDS]; MINUTES], newest: 0 }
    }
}

impl<const KINDS: usize> Minutes<KINDS> {
    /// Counts one of this kind at `now`, a time since start. A kind that is not there is passed over.
    pub fn count(&mut self, now: Duration, kind: usize) {
        let minute = number(now);
        // At most one round: beyond it every place is empty already.
        for empty in (self.newest + 1..=minute).take(MINUTES) {
            self.counts[place(empty)] = [0; KINDS];
        }
        if minute > self.newest + MINUTES as u64 {
            self.counts = [[0; KINDS]; MINUTES];
        }
        self.newest = self.newest.max(minute);
        if let Some(count) = self.counts[place(minute)].get_mut(kind) {
            *count = count.saturating_add(1);
        }
    }

    /// The last hour at `now`, oldest first; the last one is the minute under way.
    pub fn hour(&self, now: Duration) -> [[u32; KINDS]; MINUTES] {
        let last = number(now);
        std::array::from_fn(|index| {
            let after = (MINUTES - 1 - index) as u64;
            match last.checked_sub(after) {
                Some(minute) if minute <= self.newest && minute + MINUTES as u64 > self.newest => {
                    self.counts[place(minute)]
                }
                _ => [0; KINDS],
            }
        })
    }

    /// All of the last hour.
    pub fn total(&self, now: Duration) -> u64 {
        self.hour(now).iter().flatten().map(|count| u64::from(*count)).sum()
    }
}

fn number(now: Duration) -> u64 {
    now.as_secs() / MINUTE.as_secs()
}

fn place(minute: u64) -> usize {
    (minute % MINUTES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60 + 1)
    }

    #[test]
    fn what_is_an_hour_old_is_forgotten_and_nothing_before() {
        let mut minutes = Minutes::<2>::default();
        minutes.count(at(0), 0);
        minutes.count(at(5), 1);
        minutes.count(at(5), 1);
        assert_eq!(minutes.hour(at(5))[59], [0, 2]);
        assert_eq!(minutes.hour(at(5))[54], [1, 0]);
        assert_eq!(minutes.total(at(59)), 3);
        assert_eq!(minutes.total(at(60)), 2);
        assert_eq!(minutes.total(at(65)), 0);
    }

    #[test]
    fn a_place_that_comes_round_again_begins_empty() {
        let mut minutes = Minutes::<1>::default();
        for minute in [0, 30, 60, 61, 200, 500] {
            minutes.count(at(minute), 0);
            assert_eq!(minutes.hour(at(minute))[59], [1], "minute {minute}");
        }
        assert_eq!(minutes.total(at(500)), 1);
    }

    #[test]
    fn a_kind_that_is_not_there_is_passed_over() {
        let mut minutes = Minutes::<1>::default();
        minutes.count(at(0), 1);
        assert_eq!(minutes.total(at(0)), 0);
    }
}
