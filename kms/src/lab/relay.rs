//! The way between the lab's nodes: each is known to the others by a port of this process, which carries bytes on to the
//! node's own. So a link can be cut or slowed without being root, as no firewall has to be asked.
//!
//! Each node's links start from an address of its own, 127.0.1.N, which tells who comes; all of 127/8 is this machine's.
//! In the same way two fronts, in networks of their own, reach nodes that listen on this machine alone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections that one relay carries at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 256;

/// Most bytes that are read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Pieces on their way in one direction of a connection: 4 MiB. While so many are, no more are read, so a slow link
/// carries at most this much for each delay.
const PIECES_MAX: usize = 256;

/// Longest wait for a node to take a connection: it is on this machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two tries to accept after the system had no room for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The address that the links of node `number` start from, from 1.
pub(super) fn source(number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, u8::try_from(number).unwrap_or(u8::MAX)))
}

/// How the links of one node are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// Nothing passes.
    pub(super) cut: bool,
    /// How much later each byte arrives, to and from the node.
    pub(super) delay: Duration,
}

/// The links of all nodes, as they are now. Ends all it carries when it is dropped.
#[derive(Debug)]
pub(super) struct Network {
    /// By node number, less one.
    links: watch::Sender<Vec<Link>>,
    _relays: JoinSet<()>,
}

impl Network {
    /// Carries connections to these nodes, numbered from 1: where each is known, and where it really listens. Fails
    /// when the system does not take a listener.
    pub(super) fn start(nodes: Vec<(std::net::TcpListener, SocketAddr)>) -> anyhow::Result<Self> {
        let sources = (1..=nodes.len()).map(source).collect();
        Self::carry(nodes, sources, true)
    }

    /// The same for the links of others, which come from these addresses and are numbered from 1: the nodes have none of
    /// their own here.
    pub(super) fn of_others(
        nodes: Vec<(std::net::TcpListener, SocketAddr)>,
        others: Vec<IpAddr>,
    ) -> anyhow::Result<Self> {
        Self::carry(nodes, others, false)
    }

    fn carry(
        nodes: Vec<(std::net::TcpListener, SocketAddr)>,
        sources: Vec<IpAddr>,
        are_nodes: bool,
    ) -> anyhow::Result<Self> {
        let links = watch::Sender::new(vec![Link::default(); sources.len()]);
        let sources: Arc<[IpAddr]> = sources.into();
        let mut relays = JoinSet::new();
        for (to, (listener, target)) in nodes.into_iter().enumerate() {
            let to = Some(to).filter(|_| are_nodes);
            listener.set_nonblocking(true).context("making a link's port ready")?;
            let listener = TcpListener::from_std(listener).context("making a link's port ready")?;
            relays.spawn(relay(listener, target, (Arc::clone(&sources), to), links.subscribe()));
        }
        Ok(Network { links, _relays: relays })
    }

    /// How the links of a node are, numbered from 1.
    pub(super) fn link(&self, number: usize) -> Link {
        self.links.borrow().get(number.wrapping_sub(1)).copied().unwrap_or_default()
    }

    /// Changes them, at once and for connections that are there too.
    pub(super) fn change(&self, number: usize, change: impl FnOnce(&mut Link)) {
        self.links.send_modify(|links| {
            if let Some(link) = links.get_mut(number.wrapping_sub(1)) {
                change(link);
            }
        });
    }
}

/// Takes connections to one node until it is aborted.
async fn relay(
    listener: TcpListener,
    target: SocketAddr,
    (sources, to): (Arc<[IpAddr]>, Option<usize>),
    links: watch::Receiver<Vec<Link>>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut carried = JoinSet::new();
    loop {
        while carried.try_join_next().is_some() {}
        let Ok(seat) = Arc::clone(&room).acquire_owned().await else { return };
        let (inbound, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The other side is gone already, or the system has no room: neither is for ever.
            Err(_) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let ends = Ends { from: sources.iter().position(|source| *source == from.ip()), to };
        let links = links.clone();
        carried.spawn(async move {
            // A connection that breaks is for its two ends to notice.
            let _ = carry(inbound, target, ends, links).await;
            drop(seat);
        });
    }
}

/// Whose links a connection is on.
#[derive(Clone, Copy, Debug)]
struct Ends {
    /// None for one that is no node yet, as it joins.
    from: Option<usize>,
    /// None where nodes have no links.
    to: Option<usize>,
}

impl Ends {
    fn of(self, links: &[Link]) -> impl Iterator<Item = Link> {
        [self.from, self.to].into_iter().flatten().filter_map(|index| links.get(index).copied())
    }

    fn are_cut(self, links: &[Link]) -> bool {
        self.of(links).any(|link| link.cut)
    }

    fn delay(self, links: &[Link]) -> Duration {
        self.of(links).map(|link| link.delay).sum()
    }
}

/// Carries one connection until an end closes it, or it is cut.
async fn carry(
    inbound: TcpStream,
    target: SocketAddr,
    ends: Ends,
    links: watch::Receiver<Vec<Link>>,
) -> io::Result<()> {
    if ends.are_cut(&links.borrow()) {
        return Ok(());
    }
    let outbound = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(target)).await??;
    inbound.set_nodelay(true)?;
    outbound.set_nodelay(true)?;
    let (from_client, to_client) = inbound.into_split();
    let (from_node, to_node) = outbound.into_split();
    let both = async {
        tokio::join!(
            pass(from_client, to_node, ends, links.clone()),
            pass(from_node, to_client, ends, links.clone())
        )
    };
    let mut watched = links.clone();
    tokio::select! {
        _ = both => {}
        _ = watched.wait_for(|links| ends.are_cut(links)) => {}
    }
    Ok(())
}

