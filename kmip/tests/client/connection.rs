//! Connections: trust both ways, timeouts, and every way that an answer may fail to come.

use std::time::Duration;

use kmip::client::{Client, ClientConfig, ClientError, Phase, ServerTrust, TlsVersions};
use kmip::enumeration::ResultReason;
use kmip::operations::{destroy, discover_versions, get};
use kmip::{ProtocolVersion, RequestMessage, ResponsePayload};
use rustls::AlertDescription;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::House;
use super::authority::{authority, ec_key, leaf, rsa_key};
use super::kms::{Fault, Kms, start};

async fn served(fault: Fault) -> (House, Kms) {
    let house = House::new();
    let kms = start(&house.server, Some(&house.authority), fault).await;
    (house, kms)
}

fn question() -> discover_versions::Request {
    discover_versions::Request::default()
}

/// What becomes of one question to a server with this fault.
async fn asked(fault: Fault) -> ClientError {
    let (house, kms) = served(fault).await;
    let config = house.builder(&kms.address).request_timeout(Duration::from_millis(300)).build().unwrap();
    let mut connection = Client::connect(&config).await.unwrap();
    let error = connection.one(question()).await.unwrap_err();
    let again = connection.one(question()).await.unwrap_err();
    assert!(matches!(again, ClientError::Spent { .. }), "{again}");
    error
}

