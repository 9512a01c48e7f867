//! KMIP over HTTPS from outside: the three forms, what HTTP is refused for, and the bounds and times of the KMIP port.

use std::time::Duration;

use kms_server::listener::Speaks;
use kms_server::trust::Way;
use kms_server::{https, session::End};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::sessions::{Running, start_speaking};
use crate::support::*;

const TTLV: &str = "application/octet-stream";

async fn known() -> (Port, TlsStream<TcpStream>) {
    let leaf = Make::default().make();
    let port = open_for(Speaks::Http, &[registration("vc01", Way::Pinned, &leaf)], 4);
    let connector = client(&rustls::version::TLS12, Some((&[&leaf], &leaf.key)));
    let stream = connect(&connector, port.address).await.unwrap();
    (port, stream)
}

fn post(content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /kmip HTTP/1.1\r\nHost: kms\r\nCache-Control: no-cache\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Status, headers in lower case, and body of one answer.
async fn answer(stream: &mut (impl AsyncReadExt + Unpin)) -> (u16, String, String) {
    let mut got = Vec::new();
    let head = loop {
        if let Some(at) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        got.push(stream.read_u8().await.unwrap());
    };
    let head = String::from_utf8(got[..head].to_vec()).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, String::from_utf8(body).unwrap())
}

