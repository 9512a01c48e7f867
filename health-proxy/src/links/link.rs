//! One connection to one node: hello, then calls, each answered when it is done. It is made when a call wants it, and
//! made anew when it broke.
//!
//! Frames are those of the nodes' links (`links/wire.rs` there): length(4), number of the call(8), kind(1), body.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
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

/// A connection whose both ends have said hello, with what was read of it and is no whole frame yet.
type Stream = FramedRead<TlsStream<TcpStream>, LengthDelimitedCodec>;

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
                Ok(stream) => Talk::new(stream, first).run(&mut calls).await,
                Err(why) => {
                    first.waiting.hears(Err(Unheard::Unsent(why.clone())));
                    while let Ok(call) = calls.try_recv() {
                        call.waiting.hears(Err(Unheard::Unsent(why.clone())));
                    }
                }
            }
        }
    }

    async fn dial(&self) -> Result<Stream, String> {
        let tcp =
            TcpStream::connect(self.address).await.map_err(|error| format!("cannot connect: {error}"))?;
        let words = |error: std::io::Error| format!("{error}; hint: is the port that of its links, 5697?");
        tcp.set_nodelay(true).map_err(words)?;
        // It is not sent, and the verifier does not look at it.
        let name = ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into());
        let tls = TlsConnector::from(Arc::clone(&self.config)).connect(name, tcp).await.map_err(words)?;
        let shown = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
        self.not_after.store(shown.and_then(|leaf| not_after(leaf)).unwrap_or(NONE_SEEN), Ordering::Relaxed);
        let codec = LengthDelimitedCodec::builder().max_frame_length(FRAME_BYTES_MAX).new_codec();
        let mut stream = FramedRead::new(tls, codec);
        let mut hello = Vec::new();
        encode(&mut hello, HELLO_ID, HELLO, &LINK_VERSION.to_be_bytes());
        stream.get_mut().write_all(&hello).await.map_err(words)?;
        stream.get_mut().flush().await.map_err(words)?;
        let frame = stream.next().await.transpose().map_err(words)?;
        let frame = frame.ok_or_else(|| "it closed the connection without a hello".to_owned())?;
        match cut(&frame) {
            Some((HELLO_ID, HELLO, [a, b, c, d, ..])) => match u32::from_be_bytes([*a, *b, *c, *d]) {
                LINK_VERSION => Ok(stream),
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
    stream: Stream,
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
    fn new(stream: Stream, first: Call) -> Self {
        let now = Instant::now();
        let (waiting, out) = (HashMap::new(), Zeroizing::default());
        let mut talk =
            Self { stream, waiting, last_id: 0, out, written: 0, flushed: true, said_at: now, heard_at: now };
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
        let mut timer = pin!(sleep_until(self.due()));
        let why = poll_fn(|cx| self.poll(cx, calls, timer.as_mut())).await;
        let why = format!("the link to it broke: {why}");
        for (_, waiting) in self.waiting.drain() {
            waiting.hears(Err(Unheard::Broke(why.clone())));
        }
    }

    /// All that can be done now, in one go: what many ask at once leaves in one write.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        calls: &mut mpsc::UnboundedReceiver<Call>,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<String> {
        let wanted = loop {
            match calls.poll_recv(cx) {
                Poll::Ready(Some(call)) => self.take(call),
                Poll::Ready(None) => break false,
                Poll::Pending => break true,
            }
        };
        if let Err(why) = self.write(cx) {
            return Poll::Ready(why);
        }
        loop {
            match self.stream.poll_next_unpin(cx) {
                Poll::Ready(None) => return Poll::Ready("it closed the connection".to_owned()),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(error.to_string()),
                Poll::Ready(Some(Ok(frame))) => {
                    if let Err(why) = self.hear(&frame) {
                        return Poll::Ready(why);
                    }
                }
                Poll::Pending => break,
            }
        }
        if !wanted && self.waiting.is_empty() {
            return Poll::Ready("nobody calls any more".to_owned());
        }
        // One that rings too early is wound again then; so a busy link hardly touches the runtime's timers.
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if self.heard_at + SILENCE_MAX <= now {
                let silence = SILENCE_MAX.as_millis();
                return Poll::Ready(format!("nothing was heard from it for {silence} ms"));
            }
            if self.said_at + BEAT_INTERVAL <= now {
                self.said_at = now;
                if self.out.is_empty() {
                    encode(&mut self.out, 0, BEAT, &[]);
                    if let Err(why) = self.write(cx) {
                        return Poll::Ready(why);
                    }
                }
            }
            timer.as_mut().reset(self.due());
        }
        Poll::Pending
    }

    /// When there may be a sign of life to send, or silence to complain of.
    fn due(&self) -> Instant {
        (self.said_at + BEAT_INTERVAL).min(self.heard_at + SILENCE_MAX)
    }

    /// Writes what the other side takes.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        let mut stream = Pin::new(self.stream.get_mut());
        while self.written < self.out.len() {
            match stream.as_mut().poll_write(cx, &self.out[self.written..]) {
                Poll::Ready(Ok(0)) => return Err("it takes nothing more".to_owned()),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.flushed = false;
                    self.said_at = Instant::now();
                }
                Poll::Ready(Err(error)) => return Err(error.to_string()),
                Poll::Pending => return Ok(()),
            }
        }
        if !self.out.is_empty() {
            // With its memory, which is wiped: it held requests.
            self.out = Zeroizing::default();
            self.written = 0;
        }
        if !self.flushed {
            match stream.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.flushed = true,
                Poll::Ready(Err(error)) => return Err(error.to_string()),
                Poll::Pending => {}
            }
        }
        Ok(())
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
