//! A node in the test's own process: answers probes as a KMIP server does, and clients by their first byte.
//!
//! `?` is answered with the node's name, and so is each further one. `#` is read to its end, then answered with how many
//! bytes came. `>` is answered with [`pattern`] without end. Anything else comes back as it was.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kmip::operations::{discover_versions, query};
use kmip::{ProtocolVersion, RequestMessage, RequestPayload, ResponseHeader, ResponseItem, ResponseMessage};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use ttlv::Limits;

use crate::authority::{Pair, authority, ec_key, leaf};

/// The first byte of a TLS connection.
const HANDSHAKE: u8 = 0x16;

/// An authority, a server under it, and clients.
pub(crate) struct House {
    pub(crate) authority: Pair,
    server: Pair,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::of("test authority")
    }

    pub(crate) fn of(name: &str) -> Self {
        let authority = authority(name);
        let server = leaf(&authority, "kms.example.test", ec_key());
        Self { authority, server }
    }

    pub(crate) fn client(&self) -> Pair {
        leaf(&self.authority, "front", ec_key())
    }
}

/// What a node does with requests of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Well,
    /// With something that is no KMIP.
    Garbage,
}

pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// TLS handshakes that were finished.
    pub(crate) handshakes: Arc<AtomicUsize>,
    /// Clients that were accepted and sent a byte.
    pub(crate) clients: Arc<AtomicUsize>,
    frozen: watch::Sender<bool>,
    resets: Arc<AtomicBool>,
    acceptor: TlsAcceptor,
    answers: Answers,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Node {
    /// A node that anyone may probe.
    pub(crate) fn start(name: &'static str) -> Self {
        Self::start_as(name, &House::new(), false, Answers::Well)
    }

    /// A node that wants a client certificate of the house, if `mutual`.
    pub(crate) fn start_as(name: &'static str, house: &House, mutual: bool, answers: Answers) -> Self {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0)));
        let node = Self {
            name,
            address: listener.local_addr().unwrap(),
            handshakes: Arc::default(),
            clients: Arc::default(),
            frozen: watch::channel(false).0,
            resets: Arc::default(),
            acceptor: acceptor(house, mutual),
            answers,
            task: Mutex::new(None),
        };
        node.serve(listener);
        node
    }

    fn serve(&self, listener: TcpListener) {
        let (handshakes, clients) = (Arc::clone(&self.handshakes), Arc::clone(&self.clients));
        let (acceptor, name, answers) = (self.acceptor.clone(), self.name, self.answers);
        let (frozen, resets) = (self.frozen.subscribe(), Arc::clone(&self.resets));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                while *frozen.borrow() {
                    // Awaits the thaw; a closed channel is a node that is gone.
                    if !becomes(&mut frozen.clone(), false).await {
                        return;
                    }
                }
                let mut freezes = frozen.clone();
                let tcp = tokio::select! {
                    biased;
                    _ = becomes(&mut freezes, true) => continue,
                    accepted = listener.accept() => accepted.unwrap().0,
                };
                let (acceptor, handshakes, clients) = (acceptor.clone(), handshakes.clone(), clients.clone());
                let mut frozen = frozen.clone();
                let mut socket = Socket { tcp: Some(tcp), resets: Arc::clone(&resets) };
                connections.spawn(async move {
                    let mut first = [0];
                    if !matches!(socket.tcp().peek(&mut first).await, Ok(1)) {
                        return;
                    }
                    let serve = async {
                        match first[0] {
                            HANDSHAKE => probe(&acceptor, socket.tcp(), &handshakes, answers).await,
                            first => {
                                clients.fetch_add(1, Ordering::SeqCst);
                                client(socket.tcp(), first, name).await;
                            }
                        }
                    };
                    let mut thaws = frozen.clone();
                    tokio::pin!(serve);
                    loop {
                        tokio::select! {
                            biased;
                            _ = becomes(&mut frozen, true) => {
                                if !becomes(&mut thaws, false).await {
                                    return;
                                }
                            }
                            () = &mut serve => return,
                        }
                    }
                });
            }
        });
        *self.task.lock().unwrap() = Some(task);
    }

    /// Does nothing any more, while its kernel still accepts, as a stopped process.
    pub(crate) fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    pub(crate) fn thaw(&self) {
        self.frozen.send_replace(false);
    }

    /// Ends, and all its connections with it: with a reset, or in order, as the kernel does for a killed process
    /// depending on what is unread.
    pub(crate) async fn kill(&self, reset: bool) {
        self.resets.store(reset, Ordering::SeqCst);
        let task = self.task.lock().unwrap().take().unwrap();
        task.abort();
        let _ = task.await;
    }

    /// Is there again, at the same address.
    pub(crate) fn restart(&self) {
        self.resets.store(false, Ordering::SeqCst);
        self.serve(listen(self.address));
    }
}