async fn ask(
    stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin),
    request: &[u8],
) -> (u16, String, String) {
    stream.write_all(request).await.unwrap();
    answer(stream).await
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_order_with_the_headers_of_the_profile() {
    let (_port, mut stream) = known().await;
    stream.write_all(&[post(TTLV, &message(16)), post(TTLV, &message(1024))].concat()).await.unwrap();
    for bytes in [16, 1024] {
        let (status, head, body) = answer(&mut stream).await;
        assert_eq!((status, body), (200, format!("vc01 {bytes}\n")));
        assert!(head.contains("content-type: application/octet-stream\r\n"), "{head}");
        assert!(head.contains("cache-control: no-cache\r\n"), "{head}");
    }
}

#[tokio::test]
async fn http_1_0_with_keep_alive_is_served_as_the_published_exchange_has_it() {
    let (_port, mut stream) = known().await;
    let head = "POST /kmip HTTP/1.0\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nConnection: keep-alive\r\n\
                Content-Type: application/octet-stream\r\nContent-Length: 24       \r\n\r\n";
    for _ in 0..2 {
        let (status, _, body) = ask(&mut stream, &[head.as_bytes(), &message(24)].concat()).await;
        assert_eq!((status, body), (200, "vc01 24\n".to_owned()));
    }
}

#[tokio::test]
async fn xml_and_json_reach_the_service_as_the_same_ttlv() {
    let (_port, mut stream) = known().await;
    let xml = r#"<RequestMessage><Operation type="Enumeration" value="Get"/></RequestMessage>"#;
    let json = r#"{"tag":"RequestMessage","value":[{"tag":"Operation","type":"Enumeration","value":"Get"}]}"#;
    for (content_type, body) in
        [("text/xml", xml), ("application/xml; charset=utf-8", xml), ("application/json", json)]
    {
        // The stand-in's answer is no TTLV and so has no form: what counts is that it was asked.
        let (status, _, _) = ask(&mut stream, &post(content_type, body.as_bytes())).await;
        assert_eq!(status, 503, "{content_type}");
    }
}

#[tokio::test]
async fn what_is_no_post_to_kmip_is_answered_in_http() {
    let (_port, mut stream) = known().await;
    for (request, status, says) in [
        ("GET /kmip HTTP/1.1\r\nHost: kms\r\n\r\n", 405, "allow: post\r\n"),
        ("GET / HTTP/1.1\r\nHost: kms\r\n\r\n", 404, "text/plain"),
        ("POST /kmip/ HTTP/1.1\r\nHost: kms\r\nContent-Length: 0\r\n\r\n", 404, "text/plain"),
        ("POST /kmip HTTP/1.1\r\nHost: kms\r\nContent-Length: 0\r\n\r\n", 415, "text/plain"),
    ] {
        let (got, head, body) = ask(&mut stream, request.as_bytes()).await;
        assert_eq!(got, status, "{request}");
        assert!(head.contains(says) && body.contains("hint"), "{head}{body}");
    }
}

#[tokio::test]
async fn headers_past_their_bounds_end_the_connection() {
    let long = format!("POST /kmip HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(https::HEADER_BYTES_MAX));
    let many = format!("POST /kmip HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(https::HEADERS_MAX + 1));
    for request in
        [long, many, "no HTTP at all\r\n\r\n".to_owned(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()]
    {
        let (_port, mut stream) = known().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got).await;
        let got = String::from_utf8_lossy(&got);
        assert!(got.is_empty() || got.starts_with("HTTP/1.1 4"), "{got}");
    }
}

#[tokio::test]
async fn a_body_past_its_bound_is_refused_in_words_before_the_connection_closes() {
    for (content_type, bytes) in
        [(TTLV, 1032), ("text/xml", 1024 * https::TEXT_BYTES_PER_BYTE + 1), (TTLV, 1 << 20)]
    {
        let (_port, mut stream) = known().await;
        let (status, head, body) =
            ask(&mut stream, &post(content_type, &message(bytes.next_multiple_of(8)))).await;
        match content_type {
            TTLV => assert_eq!((status, body), (200, "oversized\n".to_owned())),
            _ => assert_eq!(status, 503, "the stand-in's answer has no XML"),
        }
        assert!(head.contains("connection: close\r\n"), "{head}");
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
    // With no length told, by what comes.
    let (_port, mut stream) = known().await;
    let head =
        format!("POST /kmip HTTP/1.1\r\nContent-Type: {TTLV}\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n");
    let request = [head.as_bytes(), &message(2048), b"\r\n0\r\n\r\n"].concat();
    assert_eq!(ask(&mut stream, &request).await.2, "oversized\n");
}

#[tokio::test]
async fn a_stranger_is_told_so_and_a_removed_client_is_one_at_its_next_request() {
    let (port, mut stream) = known().await;
    assert_eq!(ask(&mut stream, &post(TTLV, &message(16))).await.2, "vc01 16\n");
    port.trust.replace(trust(&[]));
    let (status, head, body) = ask(&mut stream, &post(TTLV, &message(16))).await;
    assert_eq!((status, body), (200, "stranger\n".to_owned()));
    assert!(head.contains("connection: close\r\n"), "{head}");
    let mut stranger = connect(&client(&rustls::version::TLS13, None), port.address).await.unwrap();
    assert_eq!(ask(&mut stranger, &post(TTLV, &message(16))).await.2, "stranger\n");
}

#[tokio::test]
async fn draining_lets_an_idle_connection_go_and_accepts_no_more() {
    let (port, mut stream) = known().await;
    ask(&mut stream, &post(TTLV, &message(16))).await;
    port.drain.send_replace(true);
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    assert_eq!(port.served.await.unwrap(), 0);
}

fn start() -> Running {
    start_speaking(Speaks::Http, 64 * 1024)
}

async fn ends(running: Running, end: fn(&End) -> bool, after: Duration, began: tokio::time::Instant) {
    let Running { client: _client, end: task, .. } = running;
    let ended = task.await.unwrap();
    assert!(end(&ended), "{ended:?}");
    assert_eq!(began.elapsed().as_secs(), after.as_secs());
}

#[tokio::test(start_paused = true)]
async fn each_pause_has_its_own_time() {
    let began = tokio::time::Instant::now();
    ends(start(), |end| matches!(end, End::Idle), bounds().idle_timeout, began).await;

    let began = tokio::time::Instant::now();
    let mut half_headers = start();
    half_headers.client.write_all(b"POST /kmip HT").await.unwrap();
    ends(half_headers, |end| matches!(end, End::Slow), bounds().request_timeout, began).await;

    let began = tokio::time::Instant::now();
    let mut half_body = start();
    half_body.client.write_all(&post(TTLV, &message(64))[..150]).await.unwrap();
    let (status, ..) = answer(&mut half_body.client).await;
    assert_eq!(status, 408);
    ends(half_body, |end| matches!(end, End::Slow), bounds().request_timeout, began).await;

    let began = tokio::time::Instant::now();
    let mut unanswered = start();
    unanswered.client.write_all(&post(TTLV, &message(64))).await.unwrap();
    assert_eq!(answer(&mut unanswered.client).await.0, 503);
    ends(unanswered, |end| matches!(end, End::Unanswered), bounds().request_timeout, began).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_is_cut_after_the_write_timeout() {
    let began = tokio::time::Instant::now();
    let mut running = start_speaking(Speaks::Http, 1024);
    running.service.go.notify_one();
    // What is read of the request makes room; the answer, headers and 1,024 bytes, does not fit.
    running.client.write_all(&post(TTLV, &message(1024))).await.unwrap();
    ends(running, |end| matches!(end, End::WriteTimeout), bounds().write_timeout, began).await;
}
