//! KMIP over HTTPS, for cases that ask for it: the profile's three encodings, and what it demands of an answer's headers.

use conform::Encoding;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use kmip::Kmip;
use kmip::client::{Client, ClientConfig, REQUEST_TIMEOUT_DEFAULT, RESPONSE_BYTES_MAX_DEFAULT};
use tokio::time::timeout;
use ttlv::{Limits, Node, json, xml};

/// Where messages go (section 2.3 of the profile).
const PATH: &str = "/kmip";

/// Bytes of text that an answer may have for each byte of its TTLV.
const TEXT_BYTES_PER_BYTE: usize = 8;

fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Ttlv => "application/octet-stream",
        Encoding::Xml => "text/xml",
        Encoding::Json => "application/json",
    }
}

/// A message in TTLV as a body.
fn written(encoding: Encoding, message: &[u8]) -> Result<Vec<u8>, String> {
    let node = || Node::decode(message, Limits::default()).map_err(|error| error.to_string());
    Ok(match encoding {
        Encoding::Ttlv => message.to_vec(),
        Encoding::Xml => xml::write(&node()?, &Kmip).into_bytes(),
        Encoding::Json => json::write(&node()?, &Kmip),
    })
}

/// A body as TTLV.
fn read(encoding: Encoding, body: &[u8]) -> Result<Vec<u8>, String> {
    let limits = Limits { message_bytes_max: body.len(), ..Limits::default() };
    let text = String::from_utf8_lossy(body);
    match encoding {
        Encoding::Ttlv => Ok(body.to_vec()),
        Encoding::Xml => xml::read_within(&text, limits, &Kmip)
            .map(|node| node.encode())
            .map_err(|error| format!("what is no XML of a message: {error}")),
        Encoding::Json => json::read(body, limits, &Kmip)
            .map(|node| node.encode())
            .map_err(|error| format!("what is no JSON of a message: {error}")),
    }
}

/// The way to the server over HTTPS; connects where it is not connected, again after a failure.
pub(super) struct Web {
    config: ClientConfig,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Web {
    pub(super) fn new(config: ClientConfig) -> Self {
        Self { config, sender: None }
    }

    /// The next question goes over a connection of its own.
    pub(super) fn hang_up(&mut self) {
        self.sender = None;
    }

    /// Asks in `encoding`; the answer as TTLV, or why there is none that the profile allows.
    pub(super) async fn ask(&mut self, encoding: Encoding, request: &[u8]) -> Result<Vec<u8>, String> {
        let exchange = self.exchange(encoding, request);
        timeout(REQUEST_TIMEOUT_DEFAULT, exchange).await.map_err(|_| "no answer in time".to_owned())?
    }

    async fn exchange(&mut self, encoding: Encoding, request: &[u8]) -> Result<Vec<u8>, String> {
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        // Before a second question the first one's answer has to be put away, and a server may have closed behind it.
        if sender.ready().await.is_err() {
            sender = self.connect().await?;
        }
        let request = Request::builder()
            .method(Method::POST)
            .uri(PATH)
            .header(header::HOST, self.config.address())
            .header(header::CONTENT_TYPE, content_type(encoding))
            .header(header::CACHE_CONTROL, "no-cache")
            .body(Full::new(Bytes::from(written(encoding, request)?)))
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = answer.into_parts();
        let most = TEXT_BYTES_PER_BYTE * RESPONSE_BYTES_MAX_DEFAULT;
        let body = Limited::new(body, most).collect().await.map_err(|error| error.to_string())?.to_bytes();
        check(head.status, &head.headers, encoding)
            .map_err(|why| format!("{why}: {}", String::from_utf8_lossy(&body[..body.len().min(200)])))?;
        self.sender = Some(sender);
        read(encoding, &body)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let connection = Client::connect(&self.config).await.map_err(|error| error.to_string())?;
        let (sender, driver) = http1::handshake(TokioIo::new(connection.into_stream()))
            .await
            .map_err(|error| error.to_string())?;
        // Its failure is the failure of the request that waits for it.
        tokio::spawn(driver);
        Ok(sender)
    }
}

/// What section 2.5 of the profile demands of an answer.
fn check(status: StatusCode, headers: &HeaderMap, encoding: Encoding) -> Result<(), String> {
    if status != StatusCode::OK {
        return Err(format!("status {status}"));
    }
    let value =
        |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let got = value(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !got.eq_ignore_ascii_case(content_type(encoding)) {
        return Err(format!("Content-Type {got:?} where {} is due", content_type(encoding)));
    }
    if !headers.contains_key(header::CONTENT_LENGTH) {
        return Err("no Content-Length".to_owned());
    }
    match value(header::CACHE_CONTROL) {
        "no-cache" => Ok(()),
        other => Err(format!("Cache-Control {other:?} where no-cache is due")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use ttlv::Value;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn an_answer_needs_status_and_headers_of_the_profile() {
        let good = [
            (header::CONTENT_TYPE, "application/json; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_LENGTH, "3"),
        ];
        assert_eq!(check(StatusCode::OK, &headers(&good), Encoding::Json), Ok(()));
        assert!(check(StatusCode::CREATED, &headers(&good), Encoding::Json).is_err());
        assert!(check(StatusCode::OK, &headers(&good), Encoding::Xml).unwrap_err().contains("text/xml"));
        for without in 0..good.len() {
            let mut some = good.to_vec();
            some.remove(without);
            assert!(check(StatusCode::OK, &headers(&some), Encoding::Json).is_err(), "{without}");
        }
    }

    #[test]
    fn a_message_is_the_same_in_each_encoding() {
        let message = Node::new(
            kmip::tag::REQUEST_MESSAGE,
            Value::Structure(vec![Node::new(kmip::tag::OPERATION, Value::Enumeration(24))]),
        );
        for encoding in [Encoding::Ttlv, Encoding::Xml, Encoding::Json] {
            let body = written(encoding, &message.encode()).unwrap();
            assert_eq!(read(encoding, &body), Ok(message.encode()), "{encoding:?}");
        }
    }
}
