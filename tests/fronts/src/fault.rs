//! What happens to a node behind a front, and how it ends.

use std::time::Duration;

use lab::Lab;

use crate::relay::Relay;

/// How long a byte is on its way to or from a node whose link is slow.
pub(crate) const SLOW: Duration = Duration::from_millis(200);

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL.
    Kill(Victim),
    /// SIGSTOP, and SIGCONT at its end.
    Freeze(Victim),
    /// Every packet to and from it is dropped.
    Drop(Victim),
    /// All nodes, one after the other: SIGTERM, start, wait until the cluster is whole.
    RollingRestart,
    /// 200 ms, each way, between front and one node that does not lead.
    SlowLink,
}

/// Whom it befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The node that leads.
    Leader,
    /// One that does not.
    Follower,
}

impl Fault {
    /// All, in the order of the table.
    pub const ALL: [Fault; 8] = [
        Fault::Kill(Victim::Leader),
        Fault::Kill(Victim::Follower),
        Fault::Freeze(Victim::Leader),
        Fault::Freeze(Victim::Follower),
        Fault::Drop(Victim::Leader),
        Fault::Drop(Victim::Follower),
        Fault::RollingRestart,
        Fault::SlowLink,
    ];

    /// The heading of its row.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Kill(Victim::Leader) => "kill -9, leader",
            Fault::Kill(Victim::Follower) => "kill -9, follower",
            Fault::Freeze(Victim::Leader) => "frozen, leader",
            Fault::Freeze(Victim::Follower) => "frozen, follower",
            Fault::Drop(Victim::Leader) => "packets dropped, leader",
            Fault::Drop(Victim::Follower) => "packets dropped, follower",
            Fault::RollingRestart => "rolling restart",
            Fault::SlowLink => "link to a follower slow",
        }
    }

    /// Whether it needs a network of its own.
    pub fn needs_network(self) -> bool {
        matches!(self, Fault::Drop(_))
    }

    /// Has it happen to node `victim`. A rolling restart is over when this returns.
    pub(crate) async fn begin(self, lab: &Lab, victim: usize, relay: Option<&Relay>) {
        let node = lab.node(victim);
        match self {
            Fault::Kill(_) => _ = node.kill().await,
            Fault::Freeze(_) => node.pause(),
            Fault::Drop(_) => lab::cut_off(&[node]),
            Fault::RollingRestart => {
                for node in lab.nodes() {
                    node.restart().await;
                    lab.wait_whole().await;
                }
            }
            Fault::SlowLink => relay.into_iter().for_each(|relay| relay.delay(SLOW)),
        }
    }

    /// Takes it back, and waits until the cluster is whole.
    pub(crate) async fn end(self, lab: &Lab, victim: usize, relay: Option<&Relay>) {
        match self {
            Fault::Kill(_) => lab.node(victim).spawn(),
            Fault::Freeze(_) => lab.node(victim).resume(),
            Fault::Drop(_) => lab::cut_off(&[]),
            Fault::RollingRestart => {}
            Fault::SlowLink => relay.into_iter().for_each(|relay| relay.delay(Duration::ZERO)),
        }
        lab.wait_whole().await;
    }

    pub(crate) async fn victim(self, lab: &Lab) -> usize {
        match self {
            Fault::Kill(Victim::Leader) | Fault::Freeze(Victim::Leader) | Fault::Drop(Victim::Leader) => {
                lab.leader().await
            }
            _ => lab.follower().await,
        }
    }
}
