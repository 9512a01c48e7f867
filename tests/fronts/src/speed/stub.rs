//! A server that costs next to nothing, and clients of it: messages of the sizes that TLS has with KMIP in it, for fronts
//! that pass bytes on unread. A message says how long it is and how long its answer shall be: length(4), answer(4), rest.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A question and the length of its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// Bytes of the question, 8 at least.
    pub(super) asks: usize,
    /// Bytes of the answer.
    pub(super) answer: usize,
}

/// Get of a key and its answer, each with a TLS record's 22 bytes.
pub(super) const GET: Exchange = Exchange { asks: 174, answer: 246 };

/// A handshake of TLS 1.2 with certificates on both sides, as the two round trips that it is.
const HANDSHAKE: [Exchange; 2] = [Exchange { asks: 240, answer: 1900 }, Exchange { asks: 1300, answer: 51 }];

/// As much as fits into sockets, for bytes in bulk in both directions.
const BULK: Exchange = Exchange { asks: 1 << 20, answer: 1 << 20 };

const HEADER_BYTES: usize = 8;

/// Serves until the runtime ends; says where.
pub(super) async fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that goes away is no fault here.
            tokio::spawn(async move { drop(answer(tcp).await) });
        }
    });
    Ok(address)
}

async fn answer(mut tcp: TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut buffer = vec![0; 1024];
    let mut have = 0;
    loop {
        while have < HEADER_BYTES {
            match tcp.read(&mut buffer[have..]).await? {
                0 => return Ok(()),
                count => have += count,
            }
        }
        let [asks, answer] =
            [0, 4].map(|at| u32::from_be_bytes(buffer[at..at + 4].try_into().unwrap_or_default()));
        let (asks, answer) = (asks as usize, answer as usize);
        if buffer.len() < asks.max(answer) {
            buffer.resize(asks.max(answer), 0);
        }
        while have < asks {
            match tcp.read(&mut buffer[have..asks]).await? {
                0 => return Ok(()),
                count => have += count,
            }
        }
        tcp.write_all(&buffer[..answer]).await?;
        have = 0;
    }
}

/// A connection with its buffer.
pub(super) struct Asker {
    tcp: TcpStream,
    buffer: Vec<u8>,
}

impl Asker {
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, buffer: Vec::new() })
    }

    pub(super) async fn ask(&mut self, exchange: Exchange) -> io::Result<()> {
        let Exchange { asks, answer } = exchange;
        self.buffer.resize(self.buffer.len().max(asks).max(answer), 0);
        self.buffer[..4].copy_from_slice(&(asks as u32).to_be_bytes());
        self.buffer[4..8].copy_from_slice(&(answer as u32).to_be_bytes());
        self.tcp.write_all(&self.buffer[..asks]).await?;
        self.tcp.read_exact(&mut self.buffer[..answer]).await?;
        Ok(())
    }

    async fn close(mut self) -> io::Result<()> {
        self.tcp.shutdown().await?;
        self.tcp.read(&mut [0]).await.map(drop)
    }
}

/// So many questions over each of so many connections that stand.
pub(super) async fn requests(address: SocketAddr, connections: usize, each: usize) -> io::Result<()> {
    let mut askers = JoinSet::new();
    for _ in 0..connections {
        askers.spawn(async move {
            let mut asker = Asker::connect(address).await?;
            for _ in 0..each {
                asker.ask(GET).await?;
            }
            asker.close().await
        });
    }
    all(askers).await
}

/// So many connections, each with a handshake and one question, a few at a time.
pub(super) async fn connections(address: SocketAddr, at_once: usize, each: usize) -> io::Result<()> {
    let mut askers = JoinSet::new();
    for _ in 0..at_once {
        askers.spawn(async move {
            for _ in 0..each {
                let mut asker = Asker::connect(address).await?;
                for step in HANDSHAKE {
                    asker.ask(step).await?;
                }
                asker.ask(GET).await?;
                asker.close().await?;
            }
            Ok(())
        });
    }
    all(askers).await
}

/// So many bytes, half of them in either direction.
pub(super) async fn bulk(address: SocketAddr, bytes: usize) -> io::Result<()> {
    let mut asker = Asker::connect(address).await?;
    for _ in 0..bytes / (BULK.asks + BULK.answer) {
        asker.ask(BULK).await?;
    }
    asker.close().await
}

/// Half of so many questions, one after the other, took at most so long.
pub(super) async fn p50(address: SocketAddr, count: usize) -> io::Result<Duration> {
    let mut asker = Asker::connect(address).await?;
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        asker.ask(GET).await?;
        took.push(began.elapsed());
    }
    asker.close().await?;
    took.sort_unstable();
    Ok(took[count / 2])
}

async fn all(mut askers: JoinSet<io::Result<()>>) -> io::Result<()> {
    while let Some(asked) = askers.join_next().await {
        asked.map_err(io::Error::other)??;
    }
    Ok(())
}
