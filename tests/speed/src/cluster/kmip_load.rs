//! Our clients: TLS connections spread over all nodes, with questions that are encoded once.

use std::sync::Arc;

use anyhow::{Context, ensure};
use kmip::client::{Client as Connecting, ClientConfig, Connection};
use kmip::enumeration::ResultStatus;
use kmip::operations::get;
use kmip::{ProtocolVersion, RequestMessage, RequestPayload, ResponseMessage};
use lab::Lab;
use ttlv::Limits;

use super::load::Client;
use crate::stand::{create_request, make_keys};

/// What vCenter speaks.
const VERSION: ProtocolVersion = ProtocolVersion::V1_1;

/// One connection, and what is asked on it in turn.
pub(super) struct Asker {
    connection: Connection,
    questions: Arc<Vec<Vec<u8>>>,
    next: usize,
}

impl Asker {
    /// Create, on so many connections.
    pub(super) async fn creates(lab: &Lab, connections: usize) -> anyhow::Result<Vec<Self>> {
        Self::all(lab, connections, vec![create_request().into()]).await
    }

    /// Get of so many keys, which are made first, on so many connections.
    pub(super) async fn gets(lab: &Lab, connections: usize, keys: usize) -> anyhow::Result<Vec<Self>> {
        let config = config(lab, 0).with_protocol_version(VERSION);
        let get = |id| get::Request { unique_identifier: Some(id), ..get::Request::default() }.into();
        let questions = make_keys(&config, keys).await?.into_iter().map(get).collect();
        Self::all(lab, connections, questions).await
    }

    async fn all(lab: &Lab, connections: usize, questions: Vec<RequestPayload>) -> anyhow::Result<Vec<Self>> {
        let encode = |payload| {
            let mut bytes = Vec::new();
            RequestMessage::new(VERSION, [payload]).encode(&mut bytes);
            bytes
        };
        let questions: Arc<Vec<_>> = Arc::new(questions.into_iter().map(encode).collect());
        let mut all = Vec::with_capacity(connections);
        for number in 0..connections {
            let connection = Connecting::connect(&config(lab, number)).await?;
            all.push(Self { connection, questions: Arc::clone(&questions), next: number });
        }
        Ok(all)
    }
}

/// A client of one node, by turns another.
pub(super) fn config(lab: &Lab, number: usize) -> ClientConfig {
    let node = lab.node(number % lab.nodes().len());
    lab.client().config(node.kmip_address.to_string())
}

impl Client for Asker {
    async fn ask(&mut self) -> anyhow::Result<()> {
        let question = &self.questions[self.next % self.questions.len()];
        self.next += 1;
        let answer = self.connection.call_raw(question).await?;
        let answer = ResponseMessage::decode(&answer, Limits::default())?;
        let item = answer.items.first().context("an answer without an item")?;
        let (reason, message) = (&item.result_reason, &item.result_message);
        ensure!(item.result_status == ResultStatus::Success, "refused: {reason:?} {message:?}");
        Ok(())
    }
}
