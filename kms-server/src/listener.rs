//! The KMIP port, and that of HTTPS: accepts, shakes hands, and hands each connection to a session.
//!
//! Handshakes without a client certificate, and connections that send nothing, are how vCenter looks at the server's
//! certificate: they leave a debug line only. A refused certificate leaves a line that says why; nobody is locked out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::port;
use daemon::throttle::Throttle;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ServerConfig};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};
use ttlv::Limits;

use crate::clock::Clock;
use crate::https;
use crate::metrics::{Handshake, Metrics};
use crate::session::{Bounds, End, Service, Session};
use crate::tls::old;
use crate::trust::LiveTrust;

/// Connections that the kernel may complete before they are accepted.
const BACKLOG: i32 = 1024;

/// A silent peer is asked whether it lives after this long, so that a connection does not outlive its client.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Pause after the system refuses to accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the listener stands on; the same for all connections.
#[derive(Debug)]
pub struct Kmip<S> {
    /// Who answers.
    pub service: Arc<S>,
    /// How TLS is done.
    pub tls: Tls,
    /// The trust in force.
    pub trust: Arc<LiveTrust>,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Connections at once; one more is closed at once, with a line in the log.
    pub connections_max: usize,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How long open connections may take to finish when the server ends.
    pub drain_timeout: Duration,
    /// The bounds of each connection.
    pub bounds: Bounds,
    /// The bounds of TTLV decoding.
    pub limits: Limits,
    /// What is spoken inside TLS.
    pub speaks: Speaks,
}

/// How TLS is done.
#[derive(Clone, Debug)]
pub enum Tls {
    /// By rustls, from [`crate::tls::server_config`].
    Modern(Arc<ServerConfig>),
    /// By OpenSSL, for old clients.
    Old(Arc<old::Acceptor>),
}

/// What is spoken inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Messages in TTLV, one after the other.
    Ttlv,
    /// HTTP with messages in its bodies; see [`https`].
    Http,
}

/// Opens the port. An unspecified IPv6 address takes IPv4 too.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    port::bind(address, BACKLOG)
}

/// Accepts until `draining` turns true, then waits for what is open, at most `drain_timeout`.
/// Says how many connections it had to cut.
pub async fn serve<S: Service>(
    listener: TcpListener,
    kmip: Arc<Kmip<S>>,
    mut draining: watch::Receiver<bool>,
) -> usize {
    let seats = Arc::new(Semaphore::new(kmip.connections_max));
    let throttle = Arc::new(Throttle::default());
    let session_draining = draining.clone();
    let stop = async move {
        let _ = draining.wait_for(|draining| *draining).await;
    };
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(note) = throttle.admit() {
                    warn!("cannot accept a connection: {error}{note}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else {
            kmip.metrics.connection_refused();
            if let Some(note) = throttle.admit() {
                let max = kmip.connections_max;
                warn!(
                    %address,
                    "connection closed: connections_max={max} are open; hint: raise [limits] connections_max{note}"
                );
            }
            continue;
        };
        let connection =
            Connection { kmip: Arc::clone(&kmip), throttle: Arc::clone(&throttle), address, _seat: seat };
        tokio::spawn(connection.run(tcp, session_draining.clone()));
    }
    drop(listener);
    let all = u32::try_from(kmip.connections_max).unwrap_or(u32::MAX);
    match timeout(kmip.drain_timeout, seats.acquire_many(all)).await {
        Ok(_) => 0,
        Err(_) => kmip.connections_max - seats.available_permits(),
    }
}

struct Connection<S> {
    kmip: Arc<Kmip<S>>,
    throttle: Arc<Throttle>,
    address: SocketAddr,
    _seat: OwnedSemaphorePermit,
}

impl<S: Service> Connection<S> {
    async fn run(self, tcp: TcpStream, draining: watch::Receiver<bool>) {
        let _open = self.kmip.metrics.connection_opened();
        if let Err(error) = prepare(&tcp) {
            debug!(address = %self.address, "connection lost before the handshake: {error}");
            return;
        }
        match &self.kmip.tls {
            Tls::Modern(config) => {
                let handshake = TlsAcceptor::from(Arc::clone(config)).accept(tcp);
                let Some(stream) = self.shake_hands(handshake, draining.clone()).await else { return };
                let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
                self.talk(stream, &certificates, draining).await;
            }
            Tls::Old(acceptor) => {
                let handshake = acceptor.accept(tcp);
                let Some((stream, certificates)) = self.shake_hands(handshake, draining.clone()).await else {
                    return;
                };
                // rustls asks the trust within the handshake; here it is asked before a byte of a message is read.
                if !certificates.is_empty()
                    && let Err(refused) =
                        self.kmip.trust.current().who(&certificates, self.kmip.clock.system_seconds())
                {
                    self.kmip.metrics.handshake(Handshake::Refused);
                    if let Some(note) = self.throttle.admit() {
                        warn!(address = %self.address, "client certificate refused: {refused}{note}");
                    }
                    return;
                }
                self.talk(stream, &certificates, draining).await;
            }
        }
    }

