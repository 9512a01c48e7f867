//! One client's session in replay mode: the front ends TLS, keeps each whole request until its whole answer is there, and
//! sends it to another node when one does not answer. The client sees latency, never a reset. Before nodes of another make
//! that goes for reads; a change is sent once ([`upstream`]).
//!
//! The front decides nothing: it proves that the client holds the key of the leaf it presented and hands both over. Who
//! the client is, and what it may, says the node; that a request is carried out once, the nodes' log, by the token that all
//! sendings of a request share ([`course`]).

mod course;
mod inbox;
mod refusal;
mod send;
mod tls;
mod upstream;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use kmip::enumeration::ResultReason;
use kmip::{ProtocolVersion, RequestMessage};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::warn;
use zeroize::Zeroizing;

pub(crate) use self::course::Bounds;
use self::inbox::{Inbox, Sent};
pub(crate) use self::upstream::Upstream;
use crate::choose::Need;
use crate::front::{Front, Tuning};
use crate::limits::Seat;
use crate::links::{CERTIFICATES_MAX, Handed, IdentityError, Token};
use crate::listener;
use crate::splice::{End, prepare};

/// Bytes that a client may still send after an answer that ends its connection; they are read and dropped so that TCP does
/// not take the answer back.
const LINGER_BYTES_MAX: u64 = 4 << 20;

/// How long that may take.
const LINGER: Duration = Duration::from_secs(1);

/// What clients see, of `[replay]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files<'a> {
    /// The certificate that all nodes share, with its chain.
    pub(crate) certificate: &'a Path,
    /// Its key.
    pub(crate) key: &'a Path,
}

/// What replay mode stands on. Clones share it.
#[derive(Clone)]
pub(crate) struct Replay {
    pub(crate) upstream: Upstream,
    tls: Arc<ServerConfig>,
    /// The end of the certificate that clients see, in seconds since 1970.
    pub(crate) not_after: Option<i64>,
    pub(crate) bounds: Bounds,
    sizes: Sizes,
    /// For the requests that are kept, of all clients.
    room: Arc<Semaphore>,
    message_timeout: Duration,
}

/// Bounds of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Of one request.
    pub(crate) request: usize,
    /// Of all that are kept.
    pub(crate) requests: u32,
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("upstream", &self.upstream)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with them, by key of `[replay]`.
    pub(crate) fn read(
        files: &Files<'_>,
        upstream: Upstream,
        bounds: Bounds,
        sizes: Sizes,
        message_timeout: Duration,
    ) -> Result<Self, Vec<IdentityError>> {
        let admitted = match &upstream {
            Upstream::Ours(_) => None,
            Upstream::ThirdParty(nodes) => Some(Arc::clone(nodes.admitted())),
        };
        let (tls, not_after) = tls::server_config(files.certificate, files.key, admitted)?;
        let room = Arc::new(Semaphore::new(sizes.requests as usize));
        Ok(Self { upstream, tls, not_after, bounds, sizes, room, message_timeout })
    }

    /// Room for a request; one that is larger than all the room has it for itself.
    async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.sizes.requests);
        Arc::clone(&self.room).acquire_many_owned(bytes).await.ok()
    }

    fn token(&self) -> Result<Token, ()> {
        let mut token = Token::default();
        let random = self.tls.crypto_provider().secure_random;
        random.fill(&mut token).map_err(drop)?;
        Ok(token)
    }
}

/// Serves one client, to the end.
pub(crate) async fn serve(
    front: Arc<Front>,
    replay: Replay,
    client: TcpStream,
    address: SocketAddr,
    seat: Seat,
) {
    let tuning = front.tuning.load_full();
    let end = session(&front, &tuning, &replay, client, address).await;
    listener::ended(&front, address, end);
    drop(seat);
}

