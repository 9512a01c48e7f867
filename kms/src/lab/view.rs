//! The lab's nodes and its fronts as a table: what the lab knows of each, and what each says of itself.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;

use super::control::{ClientState, FrontState, KeepalivedState, NodeState, PairState, State};
use crate::admin::{Admin, Cluster, Status};
use crate::front::api::{Front, Service};
use crate::node::Node;
use crate::print::{self, Format};

/// Longest wait for a node's answer: one that stands still never answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// One node.
#[derive(Debug, Serialize)]
pub(super) struct View {
    #[serde(flatten)]
    known: NodeState,
    /// Whether it answers at all.
    answers: bool,
    role: Option<String>,
    term: Option<u64>,
    applied: Option<u64>,
    lag: Option<u64>,
    /// Its number in the cluster, which is another than that in the lab when a join was broken off.
    member: Option<u64>,
}

/// A front.
#[derive(Debug, Serialize)]
pub(super) struct FrontView {
    #[serde(flatten)]
    known: FrontState,
    /// What clients can count on; nothing when it does not answer.
    service: Option<Service>,
}

/// Asks all fronts at once.
pub(super) async fn look_at_fronts(known: Vec<FrontState>) -> Vec<FrontView> {
    let ask = async |known: FrontState| {
        let front = Front::at(known.socket.clone());
        let asked = tokio::time::timeout(ANSWER_TIMEOUT, front.status()).await;
        let service = asked.ok().and_then(Result::ok).map(|(status, _)| status.service);
        FrontView { known, service }
    };
    let mut known = known.into_iter();
    match (known.next(), known.next()) {
        (None, _) => Vec::new(),
        (Some(only), None) => vec![ask(only).await],
        (Some(first), Some(second)) => <[_; 2]>::from(tokio::join!(ask(first), ask(second))).into(),
    }
}

/// Asks all nodes at once.
pub(super) async fn look(nodes: Vec<NodeState>) -> Vec<View> {
    let mut asks = JoinSet::new();
    for (place, known) in nodes.into_iter().enumerate() {
        asks.spawn(async move {
            let said = match known.pid {
                Some(_) => ask(&known.dir).await,
                None => None,
            };
            (place, known, said)
        });
    }
    let mut answers = asks.join_all().await;
    answers.sort_by_key(|(place, ..)| *place);
    // Only the leader knows how far the others are.
    let is_leader = |said: &Option<(Status, Option<Cluster>)>| {
        said.as_ref().and_then(|(status, _)| status.role.as_deref()) == Some("leader")
    };
    let leaders = answers.iter().filter(|(_, _, said)| is_leader(said));
    let newest =
        leaders.filter_map(|(_, _, said)| said.as_ref()?.1.clone()).max_by_key(|cluster| cluster.term);
    answers
        .into_iter()
        .map(|(_, known, said)| view(known, said.map(|(status, _)| status), newest.as_ref()))
        .collect()
}

async fn ask(dir: &Path) -> Option<(Status, Option<Cluster>)> {
    let admin = Admin::at(&Node { dir: dir.to_owned() }.socket().ok()?);
    let status = tokio::time::timeout(ANSWER_TIMEOUT, admin.status()).await.ok()?.ok()?;
    let cluster = tokio::time::timeout(ANSWER_TIMEOUT, admin.cluster()).await.ok().and_then(Result::ok);
    Some((status, cluster))
}

fn view(known: NodeState, said: Option<Status>, leader: Option<&Cluster>) -> View {
    let Some(status) = said else {
        return View {
            known,
            answers: false,
            role: None,
            term: None,
            applied: None,
            lag: None,
            member: None,
        };
    };
    let of_leader =
        leader.and_then(|cluster| cluster.nodes.iter().find(|node| Some(node.number) == status.number));
    View {
        known,
        answers: true,
        role: status.role,
        term: status.term,
        applied: Some(status.log.applied),
        lag: of_leader.and_then(|node| node.lag),
        member: status.number,
    }
}

