//! Nodes in one process over links in memory that can be cut and frozen, on a paused clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemon::throttle::Throttle;
use kmip::attribute::RevocationReason;
use kmip::enumeration::{ObjectType, ResultReason, RevocationReasonCode};
use kmip::operations::{activate, create, destroy, get, revoke};
use kmip::{
    Attribute, ProtocolVersion, RequestMessage, ResponseMessage, ResponsePayload, StandardAttribute,
    TemplateAttribute,
};
use kms_core::{Client, Event, Outcome, RegisteredClient, Rights, Tenant, Trust, TrustKind};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use ttlv::Value;

use super::ask;
use super::desk::Desk;
use super::health::KeyLook;
use super::members::{MemberChange, promote_learners};
use super::peers::{Disowned, Peers};
use super::state::{Asker, Stamp, command};
use super::taker::{Cargo, Carried, Parts, Patience, Taker};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Limits;
use crate::credentials::Credentials;
use crate::disk::MemoryDisk;
use crate::engine::{
    Answering, CallError, Calls, Member, MemorySnapshots, NodeId, Peer, Proposed, Timing, Writing,
};
use crate::metrics::Metrics;
use crate::root_key::RootKey;
use crate::seal::Keyring;

/// The longest that a test waits for anything, on its own clock.
const PATIENCE: Duration = Duration::from_secs(60);

/// The links between all nodes.
pub(super) struct Net {
    nodes: Mutex<BTreeMap<NodeId, Taker>>,
    cut: Mutex<BTreeSet<NodeId>>,
    frozen: watch::Sender<BTreeSet<NodeId>>,
    lost: AtomicU32,
}

impl Net {
    /// Nothing reaches this node or comes from it, and all know.
    pub(super) fn cut(&self, id: NodeId) {
        self.cut.lock().unwrap().insert(id);
    }

    pub(super) fn heal(&self) {
        self.cut.lock().unwrap().clear();
    }

    /// What is sent to this node, and what it sends, waits until it thaws and is carried out then.
    pub(super) fn freeze(&self, id: NodeId) {
        self.frozen.send_modify(|frozen| {
            frozen.insert(id);
        });
    }

    pub(super) fn thaw(&self) {
        self.frozen.send_modify(BTreeSet::clear);
    }

    /// So many requests that are passed on from now on are carried out, and their answers lost.
    pub(super) fn lose_answers(&self, count: u32) {
        self.lost.store(count, Ordering::Relaxed);
    }

    fn loses(&self, kind: u8) -> bool {
        let one_less = |count: u32| count.checked_sub(1);
        kind == ask::REQUEST && self.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    fn reaches(&self, from: NodeId, to: NodeId) -> bool {
        let cut = self.cut.lock().unwrap();
        self.nodes.lock().unwrap().contains_key(&to) && !cut.contains(&from) && !cut.contains(&to)
    }
}

struct Link {
    from: NodeId,
    net: Arc<Net>,
    disowned: Disowned,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Calls for Link {
    fn call(&self, to: NodeId, kind: u8, request: Vec<u8>, within: Duration) -> Answering<'_> {
        Box::pin(async move {
            let node = self.net.nodes.lock().unwrap().get(&to).cloned();
            let Some(node) = node.filter(|_| self.net.reaches(self.from, to)) else {
                return Err(CallError::Unreachable("it is cut off or down".to_owned()));
            };
            let (from, mut frozen) = (self.from, self.net.frozen.subscribe());
            // What has arrived is carried out, whether or not the caller still waits.
            let answering = tokio::spawn(async move {
                let awake = frozen.wait_for(|frozen| !frozen.contains(&from) && !frozen.contains(&to)).await;
                drop(awake);
                node.answer_node(from, kind, &request).await
            });
            let answer = timeout(within, answering).await.map_err(|_| CallError::TimedOut)?;
            let answer = answer.unwrap().map_err(CallError::Refused);
            if self.net.loses(kind) {
                return Err(CallError::Unreachable("the link broke".to_owned()));
            }
            self.disowned.note(to, &answer);
            answer
        })
    }
}

impl Peers for Link {
    fn keep(&self, _: &BTreeMap<NodeId, Peer>) {}

    fn reaches(&self, id: NodeId) -> bool {
        self.net.reaches(self.from, id)
    }

