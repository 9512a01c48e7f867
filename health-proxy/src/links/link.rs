//! One connection to one node: hello, then calls, each answered when it is done. It is made when a call wants it, and
//! made anew when it broke.
//!
//! Frames are those of the nodes' links (`links/wire.rs` there): length(4), number of the call(8), kind(1), body.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};
use zeroize::Zeroizing;

use crate::certificate::not_after;

/// The version of the links that this front speaks.
const LINK_VERSION: u32 = 1;

/// The number of a hello: "KMS-LINK".
const HELLO_ID: u64 = u64::from_be_bytes(*b"KMS-LINK");

const HELLO: u8 = 0x00;
const ANSWER: u8 = 0x80;
const REFUSAL: u8 = 0x81;
const BEAT: u8 = 0x82;

/// Bytes of the largest frame of a node that is taken: nodes send no larger ones.
const FRAME_BYTES_MAX: usize = (32 << 20) + 64;

/// A sign of life is sent when there was nothing else to send for so long.
const BEAT_INTERVAL: Duration = Duration::from_millis(250);

/// A node that says nothing for so long, not even that it lives, is gone.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Calls of one connection that are unanswered at once; the next waits. A node refuses more than 4,096.
const CALLS_MAX: usize = 2048;

/// Bytes of such calls; a node refuses more than 64 MiB.
const CALLS_BYTES_MAX: u32 = 48 << 20;

/// No certificate ends there.
const NONE_SEEN: i64 = i64::MIN;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unheard {
    /// It never left: the node knows nothing of it.
    #[error("{0}")]
    Unsent(String),
    /// The connection broke while it was unanswered: it may have been carried out.
    #[error("{0}")]
    Broke(String),
    /// The node refused it as a call, and whether it began before that is not said.
    #[error("{0}")]
    Refused(String),
}

impl Unheard {
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(self, Self::Unsent(_))
    }
}

type Heard = Result<Zeroizing<Vec<u8>>, Unheard>;

struct Call {
    kind: u8,
    body: Zeroizing<Vec<u8>>,
    waiting: Waiting,
}

/// Who waits for an answer, and the room that the call takes until then, whether or not they still wait.
struct Waiting {
    answer: oneshot::Sender<Heard>,
    _room: [OwnedSemaphorePermit; 2],
}

impl Waiting {
    fn hears(self, heard: Heard) {
        // Who asked may have got it elsewhere.
        let _ = self.answer.send(heard);
    }
}

/// Calls to one node.
pub(super) struct Link {
    calls: mpsc::UnboundedSender<Call>,
    /// Bounds the queue too: a call has its room before it is in it.
    room: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    not_after: Arc<AtomicI64>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("unanswered", &self.unanswered()).finish_non_exhaustive()
    }
}

impl Link {
    /// Nothing is connected before the first call. Ends with the last call after it was dropped.
    pub(super) fn new(address: SocketAddr, config: Arc<ClientConfig>, connect_timeout: Duration) -> Self {
        let (calls, taken) = mpsc::unbounded_channel();
        let not_after = Arc::new(AtomicI64::new(NONE_SEEN));
        let dialer = Dialer { address, config, connect_timeout, not_after: Arc::clone(&not_after) };
        tokio::spawn(dialer.run(taken));
        let room = Arc::new(Semaphore::new(CALLS_MAX));
        let bytes = Arc::new(Semaphore::new(CALLS_BYTES_MAX as usize));
        Self { calls, room, bytes, not_after }
    }

    /// Calls the node. Not bounded in time: the caller is.
    pub(super) async fn call(&self, kind: u8, body: Zeroizing<Vec<u8>>) -> Heard {
        let gone = || Unheard::Unsent("the front is ending".to_owned());
        let bytes = u32::try_from(body.len()).unwrap_or(u32::MAX).clamp(1, CALLS_BYTES_MAX);
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| gone())?;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(bytes).await.map_err(|_| gone())?;
        let (answer, heard) = oneshot::channel();
        let waiting = Waiting { answer, _room: [room, bytes] };
        self.calls.send(Call { kind, body, waiting }).map_err(|_| gone())?;
        heard.await.unwrap_or_else(|_| Err(Unheard::Broke("the link to it ended".to_owned())))
    }

    /// The end of the certificate that the node last showed.
    pub(super) fn not_after(&self) -> Option<i64> {
        Some(self.not_after.load(Ordering::Relaxed)).filter(|end| *end != NONE_SEEN)
    }

    fn unanswered(&self) -> usize {
        CALLS_MAX - self.room.available_permits()
    }
}