#[tokio::test]
async fn questions_are_answered_one_after_the_other_on_one_connection() {
    let (house, kms) = served(Fault::None).await;
    for versions in [TlsVersions::Both, TlsVersions::Only12, TlsVersions::Only13] {
        let config = house.builder(&kms.address).tls_versions(versions).build().unwrap();
        let mut connection = Client::connect(&config).await.unwrap();
        for _ in 0..3 {
            let answer = connection.one(question()).await.unwrap();
            let ResponsePayload::DiscoverVersions(answer) = answer else { panic!("{answer:?}") };
            assert_eq!(answer.protocol_versions, ProtocolVersion::ALL);
        }
        let expected = if versions == TlsVersions::Only12 { "TLSv1_2" } else { "TLSv1_3" };
        assert!(connection.tls().starts_with(expected), "{}", connection.tls());
        assert_eq!(connection.peer_certificates()[0].as_ref(), house.server.certificate.to_der().unwrap());
        connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_failure_says_status_reason_and_message() {
    let (house, kms) = served(Fault::None).await;
    let mut connection = Client::connect(&house.builder(&kms.address).build().unwrap()).await.unwrap();
    let request = get::Request { unique_identifier: Some("none".to_owned()), ..Default::default() };
    let error = connection.one(request).await.unwrap_err();
    let failure = error.failure().unwrap();
    assert_eq!(failure.reason, Some(ResultReason::ItemNotFound));
    assert_eq!(failure.message.as_deref(), Some("no"));
    // The connection stays good.
    let error = connection.one(destroy::Request { unique_identifier: None }).await.unwrap_err();
    assert_eq!(error.failure().unwrap().reason, Some(ResultReason::OperationNotSupported));
}

#[tokio::test]
async fn requests_may_be_sent_ahead_of_their_answers() {
    let (house, kms) = served(Fault::None).await;
    let mut connection = Client::connect(&house.builder(&kms.address).build().unwrap()).await.unwrap();
    let mut request = Vec::new();
    RequestMessage::new(ProtocolVersion::V1_1, [question().into()]).encode(&mut request);
    let expected = connection.call_raw(&request).await.unwrap();
    connection.send_raw(&request.repeat(3)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(connection.receive_raw().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn the_certificates_name_counts_only_when_asked_for() {
    let (house, kms) = served(Fault::None).await;
    let identity = (house.client.pem(), house.client.key_pem());
    let strict = || {
        ClientConfig::builder(&kms.address, house.trust(true))
            .identity_pem(identity.0.clone(), identity.1.clone())
    };
    let error = Client::connect(&strict().build().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("does not carry this address"), "{error}");
    let named = strict().server_name("kms.example.test").build().unwrap();
    Client::connect(&named).await.unwrap();
    Client::connect(&house.builder(&kms.address).build().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_pinned_certificate_is_trusted_and_no_other() {
    let (house, kms) = served(Fault::None).await;
    let pinned = |pem: Vec<u8>| {
        let trust = ServerTrust::pinned(&CertificateDer::from_pem_slice(&pem).unwrap());
        ClientConfig::builder(&kms.address, trust)
            .identity_pem(house.client.pem(), house.client.key_pem())
            .build()
            .unwrap()
    };
    Client::connect(&pinned(house.server.pem())).await.unwrap();
    let error = Client::connect(&pinned(house.client.pem())).await.unwrap_err();
    assert!(error.to_string().contains("not the pinned certificate"), "{error}");
}

#[tokio::test]
async fn another_authoritys_server_is_refused() {
    let (house, kms) = served(Fault::None).await;
    let trust = ServerTrust::Ca { pem: authority("other").pem(), verify_name: false };
    let config = ClientConfig::builder(&kms.address, trust)
        .identity_pem(house.client.pem(), house.client.key_pem())
        .build()
        .unwrap();
    let error = Client::connect(&config).await.unwrap_err();
    assert!(error.to_string().contains("not of the given CA"), "{error}");
}

#[tokio::test]
async fn a_client_that_is_not_trusted_learns_it_in_both_versions_of_tls() {
    let (house, kms) = served(Fault::None).await;
    let stranger = leaf(&authority("other"), "vc02", ec_key());
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        let config = ClientConfig::builder(&kms.address, house.trust(false))
            .identity_pem(stranger.pem(), stranger.key_pem())
            .tls_versions(versions)
            .build()
            .unwrap();
        let error = match Client::connect(&config).await {
            Ok(mut connection) => connection.one(question()).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.alert(), Some(AlertDescription::UnknownCA), "{error}");
        assert!(error.to_string().contains("hint: the server does not trust this client"), "{error}");
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_learns_that_one_is_wanted() {
    let (house, kms) = served(Fault::None).await;
    let config = ClientConfig::builder(&kms.address, house.trust(false)).build().unwrap();
    let error = match Client::connect(&config).await {
        Ok(mut connection) => connection.one(question()).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.alert(), Some(AlertDescription::CertificateRequired), "{error}");
}

#[tokio::test]
async fn keys_are_read_in_each_of_their_three_forms() {
    let (house, kms) = served(Fault::None).await;
    let rsa = leaf(&house.authority, "vc03", rsa_key());
    let pkcs1 = rsa.key.rsa().unwrap().private_key_to_pem().unwrap();
    let sec1 = house.client.key.ec_key().unwrap().private_key_to_pem().unwrap();
    for (pair, key) in
        [(&house.client, house.client.key_pem()), (&rsa, rsa.key_pem()), (&rsa, pkcs1), (&house.client, sec1)]
    {
        let config = ClientConfig::builder(&kms.address, house.trust(false)).identity_pem(pair.pem(), key);
        let mut connection = Client::connect(&config.build().unwrap()).await.unwrap();
        connection.one(question()).await.unwrap();
    }
}

#[test]
fn what_does_not_fit_together_is_refused_before_anything_is_sent() {
    let house = House::new();
    let fails = |config: kmip::client::ClientConfigBuilder, part: &str| {
        let error = config.build().err().expect("it does not fit together").to_string();
        assert!(error.contains(part) && error.contains("hint: "), "{error}");
    };
    let build = |address: &str| ClientConfig::builder(address, house.trust(false));
    fails(build("kms"), "not host:port");
    fails(build("2001:db8::1:5696"), "not host:port");
    fails(build("kms:99999"), "not host:port");
    fails(build("kms:1").identity_pem(house.client.pem(), house.server.key_pem()), "certificate and key");
    fails(build("kms:1").identity_pem(house.client.pem(), house.server.pem()), "no private key");
    let nobody = ServerTrust::Ca { pem: b"nothing".to_vec(), verify_name: true };
    fails(ClientConfig::builder("kms:1", nobody), "the CA certificates");
    assert!(build("[2001:db8::1]:5696").build().is_ok());
    assert!(build("kms.example.test:5696").build().unwrap().with_address("192.0.2.1").is_err());
}

#[tokio::test]
async fn a_port_where_nothing_listens_says_so() {
    let house = House::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = Client::connect(&house.builder(&free).build().unwrap()).await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("hint: nothing listens there"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_in_the_handshake_times_out() {
    let house = House::new();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let config = house.builder(&address).handshake_timeout(Duration::from_millis(100)).build().unwrap();
    let error = Client::connect(&config).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { phase: Phase::Handshaking, .. }), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    let error = asked(Fault::Silent).await;
    assert!(matches!(error, ClientError::Timeout { phase: Phase::Receiving, .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_closes_is_told_apart_with_the_bytes_that_came() {
    let error = asked(Fault::Closes).await;
    assert!(matches!(error, ClientError::Closed { bytes_received: 0, .. }), "{error}");
    let error = asked(Fault::ClosesHalfWay).await;
    assert!(matches!(error, ClientError::Closed { bytes_received: 8.., .. }), "{error}");
}

#[tokio::test]
async fn a_connection_is_quiet_between_answers_and_not_once_the_server_ended_it() {
    let (house, kms) = served(Fault::None).await;
    let mut connection = Client::connect(&house.builder(&kms.address).build().unwrap()).await.unwrap();
    for _ in 0..3 {
        connection.one(question()).await.unwrap();
        assert!(connection.is_quiet());
    }
    let (house, kms) = served(Fault::Closes).await;
    let mut connection = Client::connect(&house.builder(&kms.address).build().unwrap()).await.unwrap();
    assert!(connection.is_quiet());
    connection.send_raw(b"a question").await.unwrap();
    let ends = async {
        while connection.is_quiet() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ends).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_no_kmip_or_too_large_is_malformed() {
    for fault in [Fault::Http, Fault::Huge] {
        let error = asked(fault).await;
        assert!(matches!(error, ClientError::Malformed { .. }), "{error}");
    }
}

#[tokio::test]
async fn response_bytes_max_bounds_an_answer() {
    let (house, kms) = served(Fault::None).await;
    for (bytes, fits) in [(64, false), (4096, true)] {
        let config = house.builder(&kms.address).response_bytes_max(bytes).build().unwrap();
        let mut connection = Client::connect(&config).await.unwrap();
        assert_eq!(connection.one(question()).await.is_ok(), fits);
    }
}
