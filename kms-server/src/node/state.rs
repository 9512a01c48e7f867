//! What the node's tasks share: the objects in memory, as the log has made them, and what deciding about them needs.
//!
//! This is the machine that the replicated log drives: the same commands in the same order on every node. A command is
//! a stamp of the decider it came from and the events that were decided.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use kmip::enumeration::{Operation, ResultReason};
use kmip::{ProtocolVersion, RequestMessage};
use kms_core::cryptography::Workshop;
use kms_core::{
    About, Client, Context, Deferred, Draft, Event, Id, Object, Objects, Outcome, Refusal, Vault, refuse_all,
};
use tracing::{error, info, warn};

use super::notices::Notices;
use super::vault::{KeyringVault, SystemEntropy};
use crate::clock::Clock;
use crate::cryptography::OpenSsl;
use crate::disk::fatal;
use crate::engine::{Frozen, Machine};
use crate::entropy;
use crate::metrics::Metrics;
use crate::trust::{LiveTrust, Trust};

/// What Query says this server is.
pub(super) const VENDOR_IDENTIFICATION: &str = concat!("kms-server ", env!("CARGO_PKG_VERSION"));

/// Objects that readiness looks at for one that holds material; destroyed ones do not.
const READY_LOOK_MAX: usize = 1000;

/// Which decider a command came from, and which of its commands it is: so that a decider knows which of its own are
/// applied already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Random, one a decider's term of office.
    pub(super) decider: u64,
    /// Counted from 1.
    pub(super) number: u64,
}

/// Bytes of a command before its events.
pub(super) const STAMP_BYTES: usize = crate::backup::COMMAND_HEAD_BYTES;

/// A command as the log holds it.
pub(super) fn command(stamp: Stamp, events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    bytes.extend_from_slice(&stamp.decider.to_be_bytes());
    bytes.extend_from_slice(&stamp.number.to_be_bytes());
    Event::encode_all(events, &mut bytes);
    bytes
}

/// Reads what [`command`] made.
pub(super) fn read_command(bytes: &[u8]) -> Result<(Stamp, Vec<Event>), String> {
    let short = || format!("a command has at least {STAMP_BYTES} bytes, got {}", bytes.len());
    let (decider, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    let (number, events) = rest.split_first_chunk().ok_or_else(short)?;
    let stamp = Stamp { decider: u64::from_be_bytes(*decider), number: u64::from_be_bytes(*number) };
    Ok((stamp, Event::decode_all(events).map_err(|error| error.to_string())?))
}

/// The objects, and the last command that made them what they are.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) objects: Objects,
    /// The last entry of the log that `objects` holds; 0 where a snapshot brought them and nothing followed.
    pub(super) index: u64,
    /// Nobody's where a snapshot brought them.
    pub(super) newest: Option<Stamp>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) client: Arc<Client>,
    /// Whether it is looked up again when its request is decided: the node that let it in may not have heard yet that it
    /// was removed.
    pub(super) looked_up: bool,
}

impl Asker {
    /// A client that a certificate stands for.
    pub(super) fn registered(client: &Arc<Client>) -> Self {
        Self { client: Arc::clone(client), looked_up: true }
    }

    /// Somebody who needs no certificate: the operator.
    pub(super) fn trusted(client: &Arc<Client>) -> Self {
        Self { client: Arc::clone(client), looked_up: false }
    }

    fn is_known(&self, draft: &Draft<'_>) -> bool {
        !self.looked_up || draft.has_client(&self.client)
    }
}

#[derive(Debug)]
pub(super) struct State {
    held: RwLock<Held>,
    pub(super) vault: KeyringVault,
    pub(super) clock: Arc<Clock>,
    pub(super) limits: kms_core::Limits,
    pub(super) trust: Arc<LiveTrust>,
    /// What listeners are to be told.
    pub(super) notices: Arc<Notices>,
    metrics: Arc<Metrics>,
    /// When each object was last read, as far as this process knows; one entry an object at most.
    last_read: Mutex<HashMap<Id, i64>>,
}

