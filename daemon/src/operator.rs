//! The operator's socket: HTTP over a Unix socket, for who may give orders.
//!
//! The wall is the file's mode, 0600; the kernel's word on who connects is the second.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::{fs, io};

use axum::Router;
use axum::serve::Listener;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};
use tracing::warn;

use crate::bounded::Bounded;

/// Operator connections at once; further ones wait to be accepted.
pub const OPERATOR_CONNECTIONS_MAX: usize = 32;

/// Lets in root and the user that the program runs as, by the kernel's word.
#[derive(Debug)]
pub struct Socket(UnixListener);

impl Socket {
    /// Opens the socket with mode 0600. A file that an ended program left is replaced; a live one is named as another
    /// `who`, such as "server".
    ///
    /// # Errors
    /// When another one listens there, the path is taken by something else, or the system refuses it.
    pub fn bind(path: &Path, who: &str) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                let why = format!("{} is there and no socket", path.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                let why = format!("another {who} listens on {}", path.display());
                return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
            }
            Ok(_) => fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Under another name until nobody else can open it: one as long as a name in ".sock" is, since the system takes
        // short paths only.
        let new = path.with_extension("new~");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&new)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
        fs::rename(&new, path)?;
        Ok(Self(listener))
    }

    /// Serves until the future is dropped, at most [`OPERATOR_CONNECTIONS_MAX`] connections at once.
    ///
    /// # Errors
    /// None that axum has today.
    pub async fn serve(self, router: Router) -> io::Result<()> {
        axum::serve(Bounded::new(self, OPERATOR_CONNECTIONS_MAX), router).await
    }
}

impl Listener for Socket {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.0).await;
            match stream.peer_cred() {
                Ok(credentials) if is_owner(credentials.uid()) => return (stream, address),
                Ok(credentials) => {
                    warn!(uid = credentials.uid(), "operator connection refused: not our user, not root")
                }
                Err(error) => {
                    warn!("operator connection refused: the kernel does not say whose it is: {error}")
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn is_owner(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_its_owner_can_open_it_and_no_second_program_takes_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        let _socket = Socket::bind(&path, "server").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let second = Socket::bind(&path, "server").unwrap_err();
        assert_eq!(second.to_string(), format!("another server listens on {}", path.display()));
    }

    #[tokio::test]
    async fn a_socket_that_an_ended_program_left_is_replaced_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        drop(Socket::bind(&path, "server").unwrap());
        assert!(path.exists());
        Socket::bind(&path, "server").unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "important").unwrap();
        assert!(Socket::bind(&file, "server").is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "important");
    }
}
