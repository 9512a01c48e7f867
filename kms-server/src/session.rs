//! One connection after its handshake: messages in, answers out, in order.
//!
//! A message is answered where it was read, without a task of its own. A client that pipelines has its messages
//! answered one after the other, and their answers written together, at most `pipelined_requests_max` of them: a
//! later message sees what an earlier one did. While answers are due nothing is read, so a client that sends faster
//! than it is answered is held back by TCP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kms_core::Client;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use ttlv::{HEADER_BYTES, Limits};

use crate::clock::Clock;
use crate::framing::{Frames, Next};
use crate::trust::{LiveTrust, Trust};

/// Answers that wait to be written together are written when they reach this many bytes.
const WRITE_BYTES: usize = 64 * 1024;

/// Bytes that a client may still send after an answer that ends its connection; they are read and dropped so that
/// TCP does not take the answer back. Past them, or [`LINGER`], the connection is cut.
const LINGER_BYTES_MAX: usize = 4 << 20;
const LINGER: Duration = Duration::from_secs(1);

/// Who sent a message.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The registered client that its certificate stands for.
    pub client: Arc<Client>,
    /// The address it came from.
    pub address: SocketAddr,
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It waits for the next message.
    KeepOpen,
    /// It is closed when the answer is written.
    Close,
}

/// Who answers messages. Each method appends one whole Response Message to `answer`, or nothing.
pub trait Service: Send + Sync + 'static {
    /// Answers one message, which has the form of a TTLV structure and is within `request_bytes_max`.
    ///
    /// The future is dropped when `request_timeout_ms` passes; what it began may still be carried out.
    fn answer(&self, peer: &Peer, request: &[u8], answer: &mut Vec<u8>)
    -> impl Future<Output = After> + Send;

    /// Answers what a client sent in another form than TTLV, `message_bytes` of it, which could not be read because of
    /// `why`.
    fn refuse_unreadable(&self, peer: &Peer, message_bytes: usize, why: &str, answer: &mut Vec<u8>);

    /// Answers a message from a peer without a client certificate, or whose client was removed meanwhile.
    fn answer_stranger(&self, address: SocketAddr, request: &[u8], answer: &mut Vec<u8>) -> After;

    /// Answers a Request Message that is over `request_bytes_max`, by its header. The connection is then closed.
    fn refuse_oversized(&self, address: SocketAddr, header: &[u8; HEADER_BYTES], answer: &mut Vec<u8>);
}

/// The bounds of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of one request with its header.
    pub request_bytes_max: usize,
    /// Answers that may be due before they are written.
    pub pipelined_requests_max: usize,
    /// How long a connection may send nothing.
    pub idle_timeout: Duration,
    /// How long a message may take to arrive after its first byte, and how long to be answered.
    pub request_timeout: Duration,
    /// How long the client may take to accept an answer.
    pub write_timeout: Duration,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The client closed it.
    #[error("the client closed")]
    Client,
    /// The client closed in the middle of a message.
    #[error("the client closed in the middle of a message")]
    Truncated,
    /// The service said so.
    #[error("closed after an answer that ends the connection")]
    Service,
    /// Not TTLV.
    #[error("what was sent is no KMIP message: {0}")]
    Garbage(String),
    /// Over `request_bytes_max`.
    #[error("a message of {0} bytes is over request_bytes_max")]
    Oversized(usize),
    /// Over `idle_timeout_ms`.
    #[error("nothing was sent for idle_timeout_ms")]
    Idle,
    /// Over `request_timeout_ms` while it arrived.
    #[error("a message did not arrive whole within request_timeout_ms")]
    Slow,
    /// Over `request_timeout_ms` while it was answered.
    #[error("a request was not answered within request_timeout_ms")]
    Unanswered,
    /// Over `write_timeout_ms`.
    #[error("an answer was not accepted within write_timeout_ms")]
    WriteTimeout,
    /// The server ends.
    #[error("the server is draining")]
    Draining,
    /// The socket or TLS.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Who is on the other side, asked again whenever the trust changes.
pub(crate) struct Caller<'a> {
    address: SocketAddr,
    certificates: &'a [CertificateDer<'static>],
    trust: &'a LiveTrust,
    clock: &'a Clock,
    seen: Option<Arc<Trust>>,
    peer: Option<Peer>,
}

impl Caller<'_> {
    pub(crate) fn peer(&mut self) -> Option<&Peer> {
        let current = self.trust.current();
        if !self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &current)) {
            let who = match self.certificates {
                [] => None,
                chain => current.who(chain, self.clock.system_seconds()).ok(),
            };
            self.peer = who.map(|client| Peer { client, address: self.address });
            self.seen = Some(Arc::clone(&current));
        }
        self.peer.as_ref()
    }
}

/// One connection: what it stands on.
pub struct Session<'a, S> {
    /// Who answers.
    pub service: &'a S,
    /// The trust in force.
    pub trust: &'a LiveTrust,
    /// What time it is.
    pub clock: &'a Clock,
    /// The peer's address.
    pub address: SocketAddr,
    /// What the peer presented, the leaf first; empty without a client certificate.
    pub certificates: &'a [CertificateDer<'static>],
    /// The bounds.
    pub bounds: &'a Bounds,
    /// The bounds of TTLV decoding, for who turns another form into it.
    pub limits: Limits,
}

