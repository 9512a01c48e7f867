//! Asks a node whether it answers, as deep as the configuration allows:
//!
//! | kind | asks                                                        | sees a frozen node | sees a node that serves nobody |
//! |------|-------------------------------------------------------------|--------------------|--------------------------------|
//! | kmip | mutual TLS, Discover Versions and Query in one message      | yes                | yes                            |
//! | tls  | a TLS handshake, without a certificate of ours              | yes                | no                             |
//! | tcp  | a connect                                                   | no                 | no                             |
//! | link | a node of ours what it can do, over its link port           | yes                | yes                            |
//!
//! A kmip probe keeps its connection for the next one, so that probing costs a node no handshake and no line in its log;
//! every [`KEPT_PROBES_MAX`] probes it connects anew, so that what new clients meet is seen too.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kmip::client::{Client, ClientConfig, ClientConfigBuilder, ClientError, Connection};
use kmip::enumeration::{QueryFunction, ResultStatus};
use kmip::operations::{discover_versions, query};
use kmip::{ProtocolVersion, RequestMessage, ResponseMessage};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::certificate::not_after;
use crate::client_files::{ClientFiles, Mistake};
use crate::health::Report;
use crate::links::Links;

/// Probes on one connection.
pub const KEPT_PROBES_MAX: u32 = 25;

/// Bytes of the largest answer to a probe that is taken: versions and operations are a few hundred.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The year 292 billion before: no certificate ends there.
const NONE_SEEN: i64 = i64::MIN;

/// What a probe speaks: the oldest version that has Discover Versions, which every server since 2013 knows.
const VERSION: ProtocolVersion = ProtocolVersion::V1_1;

/// How long a connection may take to say goodbye.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// How deep a node is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With a request that it must answer.
    Kmip,
    /// With a handshake.
    Tls,
    /// With a connect.
    Tcp,
    /// With a question that nodes of ours answer: what they can do.
    Link,
}

/// How nodes are asked; the same for all.
#[derive(Clone)]
pub struct Prober {
    kind: Kind,
    verified: bool,
    /// With an address that is exchanged for the node's; none for TCP.
    client: Option<ClientConfig>,
    /// The end of our own certificate, in seconds since 1970; none where none is shown.
    not_after: Option<i64>,
    /// The links of [`Kind::Link`].
    links: Option<Links>,
}

impl Prober {
    /// Asks nodes of ours over their links.
    pub(crate) fn over(links: &Links) -> Self {
        let (client, not_after) = (None, not_after(links.leaf()));
        Self { kind: Kind::Link, verified: true, client, not_after, links: Some(links.clone()) }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong, by key.
    pub fn read(kind: Kind, files: &ClientFiles) -> Result<Self, Vec<Mistake>> {
        let pems = files.read()?;
        if kind == Kind::Tcp {
            return Ok(Self { kind, verified: false, client: None, not_after: None, links: None });
        }
        let (verified, shown) = (pems.ca.is_some(), kind == Kind::Kmip);
        let tune = |client: ClientConfigBuilder| {
            client.protocol_version(VERSION).response_bytes_max(ANSWER_BYTES_MAX)
        };
        let client = pems.client(shown, tune)?;
        let not_after = pems.leaf().filter(|_| shown).and_then(|leaf| not_after(&leaf));
        Ok(Self { kind, verified, client: Some(client), not_after, links: None })
    }

    /// How deep it asks.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The end of our own certificate, in seconds since 1970; None where none is shown.
    pub fn not_after(&self) -> Option<i64> {
        self.not_after
    }

    /// What it does not see, in words for the log; None where it sees all.
    pub fn blind_to(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Kmip | Kind::Link => None,
            Kind::Tls => Some(
                "probes are TLS handshakes only: a node that shakes hands and answers no request stays Up; hint: give \
                 [probe] certificate and key",
            ),
            Kind::Tcp => Some(
                "probes are TCP connects only: a frozen node stays Up; hint: [probe] kind = \"tls\", or give \
                 certificate and key",
            ),
        }
    }
}

impl fmt::Display for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trust = match self.verified {
            true => "the node's certificate is verified",
            false => "any certificate is taken",
        };
        match self.kind {
            Kind::Kmip => write!(f, "mutual TLS with Discover Versions and Query, {trust}"),
            Kind::Tls => write!(f, "TLS handshake only, {trust}"),
            Kind::Tcp => f.write_str("TCP connect only"),
            Kind::Link => f.write_str("each node is asked what it can do, over its link"),
        }
    }
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prober({self})")
    }
}

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Whether TCP stood.
    pub connected: bool,
    /// Why, in words for a person.
    pub reason: String,
}

impl Failed {
    fn unconnected(reason: impl Into<String>) -> Self {
        Self { connected: false, reason: reason.into() }
    }

    fn connected(reason: impl Into<String>) -> Self {
        Self { connected: true, reason: reason.into() }
    }
}

/// The probes of one node.
#[derive(Debug)]
pub struct Probe {
    address: SocketAddr,
    prober: Prober,
    kept: Mutex<Option<Kept>>,
    /// The end of the certificate that the node last showed; [`NONE_SEEN`] while none was seen.
    not_after: AtomicI64,
}

/// A connection that answered a probe, and is asked again.
#[derive(Debug)]
struct Kept {
    connection: Connection,
    probes: u32,
}

impl Probe {
    /// Probes of the node at `address`.
    pub fn new(prober: &Prober, address: SocketAddr) -> Self {
        Self { address, prober: prober.clone(), kept: Mutex::new(None), not_after: AtomicI64::new(NONE_SEEN) }
    }

