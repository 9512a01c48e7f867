//! When a node is probed: every so often, at once when there is trouble, never two at a time, never in a storm.

use std::time::Duration;

use super::report::ProbeNumber;
use super::settings::{PROBE_GRACE, Settings};

/// The probes of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// The probe under way, and when it began.
    under_way: Option<(ProbeNumber, Duration)>,
    /// When the last one began.
    started: Option<Duration>,
    /// Somebody wants one that begins after the trouble they saw; the one under way may have been answered before it.
    hurried: bool,
    count: u64,
}

impl Schedule {
    /// Wants a probe as soon as the gap to the last one allows.
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Whether somebody wants one that has not begun yet.
    pub(super) fn is_hurried(&self) -> bool {
        self.hurried
    }

    /// Nobody is in a hurry any more.
    pub(super) fn calm(&mut self) {
        self.hurried = false;
    }

    /// When the next is to be started; None while one is under way.
    pub(super) fn starts_at(&self, settings: &Settings) -> Option<Duration> {
        if self.under_way.is_some() {
            return None;
        }
        let Some(started) = self.started else { return Some(Duration::ZERO) };
        let wait = match self.hurried {
            true => settings.probe_gap_min.min(settings.probe_interval),
            false => settings.probe_interval.max(settings.probe_gap_min),
        };
        Some(started.saturating_add(wait))
    }

    /// When the one under way has failed, whatever the shell says of it later.
    pub(super) fn ends_at(&self, settings: &Settings) -> Option<Duration> {
        self.under_way.map(|(_, began)| began.saturating_add(settings.probe_timeout + PROBE_GRACE))
    }

    /// Starts one. Whoever wanted one has it.
    pub(super) fn start(&mut self, now: Duration) -> ProbeNumber {
        self.count += 1;
        let number = ProbeNumber(self.count);
        self.under_way = Some((number, now));
        self.started = Some(now);
        self.hurried = false;
        number
    }

    /// The one under way.
    pub(super) fn under_way(&self) -> Option<ProbeNumber> {
        self.under_way.map(|(number, _)| number)
    }

    /// Ends the probe with this number, and says when it began; None if it is not under way (any more).
    pub(super) fn end(&mut self, number: ProbeNumber) -> Option<Duration> {
        let (_, began) = self.under_way.take_if(|(under_way, _)| *under_way == number)?;
        Some(began)
    }
}
