//! What `kms front` says: the headline, the advice below it, a row a node.

use super::api::{Check, Failover, NodeStatus, Order, Service, Status};

/// The table's columns.
pub(super) const HEADER: [&str; 7] = ["NODE", "STATE", "SINCE", "CONNECTIONS", "CHECKS", "ADDRESS", "REASON"];

/// Checks of a row, the newest last: with the usual interval (200 ms) four seconds.
const CHECKS_SHOWN: usize = 20;

/// Below each of these times, in microseconds, a check is drawn so high; above the last as the last sign. About three
/// times as long is one step higher, so that the usual millisecond and the probe's timeout (250 ms) stand well apart.
const HEIGHTS: [(u64, char); 7] = [
    (1_000, '▁'),
    (3_000, '▂'),
    (10_000, '▃'),
    (30_000, '▄'),
    (100_000, '▅'),
    (250_000, '▆'),
    (u64::MAX, '▇'),
];

/// A check that was not answered.
const FAILED: char = '×';

/// What clients can count on, where, and the last failover.
pub(super) fn headline(status: &Status) -> String {
    let service = status.service.word();
    let leader = status.leader.as_ref().map(|name| format!(", leader {name}")).unwrap_or_default();
    let failover = match &status.last_failover {
        Some(failover) => failed_over(failover),
        None => "no failover since its start".to_owned(),
    };
    format!("{service} on {} ({}){leader}; {failover}", status.listen, status.mode)
}

fn failed_over(failover: &Failover) -> String {
    let between = match (&failover.from, &failover.to) {
        (Some(from), Some(to)) if from != to => format!(" from {from} to {to}"),
        (Some(from), _) => format!(" from {from}"),
        (None, Some(to)) => format!(" to {to}"),
        (None, None) => String::new(),
    };
    match failover.over {
        true => format!(
            "last failover {} ago{between}, took {} ms",
            age(failover.began_ago_ms),
            failover.length_ms
        ),
        false => format!("a failover{between} is under way for {} ms", failover.length_ms),
    }
}

/// What there is to do about it.
pub(super) fn advice(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    match status.service {
        Service::Serving => {}
        Service::Degraded => lines.push(
            "No node is with a majority: keys are read, and nothing is made or changed. Look at the nodes: kms cluster status."
                .to_owned(),
        ),
        Service::Down => lines.push(
            "No node can be used. VMs that run keep running; start a node (systemctl start kms-server), and look at REASON."
                .to_owned(),
        ),
    }
    let drained: Vec<_> =
        status.nodes.iter().filter(|node| node.drain_asked).map(|node| node.name.as_str()).collect();
    if !drained.is_empty() {
        lines.push(format!("Drained: {}; back with kms front ready NODE.", drained.join(", ")));
    }
    lines.extend(status.caveat.iter().chain(&status.blind_to).map(|note| format!("Note: {note}.")));
    lines
}

/// A node's row.
pub(super) fn row(status: &Status, node: &NodeStatus) -> Vec<String> {
    // Since its last change; one that never changed has been so since the front began.
    let since = node.transitions.last().map_or(status.uptime_ms, |change| change.ago_ms);
    let state = match node.drain_asked && node.state == "Down" {
        true => "Down, drained".to_owned(),
        false => node.state.clone(),
    };
    vec![
        node.name.clone(),
        state,
        age(since),
        node.sessions.to_string(),
        checks(&node.outcomes),
        node.address.clone(),
        node.reason.clone(),
    ]
}

/// The last checks as a line of bars.
fn checks(outcomes: &[Check]) -> String {
    let newest = &outcomes[outcomes.len().saturating_sub(CHECKS_SHOWN)..];
    newest.iter().map(bar).collect()
}

fn bar(check: &Check) -> char {
    if check.failure.is_some() {
        return FAILED;
    }
    let height = HEIGHTS.iter().find(|(below_us, _)| check.took_us < *below_us);
    height.map_or('▇', |(_, sign)| *sign)
}

