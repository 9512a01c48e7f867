//! The other nodes: how they are reached, and what they are answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kmip::RequestMessage;
use tracing::warn;
use zeroize::Zeroizing;

use super::ask::{self, Question, Reply, Ticket};
use super::decider::{Decision, Matter};
use super::desk::operation_name;
use super::taker::Taker;
use crate::engine::{
    Answering, CallError, Calls, NodeId, Peer, RAFT_APPEND, RAFT_PRE_VOTE, RAFT_SNAPSHOT, RAFT_VOTE, Witness,
};
use crate::links::Links;

/// How long a question may take that is passed on for another node.
const HOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Kinds of raft's own messages; all below the nodes' other questions.
const RAFT_KINDS: std::ops::Range<u8> = 0x01..0x10;

/// The neighbours, over whatever reaches them.
pub trait Peers: Calls + std::fmt::Debug {
    /// Keeps up connections to exactly these members.
    fn keep(&self, members: &BTreeMap<NodeId, Peer>);

    /// Whether a connection to this node is up.
    fn reaches(&self, id: NodeId) -> bool;

    /// Whether this node last said that we are no member: the only way to learn it for one that was removed, as it is not
    /// sent what removed it.
    fn disowned_by(&self, _: NodeId) -> bool {
        false
    }
}

/// What a node says to one that is no member, or no longer.
pub(super) const NO_MEMBER: &str = "is no member of this cluster, or no longer";

/// No neighbours: a lone node without a `[cluster]` section.
#[derive(Debug)]
pub(super) struct Alone;

impl Calls for Alone {
    fn call(&self, _: NodeId, _: u8, _: Vec<u8>, _: Duration) -> Answering<'_> {
        Box::pin(async { Err(CallError::Unreachable("this node has no links".to_owned())) })
    }
}

impl Peers for Alone {
    fn keep(&self, _: &BTreeMap<NodeId, Peer>) {}

    fn reaches(&self, _: NodeId) -> bool {
        false
    }
}

/// The neighbours over TLS links.
#[derive(Debug)]
pub(super) struct Linked {
    me: NodeId,
    links: Arc<Links>,
    kept: Mutex<BTreeMap<NodeId, String>>,
    disowned: Disowned,
}

/// Who last said that we are no member.
#[derive(Debug, Default)]
pub(super) struct Disowned(Mutex<BTreeSet<NodeId>>);

impl Disowned {
    /// Takes note of what a node answered.
    pub(super) fn note(&self, from: NodeId, answer: &Result<Vec<u8>, CallError>) {
        let mut by = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Err(CallError::Refused(why)) if why.contains(NO_MEMBER) => drop(by.insert(from)),
            Ok(_) | Err(CallError::Refused(_)) => drop(by.remove(&from)),
            // It said nothing.
            Err(CallError::Unreachable(_) | CallError::TimedOut) => {}
        }
    }

    pub(super) fn by(&self, id: NodeId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    fn forget(&self, id: NodeId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

impl Linked {
    /// The neighbours of `me`, none of them kept yet.
    pub(super) fn new(me: NodeId, links: Arc<Links>) -> Self {
        Self { me, links, kept: Mutex::default(), disowned: Disowned::default() }
    }
}

impl Calls for Linked {
    fn call(&self, to: NodeId, kind: u8, request: Vec<u8>, within: Duration) -> Answering<'_> {
        Box::pin(async move {
            let answer = self.links.call(to, kind, request, within).await;
            self.disowned.note(to, &answer);
            answer
        })
    }
}

impl Peers for Linked {
    fn keep(&self, members: &BTreeMap<NodeId, Peer>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, peer) in members.iter().filter(|(id, _)| **id != self.me) {
            if kept.get(id) != Some(&peer.member.link) {
                self.links.keep(*id, &peer.member.link);
                kept.insert(*id, peer.member.link.clone());
            }
        }
        kept.retain(|id, _| {
            let stays = members.contains_key(id);
            if !stays {
                self.links.forget(*id);
                self.disowned.forget(*id);
            }
            stays
        });
    }

    fn reaches(&self, id: NodeId) -> bool {
        self.links.reachable(id) == Some(true)
    }

    fn disowned_by(&self, id: NodeId) -> bool {
        self.disowned.by(id)
    }
}

