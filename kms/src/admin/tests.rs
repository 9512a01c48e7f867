//! The API against a socket that answers as a node does.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;

/// Answers one connection after another with these, and gives back the first line of each request.
pub(crate) fn node(
    answers: Vec<(u16, &'static str)>,
) -> (tempfile::TempDir, Admin, tokio::task::JoinHandle<Vec<String>>) {
    let (dir, task) = listen(answers);
    let admin = Admin::at(&dir.path().join("admin.sock"));
    (dir, admin, task)
}

/// The same for whoever knows that the socket is `admin.sock`.
pub(crate) fn listen(
    answers: Vec<(u16, &'static str)>,
) -> (tempfile::TempDir, tokio::task::JoinHandle<Vec<String>>) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let task = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut part = [0; 1024];
                let got = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..got]);
            }
            asked.push(String::from_utf8_lossy(&request).lines().next().unwrap().to_owned());
            let answer = format!(
                "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (dir, task)
}

/// A node that promises more bytes than it gives, once.
pub(crate) fn node_that_breaks_off() -> (tempfile::TempDir, Admin) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nseal").await.unwrap();
    });
    (dir, Admin::at(&socket))
}

const KEY_1: &str = r#"{"keys":[{"id":"1","tenant":"lab","type":"SymmetricKey","algorithm":"AES","length":256,
    "state":"Active","created":"2026-03-01T12:00:00Z","last_read":null,"attributes":{},"name":null}],"next":"1"}"#;
const KEY_2: &str = r#"{"keys":[{"id":"2","tenant":"lab","type":"SymmetricKey","state":"Active",
    "created":"2026-03-01T12:00:00Z","later":true}],"next":null}"#;

#[tokio::test]
async fn pages_of_keys_are_followed_to_the_end() {
    let (_dir, admin, task) = node(vec![(200, KEY_1), (200, KEY_2)]);
    let query = KeyQuery { tenant: Some("lab".into()), state: None };
    let page = admin.keys(&query, usize::MAX).await.unwrap();
    assert_eq!(page.keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(page.next, None);
    let asked = task.await.unwrap();
    assert_eq!(asked[0], "GET /v1/keys?limit=1000&tenant=lab HTTP/1.1");
    assert_eq!(asked[1], "GET /v1/keys?limit=1000&tenant=lab&after=1 HTTP/1.1");
}

#[tokio::test]
async fn a_limit_ends_the_pages_and_says_that_there_is_more() {
    let (_dir, admin, task) = node(vec![(200, KEY_1)]);
    let page = admin.keys(&KeyQuery::default(), 1).await.unwrap();
    assert_eq!((page.keys.len(), page.next.as_deref()), (1, Some("1")));
    assert_eq!(task.await.unwrap(), ["GET /v1/keys?limit=1 HTTP/1.1"]);
}

#[tokio::test]
async fn a_refusal_carries_the_nodes_reason_and_hint() {
    let (_dir, admin, _task) = node(vec![(409, r#"{"error":"name taken","hint":"choose another"}"#)]);
    let error = admin.remove_client("vc01").await.unwrap_err();
    assert_eq!(error.to_string(), "name taken. hint: choose another");
    assert!(!error.is_unreachable());
}

#[tokio::test]
async fn a_node_that_is_not_running_is_said_to_be_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = Admin::at(&dir.path().join("admin.sock")).status().await.unwrap_err();
    assert!(error.is_unreachable() && error.to_string().contains("not running"), "{error}");
}

const CLUSTER: &str = r#"{"number":1,"term":3,"leader":1,"quorum":true,"nodes":[
    {"number":1,"name":"node1","link":"10.0.0.1:5697","kmip":"10.0.0.1:5696","role":"leader","reachable":true,
     "applied":120,"lag":0},
    {"number":4,"name":"node4","link":"10.0.0.4:5697","kmip":"10.0.0.4:5696","role":"learner","reachable":false,
     "applied":null,"lag":null,"later":1}]}"#;

#[tokio::test]
async fn a_cluster_is_shown_with_what_is_not_known_of_it() {
    let (_dir, admin, task) = node(vec![(200, CLUSTER)]);
    let cluster = admin.cluster().await.unwrap();
    assert_eq!((cluster.leader, cluster.nodes[0].lag, cluster.nodes[1].lag), (Some(1), Some(0), None));
    assert_eq!(cluster.nodes[1].role, MemberRole::Learner);
    assert_eq!(task.await.unwrap(), ["GET /v1/cluster HTTP/1.1"]);
}

#[tokio::test]
async fn members_are_invited_promoted_and_removed_by_number() {
    let answer = r#"{"token":"KMS1-SECRET","expires":"2026-03-01T12:00:00Z"}"#;
    let (_dir, admin, task) = node(vec![(201, answer), (204, ""), (204, "")]);
    let invitation = admin.invite(NewInvitation { valid_s: 60, learner: true }).await.unwrap();
    assert_eq!(invitation.token, "KMS1-SECRET");
    assert!(!format!("{invitation:?}").contains("SECRET"), "a token in the log would be a key to all keys");
    admin.promote(4).await.unwrap();
    admin.remove_node(2).await.unwrap();
    assert_eq!(
        task.await.unwrap(),
        [
            "POST /v1/cluster/invitations HTTP/1.1",
            "POST /v1/cluster/nodes/4/promote HTTP/1.1",
            "DELETE /v1/cluster/nodes/2 HTTP/1.1"
        ]
    );
}

#[test]
fn a_fingerprint_is_shown_as_vcenter_shows_it() {
    assert_eq!(model::fingerprint("0aff"), "0A:FF");
}
