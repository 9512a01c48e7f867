//! The page over HTTP: what its answers carry, who may give orders, and its bounds. What it looks like is tested with the
//! lab, before real nodes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use health_proxy::events::EVENT_STREAMS_MAX;
use health_proxy::token::WRONG_TOKENS_MAX;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bed::{Front, LIMIT, PATIENT, ask, configuration, node, until};
use crate::node::{Answers, House, Node};

pub(crate) const TOKEN: &str = "a-token-of-the-tests-0123456789";

/// Has the front take orders from who has [`TOKEN`].
pub(crate) async fn with_token(nodes: &[&Node], more: &str) -> Front {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    fs::write(&path, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let text = configuration(nodes, more).replace("[admin]\n", "[admin]\ntoken_file = \"token\"\n");
    let front = Front::start_in(dir, &text).await;
    for node in nodes {
        front.until_state(node.name, "Up").await;
    }
    front
}

/// Sends a request, and gives the whole answer.
async fn say(front: &Front, request: &str) -> String {
    let mut stream = TcpStream::connect(front.admin).await.unwrap();
    let request = request.replace("HOST", &front.admin.to_string());
    let mut answer = Vec::new();
    let work = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    timeout(LIMIT, work).await.expect("the front answers").unwrap();
    String::from_utf8(answer).unwrap()
}

async fn get(front: &Front, path: &str) -> String {
    say(front, &format!("GET {path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n")).await
}

/// Orders with these headers besides; gives the code and the body.
async fn order(front: &Front, path: &str, host: &str, headers: &str) -> (u16, String) {
    let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n");
    let answer = say(front, &format!("{head}{headers}\r\n")).await;
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// As the tests' certificates do: whole days, and some moments of the second are over.
fn holds_two_days(certificate: &Value) -> bool {
    certificate["days_left"] == 2 || certificate["days_left"] == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_tells_a_browser_to_believe_keep_and_embed_nothing() {
    let a = Node::start("a");
    let front = Front::start(&[&a], PATIENT).await;
    for path in ["/", "/api/v1/status", "/api/v1/clients", "/api/v1/history", "/livez", "/nothing"] {
        let answer = get(&front, path).await;
        for header in [
            "x-content-type-options: nosniff\r\n",
            "referrer-policy: no-referrer\r\n",
            "cache-control: no-store\r\n",
            "frame-ancestors 'none'",
            "default-src 'none'",
        ] {
            assert!(answer.contains(header), "{path} without {header}: {answer}");
        }
        assert!(!answer.contains("unsafe-") && !answer.contains("access-control-"), "{path}");
    }
    let page = get(&front, "/").await;
    assert!(page.contains("content-type: text/html; charset=utf-8\r\n"));
    assert!(page.contains("script-src 'sha256-"));
    assert!(
        page.contains("Serving on 127.0.0.1:") && page.contains("1 of 1 nodes Up"),
        "the words without script"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_history_and_certificates_are_numbers_under_the_api() {
    let a = Node::start("a");
    let front = Front::start(&[&a], PATIENT).await;
    let (mut kept, _) = front.client().await;
    let (mut gone, _) = front.client().await;
    gone.shutdown().await.unwrap();
    let body =
        |answer: String| -> Value { serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap() };
    let clients = until("a connection is finished", async || {
        let clients = body(get(&front, "/api/v1/clients").await);
        (clients["clients"][0]["how"] == "finished").then_some(clients)
    })
    .await;
    let client = &clients["clients"][0];
    assert_eq!(
        (&client["address"], &client["open"], &client["last_hour"]),
        (&"127.0.0.1".into(), &1.into(), &2.into())
    );
    assert!(client["every_ms"].is_null());
    let history = body(get(&front, "/api/v1/history").await);
    assert_eq!(history["minutes"].as_array().unwrap().len(), 60);
    assert_eq!(history["outcomes"][0], "finished");
    let finished: u64 =
        history["minutes"].as_array().unwrap().iter().map(|minute| minute[0].as_u64().unwrap()).sum();
    assert_eq!(finished, 1);
    assert_eq!(history["lanes"][0]["spans"].as_array().unwrap().last().unwrap()["state"], "Up");
    let status = front.status().await;
    assert_eq!(status["listen"], front.listen.to_string());
    assert!(holds_two_days(&node(&status, "a")["certificate"]));
    assert!(node(&status, "a")["probe_median_us"].as_u64().unwrap() > 0);
    assert!(status["probe_certificate"].is_null());
    assert_eq!(ask(&mut kept).await.unwrap(), "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_certificates_of_a_node_and_of_the_probes_are_both_seen() {
    let house = House::new();
    let a = Node::start_as("a", &house, true, Answers::Well);
    let front = crate::probes::start(&a, &house.client(), &house.authority).await;
    front.until_state("a", "Up").await;
    let status = front.status().await;
    assert!(holds_two_days(&status["probe_certificate"]));
    assert!(holds_two_days(&node(&status, "a")["certificate"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_needs_the_token_and_comes_from_no_other_page() {
    let (a, b) = (Node::start("a"), Node::start("b"));
    let front = with_token(&[&a, &b], PATIENT).await;
    assert_eq!(front.status().await["takes_orders"], true);
    let drain = "/api/v1/nodes/a/drain";
    let own = front.admin.to_string();
    let right = bearer(TOKEN);
    let foreign = format!("{right}Origin: http://evil.example\r\n");
    for (host, headers, code, words) in [
        (own.as_str(), "", 401, "an order needs the token"),
        (own.as_str(), &bearer("a-wrong-token-0123456789"), 401, "the token is wrong"),
        (own.as_str(), foreign.as_str(), 403, "another page"),
        (own.as_str(), &format!("{right}Origin: null\r\n"), 403, "another page"),
        // A name of a stranger's that leads here: its page has its own origin.
        (
            "evil.example",
            &format!("{right}Origin: http://evil.example\r\n"),
            403,
            "a name that is not this machine's",
        ),
    ] {
        let (got, answer) = order(&front, drain, host, headers).await;
        assert!(got == code && answer.contains(words) && answer.contains("hint"), "{headers}: {answer}");
        assert!(!answer.contains(TOKEN));
    }
    assert_eq!(node(&front.status().await, "a")["state"], "Up");
    let headers = format!("{right}Origin: http://{own}\r\n");
    assert_eq!(order(&front, drain, &own, &headers).await.0, 204);
    front.until_state("a", "Draining").await;
    assert_eq!(order(&front, "/api/v1/nodes/a/ready", &own, &right).await.0, 204);
    front.until_state("a", "Up").await;
    assert_eq!(order(&front, "/api/v1/nodes/z/drain", &own, &right).await.0, 404);
    assert!(front.lines(TOKEN).is_empty() && front.lines("a-wrong-token").is_empty());
    assert!(!front.lines("an order on the admin port was refused").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_tokens_waits_and_the_socket_does_not() {
    let a = Node::start("a");
    let front = with_token(&[&a], PATIENT).await;
    let own = front.admin.to_string();
    for _ in 0..WRONG_TOKENS_MAX {
        assert_eq!(order(&front, "/api/v1/nodes/a/drain", &own, &bearer("guess")).await.0, 401);
    }
    let (code, answer) = order(&front, "/api/v1/nodes/a/drain", &own, &bearer(TOKEN)).await;
    assert!(code == 429 && answer.contains("wait a minute"), "{answer}");
    assert_eq!(front.order("/api/v1/nodes/a/drain").await.0, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_file_the_port_takes_no_orders() {
    let a = Node::start("a");
    let front = Front::start(&[&a], PATIENT).await;
    assert_eq!(front.status().await["takes_orders"], false);
    let own = front.admin.to_string();
    assert_eq!(order(&front, "/api/v1/nodes/a/drain", &own, &bearer(TOKEN)).await.0, 404);
    assert_eq!(node(&front.status().await, "a")["state"], "Up");
}

/// Opens a stream of events, and reads until one has come.
async fn stream(front: &Front) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(front.admin).await.unwrap();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: front\r\n\r\n").await.unwrap();
    let text = read_until(&mut stream, |text| text.contains("\n\n") || text.contains("503")).await;
    (stream, text)
}

async fn read_until(stream: &mut TcpStream, enough: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let work = async {
        let mut piece = vec![0; 1 << 16];
        while !enough(&text) {
            match stream.read(&mut piece).await.unwrap() {
                0 => panic!("the stream ended: {text}"),
                count => text.push_str(&String::from_utf8_lossy(&piece[..count])),
            }
        }
    };
    timeout(LIMIT, work).await.expect("events come");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_events_are_bounded_and_end_with_the_front() {
    let a = Node::start("a");
    let mut front = Front::start(&[&a], PATIENT).await;
    let mut streams = Vec::new();
    for _ in 0..EVENT_STREAMS_MAX {
        let (stream, text) = stream(&front).await;
        assert!(
            text.contains("content-type: text/event-stream") && text.contains("event: snapshot\ndata: {")
        );
        streams.push(stream);
    }
    let (_, refused) = stream(&front).await;
    assert!(refused.contains("HTTP/1.1 503"), "{refused}");
    // Another one fits once one is gone.
    streams.pop();
    until("a seat is free", async || stream(&front).await.1.contains("event: snapshot").then_some(())).await;
    front.signal(Signal::SIGTERM);
    read_until(&mut streams[0], |text| text.contains("event: end\n")).await;
    assert_eq!(front.ended().await.code(), Some(0));
}
