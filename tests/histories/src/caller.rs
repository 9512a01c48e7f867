//! A client with an open connection to each node, that asks any of them.

use std::time::{Duration, Instant};

use kmip::client::{Client, ClientConfig, ClientError, Connection, Failure};
use kmip::enumeration::ResultReason;
use kmip::{ProtocolVersion, RequestMessage, RequestPayload, ResponsePayload};
use lab::Lab;

use crate::{Random, ask};

/// How long an answer is waited for; then the outcome is unknown. Longer than a change of leaders takes, as an operation
/// of unknown outcome tells the checker little.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);
/// How long a connection may take; a paused node accepts none, and then another is asked.
const CONNECT_TIME_MAX: Duration = Duration::from_millis(500);
/// After a node that could not be connected to.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);
/// Rounds over nodes that cannot be connected to, until the test gives up: half a minute.
const TRIES_MAX: usize = 6000;

/// A client.
pub struct Caller {
    configs: Vec<ClientConfig>,
    connections: Vec<Option<Connection>>,
    failed: u64,
}

/// What one question came to.
pub(crate) struct Told {
    pub(crate) node: usize,
    pub(crate) called: Instant,
    pub(crate) returned: Instant,
    pub(crate) result: Result<ResponsePayload, Untold>,
}

/// Why a question was not answered with what was asked for.
#[derive(Debug)]
pub(crate) enum Untold {
    /// The server's no, because of what was there.
    Refused(Failure),
    /// The server's no, because of itself: nothing was changed.
    Failed,
    /// No answer, or one that does not know either.
    Unknown,
}

impl Caller {
    /// A client of every node of the laboratory. Connects when it asks.
    pub fn new(lab: &Lab) -> Self {
        let config = |node: &lab::NodeHandle| {
            let builder = lab.client().builder(node.kmip_address.to_string());
            let builder = builder.request_timeout(ANSWER_TIME_MAX);
            builder.connect_timeout(CONNECT_TIME_MAX).handshake_timeout(CONNECT_TIME_MAX).build().unwrap()
        };
        let configs: Vec<_> = lab.nodes().iter().map(config).collect();
        let connections = configs.iter().map(|_| None).collect();
        Self { configs, connections, failed: 0 }
    }

    /// Answers so far that refused because of the server itself and said that nothing was changed.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Makes keys, all in one message, and gives their identifiers. Panics where that fails.
    pub(crate) async fn make_keys(&mut self, count: usize, random: &mut Random) -> Vec<String> {
        let payloads = (0..count).map(|_| ask::create(None));
        let request = RequestMessage::new(ProtocolVersion::V1_4, payloads);
        let node = self.connect(random).await;
        let connection = self.connections[node].as_mut().unwrap();
        let answer = connection.call(&request).await.unwrap_or_else(|error| panic!("making keys: {error}"));
        let id = |item: kmip::ResponseItem| match item.payload {
            Some(ResponsePayload::Create(created)) => created.unique_identifier,
            _ => panic!("no key was made: {:?} {:?}", item.result_reason, item.result_message),
        };
        answer.items.into_iter().map(id).collect()
    }

    /// Asks a node at random.
    pub(crate) async fn ask(&mut self, payload: RequestPayload, random: &mut Random) -> Told {
        let node = self.connect(random).await;
        let connection = self.connections[node].as_mut().unwrap();
        let called = Instant::now();
        let answer = connection.one(payload).await;
        let returned = Instant::now();
        let result = answer.map_err(|error| match error {
            ClientError::Failed(failure) => untold(failure),
            ClientError::Mismatch { .. } | ClientError::Malformed { .. } => panic!("{error}"),
            _ => {
                self.connections[node] = None;
                Untold::Unknown
            }
        });
        if matches!(result, Err(Untold::Failed)) {
            self.failed += 1;
        }
        Told { node, called, returned, result }
    }

    /// The node of an open connection. Nothing was sent while one is sought, so there is nothing to note.
    async fn connect(&mut self, random: &mut Random) -> usize {
        for _ in 0..TRIES_MAX {
            let node = random.below(self.configs.len());
            if self.connections[node].is_some() {
                return node;
            }
            if let Ok(connection) = Client::connect(&self.configs[node]).await {
                self.connections[node] = Some(connection);
                return node;
            }
            // Nothing reports that a node is back; it is tried again.
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
        panic!("no node can be connected to")
    }
}

fn untold(failure: Failure) -> Untold {
    if failure.reason != Some(ResultReason::GeneralFailure) {
        return Untold::Refused(failure);
    }
    let message = failure.message.unwrap_or_default();
    if ["nothing was changed", "changes nothing"].iter().any(|words| message.contains(words)) {
        return Untold::Failed;
    }
    Untold::Unknown
}