/// Passes bytes on in one direction, each as much later as the links are slow when it comes. Their order is kept.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    ends: Ends,
    links: watch::Receiver<Vec<Link>>,
) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let read = async move {
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            // An end that broke is an end.
            let got = from.read(&mut piece).await.unwrap_or(0);
            if got == 0 {
                return;
            }
            piece.truncate(got);
            let due = Instant::now() + ends.delay(&links.borrow());
            if sender.send((due, piece)).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = pieces.recv().await {
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        // The other direction may go on.
        let _ = to.shutdown().await;
    };
    let read_to_the_end = async {
        read.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = write => {}
        () = read_to_the_end => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    /// Two nodes that echo what they are sent, and the ports at which they are known.
    async fn network() -> (Network, [SocketAddr; 2]) {
        let mut nodes = Vec::new();
        for _ in 0..2 {
            let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let target = echo.local_addr().unwrap();
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = echo.accept().await.unwrap();
                    tokio::spawn(async move {
                        let (mut from, mut to) = stream.split();
                        tokio::io::copy(&mut from, &mut to).await
                    });
                }
            });
            nodes.push((std::net::TcpListener::bind("127.0.0.1:0").unwrap(), target));
        }
        let known = [0, 1].map(|node: usize| nodes[node].0.local_addr().unwrap());
        (Network::start(nodes).unwrap(), known)
    }

    async fn connect(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(to).await
    }

    /// Sends a byte and waits for its echo: how long that took, nothing where the connection is closed.
    async fn ask(stream: &mut TcpStream) -> Option<Duration> {
        let began = Instant::now();
        stream.write_all(b"x").await.ok()?;
        stream.read_exact(&mut [0]).await.ok()?;
        Some(began.elapsed())
    }

    #[tokio::test]
    async fn a_link_carries_bytes_both_ways_and_its_end() {
        let (_network, known) = network().await;
        let mut stream = connect(source(2), known[0]).await.unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let (mut from, mut to) = stream.split();
        let mut back = Vec::new();
        let send = async {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let (read, ()) = tokio::join!(from.read_to_end(&mut back), send);
        read.unwrap();
        assert!(back == sent, "{} bytes came back", back.len());
    }

    #[tokio::test]
    async fn a_cut_node_reaches_nobody_and_nobody_reaches_it() {
        let (network, known) = network().await;
        let (mut to, mut from) =
            (connect(source(2), known[0]).await.unwrap(), connect(source(1), known[1]).await.unwrap());
        let mut joining = connect(IpAddr::V4(Ipv4Addr::LOCALHOST), known[1]).await.unwrap();
        for stream in [&mut to, &mut from, &mut joining] {
            ask(stream).await.unwrap();
        }
        network.change(1, |link| link.cut = true);
        assert!(ask(&mut to).await.is_none() && ask(&mut from).await.is_none());
        assert!(ask(&mut joining).await.is_some(), "others are not concerned");
        for (from, to) in [(source(2), known[0]), (source(1), known[1])] {
            let mut again = connect(from, to).await.unwrap();
            assert!(ask(&mut again).await.is_none());
        }
        network.change(1, |link| *link = Link::default());
        ask(&mut connect(source(1), known[1]).await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn the_links_of_others_are_told_by_where_they_come_from() {
        let (_network, known) = network().await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let network = Network::of_others(vec![(listener, known[0])], vec![source(7), source(8)]).unwrap();
        let (mut first, mut second) =
            (connect(source(7), at).await.unwrap(), connect(source(8), at).await.unwrap());
        assert!(ask(&mut first).await.is_some() && ask(&mut second).await.is_some());
        network.change(1, |link| link.cut = true);
        assert!(ask(&mut first).await.is_none() && ask(&mut second).await.is_some());
    }

    #[tokio::test]
    async fn a_slow_node_is_slow_both_ways_on_connections_that_are_there() {
        let (network, known) = network().await;
        let mut stream = connect(source(2), known[0]).await.unwrap();
        ask(&mut stream).await.unwrap();
        let delay = Duration::from_millis(200);
        network.change(2, |link| link.delay = delay);
        assert!(ask(&mut stream).await.unwrap() >= 2 * delay);
        network.change(2, |link| *link = Link::default());
        assert!(ask(&mut stream).await.unwrap() < 2 * delay);
    }
}