/// False if it never will, since the node is gone.
async fn becomes(frozen: &mut watch::Receiver<bool>, value: bool) -> bool {
    frozen.wait_for(|frozen| *frozen == value).await.is_ok()
}

fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(4096).unwrap()
}

/// A connection that ends as the node says.
struct Socket {
    tcp: Option<TcpStream>,
    resets: Arc<AtomicBool>,
}

impl Socket {
    fn tcp(&mut self) -> &mut TcpStream {
        self.tcp.as_mut().unwrap()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(tcp) = &self.tcp
            && self.resets.load(Ordering::SeqCst)
        {
            SockRef::from(tcp).set_linger(Some(Duration::ZERO)).unwrap();
        }
    }
}

pub(crate) fn acceptor(house: &House, mutual: bool) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap();
    let builder = match mutual {
        false => builder.with_no_client_auth(),
        true => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(&house.authority.pem()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(&house.server.pem()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(&house.server.key_pem()).unwrap();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
}

async fn probe(acceptor: &TlsAcceptor, tcp: &mut TcpStream, handshakes: &AtomicUsize, answers: Answers) {
    let Ok(mut stream) = acceptor.accept(tcp).await else { return };
    handshakes.fetch_add(1, Ordering::SeqCst);
    let mut header = [0; 8];
    while stream.read_exact(&mut header).await.is_ok() {
        let length = ttlv::frame_len(&header, &Limits::default()).unwrap();
        let mut message = header.to_vec();
        message.resize(length, 0);
        if stream.read_exact(&mut message[8..]).await.is_err() {
            return;
        }
        let answer = match answers {
            Answers::Well => answer(&message),
            Answers::Garbage => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        };
        if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

fn answer(request: &[u8]) -> Vec<u8> {
    let request = RequestMessage::decode(request, Limits::default()).unwrap();
    let items = request.items.iter().map(|item| {
        let payload = match &item.payload {
            RequestPayload::DiscoverVersions(_) => {
                discover_versions::Response { protocol_versions: ProtocolVersion::ALL.to_vec() }.into()
            }
            RequestPayload::Query(_) => query::Response::default().into(),
            other => panic!("a probe asks {other:?}"),
        };
        ResponseItem::success(item.unique_batch_item_id.clone(), payload)
    });
    let items: Vec<_> = items.collect();
    let header = ResponseHeader::new(request.header.protocol_version, 1_700_000_000, items.len() as i32);
    let mut out = Vec::new();
    ResponseMessage { header, items }.encode(&mut out);
    out
}

async fn client(tcp: &mut TcpStream, first: u8, name: &str) {
    // A client may go at any time.
    let _ = match first {
        b'?' => names(tcp, name).await,
        b'#' => count(tcp).await,
        b'>' => flood(tcp).await,
        _ => echo(tcp).await,
    };
}

async fn names(tcp: &mut TcpStream, name: &str) -> std::io::Result<()> {
    while let Ok(b'?') = tcp.read_u8().await {
        tcp.write_all(format!("{name}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn count(tcp: &mut TcpStream) -> std::io::Result<()> {
    let mut all = Vec::new();
    tcp.read_to_end(&mut all).await?;
    tcp.write_all(format!("{} bytes", all.len()).as_bytes()).await?;
    tcp.shutdown().await
}

async fn echo(tcp: &mut TcpStream) -> std::io::Result<()> {
    let (mut read, mut write) = tcp.split();
    tokio::io::copy(&mut read, &mut write).await?;
    write.shutdown().await
}

async fn flood(tcp: &mut TcpStream) -> std::io::Result<()> {
    let mut place = 0;
    loop {
        let chunk: Vec<u8> = (place..place + 8192).map(pattern).collect();
        tcp.write_all(&chunk).await?;
        place += 8192;
    }
}

/// The byte at a place of a flood: a byte that is lost, doubled or moved is seen.
pub(crate) fn pattern(place: u64) -> u8 {
    (place ^ (place >> 8) ^ (place >> 16)) as u8
}
