//! A node's link port in the test's own process. What it does with requests is set by the test, and can be changed while
//! they wait.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use kmip::operations::{destroy, discover_versions, query};
use kmip::{RequestMessage, RequestPayload, ResponseHeader, ResponseItem, ResponseMessage};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use ttlv::Limits;

use crate::authority::{Pair, authority, ec_key, leaf};

const HELLO_ID: u64 = u64::from_be_bytes(*b"KMS-LINK");

/// A cluster's CA, and what hangs on it.
pub(super) struct Cluster {
    pub(super) authority: Pair,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self { authority: authority("cluster CA") }
    }

    pub(super) fn pair(&self, name: &str) -> Pair {
        leaf(&self.authority, name, ec_key())
    }
}

/// What a node does with requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Answers,
    /// As a front reads it: the kind of a frame, and its body.
    Says(u8, Vec<u8>),
    /// Nothing, until it does something else.
    Waits,
    /// Ends its connections.
    Dies,
    /// Sends what is no frame.
    Babbles,
    /// Answers, a byte at a time.
    Trickles,
}

/// A request as a node was handed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) token: Vec<u8>,
    pub(super) again: bool,
    pub(super) seen: u64,
    pub(super) alone: bool,
    pub(super) address: SocketAddr,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) message: Vec<u8>,
}

pub(super) struct LinkNode {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) does: watch::Sender<Does>,
    /// What it says of itself, as JSON.
    pub(super) status: Arc<Mutex<serde_json::Value>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl LinkNode {
    pub(super) async fn start(cluster: &Cluster, number: u64, name: &'static str) -> Self {
        Self::start_as(cluster, &format!("node-{number}"), number, name).await
    }

    /// With a certificate of this common name.
    pub(super) async fn start_as(
        cluster: &Cluster,
        common_name: &str,
        number: u64,
        name: &'static str,
    ) -> Self {
        let acceptor = acceptor(cluster, common_name);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let status = serde_json::json!({
            "node": number, "name": name, "member": true, "leads": number == 1, "leader": 1, "read": true,
            "write": true, "reason": null, "term": 1, "applied": 10, "lag": 0, "answers_seen": 5, "connections": 0,
            "requests": 0,
        });
        let (does, status) = (watch::Sender::new(Does::Answers), Arc::new(Mutex::new(status)));
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let shared =
            Shared { name, does: does.subscribe(), status: Arc::clone(&status), asked: Arc::clone(&asked) };
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                connections.spawn(serve(acceptor.clone(), tcp, shared.clone()));
            }
        });
        Self { name, address, does, status, asked, task }
    }

    pub(super) fn does(&self, does: Does) {
        self.does.send_replace(does);
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn says(&self, changes: serde_json::Value) {
        let mut status = self.status.lock().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            status[name] = value.clone();
        }
    }
}

