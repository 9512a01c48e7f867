//! The way between hosts: one question and its answer over a connection of the simulated network, and the links of a
//! node on top of it, which notice when a neighbour is gone as the real ones do.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kms_server::engine::{Answering, CallError, Calls, NodeId, Peer};
use kms_server::node::Peers;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use turmoil::net::TcpStream;

use crate::world::{World, lock};

/// Where every node listens.
pub(crate) const PORT: u16 = 5697;

/// Kind of a question that only asks whether someone is there.
pub(crate) const PING: u8 = 0xfe;
/// Kind of a client's request.
pub(crate) const CLIENT: u8 = 0xff;

/// First byte of an answer.
pub(crate) const TAKEN: u8 = 1;
/// The same, answered without a majority.
pub(crate) const TAKEN_ALONE: u8 = 2;
/// The question was refused, in words.
pub(crate) const REFUSED: u8 = 3;

/// Between two looks whether a neighbour is there.
const PING_INTERVAL: Duration = Duration::from_millis(200);
const PING_WAIT: Duration = Duration::from_millis(300);
/// A neighbour that was silent for so long is gone.
const SILENCE: Duration = Duration::from_millis(800);

/// The name of a node's host.
pub(crate) fn host(node: NodeId) -> String {
    format!("n{node}")
}

/// Sends a question and reads the answer; `from` is a node, or a client.
pub(crate) async fn ask(to: NodeId, from: u64, kind: u8, question: &[u8]) -> io::Result<(u8, Vec<u8>)> {
    let mut stream = TcpStream::connect((host(to), PORT)).await?;
    let mut frame = Vec::with_capacity(question.len() + 13);
    frame.push(kind);
    frame.extend_from_slice(&from.to_be_bytes());
    frame.extend_from_slice(&(question.len() as u32).to_be_bytes());
    frame.extend_from_slice(question);
    stream.write_all(&frame).await?;
    let status = stream.read_u8().await?;
    let mut answer = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut answer).await?;
    Ok((status, answer))
}

/// Reads a question: kind, from whom, and what.
pub(crate) async fn read_question(stream: &mut TcpStream) -> io::Result<(u8, u64, Vec<u8>)> {
    let (kind, from) = (stream.read_u8().await?, stream.read_u64().await?);
    let mut question = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut question).await?;
    Ok((kind, from, question))
}

pub(crate) async fn write_answer(stream: &mut TcpStream, status: u8, answer: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(answer.len() + 5);
    frame.push(status);
    frame.extend_from_slice(&(answer.len() as u32).to_be_bytes());
    frame.extend_from_slice(answer);
    stream.write_all(&frame).await?;
    stream.shutdown().await
}

/// A node's links to the others.
#[derive(Debug)]
pub(crate) struct Links {
    me: NodeId,
    world: Arc<World>,
    kept: Mutex<BTreeMap<NodeId, Kept>>,
}

#[derive(Debug)]
struct Kept {
    up: watch::Receiver<bool>,
    watcher: AbortHandle,
}

impl Links {
    pub(crate) fn new(me: NodeId, world: Arc<World>) -> Self {
        Self { me, world, kept: Mutex::default() }
    }
}

impl Calls for Links {
    fn call(&self, to: NodeId, kind: u8, request: Vec<u8>, within: Duration) -> Answering<'_> {
        Box::pin(async move {
            let up = lock(&self.kept).get(&to).map(|kept| kept.up.clone());
            let Some(mut up) = up.filter(|up| *up.borrow()) else {
                return Err(CallError::Unreachable("no link".to_owned()));
            };
            let (me, world) = (self.me, &self.world);
            world.note(format_args!("n{me} asks n{to} {kind:#04x} {} bytes", request.len()));
            let called = tokio::select! {
                biased;
                answer = timeout(within, ask(to, me, kind, &request)) => match answer {
                    Ok(Ok((REFUSED, why))) => {
                        Err(CallError::Refused(String::from_utf8_lossy(&why).into_owned()))
                    }
                    Ok(Ok((_, answer))) => Ok(answer),
                    Ok(Err(error)) => Err(CallError::Unreachable(error.kind().to_string())),
                    Err(_) => Err(CallError::TimedOut),
                },
                _ = up.wait_for(|up| !*up) => Err(CallError::Unreachable("the link was lost".to_owned())),
            };
            match &called {
                Ok(answer) => {
                    world.note(format_args!("n{me} hears n{to} {kind:#04x} {} bytes", answer.len()))
                }
                Err(CallError::Unreachable(_)) => world.note(format_args!("n{me} lost n{to} {kind:#04x}")),
                Err(CallError::TimedOut) => world.note(format_args!("n{me} misses n{to} {kind:#04x}")),
                Err(CallError::Refused(_)) => {
                    world.note(format_args!("n{me} is refused by n{to} {kind:#04x}"))
                }
            }
            called
        })
    }
}

impl Peers for Links {
    fn keep(&self, members: &BTreeMap<NodeId, Peer>) {
        let mut kept = lock(&self.kept);
        kept.retain(|id, kept| {
            let stays = members.contains_key(id);
            if !stays {
                kept.watcher.abort();
            }
            stays
        });
        for id in members.keys().filter(|id| **id != self.me) {
            kept.entry(*id).or_insert_with(|| {
                let (seen, up) = watch::channel(false);
                let watcher = tokio::spawn(watch_link(self.me, *id, seen)).abort_handle();
                Kept { up, watcher }
            });
        }
    }

    fn reaches(&self, id: NodeId) -> bool {
        lock(&self.kept).get(&id).is_some_and(|kept| *kept.up.borrow())
    }
}

/// Asks again and again whether a neighbour is there.
async fn watch_link(me: NodeId, to: NodeId, seen: watch::Sender<bool>) {
    let mut heard: Option<Instant> = None;
    loop {
        match timeout(PING_WAIT, ask(to, me, PING, &[])).await {
            Ok(Ok(_)) => heard = Some(Instant::now()),
            // Its kernel says that nobody listens.
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => heard = None,
            Ok(Err(_)) | Err(_) => {}
        }
        let up = heard.is_some_and(|heard| heard.elapsed() < SILENCE);
        seen.send_if_modified(|known| std::mem::replace(known, up) != up);
        sleep(PING_INTERVAL).await;
    }
}
