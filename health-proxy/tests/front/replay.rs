//! Replay: clients see latency, never a reset, whatever becomes of the node that has their request.

mod idle;
pub(crate) mod node;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use kmip::client::{Client, ClientConfig, Connection, ServerTrust};
use kmip::enumeration::{QueryFunction, ResultReason};
use kmip::operations::{destroy, query};
use kmip::{RequestPayload, ResponsePayload};
use nix::sys::signal::Signal;
use serde_json::json;

use self::node::{Asked, Cluster, Does, LinkNode};
use crate::authority::{Pair, authority, ec_key, leaf};
use crate::bed::{Front, LIMIT, PATIENT, node as node_of, until};
use crate::node::Node;

const NOT_TAKEN: u8 = 3;

/// Nodes, a front in replay before them, and what clients need.
struct Bed {
    nodes: Vec<LinkNode>,
    front: Front,
    server_ca: Pair,
    client: Pair,
}

impl Bed {
    /// Three nodes, the first of which leads; `more` is added to the front's `[replay]`.
    async fn new(more: &str) -> Self {
        let cluster = Cluster::new();
        let mut nodes = Vec::new();
        for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
            nodes.push(LinkNode::start(&cluster, number, name).await);
        }
        let bed = Self::before(&cluster, nodes, more).await;
        bed.front
            .until("all nodes are Up", |status| {
                status["nodes"].as_array().unwrap().iter().all(|node| node["state"] == "Up")
            })
            .await;
        bed
    }

    async fn before(cluster: &Cluster, nodes: Vec<LinkNode>, more: &str) -> Self {
        let server_ca = authority("server CA");
        let server = leaf(&server_ca, "kms.example.test", ec_key());
        let link = cluster.pair("front-one");
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ("server.pem", server.pem()),
            ("server-key.pem", server.key_pem()),
            ("link.pem", link.pem()),
            ("link-key.pem", link.key_pem()),
            ("cluster-ca.pem", cluster.authority.pem()),
        ];
        for (name, pem) in files {
            let path = dir.path().join(name);
            fs::write(&path, pem).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let text = configuration(&nodes, more);
        let front = Front::start_in(dir, &text).await;
        let client = leaf(&authority("clients"), "vcenter", ec_key());
        Self { nodes, front, server_ca, client }
    }

    async fn connect(&self) -> Connection {
        self.connect_as(Some(&self.client)).await
    }

    async fn connect_as(&self, client: Option<&Pair>) -> Connection {
        let trust = ServerTrust::Ca { pem: self.server_ca.pem(), verify_name: true };
        let mut builder = ClientConfig::builder(self.front.listen.to_string(), trust)
            .server_name("kms.example.test")
            .request_timeout(LIMIT);
        if let Some(client) = client {
            builder = builder.identity_pem(client.pem(), client.key_pem());
        }
        Client::connect(&builder.build().unwrap()).await.unwrap()
    }

    /// Has all nodes but those named do this.
    fn all_but(&self, but: &[&str], does: &Does) {
        let others = self.nodes.iter().filter(|node| !but.contains(&node.name));
        others.for_each(|node| node.does(does.clone()));
    }

    /// All that nodes were asked, with the node's name.
    fn asked(&self) -> Vec<(&'static str, Asked)> {
        let all = self.nodes.iter();
        all.flat_map(|node| node.asked().into_iter().map(|asked| (node.name, asked))).collect()
    }

    /// Waits until a node has a request, and says which.
    async fn who_has_it(&self) -> &'static str {
        until("a node has the request", async || self.asked().first().map(|(name, _)| *name)).await
    }
}

