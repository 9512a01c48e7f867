//! What is there before the load begins: keys to read, and the questions about them.

use anyhow::{Context, bail};
use kmip::ResponsePayload;
use kmip::client::vcenter::{VCenter, VCenterConfig};
use kmip::client::{Client, ClientConfig};
use tokio::task::JoinSet;

use super::question::{KEY_BYTES, Question, VERSION, create_request};
use super::{Arguments, Operation};

/// Connections on which keys are made, at most.
const MAKERS_MAX: usize = 64;

/// What a load consists of.
pub(super) enum Work {
    /// These, in turn; every connection begins at another.
    Questions(Vec<Question>),
    /// Machines to be encrypted.
    Machines(VCenter),
}

/// Makes the keys that the operation needs, and all that can be made before the clock runs.
pub(super) async fn work(arguments: &Arguments, config: &ClientConfig) -> anyhow::Result<Work> {
    Ok(match arguments.operation {
        Operation::Vcenter => {
            Work::Machines(VCenter::new(VCenterConfig::new(config.clone())).context("preparing vCenter")?)
        }
        Operation::Create => Work::Questions(vec![Question::create()]),
        Operation::Locate => Work::Questions(vec![Question::locate()]),
        Operation::Query => Work::Questions(vec![Question::query()]),
        Operation::Get => {
            let (ids, bytes) = keys(arguments, config).await?;
            Work::Questions(ids.iter().map(|id| Question::get(id, bytes)).collect())
        }
        Operation::GetAttributes => {
            let (ids, _) = keys(arguments, config).await?;
            Work::Questions(ids.iter().map(|id| Question::state(id)).collect())
        }
        Operation::Mix => {
            let (ids, bytes) = keys(arguments, config).await?;
            Work::Questions(mix(&ids, bytes))
        }
    })
}

/// Twenty questions for each key, so that every key has its share of each.
pub(super) fn mix(ids: &[String], bytes: Option<usize>) -> Vec<Question> {
    let mut questions = Vec::with_capacity(20 * ids.len());
    for (id, number) in ids.iter().flat_map(|id| (0..20).map(move |number| (id, number))) {
        questions.push(match number {
            4 => Question::create(),
            9 => Question::locate(),
            14 => Question::query(),
            6 | 12 | 18 => Question::state(id),
            _ => Question::get(id, bytes),
        });
    }
    questions
}

/// Identifiers of keys to read, and how many bytes each has where we made them.
async fn keys(arguments: &Arguments, config: &ClientConfig) -> anyhow::Result<(Vec<String>, Option<usize>)> {
    if !arguments.id.is_empty() {
        return Ok((arguments.id.clone(), None));
    }
    let makers = arguments.keys.min(MAKERS_MAX);
    let mut tasks = JoinSet::new();
    for maker in 0..makers {
        let share = arguments.keys / makers + usize::from(maker < arguments.keys % makers);
        tasks.spawn(make(config.with_protocol_version(VERSION), share));
    }
    let mut ids = Vec::with_capacity(arguments.keys);
    while let Some(made) = tasks.join_next().await {
        ids.extend(made.context("making keys")??);
    }
    Ok((ids, Some(KEY_BYTES)))
}

async fn make(config: ClientConfig, count: usize) -> anyhow::Result<Vec<String>> {
    let what =
        "making keys for the load. hint: without the right to make keys, name one that is there with --id";
    let mut connection = Client::connect(&config).await.context(what)?;
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        match connection.one(create_request()).await.context(what)? {
            ResponsePayload::Create(created) => ids.push(created.unique_identifier),
            other => bail!("Create was answered with {:?}", other.operation()),
        }
    }
    drop(connection.close().await);
    Ok(ids)
}
