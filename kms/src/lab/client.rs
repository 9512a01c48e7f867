//! The client of a lab with two fronts: in a namespace of its own, it asks all the time through their one address, so that
//! `kms lab status` says how long nobody answered when one was killed.

use std::collections::VecDeque;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use kmip::client::{self, ClientConfig, Connection, ServerTrust};
use kmip::operations::discover_versions;
use nix::sched::{CloneFlags, setns};
use tokio::sync::watch;

use super::control::ClientState;
use super::setup::ClientFiles;
use crate::file;

/// Between an answer and the next request, and between two tries to connect.
const INTERVAL: Duration = Duration::from_millis(20);

/// Longest wait for an answer before it connects again: who had the address may be gone without a word.
const PATIENCE: Duration = Duration::from_millis(300);

/// Gaps that ended so long ago are of no interest any more.
const GAP_AGE_MAX: Duration = Duration::from_secs(60);

/// The client, which may not have begun.
#[derive(Debug, Default)]
pub(super) struct Client {
    seen: Arc<Mutex<Seen>>,
    /// Whether it is to go on.
    goes_on: watch::Sender<bool>,
}

/// What befell it.
#[derive(Debug, Default)]
struct Seen {
    answered: u64,
    last: Option<Instant>,
    /// The longest gap that ended in each second, and when.
    gaps: VecDeque<(Instant, Duration)>,
}

/// Whom it asks, and as whom.
pub(super) struct Asks {
    config: ClientConfig,
}

impl Asks {
    /// The lab's client, by these files.
    pub(super) fn new(address: SocketAddr, files: &ClientFiles) -> anyhow::Result<Self> {
        let trust = ServerTrust::Ca { pem: file::read_text(&files.ca())?.into_bytes(), verify_name: true };
        let config = ClientConfig::builder(address.to_string(), trust)
            .identity_pem(file::read_text(&files.cert())?, file::read_text(&files.key())?)
            .connect_timeout(PATIENCE)
            .handshake_timeout(PATIENCE)
            .request_timeout(PATIENCE)
            .build();
        Ok(Asks { config: config.context("reading the lab's client")? })
    }

    /// Over the connection that is open, else a new one; it stays open when the answer came.
    async fn ask(&self, open: &mut Option<Connection>) -> Result<(), client::ClientError> {
        let mut connection = match open.take() {
            Some(connection) => connection,
            None => client::Client::connect(&self.config).await?,
        };
        connection.one(discover_versions::Request::default()).await?;
        *open = Some(connection);
        Ok(())
    }
}

impl Client {
    /// Begins to ask, from within this namespace, on a thread of its own: one that has entered a namespace may do nothing
    /// else any more.
    pub(super) fn start(&self, asks: Asks, namespace: &Path) -> anyhow::Result<()> {
        let of = || format!("entering {}", namespace.display());
        let namespace = File::open(namespace).with_context(of)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        self.goes_on.send_replace(true);
        let (seen, goes_on) = (Arc::clone(&self.seen), self.goes_on.subscribe());
        thread::Builder::new().name("lab-client".to_owned()).spawn(move || {
            // One that cannot enter is seen as one that is never answered.
            if setns(namespace, CloneFlags::CLONE_NEWNET).is_ok() {
                runtime.block_on(ask_on(&asks, &seen, goes_on));
            }
        })?;
        Ok(())
    }

    /// Has it end.
    pub(super) fn stop(&self) {
        self.goes_on.send_replace(false);
    }

    /// What befell it, and who it is.
    pub(super) fn state(&self, address: Ipv4Addr, namespace: String) -> ClientState {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let ms = |gap: Duration| u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
        let now = Instant::now();
        let silent = seen.last.map(|last| now.saturating_duration_since(last));
        let gaps = seen.gaps.iter().filter(|(ended, _)| now.saturating_duration_since(*ended) < GAP_AGE_MAX);
        let longest = gaps.map(|(_, gap)| *gap).chain(silent).max();
        ClientState {
            address,
            namespace,
            answered: seen.answered,
            silent_ms: silent.map(ms),
            gap_ms_max: longest.map(ms),
        }
    }
}

impl Seen {
    fn answer(&mut self, now: Instant) {
        self.answered += 1;
        if let Some(last) = self.last.replace(now) {
            let gap = now.saturating_duration_since(last);
            match self.gaps.back_mut() {
                Some((ended, longest)) if now.saturating_duration_since(*ended) < Duration::from_secs(1) => {
                    *longest = gap.max(*longest);
                }
                Some(_) | None => self.gaps.push_back((now, gap)),
            }
        }
        while self.gaps.front().is_some_and(|(ended, _)| now.saturating_duration_since(*ended) > GAP_AGE_MAX)
        {
            self.gaps.pop_front();
        }
    }
}

async fn ask_on(asks: &Asks, seen: &Mutex<Seen>, goes_on: watch::Receiver<bool>) {
    let mut open = None;
    while *goes_on.borrow() {
        if asks.ask(&mut open).await.is_ok() {
            seen.lock().unwrap_or_else(PoisonError::into_inner).answer(Instant::now());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_that_of_the_last_minute_and_of_the_silence_now() {
        let client = Client::default();
        let state = || client.state(Ipv4Addr::LOCALHOST, String::new());
        assert_eq!((state().answered, state().gap_ms_max, state().silent_ms), (0, None, None));
        let now = Instant::now();
        let Some(before) = now.checked_sub(Duration::from_secs(100)) else { return };
        {
            let mut seen = client.seen.lock().unwrap();
            for ms in [0, 20, 5_020, 5_040, 90_000, 90_700, 90_720] {
                seen.answer(before + Duration::from_millis(ms));
            }
        }
        let seen = state();
        assert_eq!(seen.answered, 7);
        // Of the silence that began a moment short of ten seconds ago; the gap of 85 s ended in the last minute.
        assert_eq!(seen.gap_ms_max, Some(84_960));
        assert!(seen.silent_ms.unwrap() >= 9_280);
    }
}
