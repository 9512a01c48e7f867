//! The node: what stands between the ports and kms-core. Its place is kept: it holds no object, says so in readiness, and
//! closes on every request.

use std::net::SocketAddr;
use std::sync::Arc;

use ttlv::HEADER_BYTES;

use crate::admin::Health;
use crate::operator::{
    ClientView, CreatedKey, Denied, KeyPage, KeyQuery, KeyView, NewClient, NewKey, Operator, Status,
};
use crate::run::Shared;
use crate::session::{After, Peer, Service};

/// The node.
#[derive(Debug)]
pub struct Node {
    _shared: Shared,
}

const UNWIRED: &str = "this build has no store";

fn unwired<T>() -> Result<T, Denied> {
    Err(Denied::Unavailable(UNWIRED.to_owned()))
}

impl Node {
    /// Opens the node.
    pub fn open(shared: Shared) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self { _shared: shared }))
    }
}

impl Service for Node {
    async fn answer(&self, _: &Peer, _: &[u8], _: &mut Vec<u8>) -> After {
        After::Close
    }

    fn answer_stranger(&self, _: SocketAddr, _: &[u8], _: &mut Vec<u8>) -> After {
        After::Close
    }

    fn refuse_oversized(&self, _: SocketAddr, _: &[u8; HEADER_BYTES], _: &mut Vec<u8>) {}
}

impl Health for Node {
    fn ailing(&self) -> Option<String> {
        None
    }

    async fn not_ready(&self) -> Vec<String> {
        vec![UNWIRED.to_owned()]
    }
}

impl Operator for Node {
    async fn status(&self) -> Result<Status, Denied> {
        unwired()
    }

    async fn clients(&self) -> Result<Vec<ClientView>, Denied> {
        unwired()
    }

    async fn add_client(&self, _: NewClient) -> Result<ClientView, Denied> {
        unwired()
    }

    async fn remove_client(&self, _: &str) -> Result<(), Denied> {
        unwired()
    }

    async fn keys(&self, _: KeyQuery) -> Result<KeyPage, Denied> {
        unwired()
    }

    async fn key(&self, _: &str) -> Result<KeyView, Denied> {
        unwired()
    }

    async fn create_key(&self, _: NewKey) -> Result<CreatedKey, Denied> {
        unwired()
    }
}
