//! The laboratory's clusters are what they say, so that a failing test of the cluster points at the server.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use kmip::client::Client;
use kmip::operations::discover_versions;
use lab::{Lab, NewClient};

async fn asks(config: &kmip::client::ClientConfig) {
    let mut connection = Client::connect(config).await.unwrap();
    connection.one(discover_versions::Request::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_are_one_cluster_that_outlives_its_leader() {
    let lab = Lab::builder().nodes(3).start().await;
    assert_eq!(lab.nodes().iter().map(lab::NodeHandle::number).collect::<Vec<_>>(), [1, 2, 3]);
    let client = lab.add_client(NewClient::named("vc02")).await;
    for node in lab.nodes() {
        asks(&client.config(node.kmip_address.to_string())).await;
    }
    let first = lab.leader().await;
    lab.node(first).kill().await;
    assert!(lab.is_whole().await.is_err());
    let second = lab.leader().await;
    assert_ne!(first, second);
    lab.start_all().await;
    let view = lab.cluster_view(first).await;
    assert_eq!(view["nodes"].as_array().unwrap().len(), 3, "{view}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_one_grows_by_a_node_and_shrinks_again() {
    let mut lab = Lab::builder().cluster().start().await;
    let added = lab.add_node().await;
    assert_eq!((added, lab.members().len()), (1, 2));
    asks(&lab.config_at(added)).await;
    lab.remove_node(added).await.unwrap();
    lab.wait_whole().await;
    asks(&lab.config_at(0)).await;
}

#[test]
fn a_node_whose_links_are_cut_is_missed_until_they_are_healed() {
    let done = lab::in_own_network(|| async {
        let lab = Lab::builder().nodes(3).start().await;
        let (leader, follower) = (lab.leader().await, lab.follower().await);
        let others: Vec<_> = lab.members().into_iter().filter(|index| *index != leader).collect();
        let both_ways = |other: &usize| {
            let pair = (lab.node(leader), lab.node(*other));
            [pair, (pair.1, pair.0)]
        };
        let directions: Vec<_> = others.iter().flat_map(both_ways).collect();
        lab::cut(&directions);
        while lab.leader().await == leader {
            tokio::task::yield_now().await;
        }
        assert!(others.contains(&follower));
        // The new leader is known before it misses the old one.
        while lab.is_whole().await.is_ok() {
            tokio::task::yield_now().await;
        }
        lab::cut(&[]);
        lab.wait_whole().await;
    });
    if let Err(why) = done {
        println!("skipped: cut links: {why}");
    }
}
