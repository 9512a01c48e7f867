//! The operator's API of a running node: HTTP with JSON over the Unix socket in its data directory.

mod model;
#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::path::{Path, PathBuf};

use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

pub(crate) use model::{
    Client, Cluster, CreatedKey, Invitation, Key, KeyPage, KeyQuery, Member, NewClient, NewCredential,
    NewInvitation, NewKey, NewTrust, Right, Status, Way, fingerprint,
};

#[cfg(test)]
pub(crate) use model::{MemberRole, Trust};

use crate::http;

/// Keys asked for at once; the server gives fewer when it likes.
const KEYS_PER_PAGE: usize = 1000;

/// Why a node did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody listens on the socket.
    #[error(
        "the node is not running: nobody listens on {}. hint: start it (systemctl start kms-server, or kms lab), or name another with --node DIR",
        socket.display()
    )]
    NotRunning {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket is not ours to use.
    #[error(
        "not allowed to use {}. hint: only root and the user that the server runs as may; try sudo",
        socket.display()
    )]
    NotAllowed {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket is there, and something else is wrong with it.
    #[error("connecting to {}: {source}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The node went away, or speaks something else.
    #[error("asking the node on {}: {source}. hint: look at the server's log", socket.display())]
    Exchange {
        /// The socket.
        socket: PathBuf,
        /// What happened.
        source: http::Error,
    },
    /// The node said no.
    #[error("{error}{}", hint.as_ref().map(|hint| format!(". hint: {hint}")).unwrap_or_default())]
    Refused {
        /// HTTP's status.
        status: u16,
        /// The node's reason.
        error: String,
        /// What it advises.
        hint: Option<String>,
    },
    /// The node's answer is not what this command understands.
    #[error(
        "the node's answer to {path} is not understood: {reason}. hint: kms and kms-server are of different versions"
    )]
    Answer {
        /// What was asked.
        path: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl Error {
    /// Whether there was nobody to ask.
    pub(crate) fn is_unreachable(&self) -> bool {
        match self {
            Error::NotRunning { .. }
            | Error::NotAllowed { .. }
            | Error::Connect { .. }
            | Error::Exchange { .. } => true,
            Error::Refused { .. } | Error::Answer { .. } => false,
        }
    }

    /// Whether the node said that what was named is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Error::Refused { status: 404, .. })
    }
}

/// A node's operator API. Each call is a connection of its own.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    socket: PathBuf,
}

impl Admin {
    /// The API behind this socket, which need not be there yet.
    pub(crate) fn at(socket: &Path) -> Self {
        Admin { socket: socket.to_owned() }
    }

    /// How the node is.
    pub(crate) async fn status(&self) -> Result<Status, Error> {
        self.call(Method::GET, "/v1/status", None::<&()>).await
    }

    /// All clients.
    pub(crate) async fn clients(&self) -> Result<Vec<Client>, Error> {
        self.call(Method::GET, "/v1/clients", None::<&()>).await
    }

    /// One client.
    pub(crate) async fn client(&self, name: &str) -> Result<Client, Error> {
        let found = self.clients().await?.into_iter().find(|client| client.name == name);
        found.ok_or_else(|| Error::Refused {
            status: 404,
            error: format!("no client \"{name}\""),
            hint: Some("kms client list".to_owned()),
        })
    }

    /// Makes a client known; it is live once this returns.
    pub(crate) async fn add_client(&self, new: &NewClient) -> Result<Client, Error> {
        self.call(Method::POST, "/v1/clients", Some(new)).await
    }

    /// Forgets a client; its tenant's keys stay.
    pub(crate) async fn remove_client(&self, name: &str) -> Result<(), Error> {
        let path = format!("/v1/clients/{}", http::escape(name));
        self.exchange(Method::DELETE, &path, None::<&()>).await.map(|_| ())
    }