async fn session(
    front: &Front,
    tuning: &Tuning,
    replay: &Replay,
    client: TcpStream,
    address: SocketAddr,
) -> End {
    let limits = &tuning.limits;
    if prepare(&client, limits).is_err() {
        return End::ClientGone;
    }
    match timeout(limits.handshake_timeout, client.peek(&mut [0])).await {
        Ok(Ok(1..)) => {}
        Ok(Ok(0)) | Err(_) => return End::Silent,
        Ok(Err(_)) => return End::ClientGone,
    }
    let accepting = TlsAcceptor::from(Arc::clone(&replay.tls)).accept(client);
    let stream = match timeout(limits.handshake_timeout, Box::pin(accepting)).await {
        Ok(Ok(stream)) => stream,
        failed => {
            let why = match failed {
                Ok(Err(error)) => error.to_string(),
                _ => "it took longer than handshake_timeout_ms".to_owned(),
            };
            if let Some(note) = front.throttle.admit() {
                warn!(%address, "TLS handshake failed: {why}{note}");
            }
            return End::ClientGone;
        }
    };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificates = certificates.iter().take(CERTIFICATES_MAX).cloned().collect();
    let inbox = Inbox::new(replay.sizes.request);
    let mut session =
        Session { front, tuning, replay, address, certificates, stream, inbox, arrives_by: None };
    let end = session.run(front.ending()).await;
    // In TLS's own words, so that the client knows that nothing is missing; one that is gone needs none.
    let _ = timeout(LINGER, session.stream.shutdown()).await;
    end
}

struct Session<'a> {
    front: &'a Front,
    tuning: &'a Tuning,
    replay: &'a Replay,
    address: SocketAddr,
    certificates: Arc<[CertificateDer<'static>]>,
    stream: TlsStream<TcpStream>,
    inbox: Inbox,
    /// When the message that has begun to arrive must be whole.
    arrives_by: Option<Instant>,
}

/// What became of a message.
enum Done {
    GoesOn,
    Ends(End),
}

