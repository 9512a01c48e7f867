//! The front's operator API: HTTP with JSON over its Unix socket. Fields of later fronts are passed over.

use std::io;
use std::path::PathBuf;

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::UnixStream;

use crate::http;

/// Why a front did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody listens on the socket.
    #[error(
        "the front is not running, or has no [admin] socket: nobody listens on {}. hint: start it (systemctl start health-proxy, or kms lab), or name its socket with --socket PATH",
        socket.display()
    )]
    NotRunning {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket is not ours to use.
    #[error(
        "not allowed to use {}. hint: only root and the user that the front runs as may; try sudo",
        socket.display()
    )]
    NotAllowed {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket is there, and something else is wrong with it.
    #[error("connecting to {}: {source}. hint: is it the front's [admin] socket?", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The front went away, or speaks something else.
    #[error("asking the front on {}: {source}. hint: look at its log (journalctl -u health-proxy)", socket.display())]
    Exchange {
        /// The socket.
        socket: PathBuf,
        /// What happened.
        source: http::Error,
    },
    /// The front said no.
    #[error("{error}{}", hint.as_ref().map(|hint| format!(". hint: {hint}")).unwrap_or_default())]
    Refused {
        /// The front's reason.
        error: String,
        /// What it advises.
        hint: Option<String>,
    },
    /// The front's answer is not what this command understands.
    #[error(
        "the front's answer to {path} is not understood: {reason}. hint: kms and health-proxy are of different versions, or --socket is a node's"
    )]
    Answer {
        /// What was asked.
        path: &'static str,
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
}

/// What can be asked for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// No new connections.
    Drain,
    /// As before.
    Ready,
}

impl Order {
    /// As the API and the command line name it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Order::Drain => "drain",
            Order::Ready => "ready",
        }
    }
}

/// GET /api/v1/status, as far as this command shows it. Times are ages.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Status {
    pub(crate) uptime_ms: u64,
    /// Where clients connect.
    pub(crate) listen: String,
    pub(crate) mode: String,
    pub(crate) service: Service,
    /// The node that leads; none with third-party servers.
    pub(crate) leader: Option<String>,
    /// What probes do not see.
    pub(crate) blind_to: Option<String>,
    /// What clients cannot count on; none from a front of an earlier version.
    pub(crate) caveat: Option<String>,
    pub(crate) last_failover: Option<Failover>,
    pub(crate) nodes: Vec<NodeStatus>,
}

/// What clients can count on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Service {
    Serving,
    Degraded,
    Down,
}

impl Service {
    /// Whether reads and changes are both served.
    pub(crate) fn is_whole(self) -> bool {
        self == Service::Serving
    }

    /// For people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Service::Serving => "Serving",
            Service::Degraded => "Degraded (reads only)",
            Service::Down => "Down",
        }
    }
}

/// A failover.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Failover {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) began_ago_ms: u64,
    pub(crate) length_ms: u64,
    pub(crate) over: bool,
}

/// A node.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NodeStatus {
    pub(crate) name: String,
    pub(crate) address: String,
    /// Up, Down or Draining.
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) drain_asked: bool,
    pub(crate) sessions: u64,
    /// Its last probes, oldest first.
    pub(crate) outcomes: Vec<Check>,
    /// Its last changes of state, oldest first.
    pub(crate) transitions: Vec<Change>,
}

/// A probe.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Check {
    pub(crate) took_us: u64,
    /// Why it failed; none if it did not.
    pub(crate) failure: Option<String>,
}

/// A change of state.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Change {
    pub(crate) ago_ms: u64,
}

/// The body of an error.
#[derive(Deserialize)]
struct Refused {
    error: String,
    hint: Option<String>,
}

/// A front's operator API. Each call is a connection of its own.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    socket: PathBuf,
}

impl Front {
    /// The API behind this socket, which need not be there.
    pub(crate) fn at(socket: PathBuf) -> Self {
        Front { socket }
    }