/// Prints them. The front is the only one there is; where there are two, they are in the pair.
pub(super) fn print(
    nodes: &[View],
    fronts: &[FrontView],
    pair: Option<&PairState>,
    format: Format,
) -> anyhow::Result<()> {
    if format == Format::Json {
        let only = fronts.first().filter(|_| pair.is_none());
        let pair = pair.map(|pair| {
            serde_json::json!({
                "address": pair.address, "fronts": fronts, "keepaliveds": pair.keepaliveds, "client": pair.client,
            })
        });
        return print::json(&serde_json::json!({ "nodes": nodes, "front": only, "pair": pair }));
    }
    let header = ["NODE", "ROLE", "TERM", "APPLIED", "LAG", "PID", "STATE", "KMIP"];
    let fronts = fronts.iter().map(|front| front_row(front, pair.is_some()));
    let keepaliveds = pair.iter().flat_map(|pair| &pair.keepaliveds).map(keepalived_row);
    print::table(&header, nodes.iter().map(row).chain(fronts).chain(keepaliveds));
    if let Some(pair) = pair {
        print::line("");
        print::line(client_line(&pair.client, pair));
    }
    Ok(())
}

fn row(view: &View) -> Vec<String> {
    let count = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let known = &view.known;
    let role = match (view.answers, known.pid) {
        (true, _) => view.role.clone().unwrap_or_else(|| "-".to_owned()),
        (false, Some(_)) => "does not answer".to_owned(),
        (false, None) => "-".to_owned(),
    };
    let name = match view.member {
        Some(member) if member != known.number as u64 => format!("{} (number {member})", known.name),
        Some(_) | None => known.name.clone(),
    };
    vec![
        name,
        role,
        count(view.term),
        count(view.applied),
        count(view.lag),
        count(known.pid.map(u64::from)),
        state(known),
        known.kmip.to_string(),
    ]
}

/// A front's row; its role is what it gives, and of two also whether its host has the address.
fn front_row(view: &FrontView, is_of_two: bool) -> Vec<String> {
    let known = &view.known;
    let role = match (view.service, known.pid) {
        (Some(service), _) => service.word(),
        (None, Some(_)) => "does not answer",
        (None, None) => "-",
    };
    let mut words: Vec<_> = life(known.state).map(str::to_owned).into_iter().collect();
    words.extend(links(known.cut, known.slow_ms));
    if words.is_empty() {
        words.push("serving".to_owned());
    }
    if is_of_two && known.holds {
        words.push("has the address".to_owned());
    }
    server_row(&known.name, role, known.pid, words.join(", "), known.address.to_string())
}

fn keepalived_row(known: &KeepalivedState) -> Vec<String> {
    let state = life(known.state).unwrap_or("running").to_owned();
    server_row(&known.name, "-", known.pid, state, "-".to_owned())
}

fn server_row(name: &str, role: &str, pid: Option<u32>, state: String, at: String) -> Vec<String> {
    let none = || "-".to_owned();
    let pid = pid.map_or_else(none, |pid| pid.to_string());
    vec![name.to_owned(), role.to_owned(), none(), none(), none(), pid, state, at]
}

fn client_line(client: &ClientState, pair: &PairState) -> String {
    let s = |ms: u64| format!("{}.{:02} s", ms / 1000, ms % 1000 / 10);
    let at = format!("A client at {} asks {} all the time", client.address, pair.address);
    match (client.silent_ms, client.gap_ms_max) {
        (Some(silent), Some(gap)) => format!(
            "{at}: answered {} times, last {} ago; its longest wait of the last minute is {}.",
            client.answered,
            s(silent),
            s(gap)
        ),
        _ => format!("{at}, and was never answered."),
    }
}

/// What is the matter with a server; nothing while it runs.
fn life(state: State) -> Option<&'static str> {
    match state {
        State::Serving | State::Cut | State::Slow => None,
        State::Killed => Some("killed"),
        State::Ended => Some("ended by itself"),
        State::Stopped => Some("stopped"),
    }
}

/// All that is the matter with a node.
fn state(known: &NodeState) -> String {
    let mut words: Vec<_> = life(known.state).map(str::to_owned).into_iter().collect();
    words.extend(links(known.cut, known.slow_ms));
    if words.is_empty() { "serving".to_owned() } else { words.join(", ") }
}

