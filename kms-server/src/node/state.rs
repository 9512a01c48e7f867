//! What the node's tasks share: the objects in memory, and what deciding about them needs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use kmip::RequestMessage;
use kms_core::{About, Client, Context, Draft, Event, Id, Object, Objects, Outcome, Vault};
use tracing::error;

use super::vault::{KeyringVault, SystemEntropy};
use crate::clock::Clock;
use crate::seal::SealError;

/// What Query says this server is.
pub(super) const VENDOR_IDENTIFICATION: &str = concat!("kms-server ", env!("CARGO_PKG_VERSION"));

/// Objects that readiness looks at for one that holds material; destroyed ones do not.
const READY_LOOK_MAX: usize = 1000;

#[derive(Debug)]
pub(super) struct State {
    objects: RwLock<Objects>,
    pub(super) vault: KeyringVault,
    pub(super) clock: Arc<Clock>,
    pub(super) limits: kms_core::Limits,
    /// When each object was last read, as far as this process knows; one entry an object at most.
    last_read: Mutex<HashMap<Id, i64>>,
}

impl State {
    pub(super) fn new(
        objects: Objects,
        vault: KeyringVault,
        clock: Arc<Clock>,
        limits: kms_core::Limits,
    ) -> Self {
        Self { objects: RwLock::new(objects), vault, clock, limits, last_read: Mutex::default() }
    }

    /// The objects as the log has made them so far. Held briefly: the writer waits for it.
    pub(super) fn objects(&self) -> RwLockReadGuard<'_, Objects> {
        // Applying an event cannot fail half-way, so a reader that panicked left nothing behind.
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drafts a new data key where one is due: it seals once it is on disk, the one before goes on till then.
    pub(super) fn draft_data_key(&self, draft: &mut Draft<'_>) {
        if !self.vault.0.needs_new_key() || draft.drafted_data_key().is_some() {
            return;
        }
        match self.vault.0.new_data_key() {
            Ok((version, wrapped)) => draft.push(Event::DataKey { version, wrapped }),
            Err(error) => error!("no new data key, the one before goes on: {error}"),
        }
    }

    /// Carries out the events of a committed entry, for the writer alone. Fails where the keyring's file cannot be written.
    pub(super) fn apply(&self, events: &[Event]) -> Result<(), SealError> {
        for event in events {
            if let Event::DataKey { version, wrapped } = event {
                self.vault.0.adopt(*version, wrapped)?;
            }
        }
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        events.iter().for_each(|event| objects.apply(event));
        Ok(())
    }

    /// Decides a request on top of a draft.
    pub(super) fn decide(&self, request: &RequestMessage, client: &Client, draft: &mut Draft<'_>) -> Outcome {
        let mut context = Context {
            now: self.clock.unix_seconds(),
            client,
            entropy: &mut SystemEntropy,
            vault: &self.vault,
            limits: &self.limits,
            vendor_identification: VENDOR_IDENTIFICATION,
        };
        kms_core::handle(request, &mut context, draft)
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
    pub(super) fn cannot_read(&self) -> Option<String> {
        let object = {
            let objects = self.objects();
            let begin = Id::random(&mut SystemEntropy);
            let with_material = |object: &&Arc<Object>| object.material.is_some();
            let found =
                objects.after(Some(begin)).chain(objects.iter()).take(READY_LOOK_MAX).find(with_material);
            found.cloned()?
        };
        let about = About { id: object.id, object_type: object.object_type, tenant: &object.tenant };
        let sealed = object.material.as_deref().unwrap_or_default();
        let error = self.vault.open(&about, sealed).err()?;
        Some(format!("the key {} cannot be opened: {error}", object.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root_key::RootKey;
    use crate::seal::Keyring;

    #[test]
    fn a_data_key_that_is_due_is_drafted_once_and_seals_when_it_is_applied() {
        let dir = tempfile::tempdir().unwrap();
        let root = || RootKey::new(&[1; 32]);
        let old = Keyring::create(root(), &dir.path().join("old")).unwrap();
        // Imported, it has done its share.
        let keyring = Keyring::import(root(), &dir.path().join("new"), &old.export().unwrap()).unwrap();
        let clock = Arc::new(Clock::default());
        let state = State::new(Objects::default(), KeyringVault(keyring), clock, kms_core::Limits::default());
        let events = {
            let objects = state.objects();
            let mut draft = Draft::new(&objects);
            state.draft_data_key(&mut draft);
            state.draft_data_key(&mut draft);
            let pending = draft.into_events();
            let mut behind = Draft::behind(&objects, &pending);
            state.draft_data_key(&mut behind);
            assert!(behind.events().is_empty(), "one is on its way");
            pending
        };
        assert_eq!(events.len(), 1);
        assert_eq!(state.vault.0.current_version().unwrap(), 1);
        state.apply(&events).unwrap();
        assert_eq!(state.vault.0.current_version().unwrap(), 2);
        assert!(!state.vault.0.needs_new_key());
        assert_eq!(state.objects().data_keys().count(), 1);
    }
}
