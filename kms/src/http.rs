//! One HTTP/1.1 request over a connection that is already made: the operator's socket, or a node's admin port.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for a download to begin: the node may have to prepare it.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// Longest wait for its next piece.
const PIECE_TIMEOUT: Duration = Duration::from_secs(60);

/// Most bytes of an answer: a full page of keys with all their attributes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connection broke, or spoke no HTTP.
    #[error("the connection broke: {0}")]
    Connection(#[from] hyper::Error),
    /// The request could not be built from what was given.
    #[error("the request cannot be written: {0}")]
    Request(#[from] hyper::http::Error),
    /// The body broke, or was too large.
    #[error("the answer broke off: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("no answer within {} s", within.as_secs())]
    Timeout {
        /// The wait.
        within: Duration,
    },
}

/// Sends one request and reads the answer.
pub(crate) async fn send<S>(
    stream: S,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<Answer, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let exchange = async {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "node");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        Download::ask(stream, request).await?.whole().await
    };
    timeout(ANSWER_TIMEOUT, exchange).await
}

/// Sends one request whose answer is too large to be held at once.
pub(crate) async fn download<S>(stream: S, method: Method, path: &str) -> Result<Download, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::builder().method(method).uri(path).header(header::HOST, "node");
    let request = request.body(Full::new(Bytes::new()))?;
    timeout(DOWNLOAD_TIMEOUT, Download::ask(stream, request)).await
}

/// An answer whose body is still on its way.
#[derive(Debug)]
pub(crate) struct Download {
    /// The status.
    pub(crate) status: StatusCode,
    body: Incoming,
    /// While it is there the connection stays.
    _sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<Result<(), hyper::Error>>,
}

impl Download {
    async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows as the end of the exchange; there is nothing to add.
        let driver = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await?.into_parts();
        Ok(Download { status: head.status, body, _sender: sender, driver })
    }

    /// Bytes that are still to come, where the node says so.
    pub(crate) fn bytes_left(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next piece; none at the end. An answer that breaks off is an error, not an end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let next = async {
            loop {
                match self.body.frame().await.transpose()?.map(Frame::into_data) {
                    Some(Ok(piece)) => return Ok(Some(piece)),
                    Some(Err(_trailers)) => {}
                    None => return Ok(None),
                }
            }
        };
        timeout(PIECE_TIMEOUT, next).await
    }

    /// All of it, at most 64 MiB.
    pub(crate) async fn whole(mut self) -> Result<Answer, Error> {
        let body = Limited::new(&mut self.body, ANSWER_BYTES_MAX).collect().await;
        Ok(Answer { status: self.status, body: body.map_err(Error::Body)?.to_bytes() })
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn timeout<T>(within: Duration, task: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(within, task).await.map_err(|_| Error::Timeout { within })?
}

/// `text` as one part of a path or query: all but letters, digits, ".", "_", "~" and "-" in percent form.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'~' | b'-' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_would_end_a_path_is_escaped() {
        assert_eq!(super::escape("vc01/../a b?ü"), "vc01%2F..%2Fa%20b%3F%C3%BC");
    }
}