/// What is the matter with its links.
fn links(cut: bool, slow_ms: u64) -> impl Iterator<Item = String> {
    let slow = (slow_ms > 0).then(|| format!("slow by {slow_ms} ms"));
    cut.then(|| "cut".to_owned()).into_iter().chain(slow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(state: State) -> NodeState {
        NodeState {
            number: 2,
            name: "node2".into(),
            kmip: ([127, 0, 0, 1], 5706).into(),
            admin: ([127, 0, 0, 1], 5708).into(),
            link: "127.0.0.1:5707".into(),
            pid: Some(7),
            dir: "/lab/node2".into(),
            state,
            cut: false,
            slow_ms: 0,
        }
    }

    const STATUS: &str = r#"{"node":"node2","version":"1","started":"","objects":0,"clients":1,"kmip":"","admin":"",
        "log":{"applied":118,"first":1,"snapshot":0},"tls":{"subject":"","not_after":"","sha1":"","sha256":""},
        "number":4,"role":"follower","term":3,"leader":1,"members":3,"quorum":true}"#;

    const CLUSTER: &str = r#"{"number":1,"term":3,"leader":1,"quorum":true,"nodes":[{"number":4,"name":"node2",
        "link":"","kmip":"","role":"voter","reachable":true,"applied":118,"lag":2}]}"#;

    #[test]
    fn a_node_is_shown_with_what_it_and_the_leader_say() {
        let cluster: Cluster = serde_json::from_str(CLUSTER).unwrap();
        let view = view(known(State::Serving), Some(serde_json::from_str(STATUS).unwrap()), Some(&cluster));
        assert_eq!(
            row(&view),
            ["node2 (number 4)", "follower", "3", "118", "2", "7", "serving", "127.0.0.1:5706"]
        );
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(
            (&json["state"], &json["role"], &json["lag"]),
            (&"serving".into(), &"follower".into(), &2.into())
        );
    }

    #[test]
    fn a_node_that_stands_still_does_not_answer() {
        let mut known = known(State::Stopped);
        known.cut = true;
        known.slow_ms = 200;
        let row = row(&view(known, None, None));
        assert_eq!((row[1].as_str(), row[6].as_str()), ("does not answer", "stopped, cut, slow by 200 ms"));
    }

    #[test]
    fn the_front_is_shown_with_what_it_gives() {
        let front = |state, pid, service| FrontView {
            known: FrontState {
                name: "front".into(),
                holds: true,
                cut: false,
                slow_ms: 0,
                address: ([127, 0, 0, 1], 5796).into(),
                admin: ([127, 0, 0, 1], 5799).into(),
                socket: "/lab/front/admin.sock".into(),
                pid,
                dir: "/lab/front".into(),
                state,
            },
            service,
        };
        let row = |state, pid, service| {
            let row = front_row(&front(state, pid, service), false);
            [row[0].clone(), row[1].clone(), row[5].clone(), row[6].clone(), row[7].clone()]
        };
        assert_eq!(
            row(State::Serving, Some(7), Some(Service::Degraded)),
            ["front", "Degraded (reads only)", "7", "serving", "127.0.0.1:5796"]
        );
        assert_eq!(row(State::Stopped, Some(7), None)[1..4], ["does not answer", "7", "stopped"]);
        assert_eq!(row(State::Killed, None, None)[1..4], ["-", "-", "killed"]);
    }

    #[test]
    fn of_two_fronts_is_said_which_has_the_address_and_how_long_a_client_waited() {
        let pair: PairState = serde_json::from_value(serde_json::json!({
            "address": "198.51.100.10:5696",
            "keepaliveds": [{"name": "keepalived1", "pid": 8, "state": "serving"}],
            "client": {"address": "198.51.100.30", "namespace": "kmslab0-client", "answered": 812, "silent_ms": 15,
                "gap_ms_max": 361},
        }))
        .unwrap();
        let known: FrontState = serde_json::from_value(serde_json::json!({
            "name": "front1", "address": "198.51.100.21:5696", "admin": "198.51.100.21:5699",
            "socket": "/lab/front1/admin.sock", "pid": 7, "dir": "/lab/front1", "state": "cut", "holds": true,
            "cut": true, "slow_ms": 5,
        }))
        .unwrap();
        let row = front_row(&FrontView { known, service: Some(Service::Down) }, true);
        assert_eq!((row[0].as_str(), row[6].as_str()), ("front1", "cut, slow by 5 ms, has the address"));
        let row = keepalived_row(&pair.keepaliveds[0]);
        assert_eq!((row[0].as_str(), row[5].as_str(), row[6].as_str()), ("keepalived1", "8", "running"));
        assert_eq!(
            client_line(&pair.client, &pair),
            "A client at 198.51.100.30 asks 198.51.100.10:5696 all the time: answered 812 times, last 0.01 s ago; its \
             longest wait of the last minute is 0.36 s."
        );
    }

    #[test]
    fn a_killed_node_has_no_process() {
        let mut known = known(State::Killed);
        known.pid = None;
        let row = row(&view(known, None, None));
        assert_eq!((row[1].as_str(), row[5].as_str(), row[6].as_str()), ("-", "-", "killed"));
    }
}
