//! What a seed decides before anything runs: how large the cluster is, how slow its network and disks are, how hard it
//! is hit.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Tasks that ask, each one request after the other.
pub(crate) const CLIENTS: usize = 8;

/// One step of simulated time: every host runs for so long, and messages arrive between steps.
pub(crate) const STEP: Duration = Duration::from_millis(2);

/// How a seed's cluster is.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: u64,
    pub(crate) snapshot_every: u64,
    /// The longest that a message takes when nothing is wrong.
    pub(crate) latency_max: Duration,
    /// How long faults are made for, from the moment that all nodes vote.
    pub(crate) storm: Duration,
    /// Mean time between two faults.
    pub(crate) between_faults: Duration,
    /// How likely a new leader is struck at once.
    pub(crate) strike: f64,
    /// Bytes of the attribute that every mark carries: with large ones a snapshot takes more than one piece.
    pub(crate) mark_bytes: usize,
    pub(crate) reads_without_quorum: bool,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = generator(seed, "plan");
        let mut one_of = |choices: &[u64]| choices[rng.random_range(0..choices.len())];
        Self {
            seed,
            nodes: one_of(&[3, 3, 3, 3, 5]),
            snapshot_every: one_of(&[8, 15, 40, 150]),
            latency_max: Duration::from_millis(one_of(&[2, 5, 12])),
            storm: Duration::from_millis(one_of(&[12_000, 18_000, 25_000])),
            between_faults: Duration::from_millis(one_of(&[300, 700, 1_500, 3_000])),
            strike: one_of(&[0, 20, 50]) as f64 / 100.0,
            mark_bytes: one_of(&[20, 20, 20, 20, 20, 6_000]) as usize,
            reads_without_quorum: one_of(&[0, 1, 1, 1]) == 1,
        }
    }
}

/// A generator for one purpose: what one of them draws does not move the others.
pub(crate) fn generator(seed: u64, purpose: &str) -> StdRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    for (place, byte) in purpose.bytes().enumerate() {
        bytes[8 + place % 24] ^= byte.rotate_left((place / 24) as u32);
    }
    StdRng::from_seed(bytes)
}
