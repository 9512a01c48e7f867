//! The hand that writes the log: it alone holds the [`Log`], gathers all that waits, and syncs once for all of it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use openraft::storage::LogFlushed;
use rand08::RngCore;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::log::Shared;
use super::runtime::{Draw, Types};
use super::types::Writing;
use crate::disk::{Entry, Log, LogError};

/// Changes that one sync carries at most.
const GATHER_MAX: usize = 1024;

/// Entries purged between two syncs, so that nothing waits for the whole of a purge.
const PURGE_STEP: u64 = 256;

/// The longest that a sync takes in simulation, on the runtime's clock; how long each takes is drawn.
const SIMULATED_SYNC_MS_MAX: u64 = 4;

/// What the hand is asked to do, in order.
pub(super) enum Work {
    /// Entries at the end, the metadata as it then is, and whom to tell when they are durable.
    Append { entries: Vec<Entry>, metadata: Option<Vec<u8>>, flushed: Option<LogFlushed<Types>> },
    /// This entry and all after it go.
    Truncate { from: u64 },
    /// The metadata alone.
    Metadata(Vec<u8>),
    /// All entries up to here go, when the metadata that says so is written.
    Purge { to: u64, metadata: Vec<u8> },
    /// The log becomes empty and goes on behind this entry.
    Restart { at: u64, metadata: Vec<u8> },
    /// Some entries are wanted that are not in memory any more.
    Read { range: Range<u64>, bytes_max: usize, answer: oneshot::Sender<Result<Vec<Entry>, String>> },
    /// Nothing more comes.
    End(oneshot::Sender<()>),
}

/// Sets the hand to work; the seed is for simulation alone.
pub(super) fn start(
    log: Box<dyn Log>,
    purge_to: u64,
    (writing, seed): (Writing, u64),
    shared: Arc<Shared>,
    work: mpsc::UnboundedReceiver<Work>,
) -> std::io::Result<()> {
    let hand = Hand { log, shared, metadata: None, purge_to, flushed: Vec::new(), done: 0, ended: None };
    match writing {
        Writing::Thread => {
            std::thread::Builder::new().name("log".to_owned()).spawn(move || hand.run(work))?;
        }
        Writing::Inline => drop(tokio::spawn(hand.run_simulated(work, Draw::of(seed)))),
    }
    Ok(())
}

struct Hand {
    log: Box<dyn Log>,
    shared: Arc<Shared>,
    /// To be put before the next sync.
    metadata: Option<Vec<u8>>,
    /// The log is to be purged up to here.
    purge_to: u64,
    /// Whom to tell after the next sync.
    flushed: Vec<LogFlushed<Types>>,
    /// Number of changes carried out so far.
    done: u64,
    /// Why nothing is done any more.
    ended: Option<String>,
}

impl Hand {
    fn run(mut self, mut queue: mpsc::UnboundedReceiver<Work>) {
        let mut gathered = VecDeque::new();
        loop {
            let next = if self.purges() { queue.try_recv().ok() } else { queue.blocking_recv() };
            match next {
                Some(work) => gathered.push_back(work),
                None if self.purges() => self.purge_step(),
                None => return,
            }
            gather(&mut queue, &mut gathered);
            let end = self.carry_out(&mut gathered);
            self.sync();
            if let Some(end) = end {
                return self.end(end);
            }
            self.purge_step();
        }
    }

    async fn run_simulated(mut self, mut queue: mpsc::UnboundedReceiver<Work>, mut draw: Draw) {
        let mut gathered = VecDeque::new();
        while let Some(work) = queue.recv().await {
            gathered.push_back(work);
            gather(&mut queue, &mut gathered);
            let end = self.carry_out(&mut gathered);
            let took = draw.next_u64() % (SIMULATED_SYNC_MS_MAX + 1);
            tokio::time::sleep(Duration::from_millis(took)).await;
            self.sync();
            if let Some(end) = end {
                return self.end(end);
            }
            while self.purges() {
                self.purge_step();
            }
        }
    }