/// Before these nodes, with the files that the bed writes.
fn configuration(nodes: &[LinkNode], more: &str) -> String {
    let mut text = format!(
        "[front]\nlisten = \"127.0.0.1:0\"\nmode = \"replay\"\n[admin]\nlisten = \"127.0.0.1:0\"\nsocket = \
         \"admin.sock\"\n[log]\nformat = \"json\"\nlevel = \"debug\"\n{PATIENT}[replay]\ncertificate = \
         \"server.pem\"\nkey = \"server-key.pem\"\nlink_certificate = \"link.pem\"\nlink_key = \"link-key.pem\"\nlink_ca = \
         \"cluster-ca.pem\"\n{more}[nodes]\n"
    );
    for node in nodes {
        text.push_str(&format!("{} = \"{}\"\n", node.name, node.address));
    }
    text
}

/// A long patience, where a test is not about it.
const UNHURRIED: &str = "resend_after_ms = 60000\nanswer_wait_ms = 60000\n";

pub(crate) fn read() -> query::Request {
    query::Request { query_functions: vec![QueryFunction::QueryServerInformation] }
}

pub(crate) fn change() -> destroy::Request {
    destroy::Request { unique_identifier: Some("one".to_owned()) }
}

/// The name of the node that answered.
pub(crate) async fn ask(client: &mut Connection, payload: impl Into<RequestPayload>) -> String {
    match client.one(payload).await.unwrap() {
        ResponsePayload::Query(answer) => answer.vendor_identification.unwrap(),
        ResponsePayload::Destroy(answer) => answer.unique_identifier,
        other => panic!("{other:?}"),
    }
}

