//! Frames: how calls, answers and signs of life stand on a link, and the bounded reader that cuts them.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of all that follows, big-endian |
//! | 8 | number of the call, chosen by the caller, big-endian |
//! | 1 | kind: 0x00 hello, 0x01 to 0x7f a call, 0x80 answer, 0x81 refusal, 0x82 sign of life |
//! | – | body |
//!
//! The hello is the first frame each way. Its form stays as it is in every later version, or two versions could not
//! tell each other which they are: [`HELLO_ID`] as number, the version in the first four bytes of its body; more may
//! follow.

use std::io;
use std::time::Duration;

use rustls::CertificateError;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use zeroize::{Zeroize, Zeroizing};

use super::Caller;
use crate::engine::NodeId;

/// The version of what nodes say to each other; both ends must have the same.
pub const LINK_VERSION: u32 = 1;

/// Bytes of a call's or an answer's body; a longer one is refused before it is sent, and ends the connection when it
/// is received. More than the largest group of log entries that is sent at once.
pub const BODY_BYTES_MAX: usize = 32 << 20;

/// Bytes of the body of whatever comes before a caller is known to be a node or a front, and of a stranger's call.
pub const STRANGER_BODY_BYTES_MAX: usize = 64 << 10;

/// The number of a hello: "KMS-LINK".
pub(super) const HELLO_ID: u64 = u64::from_be_bytes(*b"KMS-LINK");

pub(super) const HELLO: u8 = 0x00;
pub(super) const CALL_MAX: u8 = 0x7f;
pub(super) const ANSWER: u8 = 0x80;
pub(super) const REFUSAL: u8 = 0x81;
pub(super) const BEAT: u8 = 0x82;

/// Bytes before the body: length, number, kind.
const HEADER_BYTES: usize = 4 + AFTER_LENGTH_BYTES;
const AFTER_LENGTH_BYTES: usize = 8 + 1;

/// Room that is made before each read.
const READ_BYTES: usize = 16 << 10;

/// Capacity that an empty buffer keeps; what a large frame needed beyond it is given back.
pub(super) const KEEP_BYTES_MAX: usize = 256 << 10;

/// One frame, cut.
pub(super) struct Frame {
    pub(super) id: u64,
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

/// Puts a frame at the end of `out`. Bodies are held to [`BODY_BYTES_MAX`] before they come here.
pub(super) fn encode(out: &mut Vec<u8>, id: u64, kind: u8, body: &[u8]) {
    let length = u32::try_from(AFTER_LENGTH_BYTES + body.len()).unwrap_or(u32::MAX);
    out.reserve(HEADER_BYTES + body.len());
    out.extend(length.to_be_bytes());
    out.extend(id.to_be_bytes());
    out.push(kind);
    out.extend(body);
}

/// This end's hello.
pub(super) fn hello() -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out, HELLO_ID, HELLO, &LINK_VERSION.to_be_bytes());
    out
}

/// The version in the other end's hello.
pub(super) fn version_of(hello: &Frame) -> Result<u32, Broken> {
    match hello.body.first_chunk() {
        Some(version) if hello.id == HELLO_ID && hello.kind == HELLO => Ok(u32::from_be_bytes(*version)),
        _ => Err(Broken::NoHello),
    }
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the name {0} is not known: {1}")]
    Resolve(String, io::Error),
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("the connection was not made within {} ms", .0.as_millis())]
    SlowConnect(Duration),
    #[error(
        "node {expected} was expected there, but the certificate is that of {got}; hint: two addresses were exchanged"
    )]
    OtherNode { expected: NodeId, got: Caller },
    #[error("the other end closed the connection")]
    Closed,
    #[error("the other end closed the connection in the middle of a frame")]
    Truncated,
    #[error("{}", words(.0))]
    Io(#[from] io::Error),
    #[error("nothing was heard from the other end for {} ms", .0.as_millis())]
    Silent(Duration),
    #[error("it did not say hello within {} ms", .0.as_millis())]
    SlowHello(Duration),
    #[error("what was sent is no hello of a link")]
    NoHello,
    #[error(
        "this node speaks link version {LINK_VERSION}, the other end speaks {0}; hint: run the same release on all \
         nodes"
    )]
    Version(u32),
    #[error("it announced a frame of {bytes} bytes, at most {max} are taken")]
    Oversized { bytes: usize, max: usize },
    #[error("it sent a frame of kind {0:#04x}, which has no place there")]
    Kind(u8),
    #[error("it announced a frame of {0} bytes, which is no frame")]
    Garbage(usize),
    #[error("answers of more than {0} bytes wait because the other end does not take them")]
    Unread(usize),
}