    async fn talk<T>(
        &self,
        mut stream: T,
        certificates: &[CertificateDer<'static>],
        draining: watch::Receiver<bool>,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.kmip.metrics.handshake(match certificates.is_empty() {
            true => Handshake::WithoutCertificate,
            false => Handshake::Known,
        });
        let session = Session {
            service: &*self.kmip.service,
            trust: &self.kmip.trust,
            clock: &self.kmip.clock,
            address: self.address,
            certificates,
            bounds: &self.kmip.bounds,
            limits: self.kmip.limits,
        };
        let end = match self.kmip.speaks {
            Speaks::Ttlv => session.serve(&mut stream, draining).await,
            Speaks::Http => https::serve(session, stream, draining).await,
        };
        self.log_end(&end);
    }

    async fn shake_hands<T>(
        &self,
        handshake: impl Future<Output = io::Result<T>>,
        mut draining: watch::Receiver<bool>,
    ) -> Option<T> {
        let started = Instant::now();
        let shaken = tokio::select! {
            shaken = timeout(self.kmip.handshake_timeout, handshake) => shaken,
            _ = draining.wait_for(|draining| *draining) => return None,
        };
        match shaken {
            Ok(Ok(stream)) => {
                self.kmip.metrics.handshake_took(started.elapsed());
                Some(stream)
            }
            Ok(Err(error)) => {
                self.log_refusal(&error);
                None
            }
            Err(_) => {
                self.kmip.metrics.handshake(Handshake::TimedOut);
                debug!(address = %self.address, "handshake not finished within handshake_timeout_ms");
                None
            }
        }
    }

    fn log_refusal(&self, error: &io::Error) {
        let address = self.address;
        let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
            self.kmip.metrics.handshake(Handshake::Aborted);
            debug!(%address, "connection ended before the handshake: {error}");
            return;
        };
        let (kind, why) = match tls {
            rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
                (Handshake::Refused, format!("client certificate refused: {}", other.0))
            }
            rustls::Error::InvalidCertificate(_) => {
                (Handshake::Refused, format!("client certificate refused: {tls}"))
            }
            rustls::Error::AlertReceived(alert) => (
                Handshake::Aborted,
                format!(
                    "the client ended the handshake with alert {alert:?}; hint: it may not trust this server's \
                     certificate"
                ),
            ),
            rustls::Error::PeerIncompatible(_) => (
                Handshake::Incompatible,
                format!(
                    "no common TLS version or cipher suite: {tls}; hint: TLS 1.2 with ECDHE-GCM or TLS 1.3, unless \
                     [kmip] tls says otherwise"
                ),
            ),
            _ => {
                self.kmip.metrics.handshake(Handshake::Aborted);
                debug!(%address, "what was sent is no TLS handshake: {tls}");
                return;
            }
        };
        self.kmip.metrics.handshake(kind);
        let Some(note) = self.throttle.admit() else { return };
        match kind {
            Handshake::Refused => warn!(%address, "{why}{note}"),
            _ => info!(%address, "{why}{note}"),
        }
    }

    fn log_end(&self, end: &End) {
        let address = self.address;
        match end {
            End::Garbage(_) | End::Oversized(_) | End::Slow | End::WriteTimeout => {
                if let Some(note) = self.throttle.admit() {
                    info!(%address, "connection closed: {end}{note}");
                }
            }
            End::Unanswered => warn!(%address, "connection closed: {end}"),
            // In TLS 1.3 a client hears of a refused certificate only here, and many close without saying goodbye.
            End::Io(_) | End::Client | End::Truncated | End::Service | End::Idle | End::Draining => {
                debug!(%address, "connection closed: {end}");
            }
        }
    }
}

fn prepare(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    SockRef::from(tcp)
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 6))
}
