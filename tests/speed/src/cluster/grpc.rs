//! As much of etcd's gRPC as two questions need: unary calls over one plain HTTP/2 connection, and their messages by
//! hand.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::client::SendRequest;
use http::Request;
use tokio::net::TcpStream;

/// Before each message: not compressed, and how long it is.
const PREFIX_BYTES: usize = 5;

/// Window of a connection and of a stream; more than any answer has.
const WINDOW_BYTES: u32 = 1 << 20;

/// An open connection.
pub(super) struct Connection {
    address: SocketAddr,
    send: SendRequest<Bytes>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
        let (send, connection) = builder.handshake(tcp).await?;
        // Ends with the last handle; a failure shows at the call that it fails.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { address, send })
    }

    /// `etcdserverpb.KV/Put`.
    pub(super) async fn put(&mut self, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
        let mut message = Vec::with_capacity(key.len() + value.len() + 16);
        field(&mut message, 1, key);
        field(&mut message, 2, value);
        self.call("Put", &message).await.map(drop)
    }

    /// `etcdserverpb.KV/Range` of one key, linearizable, as it is unless asked otherwise. Fails where the answer has no
    /// room for `value_bytes`.
    pub(super) async fn get(&mut self, key: &[u8], value_bytes: usize) -> anyhow::Result<()> {
        let mut message = Vec::with_capacity(key.len() + 8);
        field(&mut message, 1, key);
        let answer = self.call("Range", &message).await?;
        ensure!(answer > value_bytes, "etcd has no value for a key that was put: {answer} bytes");
        Ok(())
    }

    /// Bytes of the answer's message.
    async fn call(&mut self, method: &str, message: &[u8]) -> anyhow::Result<usize> {
        let request = Request::post(format!("http://{}/etcdserverpb.KV/{method}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut frame = BytesMut::with_capacity(PREFIX_BYTES + message.len());
        frame.extend_from_slice(&[0]);
        frame.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
        frame.extend_from_slice(message);
        let mut send = self.send.clone().ready().await?;
        let (response, mut body) = send.send_request(request, false)?;
        body.send_data(frame.freeze(), true)?;
        let (head, mut body) = response.await?.into_parts();
        ensure!(head.status == 200, "etcd answered HTTP {}", head.status);
        let bytes = read(&mut body).await?;
        let trailers = body.trailers().await?;
        // An error without a message has its status in the head.
        let headers = trailers.as_ref().unwrap_or(&head.headers);
        let status = headers.get("grpc-status").context("etcd answered without a status")?;
        if status != "0" {
            bail!("etcd refused {method}: {status:?} {:?}", headers.get("grpc-message"));
        }
        Ok(bytes.saturating_sub(PREFIX_BYTES))
    }
}

async fn read(body: &mut RecvStream) -> anyhow::Result<usize> {
    let mut bytes = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes += data.len();
    }
    Ok(bytes)
}

/// A field of bytes: its number with the wire type 2, the length, the bytes.
fn field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        message.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_its_number_its_length_and_its_bytes() {
        let mut message = Vec::new();
        field(&mut message, 1, b"key");
        field(&mut message, 2, &[7; 300]);
        assert_eq!(message[..8], [0x0a, 3, b'k', b'e', b'y', 0x12, 0xac, 0x02]);
        assert_eq!(message.len(), 8 + 300);
    }
}
