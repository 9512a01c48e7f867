//! The admin port, plain HTTP: the page and its JSON under `/api/v1/`, `/livez`, `/readyz` and `/metrics`. It changes
//! nothing, but for who has the token.
//!
//! Errors of `/api/` are `{"error": "...", "hint": "..."}`.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::connect_info::Connected;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;
use axum::{Json, Router};
use daemon::bounded::Bounded;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::clients::ClientsView;
use crate::events::{EVENT_STREAMS_MAX, events};
use crate::front::Front;
use crate::history::History;
use crate::judge::Word;
use crate::status::{Served, Status};
use crate::token::{Token, WrongTokens};
use crate::{orders, page};

/// Admin connections at once; further ones wait to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;

/// How long the judge may take to say how everything is; it waits for nothing, so beyond this the front is ailing.
pub const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What readers of the page get may be so old: however many they are, the judge is asked no more often.
pub const SNAPSHOT_AGE_MAX: Duration = Duration::from_millis(200);

/// What the admin port stands on.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) front: Arc<Front>,
    pub(crate) judge: mpsc::Sender<Word>,
    /// True once the front ends; it is then not ready.
    pub(crate) draining: watch::Receiver<bool>,
    /// Whose orders are taken on the port; none: nobody's.
    pub(crate) token: Option<Token>,
    pub(crate) wrong_tokens: Mutex<WrongTokens>,
    /// Seats of streams of events.
    pub(crate) streams: Arc<Semaphore>,
    latest: tokio::sync::Mutex<Option<(Duration, Bytes)>>,
}

/// All that the page shows.
#[derive(Debug, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) status: Status,
    clients: ClientsView,
    history: History,
}

/// The body of an error.
#[derive(Debug, Serialize)]
pub(crate) struct Refused {
    pub(crate) error: String,
    pub(crate) hint: &'static str,
}

/// The judge did not answer in time.
#[derive(Debug)]
pub(crate) struct Ailing;

impl IntoResponse for Ailing {
    fn into_response(self) -> Response {
        let text = format!(
            "nothing was heard of the nodes' state within {} ms; hint: restart the front\n",
            ANSWER_MAX.as_millis()
        );
        (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    }
}

impl Admin {
    pub(crate) fn new(
        front: Arc<Front>,
        judge: mpsc::Sender<Word>,
        draining: watch::Receiver<bool>,
        token: Option<Token>,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(EVENT_STREAMS_MAX));
        let (wrong_tokens, latest) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { front, judge, draining, token, wrong_tokens, streams, latest }
    }

    pub(crate) async fn status(&self) -> Result<Status, Ailing> {
        let (answer, answered) = oneshot::channel();
        let ask = async {
            self.judge.send(Word::Status(answer)).await.map_err(|_| Ailing)?;
            answered.await.map_err(|_| Ailing)
        };
        timeout(ANSWER_MAX, ask).await.map_err(|_| Ailing)?
    }

    pub(crate) async fn all(&self) -> Result<Snapshot, Ailing> {
        let status = self.status().await?;
        let now = self.front.clock.now();
        let (clients, hour) = {
            let clients = self.front.clients();
            (clients.view(now), clients.hour(now))
        };
        let history = History::new(&status, hour);
        Ok(Snapshot { status, clients, history })
    }

    /// The same as JSON, at most [`SNAPSHOT_AGE_MAX`] old.
    pub(crate) async fn snapshot(&self) -> Result<Bytes, Ailing> {
        let mut latest = self.latest.lock().await;
        let now = self.front.clock.now();
        if let Some((made, json)) = &*latest
            && now.saturating_sub(*made) < SNAPSHOT_AGE_MAX
        {
            return Ok(json.clone());
        }
        // Only a map whose keys are no texts cannot be written, and there is none.
        let json = Bytes::from(serde_json::to_vec(&self.all().await?).map_err(|_| Ailing)?);
        *latest = Some((now, json.clone()));
        Ok(json)
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Connected<IncomingStream<'_, Bounded<TcpListener>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded<TcpListener>>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

/// The body of /readyz.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    read: bool,
    write: bool,
    reasons: Vec<String>,
}

/// Serves until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, admin: Arc<Admin>) -> std::io::Result<()> {
    let router = match admin.token {
        Some(_) => router().merge(orders::guarded(&admin)),
        None => router(),
    };
    let router = router.layer(map_response(harden)).with_state(admin);
    let service = router.into_make_service_with_connect_info::<Peer>();
    axum::serve(Bounded::new(listener, ADMIN_CONNECTIONS_MAX), service).await
}

/// What may be read by anyone who reaches the port.
pub(crate) fn router() -> Router<Arc<Admin>> {
    Router::new()
        .route("/", get(page::page))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(status))
        .route("/api/v1/clients", get(clients))
        .route("/api/v1/history", get(history))
        .route("/api/v1/events", get(events))
}

/// What holds for every answer: a browser is to believe what it is told, tell nobody where it was, and keep nothing, since
/// a number that is a second old is wrong.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let nothing = "default-src 'none'; frame-ancestors 'none'";
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(nothing));
    response
}

async fn livez(State(admin): State<Arc<Admin>>) -> Result<&'static str, Ailing> {
    admin.status().await.map(|_| "ok\n")
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Result<Response, Ailing> {
    let status = admin.status().await?;
    let mut reasons: Vec<_> = match status.service {
        Served::Serving => Vec::new(),
        Served::Degraded => vec!["no node is with a majority: reads only".to_owned()],
        Served::Down => status
            .nodes
            .iter()
            .map(|node| format!("{} is {}: {}", node.name, node.state, node.reason))
            .collect(),
    };
    let draining = *admin.draining.borrow();
    if draining {
        reasons.push("the front ends".to_owned());
    }
    let read = !draining && status.service != Served::Down;
    let write = !draining && status.service == Served::Serving;
    let ready = read && write;
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((code, Json(Ready { ready, read, write, reasons })).into_response())
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Result<Response, Ailing> {
    let status = admin.status().await?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], admin.front.metrics.text(&status)).into_response())
}

async fn status(State(admin): State<Arc<Admin>>) -> Result<Json<Status>, Ailing> {
    admin.status().await.map(Json)
}

async fn clients(State(admin): State<Arc<Admin>>) -> Json<ClientsView> {
    Json(admin.front.clients().view(admin.front.clock.now()))
}

async fn history(State(admin): State<Arc<Admin>>) -> Result<Json<History>, Ailing> {
    Ok(Json(admin.all().await?.history))
}
