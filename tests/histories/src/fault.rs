//! What happens to the cluster while a history is recorded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lab::Lab;

use crate::Random;

/// Between two looks at what nothing reports.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Shortest time that a leader is away.
const AWAY_MS_MIN: usize = 100;
/// The longest is this much longer: past an election, so that it comes back to another leader.
const AWAY_MS_SPAN: usize = 1200;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// kill -9 of the leader, which is started again at once: it must not take up its old office with old knowledge.
    KillAndStart,
    /// kill -9 of the leader, which is started again later.
    Kill,
    /// SIGSTOP of the leader, and SIGCONT later: it still thinks that it leads.
    Pause,
}

impl Fault {
    /// The fault of a round: none in every other.
    pub fn of_round(round: usize) -> Self {
        [Self::None, Self::KillAndStart, Self::None, Self::Pause, Self::None, Self::Kill][round % 6]
    }

    /// Brings it about once `done` has come to `at`, and waits until the cluster is whole again.
    pub async fn strike(self, lab: &Lab, done: &AtomicUsize, at: usize, random: &mut Random) {
        if self == Self::None {
            return;
        }
        while done.load(Ordering::Relaxed) < at {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        let node = lab.node(lab.leader().await);
        let away = AWAY_MS_MIN + random.below(AWAY_MS_SPAN);
        let away = Duration::from_millis(u64::try_from(away).unwrap());
        match self {
            Self::None => {}
            Self::Pause => {
                node.pause();
                // How long it is away is the fault itself: there is nothing to wait for.
                tokio::time::sleep(away).await;
                node.resume();
            }
            Self::Kill | Self::KillAndStart => {
                node.kill().await;
                if self == Self::Kill {
                    // As above.
                    tokio::time::sleep(away).await;
                }
                let start = node.start().await;
                start.unwrap_or_else(|refused| panic!("{} does not come back: {refused}", node.name));
            }
        }
        lab.wait_whole().await;
    }
}
