//! Calls and answers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use kms_server::engine::{CallError, Calls};
use kms_server::links::{BODY_BYTES_MAX, Caller, Settings};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::support::{
    Cluster, ECHO, LONG, Node, PANICS, RAFT, REFUSES, WAITS, calling, patient, patient_bounds, until,
};

#[tokio::test]
async fn a_call_is_answered_and_the_handler_hears_which_node_called() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), node.address);
    assert_eq!(links.call(2, RAFT, b"append".to_vec(), LONG).await, Ok(b"append".to_vec()));
    assert_eq!(links.call(2, ECHO, Vec::new(), LONG).await, Ok(Vec::new()));
    assert_eq!(node.heard.heard(), [(Caller::Node(1), RAFT), (Caller::Node(1), ECHO)]);
    assert_eq!((links.reachable(2), links.reachable(3)), (Some(true), None));
    let as_the_engine_has_it: Arc<dyn Calls> = links;
    assert_eq!(as_the_engine_has_it.call(2, RAFT, vec![7], LONG).await, Ok(vec![7]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_are_each_given_their_own_answer() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), node.address);
    let mut calls = JoinSet::new();
    for number in 0..2_000_u32 {
        let links = Arc::clone(&links);
        calls.spawn(async move {
            // Some of them larger than what is written at once.
            let bytes = if number % 100 == 0 { 200_000 } else { 4 };
            let mut request = number.to_be_bytes().to_vec();
            request.resize(bytes, 0x5a);
            assert_eq!(links.call(2, ECHO, request.clone(), LONG).await.as_ref(), Ok(&request));
            number
        });
    }
    let answered: HashSet<_> = calls.join_all().await.into_iter().collect();
    assert_eq!(answered.len(), 2_000);
}

#[tokio::test]
async fn a_piece_of_a_snapshot_and_the_largest_body_arrive_whole() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), node.address);
    for bytes in [512 << 10, BODY_BYTES_MAX] {
        let answer = links.call(2, 0x03, vec![0xab; bytes], LONG).await.unwrap();
        assert!(answer.len() == bytes && answer.iter().all(|byte| *byte == 0xab), "{bytes}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_handlers_words_and_the_link_goes_on() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), node.address);
    let refused = links.call(2, REFUSES, b"today".to_vec(), LONG).await;
    assert_eq!(refused, Err(CallError::Refused("no, not today".to_owned())));
    let long = links.call(2, REFUSES, "ä".repeat(10_000).into_bytes(), LONG).await;
    assert!(
        matches!(&long, Err(CallError::Refused(why)) if (4_090..=4_096).contains(&why.len())),
        "{long:?}"
    );
    let failed = links.call(2, PANICS, Vec::new(), LONG).await;
    assert_eq!(failed, Err(CallError::Refused("this node failed to answer".to_owned())));
    assert_eq!(links.call(2, ECHO, vec![1], LONG).await, Ok(vec![1]));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_given_up_and_its_late_answer_goes_to_nobody() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), node.address);
    assert_eq!(links.call(2, ECHO, vec![1], LONG).await, Ok(vec![1]));
    let late = links.call(2, WAITS, vec![2], Duration::from_millis(20)).await;
    assert_eq!(late, Err(CallError::TimedOut));
    node.heard.gate.add_permits(1);
    assert_eq!(links.call(2, ECHO, vec![3], LONG).await, Ok(vec![3]));
    assert_eq!(links.reachable(2), Some(true));
}

#[tokio::test]
async fn a_node_without_a_link_cannot_be_called_and_a_forgotten_ones_calls_fail_at_once() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), node.address);
    let unknown = links.call(3, RAFT, Vec::new(), LONG).await;
    assert!(
        matches!(&unknown, Err(CallError::Unreachable(why)) if why.contains("keeps no link")),
        "{unknown:?}"
    );
    let calling = calling(&links, WAITS);
    until("the call is in work", || !node.heard.heard().is_empty()).await;
    links.forget(2);
    links.forget(2);
    let failed = calling.await.unwrap();
    assert!(
        matches!(&failed, Err(CallError::Unreachable(why)) if why.contains("no link is kept")),
        "{failed:?}"
    );
    assert_eq!(links.reachable(2), None);
    links.keep(2, &node.address.to_string());
    assert_eq!(links.call(2, ECHO, vec![1], LONG).await, Ok(vec![1]));
}

#[tokio::test]
async fn a_link_moves_to_a_new_address_and_stays_with_one_that_it_has() {
    let cluster = Cluster::new();
    let old = Node::start(&cluster, 2, patient_bounds()).await;
    let new = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), old.address);
    links.call(2, ECHO, Vec::new(), LONG).await.unwrap();
    links.keep(2, &old.address.to_string());
    assert_eq!(links.reachable(2), Some(true), "the same address changes nothing");
    links.keep(2, &new.address.to_string());
    links.call(2, RAFT, Vec::new(), LONG).await.unwrap();
    assert_eq!((old.heard.heard().len(), new.heard.heard().len()), (1, 1));
}

#[tokio::test]
async fn a_link_is_made_from_the_source_address_that_is_set() {
    let cluster = Cluster::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = "127.0.0.7".parse().unwrap();
    let settings = Settings { source: Some(source), ..patient() };
    let _links = cluster.links_to(1, settings, listener.local_addr().unwrap());
    let (_, from) = listener.accept().await.unwrap();
    assert_eq!(from.ip(), source);
}
