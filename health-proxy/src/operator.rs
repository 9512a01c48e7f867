//! The operator's socket: HTTP over a Unix socket, for who may give orders.
//!
//! `POST /api/v1/nodes/NAME/drain` and `/ready`, and all that the admin port shows. The wall is the file's mode, 0600.
//! Errors are `{"error": "...", "hint": "..."}`.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use tokio::net::UnixListener;

use crate::admin::{self, Admin};
use crate::bounded::Bounded;
use crate::orders;

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
    let router = admin::router().merge(orders::router());
    axum::serve(Bounded::new(listener, OPERATOR_CONNECTIONS_MAX), router.with_state(admin)).await
}
