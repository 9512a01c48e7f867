//! A node that is left alone: keys still flow from it, and nothing is changed or made up.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use cluster::{attributes, bytes, connections, made};
use faults::{connect, create, get, locate};
use kmip::ResponsePayload;
use kmip::client::{ClientError, Connection, Failure};
use kmip::enumeration::ResultReason;
use lab::Lab;

/// Longest wait for a node that is left alone to say so.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(10);

/// A refusal comes sooner than this.
const REFUSAL_MAX: Duration = Duration::from_secs(2);

/// Between two looks at a node.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// An identifier as the server would give it, of nothing.
const NOTHING: &str = "00000000-0000-4000-8000-000000000000";

/// Kills all but `survivor`.
async fn leave_alone(lab: &Lab, survivor: usize) {
    for index in lab.members().into_iter().filter(|index| *index != survivor) {
        lab.node(index).kill().await;
    }
}

async fn readiness(lab: &Lab, survivor: usize) -> (bool, bool, String) {
    let ready = lab.node(survivor).admin("/readyz").await.unwrap();
    let json = ready.json();
    (json["read"] == true, json["write"] == true, ready.body)
}

/// Waits until /readyz says what it is to say.
async fn await_readiness(lab: &Lab, survivor: usize, read: bool, write: bool) -> String {
    let began = Instant::now();
    loop {
        let (reads, writes, body) = readiness(lab, survivor).await;
        if (reads, writes) == (read, write) {
            return body;
        }
        assert!(began.elapsed() < NOTICE_TIMEOUT, "expected read {read}, write {write}: {body}");
        // Nothing reports it; it is asked for again.
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn failure(answer: Result<ResponsePayload, ClientError>) -> Failure {
    match answer {
        Err(ClientError::Failed(failure)) => failure,
        other => panic!("expected a refusal: {other:?}"),
    }
}

/// Asks for a change, which must be refused soon and in words. Says whether it may be carried out all the same.
async fn is_refused_soon(connection: &mut Connection) -> bool {
    let asked = Instant::now();
    let refused = failure(connection.one(create()).await);
    assert!(asked.elapsed() < REFUSAL_MAX, "refused only after {:?}", asked.elapsed());
    assert_eq!(refused.reason, Some(ResultReason::GeneralFailure));
    let message = refused.message.unwrap_or_default();
    assert!(message.contains("majority") && message.contains("hint"), "{message}");
    let (nothing, perhaps) = (message.contains("nothing was changed"), message.contains("not known"));
    assert_ne!(nothing, perhaps, "it must say one or the other: {message}");
    perhaps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_left_alone_gives_keys_and_changes_nothing_until_the_others_are_back() {
    let lab = Lab::builder().nodes(3).start().await;
    let (mut known, mut perhaps_made) = (Vec::new(), 0);
    for survivor in [lab.leader().await, lab.follower().await] {
        let mut connection = connect(&lab.config_at(survivor)).await;
        let id = made(&mut connection).await;
        let material = bytes(&mut connection, &id).await;
        known.push((id, material));
        leave_alone(&lab, survivor).await;
        // At once, before the node can know that it is alone.
        perhaps_made += usize::from(is_refused_soon(&mut connection).await);
        await_readiness(&lab, survivor, true, false).await;
        perhaps_made += usize::from(is_refused_soon(&mut connection).await);
        for (id, material) in &known {
            assert_eq!(&bytes(&mut connection, id).await, material);
            assert!(attributes(&mut connection, id).await.contains_key("State"));
        }
        let ResponsePayload::Locate(located) = connection.one(locate(1000, 0)).await.unwrap() else {
            panic!("Locate was answered with something else")
        };
        let located = located.unique_identifiers;
        assert!(known.iter().all(|(id, _)| located.contains(id)), "{located:?}");
        assert!(located.len() <= known.len() + perhaps_made, "made although nothing was to be changed");
        // It may have been made where this node does not hear of it.
        let missed = failure(connection.one(get(NOTHING)).await);
        assert_eq!(missed.reason, Some(ResultReason::GeneralFailure), "{missed:?}");
        assert!(missed.message.is_some());
        let log = lab.node(survivor).log_of_last_start();
        let lines = |operation: &str| {
            let operation = format!("operation=\"{operation}\"");
            let of_it = log.lines().filter(move |line| line.contains(&operation));
            of_it.filter(|line| line.contains("without_quorum=true")).count()
        };
        assert!(lines("Get") > 0 && lines("Create") > 0, "the audit does not tell that there was no quorum");
        let status = lab.node(survivor).operator("GET", "/v1/status", "").await.unwrap().json();
        assert_eq!(status["quorum"], false, "{status}");
        lab.start_all().await;
        await_readiness(&lab, survivor, true, true).await;
        let mut connections = connections(&lab).await;
        for (id, material) in &known {
            for connection in &mut connections {
                assert_eq!(&bytes(connection, id).await, material);
            }
        }
        let missed = failure(connection.one(get(NOTHING)).await);
        assert_eq!(missed.reason, Some(ResultReason::ItemNotFound), "{missed:?}");
        known.push((made(&mut connection).await, Vec::new()));
        let (id, material) = known.last_mut().unwrap();
        *material = bytes(&mut connection, id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_left_alone_gives_no_key_where_that_is_switched_off() {
    let lab = Lab::builder().nodes(3).set("cluster", "reads_without_quorum", "false").start().await;
    let survivor = lab.follower().await;
    let mut connection = connect(&lab.config_at(survivor)).await;
    let id = made(&mut connection).await;
    leave_alone(&lab, survivor).await;
    for _ in 0..2 {
        let asked = Instant::now();
        let refused = failure(connection.one(get(&id)).await);
        assert!(asked.elapsed() < REFUSAL_MAX, "refused only after {:?}", asked.elapsed());
        assert_eq!(refused.reason, Some(ResultReason::GeneralFailure));
        let message = refused.message.unwrap_or_default();
        assert!(message.contains("majority"), "{message}");
        await_readiness(&lab, survivor, false, false).await;
    }
    lab.start_all().await;
    bytes(&mut connection, &id).await;
}
