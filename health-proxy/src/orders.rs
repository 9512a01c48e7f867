//! Orders: `POST /api/v1/nodes/NAME/drain` and `/ready`, on the operator's socket, and on the admin port from who has the
//! token.
//!
//! Over TCP a page of somebody else must not be able to do anything in the name of who reads ours: its requests carry no
//! token, since a browser sends that header to other origins only when asked for it first, which nobody here answers;
//! they carry its own Origin; and a name of its own that it has lead here is none of ours.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::admin::{ANSWER_MAX, Admin, Ailing, Peer, Refused};
use crate::judge::{NoSuchNode, Order, Word};
use crate::token::{Token, WrongTokens};

/// Where the system says what this machine is called.
const MACHINE_NAME: &str = "/proc/sys/kernel/hostname";

/// For who is trusted already.
pub(crate) fn router() -> Router<Arc<Admin>> {
    Router::new()
        .route("/api/v1/nodes/{name}/drain", post(drain))
        .route("/api/v1/nodes/{name}/ready", post(ready))
}

/// For everyone who reaches the port.
pub(crate) fn guarded(admin: &Arc<Admin>) -> Router<Arc<Admin>> {
    router().route_layer(middleware::from_fn_with_state(Arc::clone(admin), guard))
}

async fn drain(State(admin): State<Arc<Admin>>, Path(name): Path<String>) -> Response {
    order(&admin, name, Order::Drain).await
}

async fn ready(State(admin): State<Arc<Admin>>, Path(name): Path<String>) -> Response {
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
        None => Ailing.into_response(),
    }
}

async fn ask(admin: &Admin, name: String, order: Order) -> Option<Result<(), NoSuchNode>> {
    let (done, carried_out) = oneshot::channel();
    let ask = async {
        admin.judge.send(Word::Order { name, order, done }).await.ok()?;
        carried_out.await.ok()
    };
    timeout(ANSWER_MAX, ask).await.ok()?
}

async fn guard(
    State(admin): State<Arc<Admin>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let now = admin.front.clock.now();
    let machine = std::fs::read_to_string(MACHINE_NAME).unwrap_or_default();
    let checked = {
        let mut wrong = admin.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        check(request.headers(), machine.trim(), admin.token.as_ref(), &mut wrong, (now, peer))
    };
    let Err(refusal) = checked else { return next.run(request).await };
    if let Some(note) = admin.front.throttle.admit() {
        warn!(%peer, "an order on the admin port was refused: {}{note}", refusal.1.error);
    }
    (refusal.0, Json(refusal.1)).into_response()
}

fn check(
    headers: &HeaderMap,
    machine: &str,
    token: Option<&Token>,
    wrong: &mut WrongTokens,
    (now, peer): (Duration, IpAddr),
) -> Result<(), (StatusCode, Refused)> {
    let refuse = |code, error: &str, hint| Err((code, Refused { error: error.to_owned(), hint }));
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    if !is_ours(host, machine) {
        let hint = "open the page by an IP address, localhost or this machine's own name";
        return refuse(
            StatusCode::FORBIDDEN,
            "the page was opened by a name that is not this machine's",
            hint,
        );
    }
    let same =
        |origin: &str| origin.split_once("://").is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(host));
    if headers.contains_key(header::ORIGIN) && !text(header::ORIGIN).is_some_and(same) {
        return refuse(StatusCode::FORBIDDEN, "the order came from another page", "use the front's own page");
    }
    if wrong.wait(now, peer).is_some() {
        let hint = "wait a minute, or give the order on the machine itself: kms front";
        return refuse(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens from this address", hint);
    }
    let hint = "the token is in the file that [admin] token_file names";
    let given = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    match (given, token) {
        (Some(given), Some(token)) if token.is(given) => Ok(()),
        (Some(_), _) => {
            wrong.count(now, peer);
            refuse(StatusCode::UNAUTHORIZED, "the token is wrong", hint)
        }
        (None, _) => refuse(StatusCode::UNAUTHORIZED, "an order needs the token", hint),
    }
}

/// Whether this is an address, or a name of this machine: not one that a stranger has lead here.
fn is_ours(host: &str, machine: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || (!machine.is_empty()
            && (name.eq_ignore_ascii_case(machine) || name.eq_ignore_ascii_case(&short(machine))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_the_machines_own_names_are_ours_and_no_other() {
        for host in [
            "192.0.2.1:5699",
            "192.0.2.1",
            "[2001:db8::1]:5699",
            "localhost:5699",
            "front1.example.test:5699",
            "FRONT1",
        ] {
            assert!(is_ours(host, "front1.example.test"), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "front1.evil.example",
            "localhost.evil.example",
            "192.0.2.1.evil.example:5699",
        ] {
            assert!(!is_ours(host, "front1.example.test"), "{host}");
        }
        assert!(!is_ours("", ""));
    }
}
