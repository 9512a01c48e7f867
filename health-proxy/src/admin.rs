//! The admin port: `/livez`, `/readyz`, `/metrics` and `/api/v1/status` over plain HTTP. It changes nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::bounded::Bounded;
use crate::front::Front;
use crate::judge::Word;
use crate::status::{Served, Status};

/// Admin connections at once; further ones wait to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;

/// How long the judge may take to say how everything is; it waits for nothing, so beyond this the front is ailing.
pub const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What the admin port stands on.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) front: Arc<Front>,
    pub(crate) judge: mpsc::Sender<Word>,
    /// True once the front ends; it is then not ready.
    pub(crate) draining: watch::Receiver<bool>,
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
    pub(crate) async fn status(&self) -> Result<Status, Ailing> {
        let (answer, answered) = oneshot::channel();
        let ask = async {
            self.judge.send(Word::Status(answer)).await.map_err(|_| Ailing)?;
            answered.await.map_err(|_| Ailing)
        };
        timeout(ANSWER_MAX, ask).await.map_err(|_| Ailing)?
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
    axum::serve(Bounded::new(listener, ADMIN_CONNECTIONS_MAX), router().with_state(admin)).await
}

/// What may be read by anyone who reaches the port.
pub(crate) fn router() -> Router<Arc<Admin>> {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(status))
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

async fn status(State(admin): State<Arc<Admin>>) -> Result<Response, Ailing> {
    let status = admin.status().await?;
    // A number that is a second old is wrong.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(status)).into_response())
}