/// A connection whose both ends have said hello.
struct Ends {
    reader: FramedRead<ReadHalf<TlsStream<TcpStream>>, LengthDelimitedCodec>,
    writer: WriteHalf<TlsStream<TcpStream>>,
}

struct Dialer {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    connect_timeout: Duration,
    not_after: Arc<AtomicI64>,
}

impl Dialer {
    async fn run(self, mut calls: mpsc::UnboundedReceiver<Call>) {
        while let Some(first) = calls.recv().await {
            let dialled = timeout(self.connect_timeout, self.dial()).await.unwrap_or_else(|_| {
                Err(format!("the connection was not made within {} ms", self.connect_timeout.as_millis()))
            });
            match dialled {
                Ok(ends) => Talk::new(ends, first).run(&mut calls).await,
                Err(why) => {
                    first.waiting.hears(Err(Unheard::Unsent(why.clone())));
                    while let Ok(call) = calls.try_recv() {
                        call.waiting.hears(Err(Unheard::Unsent(why.clone())));
                    }
                }
            }
        }
    }

    async fn dial(&self) -> Result<Ends, String> {
        let tcp =
            TcpStream::connect(self.address).await.map_err(|error| format!("cannot connect: {error}"))?;
        let words = |error: std::io::Error| format!("{error}; hint: is the port that of its links, 5697?");
        tcp.set_nodelay(true).map_err(words)?;
        // It is not sent, and the verifier does not look at it.
        let name = ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into());
        let tls = TlsConnector::from(Arc::clone(&self.config)).connect(name, tcp).await.map_err(words)?;
        let shown = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
        self.not_after.store(shown.and_then(|leaf| not_after(leaf)).unwrap_or(NONE_SEEN), Ordering::Relaxed);
        let (reader, mut writer) = tokio::io::split(tls);
        let codec = LengthDelimitedCodec::builder().max_frame_length(FRAME_BYTES_MAX).new_codec();
        let mut reader = FramedRead::new(reader, codec);
        let mut hello = Vec::new();
        encode(&mut hello, HELLO_ID, HELLO, &LINK_VERSION.to_be_bytes());
        writer.write_all(&hello).await.map_err(words)?;
        writer.flush().await.map_err(words)?;
        let frame = reader.next().await.transpose().map_err(words)?;
        let frame = frame.ok_or_else(|| "it closed the connection without a hello".to_owned())?;
        match cut(&frame) {
            Some((HELLO_ID, HELLO, [a, b, c, d, ..])) => match u32::from_be_bytes([*a, *b, *c, *d]) {
                LINK_VERSION => Ok(Ends { reader, writer }),
                other => Err(format!(
                    "it speaks link version {other}, this front {LINK_VERSION}; hint: run the same release on both"
                )),
            },
            _ => {
                Err("what it sent is no hello of a link; hint: is the port that of its links, 5697?"
                    .to_owned())
            }
        }
    }
}

/// A connection in use.
struct Talk {
    ends: Ends,
    waiting: HashMap<u64, Waiting>,
    last_id: u64,
    /// What is to be written, and how much of it was.
    out: Zeroizing<Vec<u8>>,
    written: usize,
    flushed: bool,
    said_at: Instant,
    heard_at: Instant,
}

impl Talk {
    fn new(ends: Ends, first: Call) -> Self {
        let now = Instant::now();
        let (waiting, out) = (HashMap::new(), Zeroizing::default());
        let mut talk =
            Self { ends, waiting, last_id: 0, out, written: 0, flushed: true, said_at: now, heard_at: now };
        talk.take(first);
        talk
    }