    /// The end of the certificate that the node last showed, in seconds since 1970; None while none was seen.
    pub fn not_after(&self) -> Option<i64> {
        match &self.prober.links {
            Some(links) => links.not_after(self.address),
            None => Some(self.not_after.load(Ordering::Relaxed)).filter(|end| *end != NONE_SEEN),
        }
    }

    /// Asks once. Over its link a node of ours says what it can do ([`Report`]); other servers say nothing of it.
    ///
    /// # Errors
    /// [`Failed`], at the latest after `timeout`.
    pub async fn ask(&self, timeout: Duration) -> Result<Option<Report>, Failed> {
        let deadline = Instant::now() + timeout;
        let late = |what: &str| format!("{what} took more than {} ms", timeout.as_millis());
        if let Some(links) = &self.prober.links {
            return match timeout_at(deadline, links.status(self.address)).await {
                Err(_) => Err(Failed::connected(late("the answer to what it can do"))),
                Ok(Err((connected, reason))) => Err(Failed { connected, reason }),
                Ok(Ok(report)) => Ok(Some(report)),
            };
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(kept) = kept {
            match timeout_at(deadline, self.ask_on(kept)).await {
                Err(_) => return Err(Failed::connected(late("the answer to Discover Versions and Query"))),
                // A server may close what idles; that it is there is for a new connection to show.
                Ok(Err(Unanswered::Lost(_))) => {}
                Ok(Err(Unanswered::Wrong(reason))) => return Err(Failed::connected(reason)),
                Ok(Ok(())) => return Ok(None),
            }
        }
        let tcp = match timeout_at(deadline, TcpStream::connect(self.address)).await {
            Err(_) => return Err(Failed::unconnected(late("the connect"))),
            Ok(Err(error)) => return Err(Failed::unconnected(format!("cannot connect: {error}"))),
            Ok(Ok(tcp)) => tcp,
        };
        let Some(client) = &self.prober.client else {
            // Without it each probe would leave a socket in TIME_WAIT for a minute.
            let _ = SockRef::from(&tcp).set_linger(Some(Duration::ZERO));
            return Ok(None);
        };
        let client = client
            .with_address(self.address.to_string())
            .map_err(|error| Failed::connected(error.to_string()))?;
        let connection = match timeout_at(deadline, Client::over(tcp, &client)).await {
            Err(_) => return Err(Failed::connected(late("the TLS handshake"))),
            // It refuses whom it does not know: it is there, and clients have certificates of their own.
            Ok(Err(error)) if self.prober.kind == Kind::Tls && error.alert().is_some() => return Ok(None),
            Ok(Err(error)) => return Err(Failed::connected(error.to_string())),
            Ok(Ok(connection)) => connection,
        };
        let shown = connection.peer_certificates().first().and_then(|leaf| not_after(leaf));
        self.not_after.store(shown.unwrap_or(NONE_SEEN), Ordering::Relaxed);
        if self.prober.kind == Kind::Tls {
            say_goodbye(connection);
            return Ok(None);
        }
        match timeout_at(deadline, self.ask_on(Kept { connection, probes: 0 })).await {
            Err(_) => Err(Failed::connected(late("the answer to Discover Versions and Query"))),
            Ok(Err(Unanswered::Lost(reason) | Unanswered::Wrong(reason))) => Err(Failed::connected(reason)),
            Ok(Ok(())) => Ok(None),
        }
    }

    /// Asks on this connection, and keeps it if it may be asked again.
    async fn ask_on(&self, mut kept: Kept) -> Result<(), Unanswered> {
        let functions = vec![QueryFunction::QueryOperations, QueryFunction::QueryServerInformation];
        let payloads = [
            discover_versions::Request::default().into(),
            query::Request { query_functions: functions }.into(),
        ];
        let mut request = RequestMessage::new(VERSION, payloads);
        // KMIP 1.4 section 6.4: required in a batch of several.
        for (id, item) in (1..).zip(&mut request.items) {
            item.unique_batch_item_id = Some(vec![id]);
        }
        let answer = kept.connection.call(&request).await;
        check(&answer.map_err(unanswered)?).map_err(Unanswered::Wrong)?;
        kept.probes += 1;
        match kept.probes < KEPT_PROBES_MAX {
            true => *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept),
            false => say_goodbye(kept.connection),
        }
        Ok(())
    }
}

/// Why there is no good answer.
enum Unanswered {
    /// The connection is gone.
    Lost(String),
    /// The node answered, and not as it should.
    Wrong(String),
}

fn unanswered(error: ClientError) -> Unanswered {
    let text = error.to_string();
    match error {
        ClientError::Closed { .. } | ClientError::Io { .. } | ClientError::Spent { .. } => {
            Unanswered::Lost(text)
        }
        _ => Unanswered::Wrong(text),
    }
}

/// Both questions must have been answered with success.
fn check(answer: &ResponseMessage) -> Result<(), String> {
    if answer.items.len() != 2 {
        return Err(format!(
            "asked two questions, got {} answers; hint: this is the server's bug",
            answer.items.len()
        ));
    }
    for (asked, item) in ["Discover Versions", "Query"].into_iter().zip(&answer.items) {
        if item.result_status != ResultStatus::Success {
            let reason = item.result_reason.map(|reason| format!(", {reason}")).unwrap_or_default();
            let message = item.result_message.as_ref().map(|text| format!(": {text:?}")).unwrap_or_default();
            return Err(format!("{asked} was answered {}{reason}{message}", item.result_status));
        }
    }
    Ok(())
}

/// Ends a connection in TLS's own words, so that the node's log has nothing to say about it. Nobody waits for it.
pub(crate) fn say_goodbye(connection: Connection) {
    tokio::spawn(async move {
        // A node that is gone by then needs no goodbye.
        let _ = tokio::time::timeout(GOODBYE_MAX, connection.close()).await;
    });
}
