//! A cluster's authority, nodes that answer, a wire that can be frozen, and a TLS client that says what it likes.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use certs::{Authority, Existing, Issued, KeyKind, Profile, Subject};
use kms_server::engine::CallError;
use kms_server::links::{Bounds, Caller, FRONT_STATUS, Handler, LinkIdentity, Links, Settings, serve};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than anything here takes; what waits for so long has failed.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Bounds of time that no busy machine reaches: for tests that are not about them.
pub(crate) fn patient() -> Settings {
    Settings { connect_timeout: LONG, silence_max: LONG, ..Settings::default() }
}

/// The same for the other end.
pub(crate) fn patient_bounds() -> Bounds {
    let (handshake_timeout, hello_timeout) = (LONG, LONG);
    Bounds { handshake_timeout, hello_timeout, silence_max: LONG, ..Bounds::default() }
}

const POLL_INTERVAL: Duration = Duration::from_millis(5);

pub(crate) const RAFT: u8 = 0x01;
/// Raft's calls of this kind wait for [`Recorder::gate`].
pub(crate) const RAFT_WAITS: u8 = 0x02;
pub(crate) const ECHO: u8 = 0x10;
/// Waits for [`Recorder::gate`].
pub(crate) const WAITS: u8 = 0x11;
pub(crate) const REFUSES: u8 = 0x12;
pub(crate) const PANICS: u8 = 0x13;

pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Awaits a condition.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    assert!(tokio::time::timeout(LONG, waited).await.is_ok(), "{what}: not within {LONG:?}");
}

/// A cluster's authority, and the files of its nodes.
pub(crate) struct Cluster {
    pub(crate) authority: Authority,
    pub(crate) dir: TempDir,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let authority = Authority::create("cluster CA", KeyKind::P256, now(), 7_300).unwrap();
        let cluster = Self { authority, dir: TempDir::new().unwrap() };
        let pem = cluster.authority.cert_pem().unwrap();
        certs::write_certificate(&cluster.path("ca.pem"), &pem, Existing::Replace).unwrap();
        cluster
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn issue(&self, profile: Profile, common_name: &str) -> Issued {
        let alt_names = vec!["127.0.0.1".parse().unwrap()];
        let subject = Subject { common_name: common_name.to_owned(), alt_names };
        self.authority.issue(profile, &subject, KeyKind::P256, now()).unwrap()
    }

    pub(crate) fn write(&self, name: &str, issued: &Issued) -> (PathBuf, PathBuf) {
        let (certificate, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        certs::write_certificate(&certificate, &issued.cert_pem, Existing::Replace).unwrap();
        certs::write_private_key(&key, &issued.key_pem, Existing::Replace).unwrap();
        (certificate, key)
    }

    pub(crate) fn node(&self, number: u64) -> LinkIdentity {
        let name = format!("node-{number}");
        let (certificate, key) = self.write(&name, &self.issue(Profile::Node, &name));
        LinkIdentity::read(&self.path("ca.pem"), &certificate, &key, now()).unwrap()
    }

    /// The links of node `number`, with one to node 2 there.
    pub(crate) fn links_to(&self, number: u64, settings: Settings, node_2: SocketAddr) -> Arc<Links> {
        let links = Links::new(self.node(number), settings);
        links.keep(2, &node_2.to_string());
        links
    }
}

/// Answers by kind, and remembers who called.
pub(crate) struct Recorder {
    pub(crate) heard: Mutex<Vec<(Caller, u8)>>,
    pub(crate) gate: Semaphore,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { heard: Mutex::default(), gate: Semaphore::new(0) }
    }
}

impl Recorder {
    pub(crate) fn heard(&self) -> Vec<(Caller, u8)> {
        self.heard.lock().unwrap().clone()
    }
}

