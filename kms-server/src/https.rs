//! KMIP over HTTPS: POST /kmip with TTLV, XML or JSON in its body (KMIP Additional Message Encodings 1.0).
//!
//! Stands where [`Session`] stands on the KMIP port: the handshake, who it is, the bounds, the times and the service that
//! answers are the same, and so is the audit. HTTP itself is hyper's. What is no KMIP message, such as another path, is
//! answered in HTTP's words and is in no audit; all else is a KMIP answer, with status 200, in the form that was asked in.

mod body;
mod form;
mod pulse;
mod watched;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};
use zeroize::Zeroizing;

use self::body::Unread;
use self::form::Form;
use self::pulse::Pulse;
use self::watched::Watched;
use crate::session::{After, Caller, End, Peer, Service, Session};

/// Where messages are taken (section 2.3 of the profile).
pub const PATH: &str = "/kmip";

/// Bytes of a request's first line and headers; more is answered with 431.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Headers of a request; more are answered with 431.
pub const HEADERS_MAX: usize = 64;

/// Bytes of XML or JSON for each byte of TTLV that `request_bytes_max` allows: an Integer has 16 in TTLV and about 60 as
/// text. Past them the text is not read; within them its TTLV is held against `request_bytes_max` itself.
pub const TEXT_BYTES_PER_BYTE: usize = 8;

/// Serves the connection until it ends, and says why it did. Closes it.
pub async fn serve<S, T>(session: Session<'_, S>, stream: T, mut draining: watch::Receiver<bool>) -> End
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let bounds = session.bounds;
    let pulse = Pulse::new();
    let exchange = Exchange {
        caller: Mutex::new(session.caller()),
        session: &session,
        pulse: &pulse,
        end: Mutex::new(None),
    };
    let io = TokioIo::new(Watched::new(stream, &pulse, bounds.write_timeout));
    let mut http = http1::Builder::new();
    // Its own times would count a pause between requests as a slow header; `pulse` tells them apart.
    http.header_read_timeout(None).max_buf_size(HEADER_BYTES_MAX).max_headers(HEADERS_MAX);
    let mut connection = pin!(http.serve_connection(io, service_fn(|request| exchange.answer(request))));
    let mut alarm = pin!(sleep_until(pulse.deadline(bounds).unwrap_or_else(tokio::time::Instant::now)));
    let mut drained = pin!(async move {
        // An error is a sender that is gone: the server ends.
        let _ = draining.wait_for(|draining| *draining).await;
    });
    let mut is_draining = false;
    let ended = poll_fn(|context| {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                return Poll::Ready(Some(ended));
            }
            if let Some(deadline) = pulse.deadline(bounds) {
                if alarm.deadline() != deadline {
                    alarm.as_mut().reset(deadline);
                }
                if alarm.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
            }
            if is_draining || drained.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            is_draining = true;
            connection.as_mut().graceful_shutdown();
        }
    })
    .await;
    if let Some(end) = lock(&exchange.end).take() {
        return end;
    }
    match ended {
        None if pulse.is_idle() => End::Idle,
        None => End::Slow,
        Some(Ok(())) if is_draining => End::Draining,
        Some(Ok(())) => End::Client,
        Some(Err(error)) if error.is_parse() => End::Garbage(error.to_string()),
        Some(Err(error)) if error.is_incomplete_message() => End::Truncated,
        Some(Err(error)) => match watched::stalled(&error) {
            true => End::WriteTimeout,
            false => End::Io(std::io::Error::other(error)),
        },
    }
}

/// What a connection's requests are answered with.
struct Exchange<'a, S> {
    session: &'a Session<'a, S>,
    caller: Mutex<Caller<'a>>,
    pulse: &'a Pulse,
    /// Why the connection ends after an answer, where that is known better here than by HTTP.
    end: Mutex<Option<End>>,
}

type Answer = Response<Full<Bytes>>;

