//! Notify and Put: the published cases in which the server asks and its client answers, and what a listener can count on.
//!
//! Where the published cases are, and what is done without them, is as in `published.rs`.

// Helpers end the test as a test itself does.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use conform::report::Outcome;
use conform::{Case, Wire, case};
use conformance::vectors;
use kmip::client::{Client, Connection};
use kmip::enumeration::{CryptographicAlgorithm, ObjectType};
use kmip::operations::create;
use kmip::{Attribute, ProtocolVersion, StandardAttribute, TemplateAttribute, tag};
use lab::{Lab, NodeHandle};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use ttlv::{Limits, Node, Value};

/// Longest wait for what the server is to ask: a message follows its cause at once.
const HEARD_WITHIN: Duration = Duration::from_secs(20);

/// A case in which one server speaks KMIP 1.0 and 1.2 to one listener, by turns: no server can be right by it.
const TWO_VERSIONS: &str = "TC_NP_2_12_Notify_Put";

/// A message that the server sent, and where its answer goes.
type Heard = (Node, oneshot::Sender<Vec<u8>>);

/// Answers what the server asks, over TLS with the certificate of `node`, which is for 127.0.0.1.
fn listen(listener: std::net::TcpListener, node: &NodeHandle) -> mpsc::Receiver<Heard> {
    let chain = CertificateDer::pem_file_iter(node.dir.join("tls/server.pem")).unwrap();
    let chain: Vec<_> = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(node.dir.join("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let (heard, hears) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(converse(acceptor.clone(), tcp, heard.clone()));
        }
    });
    hears
}

/// One connection of the server's, until it goes.
async fn converse(acceptor: TlsAcceptor, tcp: TcpStream, heard: mpsc::Sender<Heard>) -> Option<()> {
    let mut stream = acceptor.accept(tcp).await.ok()?;
    loop {
        let mut message = vec![0; 8];
        stream.read_exact(&mut message).await.ok()?;
        let length = ttlv::frame_len(&message[..].try_into().unwrap(), &Limits::default()).ok()?;
        message.resize(length, 0);
        stream.read_exact(&mut message[8..]).await.ok()?;
        let (answer, answered) = oneshot::channel();
        heard.send((Node::decode(&message, Limits::default()).unwrap(), answer)).await.ok()?;
        stream.write_all(&answered.await.ok()?).await.ok()?;
    }
}

/// The object that a request is about.
fn about(request: &Node) -> String {
    let payload = request.child(tag::BATCH_ITEM).and_then(|item| item.child(tag::REQUEST_PAYLOAD)).unwrap();
    match &payload.child(tag::UNIQUE_IDENTIFIER).unwrap().value {
        Value::TextString(id) => id.clone(),
        other => panic!("an identifier is text, not {other:?}"),
    }
}

/// An answer of success to any request of the server's.
fn taken(request: &Node) -> Vec<u8> {
    let header = request.child(tag::REQUEST_HEADER).unwrap();
    let version = header.child(tag::PROTOCOL_VERSION).unwrap().clone();
    let operation = request.child(tag::BATCH_ITEM).unwrap().child(tag::OPERATION).unwrap().clone();
    let leaf = Node::new;
    let header =
        vec![version, leaf(tag::TIME_STAMP, Value::DateTime(0)), leaf(tag::BATCH_COUNT, Value::Integer(1))];
    let item = vec![operation, leaf(tag::RESULT_STATUS, Value::Enumeration(0))];
    let message = vec![
        leaf(tag::RESPONSE_HEADER, Value::Structure(header)),
        leaf(tag::BATCH_ITEM, Value::Structure(item)),
    ];
    leaf(tag::RESPONSE_MESSAGE, Value::Structure(message)).encode()
}

/// A client that asks one node, and listens.
struct Both {
    connection: Connection,
    hears: mpsc::Receiver<Heard>,
    answers: Option<oneshot::Sender<Vec<u8>>>,
    /// Objects of cases that are through: what is still told of them is for nobody.
    old: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl Wire for Both {
    fn begin(&mut self, _: &Case) -> Result<(), String> {
        self.old.append(&mut self.seen);
        Ok(())
    }

    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        self.connection.call_raw(request).await.map_err(|error| error.to_string())
    }