/// An error of a TLS connection for people. The other end's verdict on our certificate comes as an alert, and in
/// TLS 1.3 only after our side of the handshake is done.
pub(super) fn words(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => format!(
            "the other end refuses this node's certificate or handshake with alert {alert:?}; hint: its log says why; \
             are both certificates of the same cluster CA, and both clocks right?"
        ),
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) => {
            other.0.to_string()
        }
        Some(rustls::Error::InvalidCertificate(why)) if is_of_another_ca(why) => {
            "the other end's certificate is not of this cluster's CA; hint: is the address that of another cluster or \
             service?"
                .to_owned()
        }
        Some(tls) => format!("TLS: {tls}"),
        None => error.to_string(),
    }
}

/// Whether another authority signed it: one of another name, or one of the same name.
pub(super) fn is_of_another_ca(why: &CertificateError) -> bool {
    matches!(why, CertificateError::UnknownIssuer | CertificateError::BadSignature)
}

/// Cuts frames from a stream. The buffer grows with what has arrived, never to what a header announces.
pub(super) struct Reader<R> {
    stream: R,
    buffer: Zeroizing<Vec<u8>>,
    start: usize,
    body_bytes_max: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// For bodies of at most `body_bytes_max` bytes.
    pub(super) fn new(stream: R, body_bytes_max: usize) -> Self {
        Self { stream, buffer: Zeroizing::default(), start: 0, body_bytes_max }
    }

    /// Sets how large bodies may be from the next frame on.
    pub(super) fn allow(&mut self, body_bytes_max: usize) {
        self.body_bytes_max = body_bytes_max;
    }

