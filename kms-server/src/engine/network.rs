//! openraft's messages to the other nodes, over [`Calls`].

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{
    Fatal, NetworkError, RPCError, RaftError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RPCTypes};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetwork, RaftNetworkFactory, Snapshot};

use super::calls::{CallError, Calls, RAFT_APPEND, RAFT_VOTE};
use super::log::LogStore;
use super::messages;
use super::runtime::{Types, Vote};
use super::snapshots::SnapshotStore;
use super::transfer::Sending;
use super::types::{Member, NodeId};

type CallFailed = RPCError<NodeId, Member, RaftError<NodeId>>;

/// Makes a way to each node.
#[derive(Clone)]
pub(super) struct Network {
    pub(super) me: NodeId,
    pub(super) links: Arc<dyn Calls>,
    pub(super) log: LogStore,
    pub(super) store: Arc<dyn SnapshotStore>,
    /// How long a node that cannot be reached is left alone.
    pub(super) pause: Duration,
}

/// The way to one node.
pub(super) struct Way {
    to: NodeId,
    network: Network,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Way;

    /// The links know the addresses.
    async fn new_client(&mut self, to: NodeId, _: &Member) -> Way {
        Way { to, network: self.clone() }
    }
}

impl Way {
    async fn call(
        &self,
        kind: u8,
        action: RPCTypes,
        request: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, CallFailed> {
        match self.network.links.call(self.to, kind, request, within).await {
            Ok(answer) => Ok(answer),
            Err(CallError::TimedOut) => {
                let (id, target) = (self.network.me, self.to);
                Err(RPCError::Timeout(Timeout { action, id, target, timeout: within }))
            }
            Err(error) => Err(RPCError::Unreachable(Unreachable::new(&error))),
        }
    }
}

fn misread(error: &ttlv::Error) -> CallFailed {
    RPCError::Network(NetworkError::new(error))
}

impl RaftNetwork<Types> for Way {
    async fn append_entries(
        &mut self,
        mut request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, CallFailed> {
        // Others must not carry out what this node could still lose: see `log`.
        request.leader_commit = request.leader_commit.and_then(|id| self.network.log.durable_part(id));
        let request = messages::encode_append(&request);
        let answer = self.call(RAFT_APPEND, RPCTypes::AppendEntries, request, option.hard_ttl()).await?;
        messages::decode_appended(&answer).map_err(|error| misread(&error))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<NodeId>,
        option: RPCOption,
    ) -> Result<VoteResponse<NodeId>, CallFailed> {
        let request = messages::encode_ask(&request);
        let answer = self.call(RAFT_VOTE, RPCTypes::Vote, request, option.hard_ttl()).await?;
        messages::decode_asked(&answer).map_err(|error| misread(&error))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<Types>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<NodeId>, StreamingError<Types, Fatal<NodeId>>> {
        let Network { me, links, store, .. } = self.network.clone();
        let sending = Sending { me, to: self.to, links, store, vote, snapshot };
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = sending.send() => sent,
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(self.network.pause))
    }
}