    fn take(&mut self, call: Call) {
        self.last_id += 1;
        encode(&mut self.out, self.last_id, call.kind, &call.body);
        self.waiting.insert(self.last_id, call.waiting);
    }

    /// Until the connection breaks, or nobody can call any more and all is answered.
    async fn run(mut self, calls: &mut mpsc::UnboundedReceiver<Call>) {
        let why = self.talk(calls).await;
        let why = format!("the link to it broke: {why}");
        for (_, waiting) in self.waiting.drain() {
            waiting.hears(Err(Unheard::Broke(why.clone())));
        }
    }

    async fn talk(&mut self, calls: &mut mpsc::UnboundedReceiver<Call>) -> String {
        let mut wanted = true;
        while wanted || !self.waiting.is_empty() {
            let pending = self.written < self.out.len();
            let beats_at = self.said_at + BEAT_INTERVAL;
            let silent_at = self.heard_at + SILENCE_MAX;
            tokio::select! {
                frame = self.ends.reader.next() => match frame {
                    None => return "it closed the connection".to_owned(),
                    Some(Err(error)) => return error.to_string(),
                    Some(Ok(frame)) => if let Err(why) = self.hear(&frame) { return why },
                },
                pushed = push(&mut self.ends.writer, &self.out[self.written..]), if pending || !self.flushed => {
                    match pushed {
                        Ok(None) => self.flushed = true,
                        Ok(Some(0)) => return "it takes nothing more".to_owned(),
                        Ok(Some(count)) => self.wrote(count),
                        Err(error) => return error.to_string(),
                    }
                }
                call = calls.recv(), if wanted => match call {
                    Some(call) => self.take(call),
                    None => wanted = false,
                },
                () = sleep_until(beats_at) => {
                    if !pending {
                        encode(&mut self.out, 0, BEAT, &[]);
                    }
                    self.said_at = Instant::now();
                }
                () = sleep_until(silent_at) => {
                    return format!("nothing was heard from it for {} ms", SILENCE_MAX.as_millis());
                }
            }
        }
        "nobody calls any more".to_owned()
    }

    fn wrote(&mut self, count: usize) {
        self.written += count;
        self.flushed = false;
        self.said_at = Instant::now();
        if self.written == self.out.len() {
            // With its memory, which is wiped: it held requests.
            self.out = Zeroizing::default();
            self.written = 0;
        }
    }

    fn hear(&mut self, frame: &[u8]) -> Result<(), String> {
        self.heard_at = Instant::now();
        let (id, kind, body) = cut(frame).ok_or("it sent a frame that is none")?;
        let heard = match kind {
            BEAT => return Ok(()),
            ANSWER => Ok(Zeroizing::new(body.to_vec())),
            REFUSAL => Err(Unheard::Refused(String::from_utf8_lossy(body).into_owned())),
            other => return Err(format!("it sent a frame of kind {other:#04x}, which has no place there")),
        };
        if let Some(waiting) = self.waiting.remove(&id) {
            waiting.hears(heard);
        }
        Ok(())
    }
}

/// Writes some of `rest`, and says how much; flushes, and says nothing, when there is none. Dropped, it did neither.
async fn push(writer: &mut (impl AsyncWrite + Unpin), rest: &[u8]) -> io::Result<Option<usize>> {
    match rest {
        [] => writer.flush().await.map(|()| None),
        rest => writer.write(rest).await.map(Some),
    }
}

fn encode(out: &mut Vec<u8>, id: u64, kind: u8, body: &[u8]) {
    let length = u32::try_from(8 + 1 + body.len()).unwrap_or(u32::MAX);
    out.reserve(4 + 8 + 1 + body.len());
    out.extend(length.to_be_bytes());
    out.extend(id.to_be_bytes());
    out.push(kind);
    out.extend(body);
}

/// Number, kind and body of a frame.
fn cut(frame: &[u8]) -> Option<(u64, u8, &[u8])> {
    let (id, rest) = frame.split_first_chunk()?;
    let (kind, body) = rest.split_first()?;
    Some((u64::from_be_bytes(*id), *kind, body))
}
