//! A cluster in memory: links that can be cut, disks that forget what was not synced, a machine that remembers what it
//! carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::*;
use crate::disk::{Log, MemoryDisk};

/// The longest that a test waits for anything, on its own clock.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn member(id: NodeId) -> Member {
    Member { name: format!("node{id}"), link: format!("10.0.0.{id}:5697"), kmip: format!("10.0.0.{id}:5696") }
}

/// Remembers all commands in order.
#[derive(Default)]
pub(super) struct Journal {
    pub(super) commands: Mutex<Vec<(u64, Vec<u8>)>>,
}

impl Journal {
    pub(super) fn texts(&self) -> Vec<String> {
        let commands = self.commands.lock().unwrap();
        commands.iter().map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap()).collect()
    }
}

impl Machine for Journal {
    fn apply(&self, index: u64, command: &[u8]) {
        let mut commands = self.commands.lock().unwrap();
        assert!(commands.last().is_none_or(|(last, _)| *last < index), "entry {index} twice or out of order");
        commands.push((index, command.to_vec()));
    }

    fn freeze(&self) -> Frozen {
        let commands = self.commands.lock().unwrap().clone();
        let count = commands.len() as u64;
        let records = commands.into_iter().map(|(index, bytes)| {
            let mut record = index.to_be_bytes().to_vec();
            record.extend_from_slice(&bytes);
            record
        });
        Frozen { count, records: Box::new(records) }
    }

    fn replace(&self, records: &mut dyn FnMut() -> Result<Option<Vec<u8>>, String>) -> Result<(), String> {
        let mut taken = Vec::new();
        while let Some(record) = records()? {
            let (index, bytes) = record.split_first_chunk::<8>().ok_or("a record without a number")?;
            taken.push((u64::from_be_bytes(*index), bytes.to_vec()));
        }
        *self.commands.lock().unwrap() = taken;
        Ok(())
    }
}

/// What happens to a message on its way; also gives away what was sent.
pub(super) type Spoil = Box<dyn Fn(NodeId, NodeId, u8, &mut Vec<u8>) + Send + Sync>;

/// The links between all nodes.
#[derive(Default)]
pub(super) struct Net {
    nodes: Mutex<BTreeMap<NodeId, Engine>>,
    /// One way each.
    cut: Mutex<BTreeSet<(NodeId, NodeId)>>,
    spoil: Mutex<Option<Spoil>>,
    disks: Mutex<BTreeMap<NodeId, MemoryDisk>>,
    /// What a node said that was not so.
    lies: Mutex<Vec<String>>,
}

impl Net {
    /// What a node says must be true on its disk by then.
    fn witness(&self, node: NodeId, kind: u8, request: Option<&[u8]>, answer: Option<&[u8]>) {
        let Some(disk) = self.disks.lock().unwrap().get(&node).cloned() else { return };
        match (kind, request, answer) {
            (RAFT_APPEND, Some(request), None) => {
                let decided = messages::decode_append(request).unwrap().leader_commit;
                let (decided, durable) = (place_or_0(decided.as_ref()), disk.last());
                self.must(decided <= durable, || {
                    format!("leader {node}: {decided} is decided, {durable} on disk")
                });
            }
            (RAFT_APPEND, Some(request), Some(answer)) => {
                let request = messages::decode_append(request).unwrap();
                let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
                let success = messages::decode_appended(answer).unwrap().is_success();
                let (last, durable) = (place_or_0(last.as_ref()), disk.last());
                self.must(!success || last <= durable, || {
                    format!("node {node}: {last} acknowledged, {durable} on disk")
                });
            }
            (RAFT_VOTE, _, Some(answer)) => {
                let answer = messages::decode_asked(answer).unwrap();
                let stored = encoding::Metadata::decode(&disk.metadata().unwrap_or_default()).ok();
                let stored = stored.and_then(|metadata| metadata.vote);
                self.must(!answer.vote_granted || stored >= Some(answer.vote), || {
                    format!("node {node}: {answer:?}, {stored:?} on disk")
                });
            }
            _ => {}
        }
    }