/// The reason and text of a refusal.
pub(crate) async fn refused(
    client: &mut Connection,
    payload: impl Into<RequestPayload>,
) -> (ResultReason, String) {
    let error = client.one(payload).await.unwrap_err();
    let failure = error.failure().unwrap_or_else(|| panic!("{error}"));
    (failure.reason.unwrap(), failure.message.clone().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_gets_the_request_with_the_clients_leaf_and_address_and_the_client_its_answer() {
    let bed = Bed::new(UNHURRIED).await;
    let mut client = bed.connect().await;
    let name = ask(&mut client, change()).await;
    let asked = bed.asked();
    let [(at, asked)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((*at, asked.again, asked.alone), (name.as_str(), false, false));
    assert_eq!(asked.certificates, [bed.client.certificate.to_der().unwrap()]);
    assert!(asked.address.ip().is_loopback() && asked.address != bed.front.listen);
    assert_eq!(asked.seen, 5, "what the nodes said before");
    // The next is another request, on the same connection.
    ask(&mut client, read()).await;
    let tokens: Vec<_> = bed.asked().into_iter().map(|(_, asked)| asked.token).collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_a_certificate_is_for_the_node_to_judge() {
    let bed = Bed::new(UNHURRIED).await;
    ask(&mut bed.connect_as(None).await, read()).await;
    assert_eq!(bed.asked()[0].1.certificates.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_does_not_take_goes_to_another_as_if_for_the_first_time() {
    let bed = Bed::new(UNHURRIED).await;
    bed.all_but(&["c"], &Does::Says(0x80, [&[NOT_TAKEN], &b"it ends"[..]].concat()));
    for _ in 0..5 {
        assert_eq!(ask(&mut bed.connect().await, change()).await, "c");
    }
    assert!(bed.asked().iter().all(|(_, asked)| !asked.again));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_its_node_dies_or_babbles_with_is_answered_by_another() {
    for does in [Does::Dies, Does::Babbles, Does::Says(0x80, vec![2]), Does::Says(0x81, b"busy".to_vec())] {
        let bed = Bed::new(UNHURRIED).await;
        bed.all_but(&[], &Does::Waits);
        let mut client = bed.connect().await;
        let asking = tokio::spawn(async move { (ask(&mut client, change()).await, client) });
        let first = bed.who_has_it().await;
        // The others first, so that nobody waits when the request comes to them.
        bed.all_but(&[first], &Does::Answers);
        bed.nodes.iter().find(|node| node.name == first).unwrap().does(does.clone());
        let (name, mut client) = asking.await.unwrap();
        assert_ne!(name, first, "{does:?}");
        let asked = bed.asked();
        assert_eq!(asked.len(), 2, "{does:?}");
        assert_eq!(asked[0].1.token, asked[1].1.token);
        let second = asked.iter().find(|(name, _)| *name != first).unwrap();
        assert!(second.1.again, "{does:?}");
        // The client goes on, on the same connection.
        ask(&mut client, read()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lets_wait_has_another_asked_as_well_and_its_late_answer_harms_nobody() {
    let bed = Bed::new("resend_after_ms = 100\nanswer_wait_ms = 60000\n").await;
    bed.all_but(&[], &Does::Waits);
    let mut client = bed.connect().await;
    let asking = tokio::spawn(async move { (ask(&mut client, change()).await, client) });
    until("two nodes have it", async || (bed.asked().len() == 2).then_some(())).await;
    let asked = bed.asked();
    let second = asked.iter().find(|(_, asked)| asked.again).unwrap().0;
    let first = asked.iter().find(|(_, asked)| !asked.again).unwrap().0;
    bed.nodes.iter().find(|node| node.name == second).unwrap().does(Does::Answers);
    let (name, mut client) = asking.await.unwrap();
    assert_eq!(name, second);
    bed.all_but(&[], &Does::Answers);
    for _ in 0..10 {
        ask(&mut client, read()).await;
    }
    assert!(bed.asked().iter().any(|(name, asked)| *name == first && !asked.again));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_byte_by_byte_reaches_the_client_whole() {
    let bed = Bed::new(UNHURRIED).await;
    bed.all_but(&[], &Does::Trickles);
    let mut client = bed.connect().await;
    for _ in 0..3 {
        ask(&mut client, read()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_nobody_answers_reads_an_honest_error_and_its_connection_goes_on() {
    let bed = Bed::new("resend_after_ms = 60000\nanswer_wait_ms = 700\n").await;
    bed.all_but(&[], &Does::Says(0x80, [&[NOT_TAKEN], &b"no leader"[..]].concat()));
    let mut client = bed.connect().await;
    let (reason, text) = refused(&mut client, change()).await;
    assert_eq!(reason, ResultReason::GeneralFailure);
    assert!(text.contains("within 700 ms; nothing was changed; hint: "), "{text}");
    bed.all_but(&[], &Does::Waits);
    let (_, text) = refused(&mut client, change()).await;
    assert!(text.contains("it may have been carried out; hint: look with Locate"), "{text}");
    assert!(bed.front.lines("a request is refused")[0].contains("(last: no leader)"));
    bed.all_but(&[], &Does::Answers);
    ask(&mut client, change()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_two_nodes_died_with_is_given_to_no_third() {
    let bed = Bed::new(UNHURRIED).await;
    bed.all_but(&[], &Does::Dies);
    let (_, text) = refused(&mut bed.connect().await, change()).await;
    assert!(text.starts_with("two key servers were lost while they had this request"), "{text}");
    assert_eq!(bed.asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outrun_is_sent_again_with_the_new_count_and_still_for_the_first_time() {
    let bed = Bed::new(UNHURRIED).await;
    bed.all_but(&[], &Does::Says(0x80, [&[4][..], &900_u64.to_be_bytes()].concat()));
    let mut client = bed.connect().await;
    let asking = tokio::spawn(async move { ask(&mut client, change()).await });
    until("it is sent with the new count", async || {
        bed.asked().iter().any(|(_, asked)| asked.seen == 900).then_some(())
    })
    .await;
    bed.all_but(&[], &Does::Answers);
    asking.await.unwrap();
    assert!(bed.asked().iter().all(|(_, asked)| !asked.again));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_knows_leader_and_majority_and_changes_go_where_there_is_one() {
    let bed = Bed::new(UNHURRIED).await;
    let status = bed.front.until("it is served whole", |status| status["leader"] == "a").await;
    assert_eq!((status["service"].as_str(), status["mode"].as_str()), (Some("serving"), Some("replay")));
    assert!(status["certificate"]["days_left"].is_number(), "{status}");
    ask(&mut bed.connect().await, read()).await;
    let status = bed.front.status().await;
    assert_eq!(status["operations"], json!({"Query": {"answered": 1, "given_up": 0, "resent": 0}}));
    assert!(
        bed.front.get("/metrics").await.1.contains("requests_total{operation=\"Query\",how=\"answered\"} 1")
    );
    let cut = json!({"write": false, "reason": "a majority of the nodes cannot be reached"});
    bed.nodes[2].says(cut.clone());
    bed.front.until("c is cut", |status| node_of(status, "c")["standing"] == "cut").await;
    for _ in 0..12 {
        assert_ne!(ask(&mut bed.connect().await, change()).await, "c");
    }
    bed.nodes[..2].iter().for_each(|node| node.says(cut.clone()));
    bed.front.until("only reads are served", |status| status["service"] == "degraded").await;
    ask(&mut bed.connect().await, read()).await;
    assert!(bed.asked().last().is_some() && bed.asked().iter().any(|(_, asked)| asked.alone));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_no_member_is_not_asked() {
    let bed = Bed::new(UNHURRIED).await;
    bed.nodes[0].says(json!({"member": false, "reason": "it was removed"}));
    let down = bed.front.until_state("a", "Down").await;
    assert!(
        down["reason"].as_str().unwrap().contains("it is no member of its cluster: it was removed"),
        "{down}"
    );
    for _ in 0..6 {
        assert_ne!(ask(&mut bed.connect().await, read()).await, "a");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_no_node_of_the_cluster_is_given_nothing() {
    let (cluster, other) = (Cluster::new(), Cluster::new());
    let nodes = vec![
        LinkNode::start(&cluster, 1, "a").await,
        LinkNode::start(&other, 2, "b").await,
        LinkNode::start_as(&cluster, "front-two", 3, "c").await,
    ];
    let bed = Bed::before(&cluster, nodes, UNHURRIED).await;
    bed.front.until_state("a", "Up").await;
    for name in ["b", "c"] {
        let view = bed
            .front
            .until("it was probed", |status| {
                !node_of(status, name)["outcomes"].as_array().unwrap().is_empty()
            })
            .await;
        assert_eq!(node_of(&view, name)["state"], "Down");
    }
    for _ in 0..6 {
        assert_eq!(ask(&mut bed.connect().await, change()).await, "a");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_front_that_ends_answers_what_it_has_and_says_goodbye() {
    let mut bed = Bed::new(UNHURRIED).await;
    let mut idle = bed.connect().await;
    ask(&mut idle, read()).await;
    bed.all_but(&[], &Does::Waits);
    let mut busy = bed.connect().await;
    let asking = tokio::spawn(async move { ask(&mut busy, change()).await });
    until("a node has the request", async || (bed.asked().len() == 2).then_some(())).await;
    bed.front.signal(Signal::SIGTERM);
    // The end comes in TLS's words, or this were an error of another kind.
    assert!(idle.receive_raw().await.unwrap_err().to_string().contains("closed"));
    bed.all_but(&[], &Does::Answers);
    asking.await.unwrap();
    assert!(bed.front.ended().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_too_large_or_none_end_their_own_connection() {
    let bed = Bed::new(&format!("{UNHURRIED}request_bytes_max = 1024\n")).await;
    let mut client = bed.connect().await;
    client.send_raw(&[0x42, 0x00, 0x78, 0x01, 0x00, 0x01, 0x00, 0x00]).await.unwrap();
    let answer = client.receive_raw().await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("a request has at most 1024 bytes"));
    let mut client = bed.connect().await;
    client.send_raw(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    client.receive_raw().await.unwrap_err();
    assert!(bed.front.lines("what was sent is no KMIP message").len() == 1);
    assert_eq!(bed.asked(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_there_is_no_room_for_waits_until_another_is_answered() {
    let bed = Bed::new(&format!("{UNHURRIED}requests_bytes_max = 1024\n")).await;
    bed.all_but(&[], &Does::Waits);
    let large = || destroy::Request { unique_identifier: Some("x".repeat(800)) };
    let (mut first, mut second) = (bed.connect().await, bed.connect().await);
    let first = tokio::spawn(async move { ask(&mut first, large()).await });
    bed.who_has_it().await;
    let second = tokio::spawn(async move { ask(&mut second, large()).await });
    // It is there, and not handed over, for as long as the first has the room.
    until("the second client is served", async || {
        (bed.front.status().await["connections"]["open"] == 2).then_some(())
    })
    .await;
    assert_eq!(bed.asked().len(), 1);
    bed.all_but(&[], &Does::Answers);
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(bed.asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_comes_byte_by_byte_has_its_time_as_a_whole() {
    let bed = Bed::new(&format!("{UNHURRIED}message_timeout_ms = 300\n")).await;
    let mut client = bed.connect().await;
    client.send_raw(&[0x42, 0x00, 0x78, 0x01, 0x00, 0x00, 0x10, 0x00]).await.unwrap();
    let mut bytes = 0;
    // A byte is never as late as the whole may be; the bytes are the fault itself.
    while client.send_raw(&[0]).await.is_ok() && bytes < 4000 {
        bytes += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(bytes < 1000, "it went on for as long as a byte came");
    ask(&mut bed.connect().await, read()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_their_order() {
    let bed = Bed::new(UNHURRIED).await;
    let mut client = bed.connect().await;
    let mut bytes = Vec::new();
    for id in 0..20_u8 {
        let mut request = kmip::RequestMessage::new(kmip::ProtocolVersion::V1_2, [read().into()]);
        request.items[0].unique_batch_item_id = Some(vec![id]);
        request.encode(&mut bytes);
    }
    client.send_raw(&bytes).await.unwrap();
    for id in 0..20_u8 {
        let answer = client.receive_raw().await.unwrap();
        let answer = kmip::ResponseMessage::decode(&answer, ttlv::Limits::default()).unwrap();
        assert_eq!(answer.items[0].unique_batch_item_id, Some(vec![id]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_costs_a_client_no_more_than_the_resend_and_nothing_fails() {
    let bed = Bed::new("resend_after_ms = 150\nanswer_wait_ms = 60000\n").await;
    let mut client = bed.connect().await;
    bed.nodes[0].does(Does::Waits);
    let began = Instant::now();
    for _ in 0..20 {
        assert_ne!(ask(&mut client, change()).await, "a");
    }
    // Twenty at most would be three seconds; a minute means that somebody waited for the frozen one.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_that_changes_the_mode_holds_for_new_connections_and_ends_none() {
    const BRIEF: &str = "answer_wait_ms = 1000\n";
    let bed = Bed::new(BRIEF).await;
    let mut replayed = bed.connect().await;
    ask(&mut replayed, read()).await;
    let plain = Node::start("plain");
    let passthrough = crate::bed::configuration(&[&plain], PATIENT).replace("track_file = \"track\"\n", "");
    let said = bed.front.reload(&passthrough).await;
    assert!(said.contains("the new configuration holds"), "{said}");
    bed.front.until_state("plain", "Up").await;
    assert_eq!(bed.front.status().await["mode"], "passthrough");
    let (mut passed, name) = bed.front.client().await;
    assert_eq!(name, "plain");
    // The nodes of before are gone, so what the old connection asks is refused in words, and it stays open.
    let (reason, text) = refused(&mut replayed, read()).await;
    assert_eq!(reason, ResultReason::GeneralFailure, "{text}");

    bed.front.reload(&configuration(&bed.nodes, BRIEF)).await;
    bed.front.until_state(bed.nodes[0].name, "Up").await;
    assert_eq!(bed.front.status().await["mode"], "replay");
    ask(&mut bed.connect().await, read()).await;
    ask(&mut replayed, read()).await;
    assert_eq!(crate::bed::ask(&mut passed).await.unwrap(), "plain");
}
