//! What is told about a node: by itself, by probes, by sessions, by an administrator.

use std::fmt;
use std::time::Duration;

/// A node, by a number that the shell gives it. A number is never given to another node while the front runs, also not
/// after a reload: a late word about one that is gone must not hit another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// One probe of one node, counted from 1. The shell gives it back with the outcome, so that a probe that was given up is
/// not taken for the one that followed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbeNumber(pub u64);

/// Where a node is for the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It answers probes, and gets connections.
    Up,
    /// It does not answer them, or has not been asked yet.
    Down,
    /// It answers them, but an administrator wants it empty.
    Draining,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Up => "Up",
            State::Down => "Down",
            State::Draining => "Draining",
        })
    }
}

/// What a node of ours says of itself when it is probed. A third-party server says nothing of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its number in the cluster.
    pub member: u64,
    /// The number of the leader, as far as it knows.
    pub leader: Option<u64>,
    /// It answers reads: current ones if it can also write, else of the objects that it holds.
    pub read: bool,
    /// It takes requests that change something: it is with the majority, whether it leads or hands them on.
    pub write: bool,
    /// The index of the last entry of the log that it carried out.
    pub applied: u64,
    /// Entries that it knows of and has not carried out yet.
    pub lag: u64,
}

impl Report {
    /// Whether it leads, by its own word. Two may say so for a moment.
    pub fn leads(&self) -> bool {
        self.leader == Some(self.member)
    }

    /// Where it stands with the majority.
    pub fn standing(&self) -> Standing {
        match (self.write, self.read) {
            (true, _) => Standing::Whole,
            (false, true) => Standing::Cut,
            (false, false) => Standing::Outside,
        }
    }
}

/// What a node is good for, in the words that the nodes themselves use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// With the majority: reads and changes. Also a server that says nothing of itself, since nothing speaks against it.
    Whole,
    /// Cut off from the majority: it gives out what it holds and refuses changes.
    Cut,
    /// Neither: it has not been taken in yet, or may give nothing out alone.
    Outside,
}

/// Something that happened to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A probe was answered as it should be.
    ProbeSucceeded {
        /// Which one.
        probe: ProbeNumber,
        /// What the node says of itself; None for a third-party server.
        report: Option<Report>,
    },
    /// A probe was not.
    ProbeFailed {
        /// Which one.
        probe: ProbeNumber,
        /// Whether the TCP connection stood at least: then the node is not proved dead.
        connected: bool,
        /// Why, in words for a person. Cut to [`super::REASON_CHARS_MAX`] characters.
        reason: String,
    },
    /// A connection for a client stood.
    Connected,
    /// A connection for a client did not come about. It asks for a probe.
    ConnectFailed {
        /// Why, in words for a person.
        reason: String,
    },
    /// A connection ended before the response to a request on it. It asks for a probe.
    EndedEarly,
    /// The age of the oldest request that the node has not answered. It asks for a probe when it is
    /// [`super::Settings::request_age_max`] or more.
    RequestWaits {
        /// Since the request was sent to the node whole.
        age: Duration,
    },
    /// An administrator wants the node empty.
    Drain,
    /// An administrator wants it back.
    Ready,
}

/// What the shell has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Probe the node, and say how it went with the same number. The shell ends the probe after `timeout` itself and
    /// reports it as failed; [`super::PROBE_GRACE`] later it has failed here, and its outcome is not heard any more.
    Probe {
        /// Whom.
        node: NodeId,
        /// Which probe it is.
        probe: ProbeNumber,
        /// How long it may take.
        timeout: Duration,
    },
    /// Reset all sessions with the node, now: who waits on them waits for nothing.
    ResetSessions {
        /// Whose.
        node: NodeId,
    },
    /// Let what is under way with the node end, close what idles, begin nothing. At `until` comes
    /// [`Action::ResetSessions`] for what is left.
    EndSessions {
        /// Whose.
        node: NodeId,
        /// By when, in time since start.
        until: Duration,
    },
    /// Sessions with the node may stay after all.
    KeepSessions {
        /// Whose.
        node: NodeId,
    },
    /// The node's state changed: for the log.
    Announce {
        /// Whose.
        node: NodeId,
        /// From what to what, and why.
        change: Transition,
    },
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When, in time since start.
    pub at: Duration,
    /// What it was.
    pub from: State,
    /// What it is.
    pub to: State,
    /// Why, in words for a person.
    pub reason: String,
}
