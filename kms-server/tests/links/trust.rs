//! Who may come in, who is believed, and who may only ask to join.

use std::time::Duration;

use certs::{Authority, Issued, KeyKind, Profile, Subject};
use kms_server::engine::CallError;
use kms_server::links::{AskError, Caller, FRONT_KINDS, JOIN, Links, STRANGER_BODY_BYTES_MAX, ask};
use rustls::HandshakeKind;
use tokio::io::AsyncWriteExt;

use super::support::{
    Cluster, ECHO, LONG, Node, RAFT, REFUSES, frame, hello, next_frame, now, patient, patient_bounds, raw,
    raw_config, until,
};

const DAY_S: i64 = 86_400;

/// What a raw connection with this certificate is answered, after a hello, to one call.
async fn comes_in(cluster: &Cluster, node: &Node, shown: Option<&Issued>, kind: u8) -> Option<(u8, Vec<u8>)> {
    let mut stream = raw(raw_config(cluster, shown), node.address).await.ok()?;
    stream.write_all(&hello(1)).await.ok()?;
    stream.write_all(&frame(1, kind, b"in")).await.ok()?;
    let (_, kind, body) = next_frame(&mut stream).await?;
    assert_eq!((kind, body), (0x00, 1_u32.to_be_bytes().to_vec()), "a hello");
    next_frame(&mut stream).await.map(|(_, kind, body)| (kind, body))
}

#[tokio::test]
async fn a_certificate_of_another_authority_never_opens_a_link() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let own = cluster.issue(Profile::Node, "node-1");
    assert!(comes_in(&cluster, &node, Some(&own), RAFT).await.is_some(), "the control");
    let clients = Authority::create("client CA", KeyKind::P256, now(), 100).unwrap();
    let namesake = Authority::create("cluster CA", KeyKind::P256, now(), 100).unwrap();
    for authority in [clients, namesake] {
        for (profile, name) in
            [(Profile::Client, "vcenter"), (Profile::Node, "node-1"), (Profile::Client, "node-1")]
        {
            let alt_names = vec!["127.0.0.1".parse().unwrap()];
            let subject = Subject { common_name: name.to_owned(), alt_names };
            let shown = authority.issue(profile, &subject, KeyKind::P256, now()).unwrap();
            for kind in [RAFT, ECHO, JOIN] {
                assert_eq!(comes_in(&cluster, &node, Some(&shown), kind).await, None, "{name} {profile}");
            }
        }
    }
    assert_eq!(node.heard.heard(), [(Caller::Node(1), RAFT)]);
}

#[tokio::test]
async fn a_self_signed_or_expired_or_early_certificate_never_opens_a_link() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let own = Authority::create("node-1", KeyKind::P256, now(), 100).unwrap();
    let selfish = Issued { cert_pem: own.cert_pem().unwrap(), key_pem: own.key_pem().unwrap() };
    assert_eq!(comes_in(&cluster, &node, Some(&selfish), RAFT).await, None);
    // The same authority over many years, so that it can sign what is long past and what is yet to come.
    let authority = cluster.authority.renewed(now() - 3_000 * DAY_S, 20_000).unwrap();
    for shift_days in [-2_000, 2_000] {
        let subject = Subject::node(1, vec!["127.0.0.1".parse().unwrap()]);
        let shown =
            authority.issue(Profile::Node, &subject, KeyKind::P256, now() + shift_days * DAY_S).unwrap();
        assert_eq!(comes_in(&cluster, &node, Some(&shown), RAFT).await, None, "{shift_days} days");
    }
    assert!(node.heard.heard().is_empty());
}

#[tokio::test]
async fn a_certificate_of_the_clusters_authority_that_names_no_node_never_opens_a_link() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    for name in ["alice", "node-0", "node-01", "node-", "node-1x", "front-", "xnode-1"] {
        let shown = cluster.issue(Profile::Node, name);
        assert_eq!(comes_in(&cluster, &node, Some(&shown), ECHO).await, None, "{name}");
    }
    let for_servers = cluster.issue(Profile::Server, "node-1");
    assert_eq!(comes_in(&cluster, &node, Some(&for_servers), ECHO).await, None);
    assert!(node.heard.heard().is_empty());
}

