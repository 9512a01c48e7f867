//! One direction of a session: bytes from one socket to the other, through a buffer that all sessions of a thread share,
//! so that an idle session holds none.
//!
//! What the other side does not take at once is held, within a bound for all sessions; beyond it bytes are looked at and
//! left in the kernel's buffer until the other side has taken them.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::limits::Held;

/// Bytes read at once, and held of one direction at most.
const READ_BYTES: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Bytes that the receiver has been given.
    pub(super) bytes: u64,
    /// The sender has said that nothing more comes.
    pub(super) ended: bool,
    /// Everything was passed on, the end too.
    pub(super) done: bool,
    held: Vec<u8>,
    written: usize,
}

/// Who ended it, and how.
#[derive(Debug)]
pub(super) enum Gone {
    Sender(io::Error),
    Receiver(io::Error),
}

/// What all sessions hold together, and the bound.
#[derive(Clone, Copy)]
pub(super) struct Budget<'a> {
    pub(super) held: &'a Held,
    pub(super) bytes_max: usize,
}

enum Read {
    Moved,
    Ended,
}

impl Half {
    /// Moves what can be moved; ready when all has been, and its end passed on. With `closes` the receiver's connection is
    /// closed then anyway, which says the same.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        budget: Budget<'_>,
        closes: bool,
    ) -> Poll<Result<(), Gone>> {
        loop {
            ready!(self.poll_held(cx, to, budget))?;
            if self.ended {
                if !closes {
                    ready!(Pin::new(to).poll_shutdown(cx)).map_err(Gone::Receiver)?;
                }
                self.done = true;
                return Poll::Ready(Ok(()));
            }
            let read = match budget.held.is_full(budget.bytes_max) {
                false => self.poll_move(cx, from, to, budget),
                true => self.poll_move_unheld(cx, from, to),
            };
            match ready!(read)? {
                Read::Moved => {}
                Read::Ended => self.ended = true,
            }
        }
    }

    /// Gives the receiver what is held.
    fn poll_held(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut TcpStream,
        budget: Budget<'_>,
    ) -> Poll<Result<(), Gone>> {
        while self.written < self.held.len() {
            let rest = &self.held[self.written..];
            let count = ready!(Pin::new(&mut *to).poll_write(cx, rest)).map_err(Gone::Receiver)?;
            self.written += count;
            self.bytes += count as u64;
        }
        self.release(budget.held);
        Poll::Ready(Ok(()))
    }

    /// Forgets what is held, with its memory.
    pub(super) fn release(&mut self, held: &Held) {
        if !self.held.is_empty() {
            held.give_back(self.held.len());
            self.held = Vec::new();
            self.written = 0;
        }
    }

    fn poll_move(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        budget: Budget<'_>,
    ) -> Poll<Result<Read, Gone>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(from).poll_read(cx, &mut read)).map_err(Gone::Sender)?;
            let bytes = read.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(Read::Ended));
            }
            let count = match Pin::new(to).poll_write(cx, bytes) {
                Poll::Ready(written) => written.map_err(Gone::Receiver)?,
                Poll::Pending => 0,
            };
            self.bytes += count as u64;
            if count < bytes.len() {
                self.held = bytes[count..].to_vec();
                self.written = 0;
                budget.held.add(self.held.len());
            }
            Poll::Ready(Ok(Read::Moved))
        })
    }

    /// Takes from the sender only what the receiver has taken.
    fn poll_move_unheld(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
    ) -> Poll<Result<Read, Gone>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut peeked = ReadBuf::new(buffer);
            let seen = ready!(from.poll_peek(cx, &mut peeked)).map_err(Gone::Sender)?;
            if seen == 0 {
                return Poll::Ready(Ok(Read::Ended));
            }
            let count = ready!(Pin::new(to).poll_write(cx, peeked.filled())).map_err(Gone::Receiver)?;
            self.bytes += count as u64;
            let mut taken = 0;
            while taken < count {
                // They were just seen, so none of this waits.
                match from.try_read(&mut buffer[taken..count]).map_err(Gone::Sender)? {
                    0 => return Poll::Ready(Err(Gone::Sender(io::ErrorKind::UnexpectedEof.into()))),
                    more => taken += more,
                }
            }
            Poll::Ready(Ok(Read::Moved))
        })
    }
}
