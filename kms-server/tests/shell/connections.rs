//! The KMIP port from outside: framing over TLS, the bound on connections, strangers and draining.

use kms_server::trust::Way;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::*;

async fn known(connections_max: usize) -> (Port, TlsStream<TcpStream>) {
    let leaf = Make::default().make();
    let port = open(&[registration("vc01", Way::Pinned, &leaf)], connections_max);
    let connector = client(&rustls::version::TLS12, Some((&[&leaf], &leaf.key)));
    let stream = connect(&connector, port.address).await.unwrap();
    (port, stream)
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_past_the_bound() {
    let (_port, mut stream) = known(4).await;
    let sizes = [16, 24, 1024, 32, 40, 48, 56, 64, 72, 80];
    stream.write_all(&sizes.map(message).concat()).await.unwrap();
    let expected: String = sizes.iter().map(|size| format!("vc01 {size}\n")).collect();
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(String::from_utf8(got).unwrap(), expected);
}

#[tokio::test]
async fn an_oversized_message_is_refused_in_words_before_the_connection_closes() {
    let (_port, mut stream) = known(4).await;
    // The client goes on sending the body, as clients do.
    stream.write_all(&message(64 * 1024)).await.unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).await.unwrap();
    assert_eq!(got, "oversized\n");
}

#[tokio::test]
async fn garbage_and_truncated_messages_close_the_connection_and_nothing_else() {
    for sent in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &message(64)[..20]] {
        let (port, mut stream) = known(4).await;
        stream.write_all(sent).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0);
        drop(stream);
        let mut raw = TcpStream::connect(port.address).await.unwrap();
        raw.write_all(b"\x16\x03\x01 this is no handshake at all").await.unwrap();
        raw.shutdown().await.unwrap();
        let _ = raw.read_to_end(&mut Vec::new()).await;
        connect(&client(&rustls::version::TLS13, None), port.address).await.unwrap();
    }
}

#[tokio::test]
async fn one_connection_over_the_bound_is_closed_at_once_and_a_free_seat_is_taken_again() {
    let (port, stream) = known(1).await;
    let mut over = TcpStream::connect(port.address).await.unwrap();
    assert_eq!(over.read(&mut [0; 8]).await.unwrap_or(0), 0);
    assert!(port.metrics.text().contains("kms_connections_refused_total 1"));
    drop(stream);
    let again = async {
        while connect(&client(&rustls::version::TLS13, None), port.address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), again).await.unwrap();
}

#[tokio::test]
async fn draining_closes_what_is_idle_and_accepts_no_more() {
    let (port, mut stream) = known(4).await;
    stream.write_all(&message(16)).await.unwrap();
    stream.read_exact(&mut [0; 8]).await.unwrap();
    port.drain.send_replace(true);
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    drop(stream);
    assert_eq!(port.served.await.unwrap(), 0);
    assert!(TcpStream::connect(port.address).await.is_err());
}
