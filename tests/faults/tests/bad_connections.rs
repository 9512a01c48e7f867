//! Peers that do not speak TLS, show the wrong certificate or none, are slow, silent or many: each is closed or told
//! so, and a normal client is served all the while.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use certs::{Authority, KeyKind, Profile, Subject};
use faults::{Random, connect, create, report, say, works};
use kmip::client::{Client, ClientConfig, ClientError, Connection, ServerTrust, TlsVersions};
use kmip::enumeration::{QueryFunction, ResultReason, ResultStatus};
use kmip::operations::query;
use kmip::{ProtocolVersion, RequestMessage, ResponseMessage};
use lab::{Lab, NewClient, Way, now_s};
use nix::sys::resource::{Resource, getrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for something that the server does by itself; its own bounds are far below in these tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// What many bad connections may leave behind, in kilobytes.
const GROWTH_KB_MAX: u64 = 64 * 1024;

fn request() -> Vec<u8> {
    let mut bytes = Vec::new();
    RequestMessage::new(ProtocolVersion::V1_4, [create()]).encode(&mut bytes);
    bytes
}

/// Waits until the peer ends the connection, and gives what it sent before.
async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    // A reset is an end as well.
    let _ = end.unwrap_or_else(|_| panic!("the server has not closed within {PATIENCE:?}"));
    received
}