impl Handler for Recorder {
    fn answer(
        &self,
        caller: Caller,
        kind: u8,
        request: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + '_>> {
        self.heard.lock().unwrap().push((caller, kind));
        Box::pin(async move {
            match kind {
                RAFT_WAITS | WAITS => {
                    self.gate.acquire().await.unwrap().forget();
                    Ok(request)
                }
                // Fronts have two kinds, and both are needed for what does not wait.
                FRONT_STATUS if request == b"waits" => {
                    self.gate.acquire().await.unwrap().forget();
                    Ok(request)
                }
                REFUSES => Err(format!("no, not {}", String::from_utf8_lossy(&request))),
                PANICS => panic!("a handler's mistake"),
                _ => Ok(request),
            }
        })
    }
}

/// A node that takes calls.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) heard: Arc<Recorder>,
    pub(crate) draining: watch::Sender<bool>,
    pub(crate) task: JoinHandle<()>,
}

impl Node {
    pub(crate) async fn start(cluster: &Cluster, number: u64, bounds: Bounds) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), cluster.node(number), bounds).await
    }

    pub(crate) async fn start_at(at: SocketAddr, identity: LinkIdentity, bounds: Bounds) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Recorder::default());
        let (draining, drained) = watch::channel(false);
        let handler = Arc::clone(&heard);
        let task = tokio::spawn(serve(listener, identity, handler, bounds, drained));
        Self { address, heard, draining, task }
    }

    /// Ends it as a killed process ends: sockets closed, nothing said.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// An empty call to node 2, under way.
pub(crate) fn calling(links: &Arc<Links>, kind: u8) -> JoinHandle<Result<Vec<u8>, CallError>> {
    let links = Arc::clone(links);
    tokio::spawn(async move { links.call(2, kind, Vec::new(), LONG).await })
}

/// Carries bytes to another address, until it is frozen: then it takes and gives nothing, and closes nothing.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    pub(crate) frozen: watch::Sender<bool>,
    /// How many were opened.
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self {
            address: listener.local_addr().unwrap(),
            frozen: watch::Sender::new(false),
            connections: Arc::default(),
        };
        let (frozen, connections) = (wire.frozen.subscribe(), Arc::clone(&wire.connections));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let far = TcpStream::connect(address).await.unwrap();
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near.0, far.1, frozen.clone()));
                tokio::spawn(carry(far.0, near.1, frozen.clone()));
            }
        });
        wire
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let _ = frozen.wait_for(|frozen| !frozen).await;
        let read = tokio::select! {
            _ = frozen.wait_for(|frozen| *frozen) => continue,
            read = from.read(&mut buffer) => read,
        };
        match read {
            Ok(bytes @ 1..) if to.write_all(&buffer[..bytes]).await.is_ok() => {}
            _ => return,
        }
    }
}

/// A TLS client with this certificate, or none, that checks the server by the cluster's CA and its address.
pub(crate) fn raw_config(cluster: &Cluster, shown: Option<&Issued>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let ca = cluster.authority.cert_pem().unwrap();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    match shown {
        None => builder.with_no_client_auth(),
        Some(issued) => {
            let chain = vec![CertificateDer::from_pem_slice(issued.cert_pem.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(issued.key_pem.danger_expose().as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

pub(crate) async fn raw(config: ClientConfig, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

/// A frame as the wire has it.
pub(crate) fn frame(id: u64, kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(9 + body.len()).unwrap();
    [&length.to_be_bytes()[..], &id.to_be_bytes(), &[kind], body].concat()
}

pub(crate) fn hello(version: u32) -> Vec<u8> {
    frame(u64::from_be_bytes(*b"KMS-LINK"), 0x00, &version.to_be_bytes())
}

/// The next frame that is no sign of life: its number, kind and body. `None` when the connection ends.
pub(crate) async fn next_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<(u64, u8, Vec<u8>)> {
    loop {
        let length = stream.read_u32().await.ok()?;
        let id = stream.read_u64().await.ok()?;
        let kind = stream.read_u8().await.ok()?;
        let mut body = vec![0; length as usize - 9];
        stream.read_exact(&mut body).await.ok()?;
        if kind != 0x82 {
            return Some((id, kind, body));
        }
    }
}
