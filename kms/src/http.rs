//! One HTTP/1.1 request over a connection that is already made: the operator's socket, or a node's admin port.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

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
    #[error("no answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Timeout,
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
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows as the end of the exchange; there is nothing to add.
        let driver = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "node");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        driver.abort();
        Ok(Answer { status, body: body.map_err(Error::Body)?.to_bytes() })
    };
    tokio::time::timeout(ANSWER_TIMEOUT, exchange).await.map_err(|_| Error::Timeout)?
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