fn assert_bounded(lab: &Lab, before_kb: u64, what: &str) {
    let now_kb = lab.node(0).resident_kb();
    say(&format!("{what}: resident {before_kb} kB before, {now_kb} kB after"));
    assert!(now_kb <= before_kb + GROWTH_KB_MAX, "{what}: grew from {before_kb} kB to {now_kb} kB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_tls_is_closed() {
    const GARBAGE: usize = 300;
    let mut random = Random::announced("no TLS");
    let lab = Lab::builder().limit("handshake_timeout_ms", 1000).start().await;
    let before_kb = lab.node(0).resident_kb();
    let mut pieces: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        request(),
        vec![0; 20_000],
        // A handshake record of the largest length, without what it announces; and one of a ClientHello of 16 MiB.
        [&[0x16, 3, 1, 0x40, 0][..], &[1; 100]].concat(),
        [&[0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[7; 0x3ffc]].concat(),
        // An SSL 2 hello.
        vec![0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10],
    ];
    for _ in 0..GARBAGE {
        let length = 1 + random.below(2000);
        pieces.push((0..length).map(|_| random.byte()).collect());
    }
    let rounds = pieces.len();
    let mut peers = Vec::new();
    for piece in pieces {
        let mut stream = TcpStream::connect(lab.node(0).kmip_address).await.unwrap();
        let _ = stream.write_all(&piece).await;
        peers.push(stream);
    }
    works(&lab.client_config()).await;
    for mut stream in peers {
        let said = until_closed(&mut stream).await;
        // At most a TLS alert.
        assert!(said.is_empty() || said[0] == 0x15, "{said:02x?}");
    }
    works(&lab.client_config()).await;
    assert_bounded(&lab, before_kb, "no TLS");
    report("garbage instead of TLS", rounds, 0, 0);
}

fn config(lab: &Lab, versions: TlsVersions, identity: Option<(&str, &str)>) -> ClientConfig {
    let trust = ServerTrust::Ca { pem: lab.ca_pem().as_bytes().to_vec(), verify_name: true };
    let builder = ClientConfig::builder(lab.node(0).kmip_address.to_string(), trust).tls_versions(versions);
    match identity {
        Some((cert, key)) => builder.identity_pem(cert, key).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

/// Connects and asks; gives the failure of whichever fails.
async fn refused(config: &ClientConfig) -> ClientError {
    let mut connection = match Client::connect(config).await {
        Ok(connection) => connection,
        Err(error) => return error,
    };
    match connection.one(create()).await {
        Ok(_) => panic!("served"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_are_not_right_are_refused_in_the_handshake() {
    let lab = Lab::start().await;
    let now = now_s();
    const DAY_S: i64 = 86_400;

    // The client's own authority, known to the node, that signed a certificate for the past and one for the future.
    let own = Authority::create("CA of vc02", KeyKind::P256, now - 3000 * DAY_S, 7300).unwrap();
    let trust = serde_json::json!({ "kind": "ca", "pem": own.cert_pem().unwrap() });
    let body = serde_json::json!({ "name": "vc02", "tenant": "vc02", "trust": trust }).to_string();
    let answer = lab.node(0).operator("POST", "/v1/clients", &body).await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    let issue = |at: i64| own.issue(Profile::Client, &Subject::named("vc02"), KeyKind::P256, at).unwrap();
    let (expired, valid, early) = (issue(now - 2000 * DAY_S), issue(now), issue(now + 10 * DAY_S));
    let foreign = lab.stranger(NewClient::named("stranger").way(Way::Pinned));
    // Of the node's own authority, and never registered.
    let unknown = lab.stranger(NewClient::named("unknown"));
    let cases = [
        ("expired", &expired.cert_pem, expired.key_pem.danger_expose()),
        ("not yet valid", &early.cert_pem, early.key_pem.danger_expose()),
        ("of an unknown authority", &foreign.cert_pem, &foreign.key_pem),
        ("issued and not registered", &unknown.cert_pem, &unknown.key_pem),
    ];
    let mut rounds = 0;
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        let served = config(&lab, versions, Some((&valid.cert_pem, valid.key_pem.danger_expose())));
        works(&served).await;
        for (what, cert, key) in &cases {
            let error = refused(&config(&lab, versions, Some((cert, key)))).await;
            assert!(error.alert().is_some(), "{what}, {versions:?}: no alert: {error}");
            say(&format!("certificate {what}, {versions:?}: {:?}", error.alert().unwrap()));
            rounds += 1;
        }
        works(&lab.client_config()).await;
    }
    let log = lab.node(0).log_text();
    assert!(log.contains("client certificate refused"), "the log does not say why:\n{log}");

    // The other way round: a client that does not trust the server.
    let other = Authority::create("Other CA", KeyKind::P256, now, 100).unwrap();
    let trust = ServerTrust::Ca { pem: other.cert_pem().unwrap().into_bytes(), verify_name: true };
    let mistrusts = ClientConfig::builder(lab.node(0).kmip_address.to_string(), trust);
    let mistrusts =
        mistrusts.identity_pem(lab.client().cert_pem.clone(), lab.client().key_pem.clone()).build().unwrap();
    let error = refused(&mistrusts).await;
    assert!(matches!(error, ClientError::Tls { .. }), "{error}");
    works(&lab.client_config()).await;
    report("certificates: expired, early, foreign, unregistered, mistrust", rounds + 1, 0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_a_message_is_told_so_and_the_connection_closed() {
    let lab = Lab::start().await;
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        let mut connection = connect(&config(&lab, versions, None)).await;
        let answer =
            ResponseMessage::decode(&connection.call_raw(&request()).await.unwrap(), ttlv::Limits::default());
        let answer = answer.unwrap();
        assert_eq!(answer.items[0].result_status, ResultStatus::OperationFailed);
        assert_eq!(answer.items[0].result_reason, Some(ResultReason::AuthenticationNotSuccessful));
        let error = connection.receive_raw().await.unwrap_err();
        assert!(matches!(error, ClientError::Closed { bytes_received: 0, .. }), "{error}");
    }
    works(&lab.client_config()).await;
    report("no client certificate", 2, 0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_trickles_its_request_is_closed_after_the_request_timeout() {
    const SLOW: usize = 50;
    let lab =
        Lab::builder().limit("request_timeout_ms", 1000).limit("handshake_timeout_ms", 1000).start().await;
    let before_kb = lab.node(0).resident_kb();
    let mut peers = tokio::task::JoinSet::new();
    for _ in 0..SLOW {
        let connection = connect(&lab.client_config()).await;
        peers.spawn(trickle(connection));
    }
    works(&lab.client_config()).await;
    let mut lives = peers.join_all().await;
    lives.sort();
    say(&format!("trickled requests: closed after {:?} to {:?}", lives[0], lives[SLOW - 1]));
    assert!(lives[0] >= Duration::from_millis(900) && lives[SLOW - 1] < Duration::from_secs(5), "{lives:?}");

    // The same before TLS is there.
    let began = Instant::now();
    let mut stream = TcpStream::connect(lab.node(0).kmip_address).await.unwrap();
    stream.write_all(&[0x16, 3, 1]).await.unwrap();
    until_closed(&mut stream).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    works(&lab.client_config()).await;
    assert_bounded(&lab, before_kb, "trickled requests");
    report("slow clients (request_timeout_ms = 1000)", SLOW + 1, 0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_no_answers_is_held_back_and_closed_after_the_write_timeout() {
    const GREEDY: usize = 10;
    let lab = Lab::builder().limit("write_timeout_ms", 1000).start().await;
    let before_kb = lab.node(0).resident_kb();
    let mut peers = tokio::task::JoinSet::new();
    for _ in 0..GREEDY {
        let mut connection = connect(&lab.client_config()).await;
        peers.spawn(async move {
            let mut many = Vec::new();
            for _ in 0..200 {
                let query = query::Request { query_functions: vec![QueryFunction::QueryOperations] };
                RequestMessage::new(ProtocolVersion::V1_4, [query.into()]).encode(&mut many);
            }
            let began = Instant::now();
            let mut sent = 0;
            while connection.send_raw(&many).await.is_ok() {
                sent += many.len();
                assert!(began.elapsed() < 2 * PATIENCE, "still taken after {sent} bytes");
            }
            sent
        });
    }
    works(&lab.client_config()).await;
    let sent: usize = peers.join_all().await.into_iter().sum();
    works(&lab.client_config()).await;
    assert!(lab.node(0).log_text().contains("write_timeout_ms"));
    say(&format!("answers not taken: {sent} bytes of requests were sent"));
    assert_bounded(&lab, before_kb, "answers not taken");
    report("clients that take no answers", GREEDY, 0, 0);
}

/// Sends a byte every 50 ms until the server has enough of it, and says when that was.
async fn trickle(mut connection: Connection) -> Duration {
    let began = Instant::now();
    for byte in request() {
        if connection.send_raw(&[byte]).await.is_err() {
            return began.elapsed();
        }
        // This is the fault itself: a peer that is slow.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(began.elapsed() < PATIENCE, "still open after {PATIENCE:?}");
    }
    panic!("the whole request could be trickled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_silent_connections_leave_room_for_a_client_and_go_at_their_timeout() {
    const SILENT: usize = 3000;
    const SHAKEN: usize = 200;
    // Ours and the server's are the same, as it inherits ours.
    let (files, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let silent = SILENT.min(usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(SHAKEN + 200));
    let lab = Lab::builder().limit("handshake_timeout_ms", 8000).limit("idle_timeout_ms", 8000).start().await;
    let before_kb = lab.node(0).resident_kb();
    let mut peers = Vec::new();
    for _ in 0..silent {
        peers.push(TcpStream::connect(lab.node(0).kmip_address).await.unwrap());
    }
    let mut shaken = Vec::new();
    for _ in 0..SHAKEN {
        shaken.push(connect(&lab.client_config()).await);
    }
    works(&lab.client_config()).await;
    assert_bounded(&lab, before_kb, "silent connections, open");
    for stream in &mut peers {
        until_closed(stream).await;
    }
    for connection in &mut shaken {
        let error = connection.receive_raw().await.unwrap_err();
        assert!(matches!(error, ClientError::Closed { .. }), "{error}");
    }
    works(&lab.client_config()).await;
    assert_bounded(&lab, before_kb, "silent connections, closed");
    report("silent connections", silent + SHAKEN, 0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_beyond_connections_max_is_closed_and_room_is_made_by_leaving() {
    const MAX: usize = 50;
    let lab = Lab::builder().limit("connections_max", u64::try_from(MAX).unwrap()).start().await;
    let config = lab.client_config();
    let mut inside = Vec::new();
    for _ in 0..MAX {
        inside.push(connect(&config).await);
    }
    for _ in 0..100 {
        let mut stream = TcpStream::connect(lab.node(0).kmip_address).await.unwrap();
        assert!(until_closed(&mut stream).await.is_empty());
    }
    assert!(Client::connect(&config).await.is_err());
    for connection in &mut inside {
        connection.one(create()).await.unwrap();
    }
    assert!(lab.node(0).log_text().contains("hint: raise [limits] connections_max"));
    for connection in inside.drain(..) {
        connection.close().await.unwrap();
    }
    let began = Instant::now();
    while Client::connect(&config).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "no room after all have left");
        tokio::task::yield_now().await;
    }
    works(&config).await;
    report("connections beyond connections_max", 101, 0, 0);
}
