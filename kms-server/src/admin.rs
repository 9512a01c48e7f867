//! The admin port: `/livez`, `/readyz` and `/metrics` over plain HTTP. It changes nothing and names no object.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use daemon::bounded::Bounded;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::identity::Identity;
use crate::metrics::Metrics;

/// Admin connections at once; further ones wait to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;

/// What the node knows of its own health.
pub trait Health: Send + Sync + 'static {
    /// Why the node should be restarted; none while it is well.
    fn ailing(&self) -> Option<String>;

    /// How often its log was synced to disk since it started.
    fn syncs(&self) -> u64;

    /// Why it should get no requests now, reads and changes apart.
    fn readiness(&self) -> impl Future<Output = Readiness> + Send;
}

/// What a node can do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Why no key can be read; empty when one really can.
    pub cannot_read: Vec<String>,
    /// Why nothing can be changed; empty when it can, as far as is known.
    pub cannot_write: Vec<String>,
}

impl Readiness {
    /// A server that ends takes nothing more.
    pub(crate) fn drains(&mut self) {
        let reason = "the server is draining";
        self.cannot_read.push(reason.to_owned());
        self.cannot_write.push(reason.to_owned());
    }
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

/// The body of /readyz. Ready is who can do both; a front may still send reads to who can read.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    read: bool,
    write: bool,
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
    let Readiness { cannot_read, cannot_write } = admin.readiness().await;
    let (read, write) = (cannot_read.is_empty(), cannot_write.is_empty());
    let mut reasons = cannot_read;
    reasons.extend(cannot_write);
    reasons.dedup();
    let ready = read && write;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, read, write, reasons })).into_response()
}

impl<H: Health> Admin<H> {
    /// What the node says, and that a draining server takes nothing more; counted too.
    async fn readiness(&self) -> Readiness {
        let mut readiness = self.health.readiness().await;
        if *self.draining.borrow() {
            readiness.drains();
        }
        self.metrics.is_ready(readiness.cannot_read.is_empty(), readiness.cannot_write.is_empty());
        readiness
    }
}

async fn metrics<H: Health>(State(admin): State<Arc<Admin<H>>>) -> Response {
    admin.readiness().await;
    admin.metrics.log_synced(admin.health.syncs());
    admin.metrics.certificate_expires(admin.identity.leaf().not_after, admin.clock.system_seconds());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], admin.metrics.text()).into_response()
}

/// Opens the admin port.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}