#[tokio::test]
async fn a_front_speaks_for_clients_and_never_for_a_node_and_a_node_never_for_clients() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let front = cluster.issue(Profile::Front, "front-1");
    let other_node = cluster.issue(Profile::Node, "node-1");
    for kind in FRONT_KINDS {
        assert_eq!(comes_in(&cluster, &node, Some(&front), kind).await, Some((0x80, b"in".to_vec())));
        let (answer, why) = comes_in(&cluster, &node, Some(&other_node), kind).await.unwrap();
        assert_eq!(answer, 0x81);
        assert!(String::from_utf8(why).unwrap().starts_with("node 1 may not send calls of kind 0x3"));
    }
    for kind in (0x01..=0x7f).filter(|kind| !FRONT_KINDS.contains(kind)) {
        let (answer, why) = comes_in(&cluster, &node, Some(&front), kind).await.unwrap();
        assert_eq!(answer, 0x81);
        assert!(String::from_utf8(why).unwrap().starts_with("front-1 may not send calls of kind "));
    }
    let heard = FRONT_KINDS.map(|kind| (Caller::Front("front-1".to_owned()), kind));
    assert_eq!(node.heard.heard(), heard.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stranger_may_ask_to_join_and_nothing_else() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    for kind in (0x01..=0x7f).filter(|kind| *kind != JOIN) {
        let (answer, why) = comes_in(&cluster, &node, None, kind).await.unwrap();
        assert_eq!(answer, 0x81);
        assert!(String::from_utf8(why).unwrap().contains("a stranger may only ask to join"));
    }
    assert!(node.heard.heard().is_empty());
    assert_eq!(comes_in(&cluster, &node, None, JOIN).await, Some((0x80, b"in".to_vec())));
    assert_eq!(node.heard.heard(), [(Caller::Stranger, JOIN)]);

    let mut stream = raw(raw_config(&cluster, None), node.address).await.unwrap();
    stream.write_all(&hello(1)).await.unwrap();
    next_frame(&mut stream).await.unwrap();
    stream.write_all(&frame(1, JOIN, &vec![0; STRANGER_BODY_BYTES_MAX + 1])[..13]).await.unwrap();
    assert_eq!(next_frame(&mut stream).await, None, "a stranger's frames are small");
}

#[tokio::test]
async fn a_node_calls_nobody_but_the_node_it_means() {
    let (cluster, other) = (Cluster::new(), Cluster::new());
    let node_3 = Node::start(&cluster, 3, patient_bounds()).await;
    let elsewhere = Node::start(&other, 2, patient_bounds()).await;
    let front = cluster.issue(Profile::Node, "front-1");
    let (certificate, key) = cluster.write("front-1", &front);
    for (address, words) in [
        (node_3.address, "node 2 was expected there, but the certificate is that of node 3"),
        (elsewhere.address, "certificate is not of this cluster's CA"),
    ] {
        let links = cluster.links_to(1, patient(), address);
        let failed = links.call(2, RAFT, Vec::new(), LONG).await;
        assert!(matches!(&failed, Err(CallError::Unreachable(why)) if why.contains(words)), "{failed:?}");
    }
    assert!(node_3.heard.heard().is_empty() && elsewhere.heard.heard().is_empty());
    let ca = cluster.path("ca.pem");
    assert!(
        kms_server::links::LinkIdentity::read(&ca, &certificate, &key, now()).is_err(),
        "no front keeps links"
    );
}

#[tokio::test]
async fn a_node_whose_certificate_is_refused_is_told_to_look_there() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    // It trusts the cluster's CA beside its own, but its certificate is of its own.
    let other = Cluster::new();
    let both = [&other, &cluster].map(|one| one.authority.cert_pem().unwrap()).concat();
    std::fs::write(other.path("ca.pem"), both).unwrap();
    let links = other.links_to(1, patient(), node.address);
    let failed = links.call(2, RAFT, Vec::new(), LONG).await;
    let words = "the other end refuses this node's certificate";
    assert!(matches!(&failed, Err(CallError::Unreachable(why)) if why.contains(words)), "{failed:?}");
    assert!(node.heard.heard().is_empty());
}