    /// How the front is: what this command understands of it, and all of it.
    pub(crate) async fn status(&self) -> Result<(Status, Value), Error> {
        const PATH: &str = "/api/v1/status";
        let answer = self.exchange(Method::GET, PATH).await?;
        let wrong = |error: serde_json::Error| Error::Answer { path: PATH, reason: error.to_string() };
        let whole: Value = serde_json::from_slice(&answer.body).map_err(wrong)?;
        Ok((Status::deserialize(&whole).map_err(wrong)?, whole))
    }

    /// Has the front drain a node or take it back; done once this returns.
    pub(crate) async fn order(&self, node: &str, order: Order) -> Result<(), Error> {
        let path = format!("/api/v1/nodes/{}/{}", http::escape(node), order.word());
        self.exchange(Method::POST, &path).await.map(drop)
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<http::Answer, Error> {
        let socket = || self.socket.clone();
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::NotRunning { socket: socket() }
            }
            io::ErrorKind::PermissionDenied => Error::NotAllowed { socket: socket() },
            _ => Error::Connect { socket: socket(), source },
        })?;
        let answer = http::send(stream, method, path, None).await;
        let answer = answer.map_err(|source| Error::Exchange { socket: socket(), source })?;
        match answer.status.is_success() {
            true => Ok(answer),
            false => Err(refusal(&answer)),
        }
    }
}

fn refusal(answer: &http::Answer) -> Error {
    match serde_json::from_slice::<Refused>(&answer.body) {
        Ok(Refused { error, hint }) => Error::Refused { error, hint },
        Err(_) => {
            let text = String::from_utf8_lossy(&answer.body);
            let error = format!("the front answered {}: {}", answer.status.as_u16(), text.trim());
            Error::Refused { error, hint: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::tests::listen;
    use crate::front::words::tests::STATUS;

    #[tokio::test]
    async fn an_order_names_the_node_and_what_is_asked() {
        let (dir, task) = listen(vec![(204, ""), (204, "")]);
        let front = Front::at(dir.path().join("admin.sock"));
        front.order("kms1", Order::Drain).await.unwrap();
        front.order("../x", Order::Ready).await.unwrap();
        assert_eq!(
            task.await.unwrap(),
            ["POST /api/v1/nodes/kms1/drain HTTP/1.1", "POST /api/v1/nodes/..%2Fx/ready HTTP/1.1"]
        );
    }

    #[tokio::test]
    async fn programs_are_shown_all_that_the_front_says() {
        let (dir, _task) = listen(vec![(200, STATUS)]);
        let (status, whole) = Front::at(dir.path().join("admin.sock")).status().await.unwrap();
        assert_eq!(status.nodes.len(), 3);
        assert_eq!(whole["of_a_later_version"], true);
    }

    #[tokio::test]
    async fn what_the_front_refuses_is_said_with_its_hint() {
        let body = r#"{"error":"there is no node \"z\"; the nodes are a","hint":"look at [nodes]"}"#;
        let (dir, _task) = listen(vec![(404, body), (503, "nothing was heard; hint: restart the front\n")]);
        let front = Front::at(dir.path().join("admin.sock"));
        let error = front.order("z", Order::Drain).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no node \"z\"; the nodes are a. hint: look at [nodes]");
        assert!(!error.is_unreachable());
        let error = front.order("z", Order::Drain).await.unwrap_err();
        assert!(error.to_string().contains("hint: restart the front"), "{error}");
    }

    #[tokio::test]
    async fn a_front_that_is_not_there_is_unreachable_with_a_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let error = Front::at(dir.path().join("admin.sock")).status().await.unwrap_err();
        assert!(error.is_unreachable() && error.to_string().contains("--socket"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_of_something_else_is_not_taken_for_a_front() {
        let (dir, _task) = listen(vec![(200, "{\"node\": \"node1\"}")]);
        let error = Front::at(dir.path().join("admin.sock")).status().await.unwrap_err();
        assert!(error.to_string().contains("--socket is a node's"), "{error}");
    }
}
