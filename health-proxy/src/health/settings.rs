//! The numbers of health, in one place, each with where it comes from.

use std::time::Duration;

/// Probes in a row that must succeed before a node that is Down is Up: one success may be a node that is just dying.
pub const RISE: u32 = 3;

/// Probes in a row that must fail before a node is Down: one failure may be a lost packet.
pub const FALL: u32 = 2;

/// From the start of one probe to the start of the next.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(200);

/// How long a probe may take, from its connect to the last byte of its answer. With [`FALL`] it bounds how long a frozen
/// node stays Up; a healthy one on a busy machine answers in a tenth of it.
pub const PROBE_TIMEOUT: Duration = Duration::from_millis(250);

/// What the shell is given beyond the timeout to say how a probe ended: it knows whether the connection stood. A shell that
/// says nothing by then, since it hangs itself, has its probe counted as failed.
pub const PROBE_GRACE: Duration = Duration::from_millis(50);

/// The least time between the starts of two probes of one node, however much trouble asks for one at once. So a storm of
/// failures costs a node at most 20 handshakes a second.
pub const PROBE_GAP_MIN: Duration = Duration::from_millis(50);

/// A request unanswered for so long asks for a probe: well above a change that waits for three disks.
pub const REQUEST_AGE_MAX: Duration = Duration::from_millis(200);

/// How long a node that came Up gets less than its share. It has its sessions to build and may have a log to catch up.
pub const SLOW_START: Duration = Duration::from_secs(10);

/// How long sessions of a Draining node may go on. vCenter's connections last about a second.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// What an operator may set. Every default is the constant of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Successes in a row that bring a node Up; from 1, and 0 counts as 1. Default [`RISE`].
    pub rise: u32,
    /// Failures in a row that take a node Down; from 1, and 0 counts as 1. Default [`FALL`].
    pub fall: u32,
    /// From the start of one probe to the start of the next. Default [`PROBE_INTERVAL`].
    pub probe_interval: Duration,
    /// What a probe may take; the shell ends it then. From 1 ms to a minute. Default [`PROBE_TIMEOUT`].
    pub probe_timeout: Duration,
    /// The least time between the starts of two probes of one node. Default [`PROBE_GAP_MIN`].
    pub probe_gap_min: Duration,
    /// The age from which an unanswered request asks for a probe. Default [`REQUEST_AGE_MAX`].
    pub request_age_max: Duration,
    /// How long the weight of a node that came Up takes to rise to its full share; zero: at once. Default [`SLOW_START`].
    pub slow_start: Duration,
    /// How long sessions of a Draining node may go on; then they are reset. Default [`DRAIN_TIME_MAX`].
    pub drain_time_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rise: RISE,
            fall: FALL,
            probe_interval: PROBE_INTERVAL,
            probe_timeout: PROBE_TIMEOUT,
            probe_gap_min: PROBE_GAP_MIN,
            request_age_max: REQUEST_AGE_MAX,
            slow_start: SLOW_START,
            drain_time_max: DRAIN_TIME_MAX,
        }
    }
}