#[tokio::test]
async fn asking_sends_nothing_before_the_fingerprint_is_right() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let address = node.address.to_string();
    let fingerprint = cluster.node(2).ca_fingerprint();
    let answer = ask(&address, fingerprint, JOIN, b"token".to_vec(), LONG).await;
    assert_eq!(answer.unwrap(), b"token");
    assert_eq!(node.heard.heard(), [(Caller::Stranger, JOIN)]);

    let mut wrong = fingerprint;
    wrong[31] ^= 1;
    let untrusted = ask(&address, wrong, JOIN, b"token".to_vec(), LONG).await.unwrap_err();
    assert!(matches!(untrusted, AskError::Untrusted { .. }), "{untrusted:?}");
    for words in
        ["expected a cluster CA with SHA-256", &hex::encode(wrong), &hex::encode(fingerprint), "hint:"]
    {
        assert!(untrusted.to_string().contains(words), "{untrusted}");
    }
    let leaf = cluster.node(2).leaf().sha256;
    let pinned_leaf = ask(&address, leaf, JOIN, b"token".to_vec(), LONG).await;
    assert!(matches!(pinned_leaf, Err(AskError::Untrusted { .. })), "{pinned_leaf:?}");
    assert_eq!(node.heard.heard().len(), 1);
}

#[tokio::test]
async fn a_pinned_authority_must_have_signed_the_node_not_only_stand_beside_it() {
    let (cluster, other) = (Cluster::new(), Cluster::new());
    // Someone with a CA of their own presents the cluster's CA, which is no secret, after it.
    let (certificate, key) = other.write("node-2", &other.issue(Profile::Node, "node-2"));
    let chain =
        [std::fs::read(&certificate).unwrap(), std::fs::read(cluster.path("ca.pem")).unwrap()].concat();
    std::fs::write(&certificate, chain).unwrap();
    let forged =
        kms_server::links::LinkIdentity::read(&other.path("ca.pem"), &certificate, &key, now()).unwrap();
    let node = Node::start_at("127.0.0.1:0".parse().unwrap(), forged, patient_bounds()).await;
    let fingerprint = cluster.node(2).ca_fingerprint();
    let asked = ask(&node.address.to_string(), fingerprint, JOIN, b"token".to_vec(), LONG).await;
    assert!(matches!(asked, Err(AskError::Untrusted { .. })), "{asked:?}");
    assert!(node.heard.heard().is_empty());
}

#[tokio::test]
async fn asking_says_what_went_wrong() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let address = node.address.to_string();
    let fingerprint = cluster.node(2).ca_fingerprint();
    let refused = ask(&address, fingerprint, REFUSES, Vec::new(), LONG).await.unwrap_err();
    assert!(matches!(&refused, AskError::Refused { why, .. } if why.contains("0x12")), "{refused:?}");
    let large = ask(&address, fingerprint, JOIN, vec![0; STRANGER_BODY_BYTES_MAX + 1], LONG).await;
    assert!(matches!(large, Err(AskError::TooLarge(65_537))), "{large:?}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute = listener.local_addr().unwrap().to_string();
    let silent = ask(&mute, fingerprint, JOIN, Vec::new(), Duration::from_millis(50)).await;
    assert!(matches!(silent, Err(AskError::TimedOut { .. })), "{silent:?}");
    node.kill().await;
    let gone = ask(&address, fingerprint, JOIN, Vec::new(), LONG).await.unwrap_err();
    assert!(gone.to_string().contains("cannot connect"), "{gone}");
}

#[tokio::test]
async fn links_are_tls_1_3_alone_and_no_session_is_resumed() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let shown = cluster.issue(Profile::Node, "node-1");
    let config = raw_config(&cluster, Some(&shown));
    for _ in 0..2 {
        let mut stream = raw(config.clone(), node.address).await.unwrap();
        stream.write_all(&hello(1)).await.unwrap();
        next_frame(&mut stream).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
        assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn a_removed_member_is_the_handlers_to_refuse_so_it_hears_the_number() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = Links::new(cluster.node(9), patient());
    links.keep(2, &node.address.to_string());
    links.call(2, RAFT, Vec::new(), LONG).await.unwrap();
    until("it was heard", || node.heard.heard() == [(Caller::Node(9), RAFT)]).await;
}