impl Session<'_> {
    async fn run(&mut self, mut ending: watch::Receiver<bool>) -> End {
        // For the message that is arriving or being answered.
        let mut room = None;
        loop {
            if room.is_none()
                && let Some(bytes) = self.inbox.announced()
            {
                match timeout(self.replay.message_timeout, self.replay.room(bytes)).await {
                    Ok(taken) => room = taken,
                    Err(_) => return End::Idle,
                }
            }
            let sent = match self.inbox.take() {
                Some(sent) => sent,
                None => match self.read(&mut ending).await {
                    Ok(()) => continue,
                    Err(end) => return end,
                },
            };
            match self.answer(sent).await {
                Done::GoesOn => room = None,
                Done::Ends(end) => return end,
            }
        }
    }

    /// Reads once more; fails where there is nothing more to come.
    async fn read(&mut self, ending: &mut watch::Receiver<bool>) -> Result<(), End> {
        let (idles, now) = (!self.inbox.is_partial(), Instant::now());
        let until = match idles {
            true => now + self.tuning.limits.idle_timeout,
            // From its first bytes on: each that comes later buys it nothing.
            false => *self.arrives_by.get_or_insert(now + self.replay.message_timeout),
        };
        tokio::select! {
            read = timeout_at(until, self.inbox.read_from(&mut self.stream)) => match read {
                Err(_) => Err(End::Idle),
                Ok(Err(_)) => Err(End::ClientGone),
                Ok(Ok(0)) => Err(if idles { End::Finished } else { End::ClientGone }),
                Ok(Ok(_)) => Ok(()),
            },
            // What has begun to arrive is answered yet.
            _ = ending.wait_for(|ending| *ending), if idles => Err(End::Finished),
        }
    }

    async fn answer(&mut self, sent: Sent) -> Done {
        self.arrives_by = None;
        let message = match sent {
            Sent::Message(message) => message,
            Sent::Oversized => {
                let max = self.replay.sizes.request;
                let text = format!("a request has at most {max} bytes");
                let now = self.unix_seconds();
                let (version, reason) = (ProtocolVersion::V1_0, ResultReason::InvalidMessage);
                let answer = refusal::message(None, version, reason, &text, now);
                let _ = self.write(&answer).await;
                return self.linger().await;
            }
            Sent::Garbage(why) => {
                if let Some(note) = self.front.throttle.admit() {
                    warn!(address = %self.address, "connection closed: what was sent is no KMIP message: {why}{note}");
                }
                return Done::Ends(End::ClientGone);
            }
        };
        let (answer, close) = match self.is_admitted() {
            true => self.carry(message).await,
            false => (self.refuse_stranger(&message), true),
        };
        match self.write(&answer).await {
            Ok(()) if close => self.linger().await,
            Ok(()) => Done::GoesOn,
            Err(end) => Done::Ends(end),
        }
    }

    /// Whether the client may go on, by the configuration that holds now: a reload may have taken it out.
    fn is_admitted(&self) -> bool {
        let now = self.front.tuning.load();
        let now = now.replay.as_ref().map(|replay| &replay.upstream);
        self.replay.upstream.still_admits(now, self.certificates.first())
    }

    fn refuse_stranger(&self, message: &[u8]) -> Zeroizing<Vec<u8>> {
        let request = RequestMessage::decode(message, ttlv::Limits::default()).ok();
        let version = RequestMessage::version_of(message).unwrap_or(ProtocolVersion::V1_0);
        let text = "this client's certificate was taken out of [third_party] clients; nothing was done; hint: ask who runs \
                    the front";
        let reason = ResultReason::AuthenticationNotSuccessful;
        Zeroizing::new(refusal::message(request.as_ref(), version, reason, text, self.unix_seconds()))
    }

    /// The answer to a message, whole, and whether the connection ends with it.
    async fn carry(&self, message: Zeroizing<Vec<u8>>) -> (Zeroizing<Vec<u8>>, bool) {
        let request = RequestMessage::decode(&message, ttlv::Limits::default()).ok();
        let version = RequestMessage::version_of(&message).unwrap_or(ProtocolVersion::V1_0);
        let need = request.as_ref().map_or(Need::Change, need);
        let refuse = |text: &str| {
            let reason = ResultReason::GeneralFailure;
            Zeroizing::new(refusal::message(request.as_ref(), version, reason, text, self.unix_seconds()))
        };
        let Ok(token) = self.replay.token() else {
            return (
                refuse("the front has no randomness for a token; hint: its operating system is ill"),
                true,
            );
        };
        let handed = Handed {
            token,
            address: self.address,
            certificates: Arc::clone(&self.certificates),
            message,
            on_its_way: AtomicBool::new(false),
        };
        let (carried, sendings) = send::carry(self.front, self.replay, &handed, need).await;
        let operation = self.front.operations.carried(request.as_ref(), sendings, carried.is_ok());
        self.front.metrics.carried(operation, sendings, carried.is_ok());
        match carried {
            Ok((answer, close)) => {
                self.front.metrics.moved(handed.message.len() as u64, answer.len() as u64);
                (answer, close)
            }
            Err(given_up) => {
                let text = refusal::text(&given_up, self.replay.bounds.answer_wait.as_millis());
                if let Some(note) = self.front.throttle.admit() {
                    let reason = given_up.reason.as_deref().unwrap_or("no node could be asked");
                    warn!(address = %self.address, "a request is refused: {text} (last: {reason}){note}");
                }
                (refuse(&text), false)
            }
        }
    }

    async fn write(&mut self, answer: &[u8]) -> Result<(), End> {
        let writing = async {
            self.stream.write_all(answer).await?;
            self.stream.flush().await
        };
        match timeout(self.replay.message_timeout, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::ClientGone),
        }
    }

    /// Lets the client take the last answer before the connection goes.
    async fn linger(&mut self) -> Done {
        let _ = timeout(LINGER, async {
            let _ = self.stream.shutdown().await;
            let mut rest = (&mut self.stream).take(LINGER_BYTES_MAX);
            let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
        })
        .await;
        Done::Ends(End::Finished)
    }

    fn unix_seconds(&self) -> i64 {
        i64::try_from(self.front.clock.unix_ms() / 1000).unwrap_or(i64::MAX)
    }
}

/// What a request needs of a node. One that holds any change needs a majority, and so does what this front does not know: a
/// newer node may.
fn need(request: &RequestMessage) -> Need {
    match request.items.iter().all(|item| item.payload.only_reads()) {
        true => Need::Read,
        false => Need::Change,
    }
}

#[cfg(test)]
mod tests {
    use kmip::RequestPayload;
    use kmip::enumeration::Operation;
    use kmip::operations::{destroy, get};

    use super::*;

    #[test]
    fn a_request_reads_only_when_every_item_is_known_to() {
        let get = || RequestPayload::from(get::Request::default());
        let other = RequestPayload::Other { operation: Operation::Certify, fields: Vec::new() };
        let of = |payloads: Vec<RequestPayload>| need(&RequestMessage::new(ProtocolVersion::V1_2, payloads));
        assert_eq!(of(vec![get(), get()]), Need::Read);
        assert_eq!(of(vec![get(), destroy::Request::default().into()]), Need::Change);
        assert_eq!(of(vec![get(), other]), Need::Change);
    }
}
