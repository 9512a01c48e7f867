//! A node's files for its links, and what is said when they are wrong.

use std::os::unix::fs::PermissionsExt;

use certs::{Existing, Profile};
use kms_server::links::{Caller, LinkIdentity};

use super::support::{Cluster, ECHO, LONG, Node, now, patient, patient_bounds};

const DAY_S: i64 = 86_400;

fn mistakes(read: Result<LinkIdentity, Vec<impl ToString>>) -> Vec<String> {
    read.map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_nodes_files_give_its_number_and_the_fingerprint_of_its_authority() {
    let cluster = Cluster::new();
    let identity = cluster.node(3);
    assert_eq!(identity.node(), 3);
    let ca = certs::certificates_from_pem(&cluster.authority.cert_pem().unwrap()).unwrap().remove(0);
    assert_eq!(identity.ca_fingerprint(), openssl::sha::sha256(&ca));
    assert_eq!(identity.leaf().subject, "CN=node-3");
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}

#[test]
fn each_mistake_in_a_nodes_files_is_said_with_a_way_out() {
    let cluster = Cluster::new();
    let ca = cluster.path("ca.pem");
    let (certificate, key) = cluster.write("node-1", &cluster.issue(Profile::Node, "node-1"));
    let (_, other_key) = cluster.write("node-2", &cluster.issue(Profile::Node, "node-2"));
    let (alice, alice_key) = cluster.write("alice", &cluster.issue(Profile::Node, "alice"));
    let (client, client_key) = cluster.write("client", &cluster.issue(Profile::Client, "node-1"));
    let (server, server_key) = cluster.write("server", &cluster.issue(Profile::Server, "node-1"));
    let foreign_ca = Cluster::new();
    let check =
        |ca: &std::path::Path, certificate: &std::path::Path, key: &std::path::Path, at, words: &[&str]| {
            let said = mistakes(LinkIdentity::read(ca, certificate, key, at));
            assert!(
                words.iter().all(|words| said.iter().any(|said| said.contains(words))),
                "{words:?}: {said:?}"
            );
        };
    let none = cluster.path("none.pem");
    check(&none, &none, &none, now(), &["cannot read"]);
    assert_eq!(mistakes(LinkIdentity::read(&none, &none, &none, now())).len(), 3, "all at once");
    check(&certificate, &certificate, &key, now(), &["holds no PEM certificate of a CA", "is not a CA's"]);
    check(
        &key,
        &certificate,
        &key,
        now(),
        &["holds no PEM certificate of a CA", "no BEGIN CERTIFICATE line"],
    );
    check(&ca, &certificate, &other_key, now(), &["does not belong to the certificate", "hint:"]);
    check(
        &ca,
        &alice,
        &alice_key,
        now(),
        &["is no node's: expected the common name node-<number>", "CN=alice"],
    );
    check(&ca, &client, &client_key, now(), &["cannot be used under the cluster CA", "hint:"]);
    check(&ca, &server, &server_key, now(), &["cannot be used under the cluster CA", "hint:"]);
    let foreign = foreign_ca.path("ca.pem");
    check(&foreign, &certificate, &key, now(), &["it was not issued by it", "hint: kms init and kms join"]);
    check(
        &ca,
        &certificate,
        &key,
        now() + 2_000 * DAY_S,
        &["expired at", "hint: renew this node's certificate"],
    );
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    check(&ca, &certificate, &key, now(), &["open to others than its owner (mode 0644)", "chmod 600"]);
}

#[tokio::test]
async fn a_reload_is_shown_to_new_connections_and_leaves_the_open_ones() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let identity = cluster.node(1);
    let links = kms_server::links::Links::new(identity.clone(), patient());
    links.keep(2, &node.address.to_string());
    links.call(2, ECHO, Vec::new(), LONG).await.unwrap();
    let before = identity.leaf().sha256;
    assert!(identity.reload(now()).unwrap().starts_with("the node certificate is unchanged, valid to 20"));
    let renewed = cluster.issue(Profile::Node, "node-1");
    cluster.write("node-1", &renewed);
    assert!(identity.reload(now()).unwrap().starts_with("the node certificate changed"));
    assert_ne!(identity.leaf().sha256, before);
    assert_eq!(links.reachable(2), Some(true), "what is open stays open");
    links.forget(2);
    links.keep(2, &node.address.to_string());
    links.call(2, ECHO, Vec::new(), LONG).await.unwrap();
    assert_eq!(node.heard.heard(), vec![(Caller::Node(1), ECHO); 2]);
}

#[test]
fn a_reload_that_fails_leaves_what_is_in_force() {
    let cluster = Cluster::new();
    let identity = cluster.node(1);
    let before = identity.leaf();
    cluster.write("node-1", &cluster.issue(Profile::Node, "node-7"));
    let said = identity.reload(now()).unwrap_err();
    assert!(said[0].to_string().ends_with("is that of node 7, but this is node 1"), "{said:?}");
    certs::write_certificate(
        &cluster.path("ca.pem"),
        &Cluster::new().authority.cert_pem().unwrap(),
        Existing::Replace,
    )
    .unwrap();
    cluster.write("node-1", &cluster.issue(Profile::Node, "node-1"));
    assert!(identity.reload(now()).is_err());
    assert_eq!((identity.leaf(), identity.node()), (before, 1));
}

#[tokio::test]
async fn while_the_authority_is_exchanged_nodes_under_both_are_taken() {
    let (old, new) = (Cluster::new(), Cluster::new());
    let both = [&old, &new].map(|cluster| cluster.authority.cert_pem().unwrap()).concat();
    for cluster in [&old, &new] {
        std::fs::write(cluster.path("ca.pem"), &both).unwrap();
    }
    let node = Node::start(&new, 2, patient_bounds()).await;
    let links = old.links_to(1, patient(), node.address);
    assert_eq!(links.call(2, ECHO, vec![1], LONG).await, Ok(vec![1]));
    assert_ne!(old.node(1).ca_fingerprint(), new.node(2).ca_fingerprint());
}