    /// The keys that the query is for, page after page, at most `limit`.
    pub(crate) async fn keys(&self, query: &KeyQuery, limit: usize) -> Result<KeyPage, Error> {
        let mut all = KeyPage::default();
        let mut after: Option<String> = None;
        loop {
            let wanted = (limit - all.keys.len()).min(KEYS_PER_PAGE);
            let mut page: KeyPage =
                self.call(Method::GET, &query.path(wanted, after.as_deref()), None::<&()>).await?;
            let came = page.keys.len();
            page.keys.truncate(wanted);
            all.keys.append(&mut page.keys);
            let is_new = page.next.is_some() && page.next != after;
            if all.keys.len() >= limit || came == 0 || !is_new {
                all.next = page.next.filter(|_| is_new);
                return Ok(all);
            }
            after = page.next;
        }
    }

    /// One key, without its material.
    pub(crate) async fn key(&self, id: &str) -> Result<Key, Error> {
        self.call(Method::GET, &format!("/v1/keys/{}", http::escape(id)), None::<&()>).await
    }

    /// Makes an active AES-256 key.
    pub(crate) async fn create_key(&self, new: &NewKey) -> Result<CreatedKey, Error> {
        self.call(Method::POST, "/v1/keys", Some(new)).await
    }

    /// The cluster as this node sees it.
    pub(crate) async fn cluster(&self) -> Result<Cluster, Error> {
        self.call(Method::GET, "/v1/cluster", None::<&()>).await
    }

    /// A token with which one node can join.
    pub(crate) async fn invite(&self, new: NewInvitation) -> Result<Invitation, Error> {
        self.call(Method::POST, "/v1/cluster/invitations", Some(&new)).await
    }

    /// Takes a node out of the cluster, for good: its number is never given again.
    pub(crate) async fn remove_node(&self, number: u64) -> Result<(), Error> {
        self.exchange(Method::DELETE, &format!("/v1/cluster/nodes/{number}"), None::<&()>).await.map(|_| ())
    }

    /// Gives a learner a vote.
    pub(crate) async fn promote(&self, number: u64) -> Result<(), Error> {
        let path = format!("/v1/cluster/nodes/{number}/promote");
        self.exchange(Method::POST, &path, None::<&()>).await.map(|_| ())
    }

    /// Has the node make a backup, which comes piece by piece.
    pub(crate) async fn backup(&self) -> Result<http::Download, Error> {
        let broken = |source| Error::Exchange { socket: self.socket.clone(), source };
        let download = http::download(self.connect().await?, Method::POST, "/v1/backup").await;
        let download = download.map_err(broken)?;
        match download.status.is_success() {
            true => Ok(download),
            false => Err(refusal(&download.whole().await.map_err(broken)?)),
        }
    }

    async fn connect(&self) -> Result<UnixStream, Error> {
        UnixStream::connect(&self.socket).await.map_err(|source| self.connect_error(source))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Error> {
        let answer = self.exchange(method, path, body).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Answer { path: path.to_owned(), reason: error.to_string() })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<http::Answer, Error> {
        let failed = |error: serde_json::Error| Error::Answer {
            path: path.to_owned(),
            reason: format!("the request cannot be written: {error}"),
        };
        let body = body.map(serde_json::to_vec).transpose().map_err(failed)?;
        let answer = http::send(self.connect().await?, method, path, body)
            .await
            .map_err(|source| Error::Exchange { socket: self.socket.clone(), source })?;
        match answer.status.is_success() {
            true => Ok(answer),
            false => Err(refusal(&answer)),
        }
    }

    fn connect_error(&self, source: io::Error) -> Error {
        let socket = self.socket.clone();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NotRunning { socket },
            io::ErrorKind::PermissionDenied => Error::NotAllowed { socket },
            _ => Error::Connect { socket, source },
        }
    }
}

fn refusal(answer: &http::Answer) -> Error {
    let status = answer.status.as_u16();
    match serde_json::from_slice::<model::ErrorBody>(&answer.body) {
        Ok(body) => Error::Refused { status, error: body.error, hint: body.hint },
        Err(_) => {
            let text = String::from_utf8_lossy(&answer.body);
            let error = format!("the node answered {status}: {}", text.trim());
            Error::Refused { status, error, hint: None }
        }
    }
}
