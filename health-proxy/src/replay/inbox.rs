//! A client's bytes, cut into whole KMIP messages. The length of each is looked at before its body is kept, and the buffer
//! grows with what has arrived, never to what a header announces.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};
use ttlv::{HEADER_BYTES, Limits};
use zeroize::{Zeroize, Zeroizing};

/// Tag of a Request Message, the only message a client sends (KMIP 1.4 section 9.1.3.1).
const REQUEST_MESSAGE: u64 = 0x42_0078;

/// Room that is made before each read; vCenter's requests are under 1 KiB.
const READ_BYTES: usize = 4096;

/// Capacity that an empty buffer keeps.
const KEEP_BYTES_MAX: usize = 64 << 10;

/// What a client sent.
#[derive(Debug)]
pub(super) enum Sent {
    /// A whole message.
    Message(Zeroizing<Vec<u8>>),
    /// A Request Message that is larger than it may be, by its header; nothing after it can be read.
    Oversized,
    /// No KMIP message, for this reason.
    Garbage(String),
}

/// The bytes of one client that were not taken yet.
pub(super) struct Inbox {
    buffer: Zeroizing<Vec<u8>>,
    limits: Limits,
}

impl Inbox {
    /// For messages of at most `request_bytes_max` bytes.
    pub(super) fn new(request_bytes_max: usize) -> Self {
        let limits = Limits { message_bytes_max: request_bytes_max, ..Limits::default() };
        Self { buffer: Zeroizing::default(), limits }
    }

    /// What stands whole at the front; None when more must be read for it.
    pub(super) fn take(&mut self) -> Option<Sent> {
        let header = self.buffer.first_chunk::<HEADER_BYTES>()?;
        let bytes = match ttlv::frame_len(header, &self.limits) {
            Ok(bytes) => bytes,
            Err(error) => {
                let is_request = u64::from_be_bytes(*header) >> 40 == REQUEST_MESSAGE;
                return Some(match error.kind {
                    ttlv::ErrorKind::TooLarge { .. } if is_request => Sent::Oversized,
                    _ => Sent::Garbage(error.to_string()),
                });
            }
        };
        if self.buffer.len() < bytes {
            return None;
        }
        let message = Zeroizing::new(self.buffer[..bytes].to_vec());
        let rest = self.buffer.len() - bytes;
        self.buffer.copy_within(bytes.., 0);
        // A message may hold a key; its place is wiped before it is used again.
        self.buffer[rest..].zeroize();
        self.buffer.truncate(rest);
        if rest == 0 && self.buffer.capacity() > KEEP_BYTES_MAX {
            self.buffer = Zeroizing::default();
        }
        Some(Sent::Message(message))
    }

    /// How large the message is that has begun to arrive, as far as it says so and may be so large.
    pub(super) fn announced(&self) -> Option<usize> {
        let header = self.buffer.first_chunk::<HEADER_BYTES>()?;
        ttlv::frame_len(header, &self.limits).ok()
    }

    /// Whether part of a message is here.
    pub(super) fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Reads once; the bytes that came, 0 at the end. Dropping the future loses no byte.
    pub(super) async fn read_from(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES / 4 {
            self.buffer.reserve(READ_BYTES);
        }
        stream.read_buf(&mut *self.buffer).await
    }
}

#[cfg(test)]
mod tests {
    use fuzz::Answer;

    use super::*;

    fn message(body: usize) -> Vec<u8> {
        let mut bytes = vec![0x42, 0x00, 0x78, 0x01];
        bytes.extend((body as u32).to_be_bytes());
        bytes.resize(HEADER_BYTES + body, 0xab);
        bytes
    }

    async fn of(mut bytes: &[u8]) -> Inbox {
        let mut inbox = Inbox::new(1024);
        while !bytes.is_empty() {
            inbox.read_from(&mut bytes).await.unwrap();
        }
        inbox
    }

    #[tokio::test]
    async fn a_message_that_is_cut_anywhere_is_taken_when_it_is_whole() {
        let sent = message(64);
        for cut in 0..sent.len() {
            let mut inbox = of(&sent[..cut]).await;
            assert!(inbox.take().is_none(), "cut at {cut}");
            assert_eq!(inbox.is_partial(), cut > 0);
            let mut rest = &sent[cut..];
            inbox.read_from(&mut rest).await.unwrap();
            assert!(matches!(inbox.take(), Some(Sent::Message(got)) if *got == sent), "cut at {cut}");
            assert!(!inbox.is_partial());
        }
    }

    #[tokio::test]
    async fn messages_that_came_together_are_taken_one_by_one() {
        let mut inbox = of(&[8, 64, 0].map(message).concat()).await;
        for body in [8, 64, 0] {
            assert!(matches!(inbox.take(), Some(Sent::Message(got)) if *got == message(body)));
        }
        assert!(inbox.take().is_none());
    }

    #[tokio::test]
    async fn what_is_too_large_or_no_message_is_known_by_its_header() {
        assert!(matches!(of(&message(1024)).await.take(), Some(Sent::Oversized)));
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], &[0xff; 16], &[0x42, 0, 0x78, 0x01, 0, 0, 0, 3]] {
            assert!(matches!(of(bytes).await.take(), Some(Sent::Garbage(_))), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_fed_by_a_client_is_cut_into_whole_messages_of_its_bytes() {
        const MAX: usize = 1024;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let seeds = vec![message(64), [message(8), message(0)].concat(), message(2 * MAX)];
        let fed = fuzz::feed(env!("CARGO_MANIFEST_DIR"), "front-inbox", seeds, |bytes| {
            let mut inbox = Inbox::new(MAX);
            let mut stream = bytes;
            let (mut said, mut taken) = (String::new(), Vec::new());
            loop {
                match inbox.take() {
                    Some(Sent::Message(got)) => {
                        assert!(got.len() <= MAX, "{} bytes", got.len());
                        taken.extend_from_slice(&got);
                        said += "message ";
                    }
                    Some(Sent::Oversized) => return Answer::of_text(&format!("{said}oversized")),
                    Some(Sent::Garbage(why)) => return Answer::of_text(&format!("{said}{why}")),
                    None => match runtime.block_on(inbox.read_from(&mut stream)).unwrap() {
                        0 => break,
                        _ => assert!(inbox.is_partial()),
                    },
                }
            }
            assert_eq!(taken, bytes[..taken.len()], "in their order, and nothing else");
            assert_eq!(inbox.is_partial(), taken.len() < bytes.len());
            Answer::of((said, inbox.announced().is_some()))
        });
        assert!(fed.answers > 4, "{fed:?}");
    }
}