    async fn hear(&mut self) -> Result<Vec<u8>, String> {
        loop {
            let heard = timeout(HEARD_WITHIN, self.hears.recv()).await;
            let (request, answer) = heard.map_err(|_| "nothing in time")?.ok_or("the listener is gone")?;
            if self.old.contains(&about(&request)) {
                let _ = answer.send(taken(&request));
                continue;
            }
            self.seen.insert(about(&request));
            self.answers = Some(answer);
            return Ok(request.encode());
        }
    }

    async fn reply(&mut self, answer: &[u8]) -> Result<(), String> {
        let sender = self.answers.take().ok_or("nothing was asked")?;
        sender.send(answer.to_vec()).map_err(|_| "the server is gone".to_owned())
    }
}

fn port() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A lab whose default tenant is told of its objects at `listener`.
async fn told_at(listener: SocketAddr, version: ProtocolVersion, nodes: usize) -> Lab {
    lab::programs();
    Lab::builder()
        .nodes(nodes)
        .set("listeners", "vc01", format!("\"{listener}\""))
        .set("notify", "ca", "\"tls/ca.pem\"")
        .set("notify", "put", "true")
        .set("notify", "version", format!("\"{version}\""))
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn published_cases_of_notify_and_put_pass_on_any_node() {
    let Some(cases) = vectors() else {
        println!("skipped: no published test cases here; set KMIP_VECTORS to their folder");
        return;
    };
    let cases: Vec<Case> = case::all(&cases).unwrap().into_iter().filter(Case::is_asked).collect();
    assert_eq!(cases.len(), 8, "two of each version");
    for minor in [0, 1, 2, 4] {
        let version = ProtocolVersion::new(1, minor);
        let (listener, address) = port();
        // The last of three follows, and whoever leads tells.
        let nodes = if minor == 4 { 3 } else { 1 };
        let lab = told_at(address, version, nodes).await;
        let connection = Client::connect(&lab.config_at(nodes - 1)).await.unwrap();
        let hears = listen(listener, lab.node(0));
        let mut both = Both { connection, hears, answers: None, old: BTreeSet::new(), seen: BTreeSet::new() };
        let its: Vec<Case> = cases.iter().filter(|case| case.version == version).cloned().collect();
        let now = || 0;
        for row in conform::run(&its, &mut both, (false, false), now, |_| {}).await {
            if row.name == TWO_VERSIONS {
                assert!(row.outcome.words().contains("Protocol Version Minor: expected 0, got 2"));
                continue;
            }
            assert!(matches!(row.outcome, Outcome::Passed), "{}: {}", row.name, row.outcome.words());
        }
    }
}

/// An AES-256 key that encrypts.
fn create() -> create::Request {
    let aes = Value::Enumeration(CryptographicAlgorithm::Aes.number());
    let attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, aes),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(4)),
    ];
    create::Request {
        object_type: ObjectType::SymmetricKey,
        template_attribute: TemplateAttribute { names: Vec::new(), attributes },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_comes_late_or_loses_its_leader_hears_everything_in_order() {
    let (listener, address) = port();
    let lab = told_at(address, ProtocolVersion::V1_4, 3).await;
    // Nobody answers yet: it is bound, and closed.
    drop(listener);
    let leader = lab.leader().await;
    let mut client = Client::connect(&lab.config_at(leader)).await.unwrap();
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(client.one(create()).await.unwrap().unique_identifier().unwrap().to_owned());
    }
    lab.node(leader).kill().await;
    let listener = std::net::TcpListener::bind(address).unwrap();
    let mut hears = listen(listener, lab.node(leader));
    let mut heard = Vec::new();
    while heard.len() < made.len() {
        let (request, answer) = timeout(HEARD_WITHIN, hears.recv()).await.unwrap().unwrap();
        answer.send(taken(&request)).unwrap();
        // Once at least: what a leader told and could not log is told again by the next.
        if heard.last() != Some(&about(&request)) {
            heard.push(about(&request));
        }
    }
    assert_eq!(heard, made);
}