impl<'a, S: Service> Session<'a, S> {
    /// Who is on the other side, not looked up yet.
    pub(crate) fn caller(&self) -> Caller<'a> {
        Caller {
            address: self.address,
            certificates: self.certificates,
            trust: self.trust,
            clock: self.clock,
            seen: None,
            peer: None,
        }
    }

    /// Serves the connection until it ends, and says why it did. Closes it.
    pub async fn serve<T>(self, stream: &mut T, mut draining: watch::Receiver<bool>) -> End
    where
        T: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let end = self.exchange(stream, &mut draining).await;
        let closes = async {
            // A peer that is gone makes this fail; there is nothing left to tell it.
            let _ = stream.shutdown().await;
            if matches!(end, End::Oversized(_) | End::Service) {
                linger(stream).await;
            }
        };
        let _ = timeout(LINGER, closes).await;
        end
    }

    async fn exchange<T>(&self, stream: &mut T, draining: &mut watch::Receiver<bool>) -> End
    where
        T: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut frames = Frames::new(self.bounds.request_bytes_max);
        let mut answers = Vec::new();
        let mut caller = self.caller();
        let mut since = Instant::now();
        let mut was_partial = false;
        let alarm = sleep_until(since + self.bounds.idle_timeout);
        tokio::pin!(alarm);
        let drained = async move {
            // An error is a sender that is gone: the server ends.
            let _ = draining.wait_for(|draining| *draining).await;
        };
        tokio::pin!(drained);
        let mut is_draining = false;

        loop {
            let round = self.answer_waiting(&mut frames, &mut caller, &mut answers).await;
            if !answers.is_empty() {
                let written = timeout(self.bounds.write_timeout, async {
                    stream.write_all(&answers).await?;
                    stream.flush().await
                });
                match written.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return End::Io(error),
                    Err(_) => return End::WriteTimeout,
                }
                answers.clear();
                answers.shrink_to(WRITE_BYTES);
                since = Instant::now();
                was_partial = false;
            }
            match round {
                Round::MoreWaiting => continue,
                Round::End(end) => return end,
                Round::AllAnswered => {}
            }
            if is_draining && !frames.is_partial() {
                return End::Draining;
            }
            if frames.is_partial() && !was_partial {
                since = Instant::now();
                was_partial = true;
            }
            loop {
                let limit = if was_partial { self.bounds.request_timeout } else { self.bounds.idle_timeout };
                // The alarm may ring early, after the bytes it was set for; it is only then looked at again.
                if alarm.deadline() > since + limit {
                    alarm.as_mut().reset(since + limit);
                }
                tokio::select! {
                    biased;
                    read = frames.read_from(stream) => match read {
                        Ok(0) if frames.is_partial() => return End::Truncated,
                        Ok(0) => return End::Client,
                        Ok(_) => break,
                        Err(error) => return End::Io(error),
                    },
                    () = &mut alarm => {
                        if Instant::now() >= since + limit {
                            return if was_partial { End::Slow } else { End::Idle };
                        }
                        alarm.as_mut().reset(since + limit);
                    }
                    () = &mut drained, if !is_draining => {
                        is_draining = true;
                        if !frames.is_partial() {
                            return End::Draining;
                        }
                    }
                }
            }
        }
    }

    /// Answers whole messages that have arrived, up to a bound, into `answers`.
    async fn answer_waiting(
        &self,
        frames: &mut Frames,
        caller: &mut Caller<'_>,
        answers: &mut Vec<u8>,
    ) -> Round {
        for _ in 0..self.bounds.pipelined_requests_max {
            let request = match frames.next_message() {
                Next::Message(request) => request,
                Next::Incomplete => return Round::AllAnswered,
                Next::Oversized { header, bytes } => {
                    self.service.refuse_oversized(self.address, &header, answers);
                    return Round::End(End::Oversized(bytes));
                }
                Next::Garbage(why) => return Round::End(End::Garbage(why)),
            };
            let before = answers.len();
            let after = match caller.peer() {
                Some(peer) => {
                    let answer = self.service.answer(peer, request, answers);
                    timeout(self.bounds.request_timeout, answer).await
                }
                None => Ok(self.service.answer_stranger(self.address, request, answers)),
            };
            match after {
                Ok(After::KeepOpen) => {}
                Ok(After::Close) => return Round::End(End::Service),
                Err(_) => {
                    answers.truncate(before);
                    return Round::End(End::Unanswered);
                }
            }
            if answers.len() >= WRITE_BYTES {
                break;
            }
        }
        Round::MoreWaiting
    }
}

enum Round {
    AllAnswered,
    MoreWaiting,
    End(End),
}

async fn linger(stream: &mut (impl AsyncRead + Unpin)) {
    let mut left = LINGER_BYTES_MAX;
    let mut dropped = [0; 4096];
    while left > 0 {
        match stream.read(&mut dropped).await {
            Ok(0) | Err(_) => return,
            Ok(bytes) => left = left.saturating_sub(bytes),
        }
    }
}
