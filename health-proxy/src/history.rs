//! The last hour for the page's lanes and chart: `GET /api/v1/history`. Pure: made from a status and from counts.

use serde::Serialize;

use crate::clients::OUTCOMES;
use crate::health::TRANSITIONS_MAX;
use crate::minutes::{MINUTE, MINUTES};
use crate::status::{FailoverView, NodeView, Status};

/// What is looked back on.
const WINDOW_MS: u64 = MINUTE.as_millis() as u64 * MINUTES as u64;

/// The last hour.
#[derive(Clone, Debug, Serialize)]
pub struct History {
    /// What is looked back on.
    pub window_ms: u64,
    /// The length of one of `minutes`.
    pub minute_ms: u64,
    /// How much of the last of `minutes` is over.
    pub minute_elapsed_ms: u64,
    /// What the numbers in `minutes` count, in their order.
    pub outcomes: [&'static str; OUTCOMES.len()],
    /// Connections that ended, or were refused, by minute; oldest first, the last is under way.
    pub minutes: Vec<[u32; OUTCOMES.len()]>,
    /// The nodes' states.
    pub lanes: Vec<Lane>,
    /// Failovers that began in it, oldest first.
    pub failovers: Vec<FailoverView>,
}

/// A node's states over the hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// Its name.
    pub node: String,
    /// One after the other, oldest first. What is not known, such as before the front's start, is left out.
    pub spans: Vec<Span>,
}

/// A time in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Since it began; at most the window.
    pub from_ago_ms: u64,
    /// Since it ended; 0 for the present.
    pub to_ago_ms: u64,
    /// Up, Down or Draining.
    pub state: String,
    /// Why, where it is known.
    pub reason: Option<String>,
}

impl History {
    /// Of this status and these counts.
    pub fn new(status: &Status, minutes: [[u32; OUTCOMES.len()]; MINUTES]) -> Self {
        let failovers = status.failovers.iter().filter(|failover| failover.began_ago_ms <= WINDOW_MS);
        Self {
            window_ms: WINDOW_MS,
            minute_ms: MINUTE.as_millis() as u64,
            minute_elapsed_ms: status.uptime_ms % MINUTE.as_millis() as u64,
            outcomes: OUTCOMES,
            minutes: minutes.to_vec(),
            lanes: status.nodes.iter().map(Lane::of).collect(),
            failovers: failovers.cloned().collect(),
        }
    }
}

impl Lane {
    fn of(node: &NodeView) -> Self {
        let changes = &node.transitions;
        let mut spans = Vec::new();
        // While no transition was forgotten, what came before the first is known too.
        if let (Some(known), Some(first)) = (node.known_ms, changes.first())
            && changes.len() < TRANSITIONS_MAX
        {
            spans.push(span(known, first.ago_ms, &first.from, None));
        }
        for (place, change) in changes.iter().enumerate() {
            let end = changes.get(place + 1).map_or(0, |next| next.ago_ms);
            spans.push(span(change.ago_ms, end, &change.to, Some(&change.reason)));
        }
        if let (Some(known), true) = (node.known_ms, changes.is_empty()) {
            spans.push(span(known, 0, &node.state, Some(&node.reason)));
        }
        spans.retain(|span| span.to_ago_ms < span.from_ago_ms);
        Self { node: node.name.clone(), spans }
    }
}

fn span(from_ago_ms: u64, to_ago_ms: u64, state: &str, reason: Option<&String>) -> Span {
    Span {
        from_ago_ms: from_ago_ms.min(WINDOW_MS),
        to_ago_ms,
        state: state.to_owned(),
        reason: reason.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::TransitionView;

    fn node(known_ms: Option<u64>, changes: &[(u64, &str, &str)]) -> NodeView {
        let transitions = changes.iter().map(|(ago_ms, from, to)| TransitionView {
            ago_ms: *ago_ms,
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            reason: format!("{ago_ms}"),
        });
        NodeView {
            name: "a".to_owned(),
            state: "Down".to_owned(),
            reason: "why".to_owned(),
            known_ms,
            transitions: transitions.collect(),
            ..NodeView::default()
        }
    }

    fn check(node: &NodeView, expected: &[(u64, u64, &str)]) {
        let lane = Lane::of(node);
        let spans: Vec<_> =
            lane.spans.iter().map(|span| (span.from_ago_ms, span.to_ago_ms, span.state.as_str())).collect();
        assert_eq!(spans, expected);
    }

    #[test]
    fn a_lane_begins_when_the_node_was_first_looked_at_and_goes_to_the_present() {
        check(&node(None, &[]), &[]);
        check(&node(Some(500), &[]), &[(500, 0, "Down")]);
        let changes = [(900, "Down", "Up"), (400, "Up", "Draining"), (100, "Draining", "Down")];
        let spans = [(1000, 900, "Down"), (900, 400, "Up"), (400, 100, "Draining"), (100, 0, "Down")];
        check(&node(Some(1000), &changes), &spans);
    }

    #[test]
    fn a_lane_is_cut_to_the_hour() {
        let changes = [(5_000_000, "Down", "Up"), (4_000_000, "Up", "Down"), (1000, "Down", "Up")];
        check(&node(Some(6_000_000), &changes), &[(WINDOW_MS, 1000, "Down"), (1000, 0, "Up")]);
    }

    #[test]
    fn what_was_forgotten_is_left_out_of_a_lane() {
        let changes = vec![(10, "Up", "Down"); TRANSITIONS_MAX];
        check(&node(Some(1000), &changes), &[(10, 0, "Down")]);
    }
}