impl Drop for LinkNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Shared {
    name: &'static str,
    does: watch::Receiver<Does>,
    status: Arc<Mutex<serde_json::Value>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

fn acceptor(cluster: &Cluster, common_name: &str) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&cluster.authority.pem()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let own = cluster.pair(common_name);
    let chain = vec![CertificateDer::from_pem_slice(&own.pem()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(&own.key_pem()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

/// What a connection does next with its bytes.
enum Out {
    Bytes(Vec<u8>),
    OneByOne(Vec<u8>),
    End,
}

async fn serve(acceptor: TlsAcceptor, tcp: TcpStream, shared: Shared) {
    let Ok(stream) = acceptor.accept(tcp).await else { return };
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (outs, mut out) = mpsc::unbounded_channel();
    let reading = async {
        let mut calls = JoinSet::new();
        while let Some((id, kind, body)) = frame(&mut reader).await {
            match kind {
                0x00 => _ = outs.send(Out::Bytes(encode(HELLO_ID, 0x00, &1_u32.to_be_bytes()))),
                // A node that dies is dead for all that is asked.
                0x31 if *shared.does.borrow() == Does::Dies => _ = outs.send(Out::End),
                0x31 => {
                    let status = serde_json::to_vec(&*shared.status.lock().unwrap()).unwrap();
                    _ = outs.send(Out::Bytes(encode(id, 0x80, &status)));
                }
                0x30 => {
                    let asked = read(&body);
                    shared.asked.lock().unwrap().push(asked.clone());
                    calls.spawn(request(shared.clone(), outs.clone(), id, asked));
                }
                // A sign of life, with one in return.
                0x82 => _ = outs.send(Out::Bytes(encode(0, 0x82, &[]))),
                other => panic!("a front sends kind {other:#x}"),
            }
        }
    };
    let writing = async {
        while let Some(out) = out.recv().await {
            let written = match out {
                Out::End => return,
                Out::Bytes(bytes) => writer.write_all(&bytes).await,
                Out::OneByOne(bytes) => {
                    let mut written = Ok(());
                    for byte in bytes {
                        written = written.and(writer.write_all(&[byte]).await).and(writer.flush().await);
                    }
                    written
                }
            };
            if written.and(writer.flush().await).is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

async fn request(shared: Shared, outs: mpsc::UnboundedSender<Out>, id: u64, asked: Asked) {
    let mut does = shared.does.clone();
    let does = does.wait_for(|does| *does != Does::Waits).await.map(|does| does.clone());
    let answer = || [&[1, 0], answer(&asked.message, shared.name).as_slice()].concat();
    let out = match does {
        Ok(Does::Answers) => Out::Bytes(encode(id, 0x80, &answer())),
        Ok(Does::Trickles) => Out::OneByOne(encode(id, 0x80, &answer())),
        Ok(Does::Says(kind, body)) => Out::Bytes(encode(id, kind, &body)),
        Ok(Does::Babbles) => Out::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        Ok(Does::Dies) | Err(_) => Out::End,
        Ok(Does::Waits) => unreachable!(),
    };
    // The connection may be gone by now.
    let _ = outs.send(out);
}

/// Success for every item, with the node's name in it.
pub(crate) fn answer(request: &[u8], name: &str) -> Vec<u8> {
    let request = RequestMessage::decode(request, Limits::default()).unwrap();
    let items = request.items.iter().map(|item| {
        let payload = match &item.payload {
            RequestPayload::Query(_) => {
                query::Response { vendor_identification: Some(name.to_owned()), ..Default::default() }.into()
            }
            RequestPayload::DiscoverVersions(_) => discover_versions::Response::default().into(),
            RequestPayload::Destroy(_) => destroy::Response { unique_identifier: name.to_owned() }.into(),
            other => panic!("a test asks {other:?}"),
        };
        ResponseItem::success(item.unique_batch_item_id.clone(), payload)
    });
    let items: Vec<_> = items.collect();
    let header = ResponseHeader::new(request.header.protocol_version, 1_700_000_000, items.len() as i32);
    let mut out = Vec::new();
    ResponseMessage { header, items }.encode(&mut out);
    out
}

fn encode(id: u64, kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (9 + body.len()) as u32;
    [&length.to_be_bytes()[..], &id.to_be_bytes(), &[kind], body].concat()
}

async fn frame(reader: &mut ReadHalf<TlsStream<TcpStream>>) -> Option<(u64, u8, Vec<u8>)> {
    let length = reader.read_u32().await.ok()?;
    let mut frame = vec![0; length as usize];
    reader.read_exact(&mut frame).await.ok()?;
    let id = u64::from_be_bytes(frame[..8].try_into().unwrap());
    Some((id, frame[8], frame.split_off(9)))
}

fn read(body: &[u8]) -> Asked {
    let mut rest = body;
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at(count);
        rest = after;
        taken.to_vec()
    };
    let number = |bytes: Vec<u8>| bytes.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let token = take(16);
    let again = take(1) == [1];
    let seen = number(take(8));
    let alone = take(1) == [1];
    let length = number(take(2)) as usize;
    let address = String::from_utf8(take(length)).unwrap().parse().unwrap();
    let count = number(take(1));
    let mut certificates = Vec::new();
    for _ in 0..count {
        let length = number(take(4)) as usize;
        certificates.push(take(length));
    }
    Asked { token, again, seen, alone, address, certificates, message: rest.to_vec() }
}