    fn disowned_by(&self, id: NodeId) -> bool {
        self.disowned.by(id)
    }
}

/// Nodes 1 to so many, of which 1 founded the cluster; all vote.
pub(super) struct Bed {
    pub(super) net: Arc<Net>,
    pub(super) takers: BTreeMap<NodeId, Taker>,
    /// Told to each desk.
    pub(super) drain: watch::Sender<bool>,
    keyrings: tempfile::TempDir,
    data_keys: Vec<(u32, Vec<u8>)>,
}

impl Bed {
    pub(super) async fn of(count: NodeId) -> Self {
        let keyrings = tempfile::tempdir().unwrap();
        let founder = Keyring::create(root(), &keyrings.path().join("of all")).unwrap();
        let data_keys = founder.export().unwrap();
        let net = Net {
            nodes: Mutex::default(),
            cut: Mutex::default(),
            frozen: watch::Sender::default(),
            lost: AtomicU32::default(),
        };
        let mut bed = Self {
            net: Arc::new(net),
            takers: BTreeMap::new(),
            drain: watch::Sender::new(false),
            keyrings,
            data_keys,
        };
        let first = bed.start(1).await;
        first.engine.found(member(1)).await.unwrap();
        tokio::spawn(promote_learners(first.clone()));
        for id in 2..=count {
            bed.join(id).await;
            bed.until("a newcomer votes", || {
                first.roles.borrow().members.get(&id).is_some_and(|peer| peer.voter)
            })
            .await;
        }
        bed
    }

    /// A node that was not taken in yet.
    pub(super) async fn start(&mut self, me: NodeId) -> Taker {
        let taker = Taker::start(Parts {
            me,
            keyring: keyring(self.keyrings.path(), me, &self.data_keys),
            clock: Arc::new(Clock::new()),
            trust: Arc::default(),
            notices: Arc::default(),
            metrics: Arc::new(Metrics::new("test", "test")),
            core_limits: kms_core::Limits::default(),
            message_limits: ttlv::Limits::default(),
            peers: Arc::new(Link { from: me, net: Arc::clone(&self.net), disowned: Disowned::default() }),
            patience: Patience { leader_wait: Duration::from_secs(10), reads_without_quorum: true },
            timing: Timing::default(),
            log: Box::new(MemoryDisk::new().open()),
            writing: Writing::Inline,
            snapshots: Arc::new(MemorySnapshots::new()),
            snapshot_every: 1_000_000,
            election_seed: me,
        });
        let taker = taker.await.unwrap();
        self.net.nodes.lock().unwrap().insert(me, taker.clone());
        self.takers.insert(me, taker.clone());
        taker
    }

    /// A new node is sent the log; whether it is given a vote is the leader's affair.
    pub(super) async fn join(&mut self, id: NodeId) {
        self.start(id).await;
        let Member { name, link, kmip } = member(id);
        let leader = self.leader().await;
        self.taker(leader).change_members(&MemberChange::Add { node: id, name, link, kmip }).await.unwrap();
    }

    pub(super) fn taker(&self, id: NodeId) -> &Taker {
        &self.takers[&id]
    }

    /// Where a node answers messages; its audit is a file.
    pub(super) fn desk(&self, id: NodeId) -> Desk {
        Desk {
            taker: self.taker(id).clone(),
            audit: Arc::new(Audit::to_file(&self.audit_file(id)).unwrap()),
            metrics: Arc::new(Metrics::new("test", "test")),
            limits: Limits::default(),
            name: member(id).name,
            draining: self.drain.subscribe(),
            throttle: Throttle::default(),
            key_look: KeyLook::default(),
            credentials: Credentials::default(),
        }
    }

    /// What a node's desk wrote into its audit.
    pub(super) fn audit(&self, id: NodeId) -> String {
        std::fs::read_to_string(self.audit_file(id)).unwrap()
    }

    fn audit_file(&self, id: NodeId) -> PathBuf {
        self.keyrings.path().join(format!("audit {id}"))
    }

    /// The process is gone.
    pub(super) async fn kill(&mut self, id: NodeId) {
        self.net.nodes.lock().unwrap().remove(&id);
        self.takers.remove(&id).unwrap().engine.end().await;
    }

