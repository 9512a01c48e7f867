//! What the tests of the cluster ask, beside what the fault tests share. Knows the servers by their ports, their
//! operator's sockets and their logs alone.

// As in the laboratory: what cannot be set up ends the test.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use faults::{connect, create, get, get_attributes};
use kmip::ResponsePayload;
use kmip::client::{ClientConfig, Connection};
use lab::Lab;
use ttlv::Value;

/// The default client's configuration for every member, in order.
pub fn configs(lab: &Lab) -> Vec<ClientConfig> {
    lab.members().into_iter().map(|node| lab.config_at(node)).collect()
}

/// A connection to every member, in order.
pub async fn connections(lab: &Lab) -> Vec<Connection> {
    let mut all = Vec::new();
    for config in configs(lab) {
        all.push(connect(&config).await);
    }
    all
}

/// Makes a key, and gives its identifier. Panics where it is refused.
pub async fn made(connection: &mut Connection) -> String {
    match connection.one(create()).await {
        Ok(ResponsePayload::Create(created)) => created.unique_identifier,
        other => panic!("Create at {}: {other:?}", connection.address()),
    }
}

/// The bytes of a key. Panics where they are not given.
pub async fn bytes(connection: &mut Connection, id: &str) -> Vec<u8> {
    match connection.one(get(id)).await {
        Ok(ResponsePayload::Get(got)) => {
            let block = got.object.key_block().expect("a key");
            block.plain_bytes().expect("a plain key").danger_bytes().to_owned()
        }
        other => panic!("Get of {id} at {}: {other:?}", connection.address()),
    }
}

/// All attributes of a key by name. Panics where they are not given.
pub async fn attributes(connection: &mut Connection, id: &str) -> BTreeMap<String, Value> {
    match connection.one(get_attributes(id)).await {
        Ok(ResponsePayload::GetAttributes(got)) => {
            let pair = |attribute: kmip::Attribute| (attribute.name.as_str().to_owned(), attribute.value);
            got.attributes.into_iter().map(pair).collect()
        }
        other => panic!("Get Attributes of {id} at {}: {other:?}", connection.address()),
    }
}

/// A count that is `usual`, or what the environment says.
pub fn count(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |count| count.parse().expect("a number"))
}
