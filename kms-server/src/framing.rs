//! One bounded frame reader: bytes from a connection in, whole messages out.
//!
//! A message's length is checked before a byte of its body is kept. The buffer grows with what has arrived, never
//! to what a header announces.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};
use ttlv::{HEADER_BYTES, Limits};

/// Tag of a Request Message, the only message a client sends (KMIP 1.4 section 9.1.3.1).
const REQUEST_MESSAGE: u32 = 0x42_0078;

/// Room that is made before each read; vCenter's requests are under 1 KiB.
const READ_BYTES: usize = 4096;

/// Capacity that an empty buffer keeps; what a large message needed beyond it is given back.
const KEEP_BYTES_MAX: usize = 64 * 1024;

/// The bytes that arrived and are not yet answered.
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    start: usize,
    limits: Limits,
}

/// What stands at the front of the buffer.
#[derive(Debug)]
pub enum Next<'a> {
    /// A whole message; it is taken off the buffer.
    Message(&'a [u8]),
    /// A message, or its header, that is not all here yet.
    Incomplete,
    /// A Request Message that is larger than `request_bytes_max`.
    Oversized {
        /// Its first eight bytes.
        header: [u8; HEADER_BYTES],
        /// The size it announces, in bytes.
        bytes: usize,
    },
    /// No TTLV message.
    Garbage(String),
}

impl Frames {
    /// An empty buffer for messages of at most `request_bytes_max` bytes. Nothing is allocated before bytes arrive.
    pub fn new(request_bytes_max: usize) -> Self {
        let limits = Limits { message_bytes_max: request_bytes_max, ..Limits::default() };
        Self { buffer: Vec::new(), start: 0, limits }
    }

    /// Takes the next message off the buffer, or says why there is none.
    pub fn next_message(&mut self) -> Next<'_> {
        match judge(&self.buffer[self.start..], &self.limits) {
            Judged::Message(bytes) => {
                let from = self.start;
                self.start += bytes;
                Next::Message(&self.buffer[from..self.start])
            }
            Judged::Incomplete => Next::Incomplete,
            Judged::Oversized { header, bytes } => Next::Oversized { header, bytes },
            Judged::Garbage(why) => Next::Garbage(why),
        }
    }

    /// Whether part of a message is here.
    pub fn is_partial(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// Reads once. Gives the bytes that came, 0 at the end of the stream. Dropping the future loses no byte.
    pub async fn read_from(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        self.make_room();
        stream.read_buf(&mut self.buffer).await
    }

    /// Bytes that the buffer takes in memory.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        if self.buffer.is_empty() && self.buffer.capacity() > KEEP_BYTES_MAX {
            self.buffer = Vec::new();
        }
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES / 4 {
            self.buffer.reserve(READ_BYTES);
        }
    }
}

/// What bytes begin with, as [`Next`] has it.
#[derive(Debug)]
pub(crate) enum Judged {
    /// A whole message of so many bytes.
    Message(usize),
    Incomplete,
    Oversized {
        header: [u8; HEADER_BYTES],
        bytes: usize,
    },
    Garbage(String),
}

/// Looks at the message that `waiting` begins with. One that is too large is known by its header.
pub(crate) fn judge(waiting: &[u8], limits: &Limits) -> Judged {
    let Some(header) = waiting.first_chunk::<HEADER_BYTES>() else { return Judged::Incomplete };
    let word = u64::from_be_bytes(*header);
    match ttlv::frame_len(header, limits) {
        Ok(bytes) if waiting.len() < bytes => Judged::Incomplete,
        Ok(bytes) => Judged::Message(bytes),
        Err(error) => match error.kind {
            ttlv::ErrorKind::TooLarge { got, .. } if (word >> 40) as u32 == REQUEST_MESSAGE => {
                Judged::Oversized { header: *header, bytes: got }
            }
            _ => Judged::Garbage(error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: usize) -> Vec<u8> {
        let mut bytes = vec![0x42, 0x00, 0x78, 0x01];
        bytes.extend((body as u32).to_be_bytes());
        bytes.resize(HEADER_BYTES + body, 0xab);
        bytes
    }

    async fn feed(frames: &mut Frames, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            frames.read_from(&mut bytes).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_message_split_at_every_byte_arrives_whole() {
        let sent = message(64);
        for cut in 0..sent.len() {
            let mut frames = Frames::new(1024);
            feed(&mut frames, &sent[..cut]).await;
            assert!(matches!(frames.next_message(), Next::Incomplete), "cut at {cut}");
            assert_eq!(frames.is_partial(), cut > 0);
            feed(&mut frames, &sent[cut..]).await;
            assert!(matches!(frames.next_message(), Next::Message(got) if got == sent), "cut at {cut}");
            assert!(!frames.is_partial());
        }
    }

    #[tokio::test]
    async fn pipelined_messages_come_out_in_order() {
        let mut frames = Frames::new(1024);
        let sent: Vec<_> = [8, 64, 0, 16].map(message).concat();
        feed(&mut frames, &sent).await;
        for body in [8, 64, 0, 16] {
            assert!(matches!(frames.next_message(), Next::Message(got) if got == message(body)));
        }
        assert!(matches!(frames.next_message(), Next::Incomplete));
    }

    #[tokio::test]
    async fn an_announced_length_allocates_nothing() {
        let mut frames = Frames::new(1 << 30);
        feed(&mut frames, &[0x42, 0x00, 0x78, 0x01, 0x3f, 0xff, 0xff, 0x00]).await;
        assert!(matches!(frames.next_message(), Next::Incomplete));
        assert!(frames.capacity() <= 2 * READ_BYTES, "{} bytes", frames.capacity());
    }

    #[tokio::test]
    async fn a_message_over_the_limit_is_known_by_its_header() {
        let mut frames = Frames::new(1024);
        feed(&mut frames, &message(1024)[..HEADER_BYTES]).await;
        assert!(matches!(frames.next_message(), Next::Oversized { bytes: 1032, .. }));
        let mut frames = Frames::new(1024);
        feed(&mut frames, &message(1016)).await;
        assert!(matches!(frames.next_message(), Next::Message(_)));
    }

    #[tokio::test]
    async fn what_is_no_ttlv_is_garbage() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], &[0xff; 16], &[0x42, 0, 0x78, 0x01, 0, 0, 0, 3]] {
            let mut frames = Frames::new(1024);
            feed(&mut frames, bytes).await;
            assert!(matches!(frames.next_message(), Next::Garbage(_)), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn the_room_of_a_large_message_is_given_back() {
        let mut frames = Frames::new(1 << 20);
        feed(&mut frames, &message(512 * 1024)).await;
        assert!(matches!(frames.next_message(), Next::Message(_)));
        feed(&mut frames, &message(8)).await;
        assert!(frames.capacity() <= KEEP_BYTES_MAX);
    }
}