    fn must(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.lies.lock().unwrap().push(what());
        }
    }

    pub(super) fn cut_off(&self, id: NodeId, others: impl IntoIterator<Item = NodeId>) {
        let mut cut = self.cut.lock().unwrap();
        others.into_iter().for_each(|other| cut.extend([(id, other), (other, id)]));
    }

    pub(super) fn heal(&self) {
        self.cut.lock().unwrap().clear();
    }

    pub(super) fn spoil(&self, spoil: Option<Spoil>) {
        *self.spoil.lock().unwrap() = spoil;
    }

    fn passes(&self, from: NodeId, to: NodeId) -> bool {
        !self.cut.lock().unwrap().contains(&(from, to))
    }
}

struct Link {
    from: NodeId,
    net: Arc<Net>,
}

impl Calls for Link {
    fn call(&self, to: NodeId, kind: u8, mut request: Vec<u8>, within: Duration) -> Answering<'_> {
        Box::pin(async move {
            let Some(node) = self.net.nodes.lock().unwrap().get(&to).cloned() else {
                return Err(CallError::Unreachable("it is down".to_owned()));
            };
            if let Some(spoil) = &*self.net.spoil.lock().unwrap() {
                spoil(self.from, to, kind, &mut request);
            }
            if !self.net.passes(self.from, to) {
                // A cut link swallows messages, it does not refuse them.
                tokio::time::sleep(within).await;
                return Err(CallError::TimedOut);
            }
            self.net.witness(self.from, kind, Some(&request), None);
            // What has arrived is carried out, whether or not the caller still waits.
            let net = Arc::clone(&self.net);
            let answer = tokio::spawn(async move {
                // A moment on the wire, so that a crash can fall there.
                tokio::time::sleep(Duration::from_micros(300)).await;
                let answer = node.answer(kind, &request).await;
                if let Ok(answer) = &answer {
                    net.witness(to, kind, Some(&request), Some(answer));
                }
                answer
            });
            let answer = tokio::time::timeout(within, answer).await.map_err(|_| CallError::TimedOut)?;
            if !self.net.passes(to, self.from) {
                // The answer is swallowed.
                tokio::time::sleep(within).await;
                return Err(CallError::TimedOut);
            }
            answer.unwrap().map_err(CallError::Refused)
        })
    }
}

/// One node, running or not.
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) disk: MemoryDisk,
    pub(super) snapshots: MemorySnapshots,
    pub(super) journal: Arc<Journal>,
    pub(super) engine: Option<Engine>,
    /// In place of `snapshots`.
    store: Option<Arc<dyn SnapshotStore>>,
    snapshot_every: u64,
    writing: Writing,
    election_seed: u64,
    net: Arc<Net>,
}

impl Node {
    pub(super) async fn start(&mut self) -> Result<Engine, EngineError> {
        let log = Box::new(self.disk.open());
        self.start_on(log).await
    }

    pub(super) async fn start_on(&mut self, log: Box<dyn Log>) -> Result<Engine, EngineError> {
        self.journal = Arc::default();
        let engine = Engine::start(Parts {
            me: self.id,
            timing: Timing::default(),
            log,
            writing: self.writing,
            snapshots: self.store.clone().unwrap_or_else(|| Arc::new(self.snapshots.clone())),
            snapshot_every: self.snapshot_every,
            machine: Arc::clone(&self.journal) as Arc<dyn Machine>,
            links: Arc::new(Link { from: self.id, net: Arc::clone(&self.net) }),
            election_seed: self.election_seed,
        })
        .await?;
        self.net.nodes.lock().unwrap().insert(self.id, engine.clone());
        self.net.disks.lock().unwrap().insert(self.id, self.disk.clone());
        self.engine = Some(engine.clone());
        Ok(engine)
    }

    /// The power is cut: what was not synced is gone, and nothing of this node is heard any more.
    pub(super) fn crash(&mut self) {
        self.net.nodes.lock().unwrap().remove(&self.id);
        self.net.disks.lock().unwrap().remove(&self.id);
        drop(self.disk.open());
        if let Some(engine) = self.engine.take() {
            tokio::spawn(async move { engine.end().await });
        }
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine.clone().unwrap()
    }

    pub(super) fn role(&self) -> Role {
        self.engine().role().borrow().clone()
    }

