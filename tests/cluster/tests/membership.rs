//! Nodes that join, leave, and must not come back.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use cluster::{configs, count};
use faults::{Random, Trial, connect, create, get, say};
use kmip::client::ClientError;
use kmip::enumeration::ResultReason;
use kmip::{ProtocolVersion, RequestMessage};
use lab::Lab;

/// Keys that are there before nodes are replaced, unless `CLUSTER_KEYS` says otherwise.
const KEYS: usize = 10_000;

/// Keys that are made, or read, with one message.
const KEYS_PER_MESSAGE: usize = 50;

/// Replacements of a dead node, unless `CLUSTER_REPLACEMENTS` says otherwise.
const REPLACEMENTS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_to_five_and_shrinks_to_three_under_load() {
    let mut random = Random::announced("growing and shrinking");
    let mut lab = Lab::builder().cluster().set("snapshot", "every_entries", "200").start().await;
    let mut trial = Trial::begin(&lab, "growing and shrinking", &mut random).await;
    for nodes in 2..=5 {
        lab.add_node().await;
        trial.follow(&lab);
        assert_eq!(lab.members().len(), nodes);
        trial.progress(50).await;
        trial.end_round(&lab).await;
    }
    // The leader first, which has to give its office away.
    for leaves in [lab.leader().await, lab.follower().await] {
        lab.remove_node(leaves).await.unwrap();
        trial.follow(&lab);
        trial.progress(50).await;
        trial.end_round(&lab).await;
        lab.node(leaves).stop_gracefully().await;
    }
    assert_eq!(lab.members().len(), 3);
    trial.end(&lab).await.assert_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_is_replaced_under_load_and_the_new_one_holds_everything() {
    let mut random = Random::announced("replacing");
    let mut lab = Lab::builder().nodes(3).set("snapshot", "every_entries", "500").start().await;
    let keys = made_at_once(&lab, count("CLUSTER_KEYS", KEYS)).await;
    let mut trial = Trial::begin(&lab, "replacing a dead node", &mut random).await;
    for round in 0..count("CLUSTER_REPLACEMENTS", REPLACEMENTS) {
        let dies = if round % 2 == 0 { lab.leader().await } else { lab.follower().await };
        lab.node(dies).kill().await;
        trial.progress(30).await;
        lab.remove_node(dies).await.unwrap();
        trial.follow(&lab);
        let new = lab.add_node().await;
        trial.follow(&lab);
        trial.progress(30).await;
        trial.end_round(&lab).await;
        let mut connection = connect(&lab.config_at(new)).await;
        for some in keys.chunks(KEYS_PER_MESSAGE) {
            let request = RequestMessage::new(ProtocolVersion::V1_4, some.iter().map(|id| get(id)));
            let answer = connection.call(&request).await.unwrap();
            let given = answer.items.iter().filter(|item| item.payload.is_some()).count();
            assert_eq!(given, some.len(), "the new node lacks keys");
        }
    }
    say(&format!("replacing a dead node: {} keys were there from the beginning", keys.len()));
    trial.end(&lab).await.assert_kept();
}

async fn made_at_once(lab: &Lab, keys: usize) -> Vec<String> {
    let mut connection = connect(&lab.client_config()).await;
    let mut made = Vec::new();
    while made.len() < keys {
        let payloads = (0..KEYS_PER_MESSAGE).map(|_| create());
        let answer = connection.call(&RequestMessage::new(ProtocolVersion::V1_4, payloads)).await.unwrap();
        made.extend(answer.items.into_iter().map(|item| match item.payload {
            Some(kmip::ResponsePayload::Create(created)) => created.unique_identifier,
            other => panic!("{other:?}: {:?}", item.result_message),
        }));
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_disk_under_a_known_number_is_refused_with_the_way_out() {
    let lab = Lab::builder().nodes(3).start().await;
    for index in [lab.leader().await, lab.follower().await] {
        let node = lab.node(index);
        node.kill().await;
        let aside = lab.dir().join("aside");
        std::fs::rename(node.data_dir(), &aside).unwrap();
        let refused = node.start().await.unwrap_err();
        assert!(!refused.status.success());
        for words in ["empty", "kms cluster remove", "kms join"] {
            assert!(refused.log.contains(words), "{words}: {refused}");
        }
        let made_up = node.data_dir().join("node.json");
        assert!(!made_up.exists(), "an identity was made up for a node that has lost its own");
        let _ = std::fs::remove_dir_all(node.data_dir());
        std::fs::rename(&aside, node.data_dir()).unwrap();
        lab.start_all().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_serves_nobody_and_is_not_let_in_again() {
    let mut lab = Lab::builder().nodes(3).start().await;
    let removed = lab.follower().await;
    let config = lab.config_at(removed);
    lab.remove_node(removed).await.unwrap();
    lab.wait_whole().await;
    for again in [false, true] {
        if again {
            lab.node(removed).stop_gracefully().await;
            lab.node(removed).spawn();
        }
        // Not ready when it knows; until then it cannot do what needs the others.
        while lab.node(removed).admin("/readyz").await.map_or(again, |ready| ready.status == 200) {
            assert!(lab.node(removed).is_running());
            tokio::task::yield_now().await;
        }
        let refused = connect(&config).await.one(create()).await;
        let Err(ClientError::Failed(failure)) = refused else { panic!("{refused:?}") };
        assert_eq!(failure.reason, Some(ResultReason::GeneralFailure), "{failure:?}");
    }
    let view = lab.cluster_view(lab.leader().await).await;
    assert_eq!(view["nodes"].as_array().unwrap().len(), 2, "{view}");
    for config in configs(&lab) {
        faults::works(&config).await;
    }
    // Its number is not given again.
    let new = lab.add_node().await;
    assert_eq!(lab.node(new).number(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_works_once_and_until_it_expires() {
    let mut lab = Lab::builder().cluster().start().await;
    let token = lab.invite(600).await;
    let (first, second) = (lab.add_blank_node(), lab.add_blank_node());
    lab.node(first).join(&token).await.unwrap();
    let refused = lab.node(second).join(&token).await.unwrap_err();
    assert!(refused.contains("refused") && refused.contains("hint"), "{refused}");
    lab.take_in(first);
    lab.start_all().await;
    let short = lab.invite(1).await;
    // Validity is in whole seconds of the server's clock, which nobody can move on.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let refused = lab.node(second).join(&short).await.unwrap_err();
    assert!(refused.contains("expired"), "{refused}");
    let damaged = format!("{}x", &short[..short.len() - 1]);
    lab.node(second).join(&damaged).await.unwrap_err();
    let view = lab.cluster_view(0).await;
    assert_eq!(view["nodes"].as_array().unwrap().len(), 2, "{view}");
    let token = lab.invite(600).await;
    lab.node(second).join(&token).await.unwrap();
    lab.take_in(second);
    lab.start_all().await;
}