impl State {
    pub(super) fn new(
        vault: KeyringVault,
        clock: Arc<Clock>,
        limits: kms_core::Limits,
        trust: Arc<LiveTrust>,
        notices: Arc<Notices>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            held: RwLock::default(),
            vault,
            clock,
            limits,
            trust,
            notices,
            metrics,
            last_read: Mutex::default(),
        }
    }

    /// The objects as the log has made them so far. Held briefly: whatever applies commands waits for it.
    pub(super) fn held(&self) -> RwLockReadGuard<'_, Held> {
        // Applying an event cannot fail half-way, so a reader that panicked left nothing behind.
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides a request on top of a draft; what takes long comes from `workshop`.
    pub(super) fn decide(
        &self,
        request: &RequestMessage,
        asker: &Asker,
        workshop: &dyn Workshop,
        draft: &mut Draft<'_>,
    ) -> Outcome {
        let now = self.clock.unix_seconds();
        if !asker.is_known(draft) {
            let refusal = Refusal::new(ResultReason::AuthenticationNotSuccessful, "this client was removed")
                .logged(format!("client \"{}\" asked just after it was removed", asker.client.name));
            return refuse_all(
                request,
                request.header.protocol_version.min(ProtocolVersion::V1_4),
                now,
                &refusal,
            );
        }
        let mut entropy = SystemEntropy;
        let mut context = self.context(&asker.client, &mut entropy, workshop);
        kms_core::handle(request, &mut context, draft)
    }

    /// Carries a request out that its client let the server put off; `false` where that client is gone.
    pub(super) fn settle(&self, deferred: &Deferred, draft: &mut Draft<'_>) -> bool {
        let Some(registered) = draft.client(&deferred.client) else { return false };
        let mut entropy = SystemEntropy;
        // Nothing that takes long is put off.
        let mut context = self.context(&registered.client, &mut entropy, &OpenSsl);
        let client = &registered.client.name;
        match kms_core::settle(deferred, &mut context, draft) {
            Ok(outcome) => {
                for item in &outcome.audit {
                    let operation = item.operation.and_then(Operation::name).unwrap_or("unknown operation");
                    let status = item.result_status.name().unwrap_or("unknown status");
                    info!(client = %client, operation, status, "carried out what was put off");
                }
                true
            }
            Err(refusal) => {
                warn!(client = %client, "what was put off cannot be carried out: {}", refusal.log.unwrap_or(refusal.message));
                false
            }
        }
    }

    fn context<'a>(
        &'a self,
        client: &'a Client,
        entropy: &'a mut SystemEntropy,
        workshop: &'a dyn Workshop,
    ) -> Context<'a> {
        Context {
            now: self.clock.unix_seconds(),
            client,
            entropy,
            vault: &self.vault,
            cryptography: &OpenSsl,
            workshop,
            limits: &self.limits,
            vendor_identification: VENDOR_IDENTIFICATION,
        }
    }

    /// Notes that the material of these objects went out now.
    pub(super) fn note_read(&self, ids: &[Id]) {
        if ids.is_empty() {
            return;
        }
        let now = self.clock.unix_seconds();
        let mut last_read = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        last_read.extend(ids.iter().map(|id| (*id, now)));
    }

    /// When the object's material last went out, in seconds since 1970.
    pub(super) fn last_read(&self, id: Id) -> Option<i64> {
        self.last_read.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    /// Why no key can be read, if none can: really opens one, each time another.
    pub(super) fn cannot_open(&self) -> Option<String> {
        let object = {
            let held = self.held();
            let begin = Id::random(&mut SystemEntropy);
            let with_material = |object: &&Arc<Object>| object.material.is_some();
            let objects = held.objects.after(Some(begin)).chain(held.objects.iter());
            objects.take(READY_LOOK_MAX).find(with_material).cloned()?
        };
        let about = About { id: object.id, object_type: object.object_type, tenant: &object.tenant };
        let sealed = object.material.as_deref().unwrap_or_default();
        let error = self.vault.open(&about, sealed).err()?;
        Some(format!("the key {} cannot be opened: {error}", object.id))
    }

    /// A new data key is on this node's disk before anything is sealed under it anywhere.
    fn adopt(&self, version: u32, wrapped: &[u8]) {
        if let Err(error) = self.vault.0.adopt(version, wrapped) {
            fatal(&format!("cannot take data key {version} of the cluster in: {error}"));
        }
    }

    /// Puts the registered clients in force.
    fn trust_clients(&self, objects: &Objects) {
        match Trust::of(objects.clients()) {
            Ok(trust) => self.trust.replace(trust),
            Err(error) => error!("the clients in force stay as they were: {error}"),
        }
    }
}

impl Machine for State {
    fn apply(&self, index: u64, bytes: &[u8]) {
        let (stamp, events) = match read_command(bytes) {
            Ok(command) => command,
            // To pass over it would make this node another than the rest.
            Err(error) => fatal(&format!("entry {index} of the log cannot be carried out: {error}")),
        };
        let (mut clients, mut restored) = (false, false);
        for event in &events {
            match event {
                Event::DataKey { version, wrapped } => self.adopt(*version, wrapped),
                Event::ClientRegistered { .. } | Event::ClientRemoved { .. } => clients = true,
                Event::Restored { .. } => (clients, restored) = (true, true),
                _ => {}
            }
            if let Some(at) = event.at() {
                self.clock.not_before(at);
            }
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        events.iter().for_each(|event| held.objects.apply(event));
        self.notices.note(index, &events, &held.objects);
        held.newest = Some(stamp);
        held.index = index;
        if restored {
            // A record may be a data key; what is restored is not sealed under it here before this is done.
            held.objects.data_keys().for_each(|(version, wrapped)| self.adopt(version, wrapped));
        }
        if clients {
            self.trust_clients(&held.objects);
        }
        self.metrics.holds(held.objects.len(), held.objects.clients().count());
    }

    fn freeze(&self) -> Frozen {
        let records = self.held().objects.records();
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let encoded = records.into_iter().map(|record| {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            bytes
        });
        Frozen { count, records: Box::new(encoded) }
    }

    fn replace(&self, records: &mut dyn FnMut() -> Result<Option<Vec<u8>>, String>) -> Result<(), String> {
        let mut objects = Objects::default();
        while let Some(record) = records()? {
            objects.restore(&record).map_err(|error| error.to_string())?;
        }
        for (version, wrapped) in objects.data_keys() {
            self.adopt(version, wrapped);
        }
        self.trust_clients(&objects);
        self.metrics.holds(objects.len(), objects.clients().count());
        // Nobody's, and another's than before: a decider must see that the ground under it changed.
        let newest = Some(Stamp { decider: u64::from_be_bytes(entropy::array()), number: 0 });
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Held { objects, index: 0, newest };
        Ok(())
    }
}
