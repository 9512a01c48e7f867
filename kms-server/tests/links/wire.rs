//! What is not said as it must be: versions, sizes, kinds, garbage.

use std::sync::Arc;

use certs::Profile;
use kms_server::engine::CallError;
use kms_server::links::{AskError, BODY_BYTES_MAX, JOIN, Links, ask};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::client::TlsStream;

use super::support::{
    Cluster, ECHO, LONG, Node, RAFT, frame, hello, next_frame, patient, patient_bounds, raw, raw_config,
};

async fn opened(cluster: &Cluster, node: &Node) -> TlsStream<TcpStream> {
    let shown = cluster.issue(Profile::Node, "node-1");
    raw(raw_config(cluster, Some(&shown)), node.address).await.unwrap()
}

/// Whether the node closes the connection after this, said after a good hello.
async fn closes_after(cluster: &Cluster, node: &Node, said: &[u8]) -> bool {
    let mut stream = opened(cluster, node).await;
    stream.write_all(&hello(1)).await.unwrap();
    assert_eq!(next_frame(&mut stream).await.unwrap().1, 0x00);
    stream.write_all(said).await.unwrap();
    next_frame(&mut stream).await.is_none()
}

#[tokio::test]
async fn what_is_no_call_ends_the_connection_and_no_other() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let links = cluster.links_to(1, patient(), node.address);
    links.call(2, ECHO, Vec::new(), LONG).await.unwrap();
    let oversized = u32::try_from(BODY_BYTES_MAX + 10).unwrap().to_be_bytes();
    let cases: [&[u8]; 7] = [
        &oversized,
        &[0xff; 64],
        &[0, 0, 0, 8, 1, 2, 3, 4],
        &[0, 0, 0, 0],
        b"GET / HTTP/1.1\r\nHost: kms\r\n\r\n",
        &hello(1),
        &frame(1, 0x80, b"an answer to nothing"),
    ];
    for said in cases {
        assert!(closes_after(&cluster, &node, said).await, "{said:02x?}");
    }
    assert_eq!(links.call(2, ECHO, vec![1], LONG).await, Ok(vec![1]));
    assert_eq!(links.reachable(2), Some(true));
}

#[tokio::test]
async fn a_first_frame_that_is_no_hello_is_not_answered() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    for said in [&frame(1, RAFT, &[0; 8])[..], &frame(0, 0x00, &[0, 0, 0, 1]), &[0xff; 64], &[0, 1, 1, 0, 0]]
    {
        let mut stream = opened(&cluster, &node).await;
        stream.write_all(said).await.unwrap();
        assert_eq!(next_frame(&mut stream).await, None, "{said:02x?}");
    }
    assert!(node.heard.heard().is_empty());
}

#[tokio::test]
async fn garbage_instead_of_tls_is_closed() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: kms\r\n\r\n").await.unwrap();
    // What comes is at most a TLS alert.
    let mut heard = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut heard).await;
    assert!(heard.len() <= 7, "{heard:02x?}");
}

#[tokio::test]
async fn a_node_of_another_version_hears_which_version_this_is_and_is_let_go() {
    let cluster = Cluster::new();
    let node = Node::start(&cluster, 2, patient_bounds()).await;
    let mut stream = opened(&cluster, &node).await;
    // A later version may say more in its hello.
    let later = [&hello(2)[4..], b"more"].concat();
    let length = u32::try_from(later.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], &later].concat()).await.unwrap();
    let (_, kind, body) = next_frame(&mut stream).await.unwrap();
    assert_eq!((kind, body), (0x00, vec![0, 0, 0, 1]));
    assert_eq!(next_frame(&mut stream).await, None);
}

/// A node of the cluster by its certificate, that says this and then waits.
async fn odd_node(cluster: &Cluster, said: Vec<u8>) -> std::net::SocketAddr {
    let issued = cluster.issue(Profile::Node, "node-2");
    let ca = cluster.authority.cert_pem().unwrap();
    let chain = [&issued.cert_pem, &ca].map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap());
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.danger_expose().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.to_vec(), key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let mut stream = acceptor.accept(tcp).await.unwrap();
            stream.write_all(&said).await.unwrap();
            stream.flush().await.unwrap();
            while next_frame(&mut stream).await.is_some() {}
        }
    });
    address
}

#[tokio::test]
async fn a_node_that_calls_one_of_another_version_names_both() {
    let cluster = Cluster::new();
    let address = odd_node(&cluster, hello(7)).await;
    let links = cluster.links_to(1, patient(), address);
    let failed = links.call(2, RAFT, Vec::new(), LONG).await;
    let words = "this node speaks link version 1, the other end speaks 7; hint: run the same release";
    assert!(matches!(&failed, Err(CallError::Unreachable(why)) if why.contains(words)), "{failed:?}");
    let asked = ask(&address.to_string(), cluster.node(2).ca_fingerprint(), JOIN, Vec::new(), LONG).await;
    assert!(matches!(&asked, Err(AskError::Version { why, .. }) if why.contains(words)), "{asked:?}");
}

#[tokio::test]
async fn a_node_that_answers_with_garbage_is_dropped_and_the_call_fails_with_the_reason() {
    let cluster = Cluster::new();
    for (said, words) in [
        ([hello(1), vec![0xff; 16]].concat(), "announced a frame of"),
        ([hello(1), frame(1, RAFT, b"")].concat(), "a frame of kind 0x01, which has no place there"),
        (frame(1, 0x80, b"1234"), "no hello of a link"),
    ] {
        let address = odd_node(&cluster, said).await;
        let links = Links::new(cluster.node(1), patient());
        links.keep(2, &address.to_string());
        let failed = links.call(2, RAFT, Vec::new(), LONG).await;
        assert!(matches!(&failed, Err(CallError::Unreachable(why)) if why.contains(words)), "{failed:?}");
    }
}
