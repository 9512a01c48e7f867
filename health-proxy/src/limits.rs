//! The bounds of connections, each with a name, and the counters that keep them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// `[limits]`; the table of keys says what happens at each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Clients' connections at once.
    pub connections_max: usize,
    /// Those of one address.
    pub connections_per_address_max: usize,
    /// Until the first byte.
    pub handshake_timeout: Duration,
    /// Without a byte in either direction.
    pub idle_timeout: Duration,
    /// The same once one side has ended its half.
    pub half_closed_timeout: Duration,
    /// One connect to one node.
    pub connect_timeout: Duration,
    /// All tries to find a node together.
    pub node_wait: Duration,
    /// How long a peer may not acknowledge what was sent to it.
    pub unacknowledged: Duration,
    /// Silence after which TCP asks.
    pub keepalive: Duration,
    /// Bytes held for slow peers, of all sessions together.
    pub held_bytes_max: usize,
    /// How long sessions may go on after SIGTERM.
    pub drain_timeout: Duration,
}

/// Which limit a connection met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// `connections_max`.
    All,
    /// `connections_per_address_max`.
    Address,
}

/// Who sits: counts connections, in all and by address.
#[derive(Debug, Default)]
pub struct Seats {
    taken: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Seats {
    /// A seat for a client at `address`, given back when it is dropped.
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn take(self: &Arc<Self>, address: SocketAddr, limits: &Limits) -> Result<Seat, Full> {
        let address = counted_as(address.ip());
        let free = |taken: usize| (taken < limits.connections_max).then_some(taken + 1);
        if self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).is_err() {
            return Err(Full::All);
        }
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= limits.connections_per_address_max {
            self.taken.fetch_sub(1, Ordering::AcqRel);
            return Err(Full::Address);
        }
        *count += 1;
        drop(by_address);
        Ok(Seat { seats: Arc::clone(self), address })
    }

    /// Connections at the moment.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

/// The right to one connection.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_address = self.seats.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
        drop(by_address);
        self.seats.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One host of IPv6 commands its whole /64, so that is counted.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

/// Bytes that are held for peers slow to take them, counted over all sessions.
#[derive(Debug, Default)]
pub struct Held {
    bytes: AtomicUsize,
}

impl Held {
    /// Whether no more should be held. Who looked before may still add one read's worth, so that the bound may be passed
    /// by that much a thread.
    pub(crate) fn is_full(&self, bytes_max: usize) -> bool {
        self.bytes.load(Ordering::Relaxed) >= bytes_max
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Bytes held at the moment.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(address: &str) -> IpAddr {
        counted_as(address.parse().unwrap())
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        assert_eq!(counted("2001:db8::1"), counted("2001:db8::ffff:2"));
        assert_ne!(counted("2001:db8::1"), counted("2001:db8:0:1::1"));
        assert_eq!(counted("::ffff:192.0.2.1"), counted("192.0.2.1"));
        assert_ne!(counted("192.0.2.1"), counted("192.0.2.2"));
    }

    #[test]
    fn what_is_held_stays_within_its_bound_and_comes_back() {
        let held = Held::default();
        held.add(60);
        assert!(!held.is_full(100));
        held.add(40);
        assert!(held.is_full(100));
        held.give_back(100);
        assert_eq!(held.bytes(), 0);
    }
}
