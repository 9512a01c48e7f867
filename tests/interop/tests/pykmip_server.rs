//! PyKMIP's server, which comparisons start, and our client on it.

use std::fs;

use certs::{AltName, Authority, KeyKind, Profile, Subject};
use interop::{PykmipServer, Python};
use kmip::client::{Client, ClientConfig, ServerTrust};
use kmip::enumeration::QueryFunction;
use kmip::operations::{ResponsePayload, query};

#[tokio::test]
async fn pykmips_server_answers_our_client() {
    if let Err(skip) = Python::ready() {
        return skip.announce();
    }
    let dir = tempfile::tempdir().unwrap();
    let now = lab::now_s();
    let authority = Authority::create("CA of test01", KeyKind::P256, now, Profile::Authority.days()).unwrap();
    let ca_pem = authority.cert_pem().unwrap();
    let subject =
        Subject { common_name: "test01".into(), alt_names: vec![AltName::Ip([127, 0, 0, 1].into())] };
    let server = authority.issue(Profile::Server, &subject, KeyKind::P256, now).unwrap();
    let client = authority.issue(Profile::Client, &Subject::named("vc01"), KeyKind::P256, now).unwrap();
    let [ca, certificate, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| dir.path().join(name));
    fs::write(&ca, &ca_pem).unwrap();
    fs::write(&certificate, &server.cert_pem).unwrap();
    fs::write(&key, server.key_pem.danger_expose()).unwrap();
    let server = PykmipServer::start(&dir.path().join("server"), &ca, &certificate, &key).unwrap();
    let address = server.address();

    let trust = ServerTrust::Ca { pem: ca_pem.into_bytes(), verify_name: true };
    let config = ClientConfig::builder(address.to_string(), trust)
        .identity_pem(client.cert_pem, client.key_pem.danger_expose())
        .build()
        .unwrap();
    let mut connection = Client::connect(&config).await.unwrap();
    let asked = query::Request { query_functions: vec![QueryFunction::QueryServerInformation] };
    let answer = match connection.one(asked).await.unwrap() {
        ResponsePayload::Query(answer) => answer,
        other => panic!("expected an answer to Query, got {other:?}"),
    };
    assert_eq!(answer.vendor_identification.as_deref(), Some("PyKMIP 0.11.0 Software Server"));

    drop(server);
    assert!(std::net::TcpStream::connect(address).is_err(), "the server is still there");
}