impl<S: Service> Exchange<'_, S> {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let _busy = self.pulse.busy();
        Ok(self.answered(request).await)
    }

    async fn answered(&self, request: Request<Incoming>) -> Answer {
        if request.uri().path() != PATH {
            return words(StatusCode::NOT_FOUND, "no such path; hint: POST /kmip");
        }
        if request.method() != Method::POST {
            let mut answer = words(StatusCode::METHOD_NOT_ALLOWED, "hint: POST /kmip");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return answer;
        }
        let Some(form) = Form::of(request.headers()) else {
            return words(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "hint: Content-Type: application/octet-stream (TTLV), text/xml or application/json",
            );
        };
        let session = self.session;
        let bytes_max = form.body_bytes_max(session.bounds.request_bytes_max);
        let read = timeout(session.bounds.request_timeout, body::read(request, bytes_max));
        let body = match read.await {
            Ok(Ok(body)) => body,
            Ok(Err(Unread::Oversized { header, bytes })) => {
                let mut answer = Zeroizing::default();
                session.service.refuse_oversized(session.address, &header, &mut answer);
                return self.last(form, answer, End::Oversized(bytes));
            }
            Ok(Err(Unread::Broken(error))) => {
                *lock(&self.end) = Some(End::Io(std::io::Error::other(error)));
                return closing(words(StatusCode::BAD_REQUEST, "the body broke off"));
            }
            Err(_) => {
                *lock(&self.end) = Some(End::Slow);
                let words =
                    words(StatusCode::REQUEST_TIMEOUT, "the body did not arrive within request_timeout_ms");
                return closing(words);
            }
        };
        let peer = lock(&self.caller).peer().cloned();
        match peer {
            Some(peer) => self.answer_peer(&peer, form, &body).await,
            None => {
                let mut answer = Zeroizing::default();
                match session.service.answer_stranger(session.address, &body, &mut answer) {
                    After::KeepOpen => shown(form, answer),
                    After::Close => self.last(form, answer, End::Service),
                }
            }
        }
    }

    async fn answer_peer(&self, peer: &Peer, form: Form, body: &[u8]) -> Answer {
        let Session { service, bounds, .. } = self.session;
        let mut answer = Zeroizing::default();
        let request = match form.ttlv(body, self.session.limits) {
            Ok(request) => request,
            Err(why) => {
                service.refuse_unreadable(peer, body.len(), &why, &mut answer);
                return shown(form, answer);
            }
        };
        match timeout(bounds.request_timeout, service.answer(peer, &request, &mut answer)).await {
            Ok(After::KeepOpen) => shown(form, answer),
            Ok(After::Close) => self.last(form, answer, End::Service),
            Err(_) => {
                *lock(&self.end) = Some(End::Unanswered);
                let words = "not answered within request_timeout_ms, and perhaps carried out all the same";
                closing(self::words(StatusCode::SERVICE_UNAVAILABLE, words))
            }
        }
    }

    /// An answer that ends the connection.
    fn last(&self, form: Form, answer: Zeroizing<Vec<u8>>, end: End) -> Answer {
        *lock(&self.end) = Some(end);
        closing(shown(form, answer))
    }
}

/// A KMIP answer in the form that was asked in.
fn shown(form: Form, answer: Zeroizing<Vec<u8>>) -> Answer {
    match form.shown(answer) {
        Some(body) => {
            let body = Bytes::from_owner(body);
            with_type(StatusCode::OK, HeaderValue::from_static(form.content_type()), body)
        }
        None => words(StatusCode::SERVICE_UNAVAILABLE, "no answer; hint: the server's log says why"),
    }
}

/// HTTP's own answer, for people.
fn words(status: StatusCode, words: &'static str) -> Answer {
    let body = Bytes::from(format!("{words}\n"));
    with_type(status, HeaderValue::from_static("text/plain; charset=utf-8"), body)
}

fn with_type(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// What is kept here stays whole when a holder panics: each is one value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
