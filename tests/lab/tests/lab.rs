//! The laboratory does what it says, so that a failing test points at the server.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use kmip::client::Client;
use kmip::operations::discover_versions;
use lab::{Lab, NewClient, Right, Way};

async fn asks(config: &kmip::client::ClientConfig) -> Result<(), kmip::client::ClientError> {
    let mut connection = Client::connect(config).await?;
    connection.one(discover_versions::Request::default()).await.map(drop)
}

fn is_process(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_node_serves_is_killed_and_comes_back_at_the_same_address() {
    let lab = Lab::start().await;
    let config = lab.client_config();
    asks(&config).await.unwrap();
    let node = lab.node(0);
    let pid = node.pid();
    node.kill().await;
    assert!(!is_process(pid) && !node.is_running());
    asks(&config).await.unwrap_err();
    node.start().await.unwrap();
    asks(&config).await.unwrap();
    assert!(node.stop_gracefully().await.success());
    assert!(node.log_text().contains("drained"), "{}", node.log_text());
    node.restart().await;
    asks(&config).await.unwrap();
}

#[tokio::test]
async fn a_paused_node_answers_when_it_is_resumed() {
    let lab = Lab::start().await;
    let mut connection = Client::connect(&lab.client_config()).await.unwrap();
    lab.node(0).pause();
    let asked = connection.one(discover_versions::Request::default());
    tokio::pin!(asked);
    let early = tokio::time::timeout(std::time::Duration::from_millis(100), &mut asked).await;
    assert!(early.is_err(), "answered while paused");
    lab.node(0).resume();
    asked.await.unwrap();
}

#[tokio::test]
async fn every_node_knows_a_client_in_each_way_and_no_stranger() {
    let lab = Lab::builder().nodes(2).limit("connections_max", 64).start().await;
    assert_ne!(lab.node(0).kmip_address, lab.node(1).kmip_address);
    for (name, way) in [("issued", Way::Issued), ("pinned", Way::Pinned), ("ca", Way::Ca)] {
        let client = lab.add_client(NewClient::named(name).tenant("t").rights([Right::Read]).way(way)).await;
        for node in lab.nodes() {
            asks(&client.config(node.kmip_address.to_string())).await.unwrap();
        }
    }
    let stranger = lab.stranger(NewClient::named("stranger"));
    asks(&lab.config_of(&stranger)).await.unwrap_err();
}

#[tokio::test]
async fn servers_end_with_the_laboratory_even_when_a_test_panics() {
    let lab = Lab::start().await;
    let pid = lab.node(0).pid();
    let panicked = tokio::spawn(async move {
        let _lab = lab;
        panic!("as a failing test would");
    });
    assert!(panicked.await.is_err());
    assert!(!is_process(pid));
}

#[tokio::test]
async fn a_server_that_refuses_to_start_says_why() {
    let lab = Lab::start().await;
    let node = lab.node(0);
    node.stop_gracefully().await;
    node.set("limits", "nesting_max", "1");
    let refused = node.start().await.unwrap_err();
    assert_eq!(refused.status.code(), Some(1), "{refused}");
    assert!(refused.log.contains("nesting_max"), "{refused}");
}
