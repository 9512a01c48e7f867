//! The operator's socket: HTTP over a Unix socket, for who may give orders.
//!
//! `POST /api/v1/nodes/NAME/drain` and `/ready`, and all that the admin port shows. The wall is the file's mode, 0600.
//! Errors are `{"error": "...", "hint": "..."}`.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tracing::info;

use crate::admin::{self, Admin};
use crate::bounded::Bounded;
use crate::judge::{NoSuchNode, Order, Word};

/// Operator connections at once; further ones wait to be accepted.
pub const OPERATOR_CONNECTIONS_MAX: usize = 32;

/// Opens the socket with mode 0600. A file that an ended front left is replaced.
///
/// # Errors
/// When another front listens there, or the path is taken by something else.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let why = format!("{} is there and no socket", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            let why = format!("another front listens on {}", path.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
        }
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Under another name until nobody else can open it.
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(new)?;
    fs::set_permissions(new, fs::Permissions::from_mode(0o600))?;
    fs::rename(new, path)?;
    Ok(listener)
}

/// Serves until the future is dropped.
pub(crate) async fn serve(listener: UnixListener, admin: Arc<Admin>) -> io::Result<()> {
    let router: Router<Arc<Admin>> = admin::router()
        .route("/api/v1/nodes/{name}/drain", post(drain))
        .route("/api/v1/nodes/{name}/ready", post(ready));
    axum::serve(Bounded::new(listener, OPERATOR_CONNECTIONS_MAX), router.with_state(admin)).await
}

#[derive(Serialize)]
struct Refused {
    error: String,
    hint: &'static str,
}

async fn drain(State(admin): State<Arc<Admin>>, UrlPath(name): UrlPath<String>) -> Response {
    order(&admin, name, Order::Drain).await
}

async fn ready(State(admin): State<Arc<Admin>>, UrlPath(name): UrlPath<String>) -> Response {
    order(&admin, name, Order::Ready).await
}

async fn order(admin: &Admin, name: String, order: Order) -> Response {
    match ask(admin, name.clone(), order).await {
        Some(Ok(())) => {
            info!(node = name, "an administrator asked for {order:?}");
            StatusCode::NO_CONTENT.into_response()
        }
        Some(Err(no_such)) => {
            let hint = "the names are those of [nodes] in the configuration";
            (StatusCode::NOT_FOUND, Json(Refused { error: no_such.to_string(), hint })).into_response()
        }
        None => admin::Ailing.into_response(),
    }
}

async fn ask(admin: &Admin, name: String, order: Order) -> Option<Result<(), NoSuchNode>> {
    let (done, carried_out) = oneshot::channel();
    let ask = async {
        admin.judge.send(Word::Order { name, order, done }).await.ok()?;
        carried_out.await.ok()
    };
    tokio::time::timeout(admin::ANSWER_MAX, ask).await.ok()?
}