impl Taker {
    /// Answers a question of another node of the cluster.
    ///
    /// Fails where the asking node is no member: its certificate is as good as ever after it was removed.
    pub async fn answer_node(&self, from: NodeId, kind: u8, question: &[u8]) -> Result<Vec<u8>, String> {
        if !self.admits(from, kind) {
            return Err(format!("node {from} {NO_MEMBER}"));
        }
        if RAFT_KINDS.contains(&kind) {
            return self.engine.answer(kind, question).await;
        }
        match kind {
            ask::READ_INDEX => {
                let witness = Witness::from_bytes(question).ok_or("the vote cannot be read")?;
                let index = self.engine.read_index_for(from, witness).await;
                let index = index.map_err(|_| "this node does not lead".to_owned())?;
                Ok(index.to_be_bytes().to_vec())
            }
            ask::REQUEST | ask::CHANGE => {
                let (ticket, asked) = ask::read(kind, question)?;
                Ok(self.decide_for(from, kind, ticket, asked, question).await)
            }
            ask::MEMBERS => self.change_members_for(question).await,
            ask::STATUS => self.status_for_others(),
            other => Err(format!("a question of kind {other:#04x} is not known here")),
        }
    }

    /// Whether a node may ask this. Only members may, but for what this node needs to hear who they are by now: it may have
    /// been away while others were taken in, and one of those may lead.
    fn admits(&self, from: NodeId, kind: u8) -> bool {
        let role = self.roles.borrow();
        let known = role.members.keys().next_back().copied().unwrap_or(0);
        let highest = known.max(self.highest_member.fetch_max(known, Ordering::Relaxed));
        if role.members.is_empty() || role.members.contains_key(&from) {
            return true;
        }
        match kind {
            // Who sends entries was elected; if that was long ago, its term says so.
            RAFT_APPEND | RAFT_SNAPSHOT => true,
            // Numbers grow: a lower one was a member once.
            RAFT_VOTE | RAFT_PRE_VOTE => !role.leads && from > highest,
            _ => false,
        }
    }

    async fn decide_for(
        &self,
        from: NodeId,
        kind: u8,
        ticket: Ticket,
        asked: Question<'_>,
        question: &[u8],
    ) -> Vec<u8> {
        let (leads, leader) = {
            let role = self.roles.borrow();
            (role.leads, role.leader)
        };
        if !leads {
            return match leader.filter(|leader| ticket.hops > 0 && ![from, self.me].contains(leader)) {
                Some(leader) => {
                    let passed_on = ask::with_hops(question, ticket.hops - 1);
                    let answer = self.peers.call(leader, kind, passed_on, HOP_TIMEOUT).await;
                    answer.unwrap_or_else(|_| Reply::Lost.write())
                }
                None => Reply::NotLeading.write(),
            };
        }
        let matter = match asked {
            Question::Change(event) => Matter::Change(Box::new(event)),
            Question::Request { asker, message } => {
                let limits = self.limits;
                match RequestMessage::decode(message, limits) {
                    Ok(request) => {
                        Matter::Request { request: Arc::new(request), asker, bytes: message.len() }
                    }
                    // The node that took it could read it: other limits there than here.
                    Err(error) => {
                        warn!(node = from, "a request that another node took cannot be read here: {error}");
                        return Reply::NotLeading.write();
                    }
                }
            }
        };
        let reply = match self.decider.decide(matter, ticket.token, ticket.again, ticket.seen).await {
            Decision::Outcome(outcome) => {
                for item in outcome.audit.iter().filter(|item| item.log.is_some()) {
                    let log = item.log.as_deref().unwrap_or_default();
                    warn!(node = from, operation = operation_name(item), "{log}");
                }
                Reply::Done(outcome.encoded)
            }
            Decision::Changed(Ok(event)) => {
                let mut bytes = Zeroizing::new(Vec::new());
                kms_core::Event::encode_all(std::slice::from_ref(&*event), &mut bytes);
                Reply::Done(bytes)
            }
            Decision::Changed(Err(refusal)) => Reply::Refused(refusal),
            Decision::NotLeading => Reply::NotLeading,
            // The decider makes what a request needs before it answers.
            Decision::Lost | Decision::Needs(_) => Reply::Lost,
            Decision::Outrun(seen) => Reply::Outrun(seen),
        };
        reply.write()
    }
}
