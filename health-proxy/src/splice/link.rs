//! Both directions of a session, its clock, and what it tells the judge about its node.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tracing::debug;

use super::End;
use super::copy::{Budget, Gone, Half};
use crate::front::{Front, Tuning};
use crate::health::{Event, NodeId};

/// How often one session says that the same bytes of its client are unanswered, each `request_age_max_ms` later. Not every
/// byte has an answer (TLS ends without one), and what as many probes contradicted is no sign.
pub const WAITS_REPORTED_MAX: u32 = 4;

/// Both directions.
pub(super) struct Link<'a> {
    front: &'a Front,
    tuning: &'a Tuning,
    node: NodeId,
    /// From the client.
    up: Half,
    /// To the client.
    down: Half,
    /// When a byte last moved.
    moved_at: Instant,
    /// Since when the client's bytes are unanswered, and how often that was said.
    waits: Option<(Instant, u32)>,
    /// The node takes nothing more, but what it sent before may still be read.
    node_refuses: bool,
}

impl<'a> Link<'a> {
    pub(super) fn new(front: &'a Front, tuning: &'a Tuning, node: NodeId) -> Self {
        let (up, down) = (Half::default(), Half::default());
        let moved_at = Instant::now();
        Self { front, tuning, node, up, down, moved_at, waits: None, node_refuses: false }
    }

    /// Whether the client sent something, and the node ended before it sent anything or while an answer was due.
    pub(super) fn is_unanswered(&self) -> bool {
        (self.up.bytes > 0 && self.down.bytes == 0) || (self.waits.is_some() && !self.up.ended)
    }

    /// Moves bytes until the session ends.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut TcpStream,
        node: &mut TcpStream,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<End> {
        let before = (self.up.bytes, self.down.bytes);
        if let Some(end) = self.move_bytes(cx, client, node) {
            return Poll::Ready(end);
        }
        let mut now = Instant::now();
        self.note(before, now);
        loop {
            let due = self.due();
            // One that rings too early is wound again then; so a busy session hardly touches the runtime's timers.
            if timer.deadline() > due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
            now = now.max(Instant::now());
            if self.ends_at() <= now {
                return Poll::Ready(End::Idle);
            }
            self.report_wait(now);
            timer.as_mut().reset(self.due());
        }
    }

    fn move_bytes(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut TcpStream,
        node: &mut TcpStream,
    ) -> Option<End> {
        let budget = Budget { held: &self.front.held, bytes_max: self.tuning.limits.held_bytes_max };
        if !self.up.done
            && let Poll::Ready(Err(gone)) = self.up.poll(cx, client, node, budget, self.down.done)
        {
            match gone {
                Gone::Sender(error) => return Some(lost(End::ClientGone, &error)),
                Gone::Receiver(error) => {
                    lost(End::NodeGone, &error);
                    self.up.release(budget.held);
                    self.up.done = true;
                    self.node_refuses = true;
                }
            }
        }
        if !self.down.done {
            let ended = self.down.ended;
            let moved = self.down.poll(cx, node, client, budget, self.up.done && !self.node_refuses);
            match moved {
                Poll::Ready(Err(Gone::Sender(error))) => return Some(lost(End::NodeGone, &error)),
                Poll::Ready(Err(Gone::Receiver(error))) => return Some(lost(End::ClientGone, &error)),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            if self.down.ended && !ended && self.up.bytes > 0 && self.down.bytes == 0 && !self.up.ended {
                self.front.hint(self.node, Event::EndedEarly);
            }
        }
        match (self.up.done && self.down.done, self.node_refuses) {
            (true, false) => Some(End::Finished),
            (true, true) => Some(End::NodeGone),
            (false, _) => None,
        }
    }

    /// Takes note of what moved since `before`.
    fn note(&mut self, before: (u64, u64), now: Instant) {
        let (up, down) = (self.up.bytes > before.0, self.down.bytes > before.1);
        if up || down {
            self.moved_at = now;
            self.front.metrics.moved(self.up.bytes - before.0, self.down.bytes - before.1);
        }
        if down {
            self.waits = None;
        } else if up && self.waits.is_none() {
            self.waits = Some((now, 0));
        }
    }

    /// When the session has idled for too long.
    fn ends_at(&self) -> Instant {
        let half_closed = self.up.ended || self.down.ended || self.node_refuses;
        let limits = &self.tuning.limits;
        self.moved_at + if half_closed { limits.half_closed_timeout } else { limits.idle_timeout }
    }

    /// When the judge is to hear (again) that the node lets the client wait.
    fn reports_at(&self) -> Option<Instant> {
        let (since, said) = self.waits?;
        // Who has ended its half may have said goodbye with its last bytes.
        let speaks = said < WAITS_REPORTED_MAX && !self.up.ended;
        speaks.then(|| since + self.tuning.settings.request_age_max * (said + 1))
    }

    fn due(&self) -> Instant {
        self.reports_at().map_or(self.ends_at(), |reports| reports.min(self.ends_at()))
    }

    fn report_wait(&mut self, now: Instant) {
        if self.reports_at().is_some_and(|at| at <= now)
            && let Some((since, said)) = &mut self.waits
        {
            *said += 1;
            self.front.hint(self.node, Event::RequestWaits { age: now - *since });
        }
    }
}

fn lost(end: End, error: &io::Error) -> End {
    debug!("{end:?}: {error}");
    end
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.up.release(&self.front.held);
        self.down.release(&self.front.held);
    }
}
