//! The admin port: `/livez`, `/readyz` and `/metrics` over plain HTTP. It changes nothing and names no object.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::doorman::Bounded;
use crate::identity::Identity;
use crate::metrics::Metrics;

/// Admin connections at once; further ones wait to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;

/// What the node knows of its own health.
pub trait Health: Send + Sync + 'static {
    /// Why the node should be restarted; none while it is well.
    fn ailing(&self) -> Option<String>;

    /// Why it should get no requests now; empty when a key can really be read.
    fn not_ready(&self) -> impl Future<Output = Vec<String>> + Send;
}

/// What the admin port stands on.
#[derive(Debug)]
pub struct Admin<H> {
    /// The node.
    pub health: Arc<H>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// The server certificate, whose days are counted.
    pub identity: Arc<Identity>,
    /// True once the server ends; it is then not ready.
    pub draining: watch::Receiver<bool>,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<String>,
}

/// Serves until the future is dropped.
pub async fn serve<H: Health>(listener: TcpListener, admin: Arc<Admin<H>>) -> std::io::Result<()> {
    axum::serve(Bounded::new(listener, ADMIN_CONNECTIONS_MAX), router(admin)).await
}

fn router<H: Health>(admin: Arc<Admin<H>>) -> Router {
    Router::new()
        .route("/livez", get(livez::<H>))
        .route("/readyz", get(readyz::<H>))
        .route("/metrics", get(metrics::<H>))
        .with_state(admin)
}

async fn livez<H: Health>(State(admin): State<Arc<Admin<H>>>) -> Response {
    match admin.health.ailing() {
        None => (StatusCode::OK, "ok\n").into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn readyz<H: Health>(State(admin): State<Arc<Admin<H>>>) -> Response {
    let mut reasons = admin.health.not_ready().await;
    if *admin.draining.borrow() {
        reasons.push("the server is draining".to_owned());
    }
    let ready = reasons.is_empty();
    admin.metrics.is_ready(ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, reasons })).into_response()
}

async fn metrics<H: Health>(State(admin): State<Arc<Admin<H>>>) -> Response {
    admin.metrics.is_ready(admin.health.not_ready().await.is_empty() && !*admin.draining.borrow());
    admin.metrics.certificate_expires(admin.identity.leaf().not_after, admin.clock.unix_seconds());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], admin.metrics.text()).into_response()
}

/// Opens the admin port.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}