/// How long, in the two units that matter.
fn age(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min {} s", seconds % 60),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// What an order came to.
pub(super) fn done(status: &Status, name: &str, order: Order) -> String {
    let Some(node) = status.nodes.iter().find(|node| node.name == name) else {
        return format!("{name}: {} is done.", order.word());
    };
    let others_up = status.nodes.iter().any(|other| other.name != name && other.state == "Up");
    match (order, node.state.as_str()) {
        (Order::Drain, "Down") => {
            format!("{name} is Down, and stays without new connections when it answers again.")
        }
        (Order::Drain, _) => {
            let left = match node.sessions {
                0 => "it has no connections".to_owned(),
                1 => "its one connection may end by itself, for a while".to_owned(),
                many => format!("its {many} connections may end by themselves, for a while"),
            };
            let others = match others_up {
                true => "new ones go to the others",
                false => "NO OTHER NODE IS UP, so new ones still come here",
            };
            format!("{name} is drained: {left}; {others}. Back with: kms front ready {name}")
        }
        (Order::Ready, "Down") => format!("{name} gets connections once it answers: {}.", node.reason),
        (Order::Ready, _) => format!("{name} gets connections again, few at first."),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::front) const STATUS: &str = r#"{"version":"1","at_unix_ms":0,"uptime_ms":7384000,"listen":"0.0.0.0:5696",
        "mode":"passthrough","service":"serving","leader":"kms2","probe":"KMIP","blind_to":null,
        "connections":{"open":3,"max":16384,"held_bytes":0},
        "last_failover":{"from":"kms1","to":"kms2","began_ago_ms":125000,"length_ms":612,"over":true},
        "nodes":[
        {"name":"kms1","address":"192.0.2.11:5696","state":"Down","reason":"2 probes in a row failed: connection refused",
         "drain_asked":false,"standing":"whole","sessions":0,"served":4,
         "outcomes":[{"ago_ms":400,"took_us":800,"failure":null},{"ago_ms":200,"took_us":90,"failure":"connection refused"}],
         "transitions":[{"ago_ms":125000,"from":"Up","to":"Down","reason":""}]},
        {"name":"kms2","address":"192.0.2.12:5696","state":"Up","reason":"the first probe was answered","drain_asked":false,
         "sessions":2,"outcomes":[{"took_us":999,"failure":null},{"took_us":2000,"failure":null},
         {"took_us":249999,"failure":null},{"took_us":300000,"failure":null}],"transitions":[]},
        {"name":"kms3","address":"192.0.2.13:5696","state":"Draining","reason":"an administrator asked for it",
         "drain_asked":true,"sessions":1,"outcomes":[],"transitions":[{"ago_ms":4999}]}],
        "of_a_later_version":true}"#;

    fn status() -> Status {
        serde_json::from_str(STATUS).unwrap()
    }

    #[test]
    fn one_line_says_what_clients_can_count_on_and_where() {
        let mut status = status();
        assert_eq!(
            headline(&status),
            "Serving on 0.0.0.0:5696 (passthrough), leader kms2; last failover 2 min 5 s ago from kms1 to kms2, took 612 ms"
        );
        status.last_failover = None;
        status.leader = None;
        status.service = Service::Degraded;
        assert_eq!(
            headline(&status),
            "Degraded (reads only) on 0.0.0.0:5696 (passthrough); no failover since its start"
        );
        status.service = Service::Down;
        assert!(headline(&status).starts_with("Down on "));
    }

    #[test]
    fn a_failover_that_is_not_over_says_so() {
        let under_way =
            Failover { from: Some("a".into()), to: None, began_ago_ms: 40, length_ms: 40, over: false };
        assert_eq!(failed_over(&under_way), "a failover from a is under way for 40 ms");
    }

    #[test]
    fn a_row_has_the_reason_in_words_and_the_last_checks_as_bars() {
        let status = status();
        let rows: Vec<_> = status.nodes.iter().map(|node| row(&status, node)).collect();
        assert_eq!(
            rows[0],
            [
                "kms1",
                "Down",
                "2 min 5 s",
                "0",
                "▁×",
                "192.0.2.11:5696",
                "2 probes in a row failed: connection refused"
            ]
        );
        assert_eq!(rows[1][1..5], ["Up", "2 h 3 min", "2", "▁▂▆▇"]);
        assert_eq!(rows[2][1..5], ["Draining", "4 s", "1", ""]);
    }

    #[test]
    fn only_the_newest_checks_are_shown() {
        let mut outcomes = vec![Check { took_us: 1, failure: Some("gone".into()) }; 5];
        outcomes.extend(vec![Check { took_us: 1, failure: None }; CHECKS_SHOWN]);
        assert_eq!(checks(&outcomes), "▁".repeat(CHECKS_SHOWN));
    }

    #[test]
    fn a_drained_node_is_not_forgotten() {
        let mut status = status();
        assert_eq!(advice(&status), ["Drained: kms3; back with kms front ready NODE."]);
        status.nodes[2].state = "Down".to_owned();
        assert_eq!(row(&status, &status.nodes[2])[1], "Down, drained");
    }

    #[test]
    fn what_clients_cannot_count_on_and_what_probes_do_not_see_is_noted() {
        let mut status = status();
        status.nodes[2].drain_asked = false;
        status.caveat = Some("only reads are replayed".to_owned());
        status.blind_to = Some("probes are blind".to_owned());
        assert_eq!(advice(&status), ["Note: only reads are replayed.", "Note: probes are blind."]);
    }

    #[test]
    fn what_an_order_came_to_is_said_with_the_way_back() {
        let mut status = status();
        assert_eq!(
            done(&status, "kms3", Order::Drain),
            "kms3 is drained: its one connection may end by itself, for a while; new ones go to the others. Back with: kms front ready kms3"
        );
        assert!(done(&status, "kms2", Order::Drain).contains("NO OTHER NODE IS UP"));
        assert!(done(&status, "kms1", Order::Drain).contains("stays without new connections"));
        assert!(done(&status, "kms1", Order::Ready).contains("once it answers: 2 probes in a row failed"));
        status.nodes[2].state = "Up".to_owned();
        assert_eq!(done(&status, "kms3", Order::Ready), "kms3 gets connections again, few at first.");
    }
}
