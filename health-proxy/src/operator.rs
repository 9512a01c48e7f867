//! The operator's socket: HTTP over a Unix socket, for who may give orders.
//!
//! `POST /api/v1/nodes/NAME/drain` and `/ready`, and all that the admin port shows. Errors are
//! `{"error": "...", "hint": "..."}`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use daemon::operator::Socket;

use crate::admin::{self, Admin};
use crate::orders;

/// Opens the socket with mode 0600. A file that an ended front left is replaced.
///
/// # Errors
/// When another front listens there, or the path is taken by something else.
pub fn bind(path: &Path) -> io::Result<Socket> {
    Socket::bind(path, "front")
}

/// Serves until the future is dropped.
pub(crate) async fn serve(socket: Socket, admin: Arc<Admin>) -> io::Result<()> {
    socket.serve(admin::router().merge(orders::router()).with_state(admin)).await
}
