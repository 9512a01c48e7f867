//! `GET /api/v1/events`: all that the page shows, again and again, as server-sent events.
//!
//! `event: snapshot` carries `{"status", "clients", "history"}`; `event: end` says that the front ends. Who reads too slowly
//! is cut off, and one stream more than the bound is refused: the page then polls.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

use crate::admin::{Admin, Refused};

/// Streams at once; one more is answered 503.
pub const EVENT_STREAMS_MAX: usize = 16;

/// From one event to the next: what happens is on the page well within a second.
pub const EVENT_INTERVAL: Duration = Duration::from_millis(500);

/// How long a reader may take none of an event; then its stream ends.
pub const EVENT_TAKEN_MAX: Duration = Duration::from_secs(10);

pub(crate) async fn events(State(admin): State<Arc<Admin>>) -> Response {
    let Ok(seat) = Arc::clone(&admin.streams).try_acquire_owned() else {
        let error = format!("{EVENT_STREAMS_MAX} streams of events are open");
        let refused = Refused { error, hint: "poll /api/v1/status, or close other pages" };
        return (StatusCode::SERVICE_UNAVAILABLE, Json(refused)).into_response();
    };
    let (sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(feed(admin, sender, seat));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::new(body)).into_response()
}

async fn feed(admin: Arc<Admin>, mut sender: Sender<Bytes>, _seat: OwnedSemaphorePermit) {
    let mut draining = admin.draining.clone();
    loop {
        let frame = match admin.snapshot().await {
            Ok(snapshot) => frame("snapshot", &snapshot),
            // Nothing is known at the moment; a comment shows whether anybody still reads.
            Err(_) => Bytes::from_static(b":\n\n"),
        };
        if !matches!(timeout(EVENT_TAKEN_MAX, sender.send_data(frame)).await, Ok(Ok(()))) {
            return;
        }
        tokio::select! {
            () = ends(&mut draining) => break,
            () = sleep(EVENT_INTERVAL) => {}
        }
    }
    // Who is gone need not be told.
    let _ = timeout(EVENT_TAKEN_MAX, sender.send_data(frame("end", b"{}"))).await;
}

/// JSON has no line break outside its strings, and none unescaped in them.
fn frame(event: &str, json: &[u8]) -> Bytes {
    [b"event: ", event.as_bytes(), b"\ndata: ", json, b"\n\n"].concat().into()
}

async fn ends(draining: &mut watch::Receiver<bool>) {
    // A front whose sender is gone has ended.
    let _ = draining.wait_for(|draining| *draining).await;
}