    /// The next frame; fails when not a byte comes for `silence_max`. Dropping the future loses no byte.
    pub(super) async fn next(&mut self, silence_max: Duration) -> Result<Frame, Broken> {
        loop {
            if let Some(frame) = self.cut()? {
                return Ok(frame);
            }
            self.make_room();
            let read = timeout(silence_max, self.stream.read_buf(&mut *self.buffer)).await;
            match read.map_err(|_| Broken::Silent(silence_max))? {
                Ok(0) => return Err(self.ended()),
                // A peer that was killed says no goodbye in TLS; that is an end like another.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.ended()),
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
        }
    }

    fn ended(&self) -> Broken {
        match self.start < self.buffer.len() {
            true => Broken::Truncated,
            false => Broken::Closed,
        }
    }

    fn cut(&mut self) -> Result<Option<Frame>, Broken> {
        let waiting = &self.buffer[self.start..];
        let Some((length, rest)) = waiting.split_first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        let max = self.body_bytes_max;
        match length.checked_sub(AFTER_LENGTH_BYTES) {
            None => return Err(Broken::Garbage(length)),
            Some(bytes) if bytes > max => return Err(Broken::Oversized { bytes, max }),
            Some(_) => {}
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let Some((id, frame)) = frame.split_first_chunk() else { return Ok(None) };
        let Some((kind, body)) = frame.split_first() else { return Ok(None) };
        let frame = Frame { id: u64::from_be_bytes(*id), kind: *kind, body: body.to_vec() };
        self.start += 4 + length;
        Ok(Some(frame))
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            let rest = self.buffer.len() - self.start;
            self.buffer.copy_within(self.start.., 0);
            // Frames carry key material; what was cut is wiped before its place is used again.
            self.buffer[rest..].zeroize();
            self.buffer.truncate(rest);
            self.start = 0;
        }
        if self.buffer.is_empty() && self.buffer.capacity() > KEEP_BYTES_MAX {
            self.buffer = Zeroizing::default();
        }
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES / 4 {
            self.buffer.reserve(READ_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn frames() -> Vec<u8> {
        let mut out = hello();
        encode(&mut out, 7, 0x01, b"append");
        encode(&mut out, u64::MAX, ANSWER, b"");
        out
    }

    /// A stream that gives one chunk a read.
    struct Chunks(Vec<Vec<u8>>);

    impl AsyncRead for Chunks {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buf: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            if !self.0.is_empty() {
                buf.put_slice(&self.0.remove(0));
            }
            std::task::Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn frames_split_at_every_byte_arrive_whole() {
        let sent = frames();
        for cut in 0..sent.len() {
            let halves = [sent[..cut].to_vec(), sent[cut..].to_vec()];
            let chunks = halves.into_iter().filter(|chunk| !chunk.is_empty()).collect();
            let mut reader = Reader::new(Chunks(chunks), 64);
            assert_eq!(version_of(&reader.next(SECOND).await.unwrap()).unwrap(), LINK_VERSION);
            let call = reader.next(SECOND).await.unwrap();
            assert_eq!((call.id, call.kind, &call.body[..]), (7, 0x01, &b"append"[..]), "cut at {cut}");
            let answer = reader.next(SECOND).await.unwrap();
            assert_eq!((answer.id, answer.kind, answer.body.len()), (u64::MAX, ANSWER, 0));
            assert!(matches!(reader.next(SECOND).await, Err(Broken::Closed)));
        }
    }

    #[tokio::test]
    async fn a_stream_that_ends_inside_a_frame_is_told_from_one_that_ends_after_it() {
        let sent = frames();
        let mut reader = Reader::new(&sent[..sent.len() - 1], 64);
        reader.next(SECOND).await.unwrap();
        reader.next(SECOND).await.unwrap();
        assert!(matches!(reader.next(SECOND).await, Err(Broken::Truncated)));
    }

    #[tokio::test]
    async fn an_announced_length_allocates_nothing() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 1, 0x01, b"");
        bytes[..4].copy_from_slice(&(1_u32 << 24).to_be_bytes());
        let mut reader = Reader::new(&bytes[..], BODY_BYTES_MAX);
        assert!(matches!(reader.next(SECOND).await, Err(Broken::Truncated)));
        assert!(reader.buffer.capacity() <= 2 * READ_BYTES, "{} bytes", reader.buffer.capacity());
    }

    #[tokio::test]
    async fn a_frame_over_the_bound_or_without_a_head_is_known_by_its_length() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 1, 0x01, &[0; 65]);
        let read = Reader::new(&bytes[..5], 64).next(SECOND).await;
        assert!(matches!(read, Err(Broken::Oversized { bytes: 65, max: 64 })));
        let read = Reader::new(&[0, 0, 0, 8, 1][..], 64).next(SECOND).await;
        assert!(matches!(read, Err(Broken::Garbage(8))));
        let read = Reader::new(&b"GET / HTTP/1.1\r\n\r\n"[..], BODY_BYTES_MAX).next(SECOND).await;
        assert!(matches!(read, Err(Broken::Oversized { .. })));
    }

    #[tokio::test]
    async fn the_room_of_a_large_frame_is_given_back() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 1, 0x01, &vec![0; 4 * KEEP_BYTES_MAX]);
        let mut reader = Reader::new(&bytes[..], BODY_BYTES_MAX);
        reader.next(SECOND).await.unwrap();
        assert!(matches!(reader.next(SECOND).await, Err(Broken::Closed)));
        assert!(reader.buffer.capacity() <= KEEP_BYTES_MAX);
    }

    #[tokio::test]
    async fn a_first_frame_that_is_no_hello_is_refused() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 1, 0x01, &[0; 4]);
        encode(&mut bytes, HELLO_ID, HELLO, &[0; 3]);
        let mut reader = Reader::new(&bytes[..], 64);
        for _ in 0..2 {
            let frame = reader.next(SECOND).await.unwrap();
            assert!(matches!(version_of(&frame), Err(Broken::NoHello)));
        }
    }
}
