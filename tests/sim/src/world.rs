//! What all parts of a simulation share: the plan, the nodes, what was said and what was found.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kms_server::disk::MemoryDisk;
use kms_server::engine::MemorySnapshots;
use kms_server::node::Taker;
use kms_server::root_key::RootKey;

use crate::disk::Shadow;
use crate::invariants::{Broken, Verdict};
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::trace::Trace;
use crate::votes::Votes;

/// Shared by everything in one simulation, which is one thread: no lock is ever waited for.
pub(crate) struct World {
    pub(crate) plan: Plan,
    /// Where wrapped data keys are, one file a node; they outlive a crash.
    pub(crate) keyrings: PathBuf,
    pub(crate) root: RootKey,
    pub(crate) stores: Vec<Store>,
    pub(crate) votes: Votes,
    trace: Mutex<Trace>,
    oracle: Mutex<Oracle>,
    running: Mutex<Vec<Option<Taker>>>,
    broken: Mutex<Option<Broken>>,
    phase: AtomicU64,
    /// Clients that still work.
    pub(crate) working: AtomicUsize,
    /// Microseconds at the last step.
    stepped: AtomicU64,
}

/// What a simulation goes through.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    /// The nodes become one cluster.
    Gathering = 1,
    /// All nodes vote.
    Whole,
    /// Clients ask, faults are made.
    Storm,
    /// Everything is mended, and must work.
    Calm,
    /// All is checked.
    Over,
}

/// What a node keeps over a crash.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) disk: MemoryDisk,
    pub(crate) snapshots: MemorySnapshots,
    pub(crate) shadow: Arc<Mutex<Shadow>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(plan: Plan, keyrings: PathBuf, root: RootKey, aloud: bool) -> Arc<Self> {
        let nodes = plan.nodes as usize;
        Arc::new(Self {
            plan,
            keyrings,
            root,
            stores: (0..nodes).map(|_| Store::default()).collect(),
            votes: Votes::new(nodes),
            trace: Mutex::new(Trace::new(aloud)),
            oracle: Mutex::default(),
            running: Mutex::new(vec![None; nodes]),
            broken: Mutex::default(),
            phase: AtomicU64::new(Phase::Gathering as u64),
            working: AtomicUsize::new(crate::plan::CLIENTS),
            stepped: AtomicU64::new(0),
        })
    }

    /// Notes an event.
    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        lock(&self.trace).note(self.now(), what);
    }

    /// Simulated time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        let stepped = || Duration::from_micros(self.stepped.load(Ordering::Relaxed));
        turmoil::sim_elapsed().unwrap_or_else(stepped)
    }

    /// A step of all hosts is over.
    pub(crate) fn stepped(&self, elapsed: Duration) {
        self.stepped.store(elapsed.as_micros() as u64, Ordering::Relaxed);
    }

    pub(crate) fn trace(&self) -> MutexGuard<'_, Trace> {
        lock(&self.trace)
    }

    pub(crate) fn oracle(&self) -> MutexGuard<'_, Oracle> {
        lock(&self.oracle)
    }

    pub(crate) fn store(&self, node: u64) -> &Store {
        &self.stores[node as usize - 1]
    }

    pub(crate) fn nodes(&self) -> std::ops::RangeInclusive<u64> {
        1..=self.plan.nodes
    }

    /// The running node of this number; none while it is down.
    pub(crate) fn taker(&self, node: u64) -> Option<Taker> {
        lock(&self.running)[node as usize - 1].clone()
    }

    pub(crate) fn set_taker(&self, node: u64, taker: Option<Taker>) {
        lock(&self.running)[node as usize - 1] = taker;
    }

    /// Keeps the first invariant that broke.
    pub(crate) fn hold(&self, verdict: Verdict) {
        if let Err(broken) = verdict {
            self.note(format_args!("broken: {}", broken.sentence));
            lock(&self.broken).get_or_insert(broken);
        }
    }

    pub(crate) fn broken(&self) -> Option<Broken> {
        lock(&self.broken).clone()
    }

    /// Whether the simulation is in this phase or a later one.
    pub(crate) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) >= phase as u64
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.note(format_args!("{phase:?}"));
        self.phase.store(phase as u64, Ordering::Relaxed);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