    /// Carries out everything that was gathered but the sync; gives back whom to tell when it was the last.
    fn carry_out(&mut self, gathered: &mut VecDeque<Work>) -> Option<oneshot::Sender<()>> {
        while let Some(work) = gathered.pop_front() {
            if let Work::End(ended) = work {
                return Some(ended);
            }
            if self.ended.is_none()
                && let Err(error) = self.carry_out_one(work)
            {
                self.fail(&error.to_string());
            }
        }
        None
    }

    fn carry_out_one(&mut self, work: Work) -> Result<(), LogError> {
        match work {
            Work::Append { entries, metadata, flushed } => {
                self.done += 1;
                self.flushed.extend(flushed);
                self.log.append(&entries)?;
                // Written behind the entries, so that it never says of one that is not there that it is decided.
                self.metadata = metadata.or(self.metadata.take());
            }
            Work::Truncate { from } => {
                self.done += 1;
                self.log.truncate_from(from)?;
            }
            Work::Metadata(bytes) => {
                self.done += 1;
                self.metadata = Some(bytes);
            }
            Work::Purge { to, metadata } => {
                self.done += 1;
                // Before the purge: what is gone must be known by its term.
                self.log.put_metadata(&metadata)?;
                self.metadata = None;
                self.purge_to = self.purge_to.max(to);
            }
            Work::Restart { at, metadata } => {
                self.done += 1;
                // Entries that another leader's snapshot made void must be gone before the log says that it follows it.
                self.log.truncate_from(self.log.first())?;
                self.log.put_metadata(&metadata)?;
                self.metadata = None;
                self.log.purge_to(at)?;
            }
            Work::Read { range, bytes_max, answer } => {
                let read = self.log.read(range, bytes_max);
                // An error of `send` is a reader that no longer waits.
                let _ = answer.send(read.map_err(|error| error.to_string()));
            }
            Work::End(_) => {}
        }
        Ok(())
    }

    /// Makes durable what was carried out, and tells whoever waits.
    fn sync(&mut self) {
        if self.ended.is_none() {
            let put = self.metadata.take().map_or(Ok(()), |bytes| self.log.put_metadata(&bytes));
            if let Err(error) = put.and_then(|()| self.log.sync()) {
                self.fail(&error.to_string());
            }
        }
        match &self.ended {
            None => {
                self.shared.durable_up_to(self.done, self.log.syncs());
                self.flushed.drain(..).for_each(|flushed| flushed.log_io_completed(Ok(())));
            }
            Some(why) => {
                for flushed in self.flushed.drain(..) {
                    flushed.log_io_completed(Err(std::io::Error::other(why.clone())));
                }
            }
        }
    }

    fn fail(&mut self, why: &str) {
        error!("the log cannot be written or read, this node stops taking part: {why}");
        self.ended = Some(why.to_owned());
        self.shared.ended(why);
    }

    fn purges(&self) -> bool {
        self.ended.is_none() && self.purge_to >= self.log.first()
    }

    fn purge_step(&mut self) {
        if !self.purges() {
            return;
        }
        let step = self.purge_to.min(self.log.first().saturating_add(PURGE_STEP));
        if let Err(error) = self.log.purge_to(step) {
            self.fail(&error.to_string());
        }
    }

    /// Closes the log before saying so: whoever waits may open it again.
    fn end(self, ended: oneshot::Sender<()>) {
        let Self { log, shared, .. } = self;
        drop(log);
        shared.ended("it was stopped");
        let _ = ended.send(());
    }
}

fn gather(queue: &mut mpsc::UnboundedReceiver<Work>, gathered: &mut VecDeque<Work>) {
    while gathered.len() < GATHER_MAX
        && let Ok(work) = queue.try_recv()
    {
        gathered.push_back(work);
    }
}