    /// Waits until the node's role is so.
    pub(super) async fn until(&self, what: &str, mut holds: impl FnMut(&Role) -> bool) -> Role {
        let mut role = self.engine().role();
        let waited = tokio::time::timeout(PATIENCE, role.wait_for(|role| holds(role))).await;
        match waited {
            Ok(role) => role.unwrap().clone(),
            Err(_) => panic!("node {} never came to: {what}; it is {:?}", self.id, self.role()),
        }
    }

    /// Waits until the node carried out this many commands.
    pub(super) async fn until_carried_out(&self, count: usize) {
        let journal = Arc::clone(&self.journal);
        let mut applied = self.engine().inner.machine.applied();
        let enough = || journal.commands.lock().unwrap().len() >= count;
        let waited = tokio::time::timeout(PATIENCE, applied.wait_for(|_| enough())).await;
        assert!(waited.is_ok(), "node {} carried out {:?} of {count}", self.id, journal.texts().len());
    }
}

/// All nodes.
pub(super) struct Cluster {
    pub(super) net: Arc<Net>,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    snapshot_every: u64,
    writing: Writing,
    /// Each node's elections are drawn from this and its number.
    pub(super) seed: u64,
}

impl Cluster {
    pub(super) fn empty(snapshot_every: u64, writing: Writing) -> Self {
        Self { net: Arc::default(), nodes: BTreeMap::new(), snapshot_every, writing, seed: 0 }
    }

    /// Nodes 1 to `count`, of which 1 founded the cluster; all vote.
    pub(super) async fn of(count: NodeId, snapshot_every: u64, writing: Writing) -> Self {
        Self::empty(snapshot_every, writing).filled(count).await
    }

    /// Three nodes whose elections are drawn from this.
    pub(super) async fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::empty(1_000_000, Writing::Inline) }.filled(3).await
    }

    async fn filled(mut self, count: NodeId) -> Self {
        let cluster = &mut self;
        let first = cluster.add(1).await;
        assert!(first.is_pristine());
        first.found(member(1)).await.unwrap();
        assert!(!first.is_pristine());
        for id in 2..=count {
            cluster.add(id).await;
            first.add_learner(id, member(id)).await.unwrap();
            first.promote(id).await.unwrap();
        }
        self
    }

    /// Three nodes in simulation, with a snapshot so seldom that there is none.
    pub(super) async fn of_three() -> Self {
        Self::of(3, 1_000_000, Writing::Inline).await
    }

    pub(super) async fn add(&mut self, id: NodeId) -> Engine {
        self.add_node(id, None).await
    }

    pub(super) async fn add_with(&mut self, id: NodeId, store: Arc<dyn SnapshotStore>) -> Engine {
        self.add_node(id, Some(store)).await
    }

    async fn add_node(&mut self, id: NodeId, store: Option<Arc<dyn SnapshotStore>>) -> Engine {
        let node = Node {
            id,
            disk: MemoryDisk::new(),
            snapshots: MemorySnapshots::new(),
            journal: Arc::default(),
            engine: None,
            store,
            snapshot_every: self.snapshot_every,
            writing: self.writing,
            election_seed: (self.seed << 8) + id,
            net: Arc::clone(&self.net),
        };
        self.nodes.insert(id, node);
        self.node_mut(id).start().await.unwrap()
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        let lies = self.net.lies.lock().unwrap();
        assert!(lies.is_empty(), "{lies:?}");
        &self.nodes[&id]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).unwrap()
    }

    /// The leader that a quorum answered lately, among these; waits for it.
    pub(super) async fn leader_of(&self, among: &[NodeId]) -> NodeId {
        let find = async {
            loop {
                for id in among {
                    let Some(engine) = &self.node(*id).engine else { continue };
                    if engine.role().borrow().leads && engine.read_index().await.is_ok() {
                        return *id;
                    }
                }
                // Any of the nodes may become leader: there is no single condition to wait for.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, find).await.expect("no leader was elected")
    }

    pub(super) async fn leader(&self) -> NodeId {
        let all: Vec<NodeId> = self.nodes.keys().copied().collect();
        self.leader_of(&all).await
    }

    /// Proposes on a leader and waits until it is carried out there.
    pub(super) async fn say(&self, leader: NodeId, text: &str) -> u64 {
        let engine = self.node(leader).engine();
        let term = engine.role().borrow().term;
        match engine.propose(term, text.into()).await {
            Proposed::Applied { index } => index,
            other => panic!("{text} on node {leader}: {other:?}"),
        }
    }
}
