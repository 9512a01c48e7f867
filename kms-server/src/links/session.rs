//! One connection of a caller: hello, then its calls, each answered when it is done.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::caller::Caller;
use super::outbox::{self, Lane, Outbox};
use super::serve::{Bounds, Port};
use super::wire::{self, BODY_BYTES_MAX, Broken, Frame, LINK_VERSION, Reader, STRANGER_BODY_BYTES_MAX};

/// Bytes of a refusal's words; the rest is cut.
const REFUSAL_BYTES_MAX: usize = 4096;

/// How a connection ended.
pub(super) enum End {
    Drained,
    Broken(Broken),
}

impl End {
    /// Whether it is nobody's fault that a person should hear of: callers come and go.
    pub(super) fn is_ordinary(&self) -> bool {
        match self {
            Self::Drained => true,
            Self::Broken(broken) => {
                matches!(broken, Broken::Closed | Broken::Truncated | Broken::Io(_) | Broken::Silent(_))
            }
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drained => f.write_str("this node is ending"),
            Self::Broken(broken) => broken.fmt(f),
        }
    }
}

/// Serves a connection to its end. `seat` is held until the last call in work is done, so that a caller who comes again
/// and again does not gather work beyond the bounds.
pub(super) async fn serve(
    port: &Port,
    stream: TlsStream<TcpStream>,
    caller: &Caller,
    seat: OwnedSemaphorePermit,
    mut draining: watch::Receiver<bool>,
) -> End {
    let Bounds { hello_timeout, silence_max, beat_every, answers_bytes_max, drain_timeout, .. } = port.bounds;
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = Reader::new(reader, STRANGER_BODY_BYTES_MAX);
    let hello = async {
        let version = wire::version_of(&reader.next(hello_timeout).await?)?;
        writer.write_all(&wire::hello()).await?;
        writer.flush().await?;
        match version {
            LINK_VERSION => Ok(()),
            other => {
                writer.shutdown().await?;
                Err(Broken::Version(other))
            }
        }
    };
    match timeout(hello_timeout, hello).await.unwrap_or(Err(Broken::SlowHello(hello_timeout))) {
        Ok(()) => {}
        Err(broken) => return End::Broken(broken),
    }
    if *caller != Caller::Stranger {
        reader.allow(BODY_BYTES_MAX);
    }
    let work = Work::new(port, caller, seat);
    let outbox = Arc::clone(&work.outbox);
    let mut writing = std::pin::pin!(outbox::write_all(&outbox, writer, beat_every, answers_bytes_max));
    tokio::select! {
        broken = work.take_calls(port, &mut reader, silence_max) => return End::Broken(broken),
        written = &mut writing => return End::Broken(written.err().unwrap_or(Broken::Closed)),
        _ = draining.wait_for(|draining| *draining) => {}
    }
    let finish = async {
        work.finished().await;
        outbox.close();
    };
    // Whether or not all was written: there is nobody left to tell.
    let _ = timeout(drain_timeout, async { tokio::join!(finish, writing) }).await;
    End::Drained
}

/// The calls of one connection that are in work.
struct Work<'a> {
    caller: &'a Caller,
    outbox: Arc<Outbox>,
    raft: Slots,
    asks: Slots,
    bytes: Slots,
    seat: Arc<OwnedSemaphorePermit>,
}

struct Slots {
    free: Arc<Semaphore>,
    all: u32,
}

impl Slots {
    fn new(all: usize) -> Self {
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }
}

impl<'a> Work<'a> {
    fn new(port: &Port, caller: &'a Caller, seat: OwnedSemaphorePermit) -> Self {
        let bounds = &port.bounds;
        let (raft, asks, bytes) = match caller {
            Caller::Node(_) => (bounds.raft_calls_max, bounds.asks_max, bounds.requests_bytes_max),
            Caller::Front(_) => (0, bounds.front_calls_max, bounds.front_bytes_max),
            Caller::Stranger => (0, 1, bounds.requests_bytes_max),
        };
        Self {
            caller,
            outbox: Arc::default(),
            raft: Slots::new(raft),
            asks: Slots::new(asks),
            bytes: Slots::new(bytes),
            seat: Arc::new(seat),
        }
    }

    /// Begins what comes, until the connection breaks.
    async fn take_calls(
        &self,
        port: &Port,
        reader: &mut Reader<impl AsyncRead + Unpin>,
        silence_max: Duration,
    ) -> Broken {
        loop {
            match reader.next(silence_max).await {
                Ok(frame) if frame.kind == wire::BEAT => {}
                Ok(frame) if frame.kind == wire::HELLO || frame.kind > wire::CALL_MAX => {
                    return Broken::Kind(frame.kind);
                }
                Ok(frame) => self.begin(port, frame),
                Err(broken) => return broken,
            }
        }
    }

    fn begin(&self, port: &Port, call: Frame) {
        let lane = Lane::of(call.kind);
        let mut reply = Reply { outbox: Arc::clone(&self.outbox), lane, id: call.id, answer: None };
        if !self.caller.may_send(call.kind) {
            return reply.refuse(format!(
                "{} may not send calls of kind {:#04x}; hint: nodes and fronts with a certificate of this cluster's CA \
                 each have kinds of their own, a stranger may only ask to join",
                self.caller, call.kind
            ));
        }
        let slots = match lane {
            Lane::Raft => &self.raft,
            Lane::Asks => &self.asks,
        };
        let Ok(slot) = Arc::clone(&slots.free).try_acquire_owned() else {
            return reply.refuse(format!("{} of your calls are in work, no more may", slots.all));
        };
        let bytes = u32::try_from(call.body.len()).unwrap_or(u32::MAX);
        let Ok(bytes) = Arc::clone(&self.bytes.free).try_acquire_many_owned(bytes) else {
            return reply.refuse(format!("{} bytes of your calls are in work, no more may", self.bytes.all));
        };
        let held = (slot, bytes, Arc::clone(&self.seat));
        let (handler, caller) = (Arc::clone(&port.handler), self.caller.clone());
        tokio::spawn(async move {
            // Locals go in reverse: the answer is in line before the slot is free, and draining waits for the slots.
            let _held = held;
            let mut reply = reply;
            reply.answer = Some(handler.answer(caller, call.kind, call.body).await);
        });
    }

    /// Waits until no call is in work.
    async fn finished(&self) {
        for slots in [&self.raft, &self.asks] {
            // Only a closed semaphore fails, and these are never closed.
            let _ = slots.free.acquire_many(slots.all).await;
        }
    }
}

/// The answer that a call will have, put in line when this is dropped, so that no call goes without one: not even that
/// of a handler that panicked.
struct Reply {
    outbox: Arc<Outbox>,
    lane: Lane,
    id: u64,
    answer: Option<Result<Vec<u8>, String>>,
}

impl Reply {
    fn refuse(&mut self, why: String) {
        self.answer = Some(Err(why));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| Err("this node failed to answer".to_owned()));
        let (kind, body) = match answer {
            Ok(body) if body.len() <= BODY_BYTES_MAX => (wire::ANSWER, body),
            Ok(body) => {
                let why = format!("the answer has {} bytes, at most {BODY_BYTES_MAX} fit", body.len());
                (wire::REFUSAL, why.into_bytes())
            }
            Err(mut why) => {
                let cut = (0..=REFUSAL_BYTES_MAX).rev().find(|&cut| why.is_char_boundary(cut));
                why.truncate(cut.unwrap_or(0));
                (wire::REFUSAL, why.into_bytes())
            }
        };
        self.outbox.put(self.lane, self.id, kind, body);
    }
}
