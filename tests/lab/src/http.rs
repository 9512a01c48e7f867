//! As much of HTTP/1.1 as two ports of our own need: one request, one answer, closed.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Longest wait for an answer. A change waits for the disk.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What a port answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200 and the like.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON. Panics where it is none.
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("status {}, no JSON ({error}): {}", self.status, self.body),
        }
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    exchange(TcpStream::connect(address), "GET", path, "").await
}

pub(crate) async fn over_socket(socket: &Path, method: &str, path: &str, body: &str) -> io::Result<Answer> {
    exchange(UnixStream::connect(socket), method, path, body).await
}

async fn exchange<S>(
    connect: impl Future<Output = io::Result<S>>,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let whole = async {
        let mut stream = connect.await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer =
        timeout(ANSWER_TIMEOUT, whole).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}
