//! A KMIP server of another make in the test's own process: mutual TLS, one message after the other. What it does with
//! requests is set by the test, and can be changed while they wait; probes it answers always.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use kmip::{RequestMessage, RequestPayload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use ttlv::{HEADER_BYTES, Limits};

use crate::node::{House, acceptor};
use crate::replay::node::answer;

/// What a server does with requests, each of which it has read and noted by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Answers,
    /// Nothing, until it does something else.
    Waits,
    /// Ends the connection.
    Dies,
    /// Sends what is no KMIP.
    Babbles,
    /// Sends what is KMIP, and no response.
    Echoes,
    /// Answers, and ends the connection then.
    AnswersAndEnds,
    /// Says nothing on new connections, not even TLS's first words.
    Silent,
}

/// A request as a server read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) message: Vec<u8>,
    /// What the client showed.
    pub(super) leaf: Vec<u8>,
    /// Counted from the server's start.
    pub(super) connection: usize,
}

pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    does: watch::Sender<Does>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    name: &'static str,
    does: watch::Receiver<Does>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    /// Connections with a request, probes aside: at the moment, and at most.
    open: Mutex<(usize, usize)>,
    /// Connections that their client ended while the server had their request.
    given_up: AtomicUsize,
}

impl Server {
    pub(super) async fn start(house: &House, name: &'static str) -> Self {
        let acceptor = acceptor(house, true);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let does = watch::Sender::new(Does::Answers);
        let shared = Arc::new(Shared {
            name,
            does: does.subscribe(),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            given_up: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                connections.spawn(serve(acceptor.clone(), tcp, Arc::clone(&serving)));
            }
        });
        Self { name, address, does, shared, task }
    }

    pub(super) fn does(&self, does: Does) {
        self.does.send_replace(does);
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub(super) fn open(&self) -> usize {
        self.shared.open.lock().unwrap().0
    }

    pub(super) fn open_max(&self) -> usize {
        self.shared.open.lock().unwrap().1
    }

    pub(super) fn given_up(&self) -> usize {
        self.shared.given_up.load(Ordering::SeqCst)
    }

    /// Ends it with all its connections; its port refuses from then on.
    pub(super) async fn kill(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts a connection while it is open.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        let mut open = shared.open.lock().unwrap();
        open.0 += 1;
        open.1 = open.1.max(open.0);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.lock().unwrap().0 -= 1;
    }
}

async fn serve(acceptor: TlsAcceptor, tcp: TcpStream, shared: Arc<Shared>) {
    let mut does = shared.does.clone();
    let Ok(_) = does.wait_for(|does| *does != Does::Silent).await else { return };
    let Ok(mut stream) = acceptor.accept(tcp).await else { return };
    let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let connection = shared.connections.fetch_add(1, Ordering::SeqCst);
    let mut open = None;
    while let Some(message) = receive(&mut stream).await {
        let mut does = shared.does.clone();
        let does = if is_probe(&message) {
            Does::Answers
        } else {
            open.get_or_insert_with(|| Open::new(&shared));
            let asked = Asked { message: message.clone(), leaf: leaf.clone(), connection };
            shared.asked.lock().unwrap().push(asked);
            tokio::select! {
                does = does.wait_for(|does| !matches!(does, Does::Waits | Does::Silent)) => match does {
                    Ok(does) => *does,
                    Err(_) => return,
                },
                _ = stream.read_u8() => {
                    shared.given_up.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
        };
        let out = match does {
            Does::Answers | Does::AnswersAndEnds => answer(&message, shared.name),
            Does::Babbles => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Does::Echoes => message,
            Does::Dies => return,
            Does::Waits | Does::Silent => unreachable!(),
        };
        if stream.write_all(&out).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        if does == Does::AnswersAndEnds {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn receive(stream: &mut TlsStream<TcpStream>) -> Option<Vec<u8>> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await.ok()?;
    let mut message = header.to_vec();
    message.resize(ttlv::frame_len(&header, &Limits::default()).unwrap(), 0);
    stream.read_exact(&mut message[HEADER_BYTES..]).await.ok()?;
    Some(message)
}

/// A test asks for no versions.
fn is_probe(message: &[u8]) -> bool {
    let request = RequestMessage::decode(message, Limits::default()).unwrap();
    matches!(request.items[0].payload, RequestPayload::DiscoverVersions(_))
}
