//! One operation with its times, and the checker.

use std::fmt::Debug;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use todc_utils::{Action, History, Specification, WGLChecker};

/// Longest wait for the checker. Its search is exponential in what happens at once, and parts of our histories take
/// milliseconds; one that takes so long is none that could be called explained.
const CHECK_TIME_MAX: Duration = Duration::from_secs(60);

/// What an operation that may change something was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It was carried out.
    Done(T),
    /// It was refused, because of what was there then.
    Refused,
    /// No answer came: it takes effect at some time after the call, or never.
    Unknown,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation<T> {
    /// Who asked.
    pub client: usize,
    /// Which node, from 0.
    pub node: usize,
    /// Just before the request was sent.
    pub called: Instant,
    /// Just after the answer was read; `None` where none came.
    pub returned: Option<Instant>,
    /// What was asked and answered.
    pub what: T,
}

/// A history that no order explains.
#[derive(Clone, Debug)]
pub struct Unexplained(pub String);

/// Whether some order of these operations explains every answer.
///
/// Fails with the operations in words where none does, or where the checker has not found one in a minute.
pub fn check<S>(operations: &[Operation<S::Operation>]) -> Result<(), Unexplained>
where
    S: Specification + 'static,
    S::Operation: Send + 'static,
{
    if operations.is_empty() {
        return Ok(());
    }
    let actions = actions(operations);
    let (tell, told) = mpsc::channel();
    // A thread of its own, as a search cannot be given up; it ends with the process.
    std::thread::spawn(move || {
        let _ = tell.send(WGLChecker::<S>::is_linearizable(History::from_actions(actions)));
    });
    match told.recv_timeout(CHECK_TIME_MAX) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Unexplained(format!("no order explains\n{}", shown(operations)))),
        Err(_) => Err(Unexplained(format!("undecided after {CHECK_TIME_MAX:?}\n{}", shown(operations)))),
    }
}

/// Calls and answers in the order of time. Those without an answer get theirs at the end, where taking effect cannot be
/// told from never having done so. Each operation is a process of its own to the checker, which pairs calls and answers
/// by process in order.
fn actions<T: Clone>(operations: &[Operation<T>]) -> Vec<(usize, Action<T>)> {
    let never = operations.iter().map(|operation| operation.returned.unwrap_or(operation.called)).max();
    let mut moments: Vec<(Instant, u8, usize)> = Vec::with_capacity(2 * operations.len());
    for (number, operation) in operations.iter().enumerate() {
        // Of the same moment calls come first: what may have been at once is taken to have been.
        moments.push((operation.called, 0, number));
        match (operation.returned, never) {
            (Some(returned), _) => moments.push((returned, 1, number)),
            (None, Some(never)) => moments.push((never, 2, number)),
            (None, None) => {}
        }
    }
    moments.sort();
    let action = |(_, kind, number): (Instant, u8, usize)| {
        let what = operations[number].what.clone();
        (number, if kind == 0 { Action::Call(what) } else { Action::Response(what) })
    };
    moments.into_iter().map(action).collect()
}

/// One line an operation, in the order of their calls.
fn shown<T: Debug>(operations: &[Operation<T>]) -> String {
    let mut sorted: Vec<_> = operations.iter().collect();
    sorted.sort_by_key(|operation| operation.called);
    let Some(began) = sorted.first().map(|operation| operation.called) else { return String::new() };
    let us = |at: Instant| at.duration_since(began).as_micros();
    let line = |operation: &Operation<T>| {
        let Operation { client, node, called, returned, what } = operation;
        let returned = returned.map_or("never".to_owned(), |at| format!("{} us", us(at)));
        format!("  {} us to {returned}, client {client} at node {}: {what:?}", us(*called), node + 1)
    };
    sorted.into_iter().map(line).collect::<Vec<_>>().join("\n")
}
