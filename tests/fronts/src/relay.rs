//! A relay before one node, which holds every byte back for as long as it is told.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Bytes read at once.
const READ_BYTES: usize = 16 << 10;

/// Reads that may be held back in one direction; the next waits in the sender's socket.
const READS_HELD_MAX: usize = 256;

/// Relays; dropped, they are gone with all their connections.
#[derive(Debug)]
pub(crate) struct Relay {
    delay_us: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

impl Relay {
    /// None yet, and no delay.
    pub(crate) fn new() -> Self {
        Self { delay_us: Arc::default(), tasks: JoinSet::new() }
    }

    /// Relays to one more address; says where.
    ///
    /// # Errors
    /// Where no port can be had.
    pub(crate) async fn before(&mut self, target: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let delay_us = Arc::clone(&self.delay_us);
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let delay_us = Arc::clone(&delay_us);
                connections.spawn(async move {
                    // One that breaks is a broken connection to both sides.
                    let _ = carry(client, target, &delay_us).await;
                });
            }
        });
        Ok(address)
    }

    /// From now on each byte is so long on its way, in either direction.
    pub(crate) fn delay(&self, delay: Duration) {
        self.delay_us.store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Default for Relay {
    fn default() -> Self {
        Self::new()
    }
}

async fn carry(client: TcpStream, target: SocketAddr, delay_us: &AtomicU64) -> io::Result<()> {
    let node = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    node.set_nodelay(true)?;
    let (client_reads, client_writes) = client.into_split();
    let (node_reads, node_writes) = node.into_split();
    let up = direction(client_reads, node_writes, delay_us);
    let down = direction(node_reads, client_writes, delay_us);
    tokio::try_join!(up, down).map(|_| ())
}

async fn direction(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay_us: &AtomicU64) -> io::Result<()> {
    let (held, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(READS_HELD_MAX);
    let reading = async move {
        loop {
            let mut bytes = vec![0; READ_BYTES];
            let count = from.read(&mut bytes).await?;
            bytes.truncate(count);
            let at = Instant::now() + Duration::from_micros(delay_us.load(Ordering::Relaxed));
            if count == 0 || held.send((at, bytes)).await.is_err() {
                return Ok::<_, io::Error>(());
            }
        }
    };
    let writing = async {
        while let Some((at, bytes)) = due.recv().await {
            sleep_until(at).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(|_| ())
}