    /// The leader that can commit; waits for it.
    pub(super) async fn leader(&self) -> NodeId {
        let found = async {
            loop {
                for (id, taker) in &self.takers {
                    let leads = taker.roles.borrow().leads;
                    let cut =
                        self.net.cut.lock().unwrap().contains(id) || self.net.frozen.borrow().contains(id);
                    if leads && !cut && taker.engine.read_index().await.is_ok() {
                        return *id;
                    }
                }
                // Any of the nodes may become leader: there is no single condition to wait for.
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, found).await.expect("no leader was elected")
    }

    pub(super) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let waited = timeout(PATIENCE, async {
            while !holds() {
                // What is waited for is no event of one node.
                sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "it never came to: {what}");
    }

    /// Creates a key through a node.
    pub(super) async fn create(&self, through: NodeId, name: &str) -> String {
        let outcome = self.ask(through, creation(name)).await;
        created(&outcome).unwrap_or_else(|| panic!("not created: {:?}", outcome.audit))
    }

    pub(super) async fn get(&self, through: NodeId, id: &str) -> Outcome {
        self.ask(through, getting(id)).await
    }

    pub(super) async fn ask(&self, through: NodeId, request: RequestMessage) -> Outcome {
        self.ask_as(&Asker::trusted(&client()), through, request).await
    }

    pub(super) async fn ask_as(&self, asker: &Asker, through: NodeId, request: RequestMessage) -> Outcome {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.taker(through).outcome_for(asker, &Arc::new(request), &bytes).await.0
    }

    /// Commits what no check of a change would let through.
    pub(super) async fn commit(&self, event: Event) {
        let taker = self.taker(self.leader().await);
        let term = taker.roles.borrow().term;
        let stamp = Stamp { decider: 1, number: 1 };
        let proposed = taker.engine.propose(term, command(stamp, &[event])).await;
        assert!(matches!(proposed, Proposed::Applied { .. }), "{proposed:?}");
    }

    /// An operator's change through a node.
    pub(super) async fn change(&self, through: NodeId, event: &Event) -> Result<Event, String> {
        match self.taker(through).carry(&Cargo::Change(event), None).await {
            Ok(Carried::Changed(Ok(event))) => Ok(*event),
            Ok(Carried::Changed(Err(refusal))) => Err(refusal.message),
            Ok(Carried::Outcome(outcome)) => Err(format!("{outcome:?}")),
            Err(stuck) => Err(stuck.refusal(false).message),
        }
    }
}

fn root() -> RootKey {
    RootKey::new(&[7; 32])
}

fn keyring(directory: &Path, me: NodeId, data_keys: &[(u32, Vec<u8>)]) -> Keyring {
    Keyring::import(root(), &directory.join(me.to_string()), data_keys).unwrap()
}

pub(super) fn member(id: NodeId) -> Member {
    Member { name: format!("node{id}"), link: format!("10.0.0.{id}:5697"), kmip: format!("10.0.0.{id}:5696") }
}

pub(super) fn client() -> Arc<Client> {
    Arc::new(Client { name: "vcenter01".into(), tenant: Tenant::new("prod"), rights: Rights::ALL })
}

/// The registration of [`client`], by a certificate that nobody looks at.
pub(super) fn registration(certificate: u8) -> Event {
    let trust = Trust { kind: TrustKind::Pinned, certificate: vec![certificate] };
    Event::ClientRegistered {
        client: RegisteredClient {
            client: Client::clone(&client()),
            trust,
            credentials: kms_core::KnownCredentials::default(),
            registered_at: 1,
        },
    }
}

/// A key made and activated.
pub(super) fn creation(name: &str) -> RequestMessage {
    let attributes = vec![
        Attribute::new(
            StandardAttribute::CryptographicAlgorithm,
            Value::Enumeration(kmip::enumeration::CryptographicAlgorithm::Aes.number()),
        ),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(12)),
        Attribute::new(StandardAttribute::Name, kmip::attribute::Name::text(name).to_value()),
    ];
    let create = create::Request {
        object_type: ObjectType::SymmetricKey,
        template_attribute: TemplateAttribute { names: Vec::new(), attributes },
    };
    RequestMessage::new(ProtocolVersion::V1_4, [create.into(), activate::Request::default().into()])
}

pub(super) fn getting(id: &str) -> RequestMessage {
    let get = get::Request { unique_identifier: Some(id.to_owned()), ..get::Request::default() };
    RequestMessage::new(ProtocolVersion::V1_4, [get.into()])
}

pub(super) fn destroying(id: &str) -> RequestMessage {
    RequestMessage::new(
        ProtocolVersion::V1_4,
        [destroy::Request { unique_identifier: Some(id.to_owned()) }.into()],
    )
}

pub(super) fn revoking(id: &str) -> RequestMessage {
    let revocation_reason =
        RevocationReason { code: RevocationReasonCode::CessationOfOperation, message: None };
    let revoke = revoke::Request {
        unique_identifier: Some(id.to_owned()),
        revocation_reason,
        compromise_occurrence_date: None,
    };
    RequestMessage::new(ProtocolVersion::V1_4, [revoke.into()])
}

pub(super) fn payloads(outcome: &Outcome) -> Vec<ResponsePayload> {
    let response = ResponseMessage::decode(&outcome.encoded, ttlv::Limits::default()).unwrap();
    response.items.into_iter().filter_map(|item| item.payload).collect()
}

pub(super) fn created(outcome: &Outcome) -> Option<String> {
    payloads(outcome).into_iter().find_map(|payload| match payload {
        ResponsePayload::Create(response) => Some(response.unique_identifier),
        _ => None,
    })
}

/// Whether a key came with the answer.
pub(super) fn holds_key(outcome: &Outcome) -> bool {
    payloads(outcome).iter().any(|payload| matches!(payload, ResponsePayload::Get(_)))
}

/// Why the first item failed.
pub(super) fn reason(outcome: &Outcome) -> Option<ResultReason> {
    outcome.audit.first().and_then(|item| item.result_reason)
}

pub(super) fn words(outcome: &Outcome) -> String {
    outcome.audit.iter().filter_map(|item| item.message.clone()).collect::<Vec<_>>().join("; ")
}
