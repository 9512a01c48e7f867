//! Who connects, how it went, and how regularly: what the page says of clients. Pure: `now` is a time since start.
//!
//! vCenter asks its key servers every few minutes, with several connections one after the other. Such a visit counts once,
//! so that its interval can be told, and so that a visit which did not come is seen.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::minutes::{MINUTES, Minutes};
use crate::splice::End;

/// Addresses kept. One more, and the one that was seen longest ago is forgotten, those with open connections last.
pub const CLIENTS_MAX: usize = 256;

/// Visits kept of each address, to tell an interval from; the oldest goes.
pub const VISITS_MAX: usize = 6;

/// Visits from which an interval is told.
pub const VISITS_MIN: usize = 3;

/// A connection that comes so long after the one before begins a new visit.
pub const VISIT_GAP: Duration = Duration::from_secs(10);

/// Intervals after which a client that does not come any more is not expected any more.
const MISSED_MAX: u32 = 3;

/// How a client's connection ended, or that it was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was served, to this end.
    Ended(End),
    /// It was reset at a limit.
    Refused,
}

/// The names of outcomes in JSON, in the order of `Outcome::index`.
pub const OUTCOMES: [&str; 8] =
    ["finished", "idle", "client_gone", "silent", "node_gone", "reset", "no_node", "refused"];

impl Outcome {
    fn index(self) -> usize {
        match self {
            Self::Ended(End::Finished) => 0,
            Self::Ended(End::Idle) => 1,
            Self::Ended(End::ClientGone) => 2,
            Self::Ended(End::Silent) => 3,
            Self::Ended(End::NodeGone) => 4,
            Self::Ended(End::Reset) => 5,
            Self::Ended(End::NoNode) => 6,
            Self::Refused => 7,
        }
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        OUTCOMES[self.index()]
    }
}

/// All clients that are remembered, and what became of connections in the last hour.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    by_address: BTreeMap<IpAddr, Client>,
    forgotten: u64,
    minutes: Minutes<{ OUTCOMES.len() }>,
}

#[derive(Clone, Debug, Default)]
struct Client {
    open: u32,
    total: u64,
    connected: Duration,
    ended: Option<(Duration, Outcome)>,
    visits: VecDeque<Duration>,
    hour: Minutes<1>,
}

/// `GET /api/v1/clients`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientsView {
    /// [`CLIENTS_MAX`].
    pub max: usize,
    /// Addresses forgotten since the start, to stay within it.
    pub forgotten: u64,
    /// Those with open connections first, then by when they were last seen.
    pub clients: Vec<ClientView>,
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientView {
    /// Whose.
    pub address: IpAddr,
    /// Connections at the moment.
    pub open: u32,
    /// Connections since it is remembered.
    pub total: u64,
    /// Connections in the last hour.
    pub last_hour: u64,
    /// Since its last connection began.
    pub connected_ago_ms: u64,
    /// Since one last ended.
    pub ended_ago_ms: Option<u64>,
    /// How that one ended, by the names of [`OUTCOMES`].
    pub how: Option<&'static str>,
    /// From visit to visit, where that is regular.
    pub every_ms: Option<u64>,
    /// Until the next visit, where that can be told and is not late.
    pub next_in_ms: Option<u64>,
    /// How long the next visit is late; none while it is not.
    pub late_ms: Option<u64>,
}

impl Clients {
    /// A connection was taken.
    pub fn connected(&mut self, now: Duration, address: IpAddr) {
        let client = self.client(address);
        client.open += 1;
        client.came(now);
    }

    /// A connection that was taken has ended.
    pub fn ended(&mut self, now: Duration, address: IpAddr, end: End) {
        let outcome = Outcome::Ended(end);
        self.minutes.count(now, outcome.index());
        // One that was forgotten while it was open is not remembered for its end.
        if let Some(client) = self.by_address.get_mut(&address.to_canonical()) {
            client.open = client.open.saturating_sub(1);
            client.ended = Some((now, outcome));
        }
    }

    /// A connection was reset at a limit.
    pub fn refused(&mut self, now: Duration, address: IpAddr) {
        self.minutes.count(now, Outcome::Refused.index());
        let client = self.client(address);
        client.came(now);
        client.ended = Some((now, Outcome::Refused));
    }

    /// What became of connections in the last hour, by minute and in the order of [`OUTCOMES`].
    pub fn hour(&self, now: Duration) -> [[u32; OUTCOMES.len()]; MINUTES] {
        self.minutes.hour(now)
    }

    /// All that is known.
    pub fn view(&self, now: Duration) -> ClientsView {
        let mut clients: Vec<_> =
            self.by_address.iter().map(|(address, client)| client.view(now, *address)).collect();
        clients.sort_by_key(|client| {
            let seen = client.ended_ago_ms.unwrap_or(u64::MAX).min(client.connected_ago_ms);
            (client.open == 0, seen)
        });
        ClientsView { max: CLIENTS_MAX, forgotten: self.forgotten, clients }
    }

    fn client(&mut self, address: IpAddr) -> &mut Client {
        let address = address.to_canonical();
        if self.by_address.len() >= CLIENTS_MAX && !self.by_address.contains_key(&address) {
            let oldest = self.by_address.iter().min_by_key(|(_, client)| (client.open > 0, client.seen()));
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.by_address.remove(&oldest);
                self.forgotten += 1;
            }
        }
        self.by_address.entry(address).or_default()
    }
}

impl Client {
    fn came(&mut self, now: Duration) {
        if self.total == 0 || now.saturating_sub(self.connected) >= VISIT_GAP {
            if self.visits.len() >= VISITS_MAX {
                self.visits.pop_front();
            }
            self.visits.push_back(now);
        }
        self.total += 1;
        self.connected = now;
        self.hour.count(now, 0);
    }

    fn seen(&self) -> Duration {
        self.ended.map_or(self.connected, |(at, _)| at.max(self.connected))
    }

    fn view(&self, now: Duration, address: IpAddr) -> ClientView {
        let ago = |at: Duration| ms(now.saturating_sub(at));
        let every = interval(&self.visits);
        let due = every.zip(self.visits.back()).map(|(every, last)| (every, *last + every));
        let due = due.filter(|(every, due)| now <= *due + *every * (MISSED_MAX - 1));
        let late = due.filter(|(every, due)| now > *due + tolerance(*every));
        ClientView {
            address,
            open: self.open,
            total: self.total,
            last_hour: self.hour.total(now),
            connected_ago_ms: ago(self.connected),
            ended_ago_ms: self.ended.map(|(at, _)| ago(at)),
            how: self.ended.map(|(_, outcome)| outcome.name()),
            every_ms: due.map(|(every, _)| ms(every)),
            next_in_ms: due.filter(|_| late.is_none()).map(|(_, due)| ms(due.saturating_sub(now))),
            late_ms: late.map(|(_, due)| ago(due)),
        }
    }
}

/// The median of the times between visits, if all are about that long.
fn interval(visits: &VecDeque<Duration>) -> Option<Duration> {
    if visits.len() < VISITS_MIN {
        return None;
    }
    let mut gaps: Vec<_> =
        visits.iter().zip(visits.iter().skip(1)).map(|(from, to)| to.saturating_sub(*from)).collect();
    gaps.sort_unstable();
    let every = gaps[gaps.len() / 2];
    gaps.iter().all(|gap| gap.abs_diff(every) <= tolerance(every)).then_some(every)
}

/// A fifth, and what a busy machine may add.
fn tolerance(every: Duration) -> Duration {
    every / 5 + Duration::from_secs(2)
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
