//! What clients were told, and so what must be true for ever: a key's bytes, its attributes, that it is active.
//!
//! A change that was asked for and never answered may have happened or not. Once a read has shown it, it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use kmip::client::{ClientConfig, Connection};
use kmip::enumeration::{BatchErrorContinuationOption, ResultStatus};
use kmip::{ManagedObject, ProtocolVersion, RequestMessage, ResponseItem, ResponsePayload};
use ttlv::Value;

use crate::ask;

/// Keys that one message asks for.
const KEYS_PER_MESSAGE: usize = 32;

/// State's values (KMIP 1.4 section 9.1.3.2.18).
const PRE_ACTIVE: u32 = 1;
const ACTIVE: u32 = 2;

/// How sure a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sure {
    /// Asked for, not answered.
    Asked,
    /// Answered, or seen.
    Told,
}

#[derive(Clone, Debug, Default)]
struct Key {
    material: Option<Vec<u8>>,
    attributes: BTreeMap<String, (String, Sure)>,
    activation: Option<Sure>,
}

#[derive(Debug, Default)]
struct Inner {
    keys: BTreeMap<String, Key>,
    /// Keys that something happened to since they were last verified.
    touched: BTreeSet<String>,
    acknowledged: u64,
    /// Answers come too late to count: the power is gone.
    frozen: bool,
    broken: Vec<String>,
}

/// The book of answers; shared by all clients.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Inner>);

impl Ledger {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Answers to changes and reads so far.
    pub fn acknowledged(&self) -> u64 {
        self.inner().acknowledged
    }

    /// Keys in the book.
    pub fn keys(&self) -> usize {
        self.inner().keys.len()
    }

    /// Any key's identifier.
    pub fn any_key(&self) -> Option<String> {
        self.inner().keys.keys().next().cloned()
    }

    /// From here on answers do not count; what they say may be so or not.
    pub fn freeze(&self) {
        self.inner().frozen = true;
    }

    /// Answers count again.
    pub fn thaw(&self) {
        self.inner().frozen = false;
    }

    /// Create was answered.
    pub fn created(&self, id: &str) {
        let mut inner = self.inner();
        if inner.frozen {
            return;
        }
        inner.acknowledged += 1;
        if inner.keys.insert(id.to_owned(), Key::default()).is_some() {
            inner.broken.push(format!("{id}: the identifier was given twice"));
        }
        inner.touched.insert(id.to_owned());
    }

    /// Get was answered.
    pub fn read(&self, id: &str, material: &[u8]) {
        let mut inner = self.inner();
        if inner.frozen {
            return;
        }
        inner.acknowledged += 1;
        inner.touched.insert(id.to_owned());
        let Some(key) = inner.keys.get_mut(id) else { return };
        match &key.material {
            Some(known) if known != material => inner.broken.push(format!("{id}: its bytes changed")),
            Some(_) => {}
            None => key.material = Some(material.to_owned()),
        }
    }

    /// Add Attribute is sent.
    pub fn adds(&self, id: &str, name: &str, value: &str) {
        let mut inner = self.inner();
        inner.touched.insert(id.to_owned());
        if let Some(key) = inner.keys.get_mut(id) {
            key.attributes.insert(name.to_owned(), (value.to_owned(), Sure::Asked));
        }
    }

    /// Add Attribute was answered.
    pub fn added(&self, id: &str, name: &str) {
        let mut inner = self.inner();
        if inner.frozen {
            return;
        }
        inner.acknowledged += 1;
        if let Some((_, sure)) = inner.keys.get_mut(id).and_then(|key| key.attributes.get_mut(name)) {
            *sure = Sure::Told;
        }
    }

    /// Activate is sent.
    pub fn activates(&self, id: &str) {
        let mut inner = self.inner();
        inner.touched.insert(id.to_owned());
        if let Some(key) = inner.keys.get_mut(id) {
            key.activation.get_or_insert(Sure::Asked);
        }
    }

    /// Activate was answered.
    pub fn activated(&self, id: &str) {
        let mut inner = self.inner();
        if inner.frozen {
            return;
        }
        inner.acknowledged += 1;
        if let Some(key) = inner.keys.get_mut(id) {
            key.activation = Some(Sure::Told);
        }
    }

    /// Holds the server to what it told of every key that was touched since the last time. Says how many keys, and
    /// panics where one is not as it must be.
    pub async fn verify_touched(&self, config: &ClientConfig) -> usize {
        let ids: Vec<_> = std::mem::take(&mut self.inner().touched).into_iter().collect();
        self.verify(config, &ids).await
    }

    /// The same for every key.
    pub async fn verify_all(&self, config: &ClientConfig) -> usize {
        let ids: Vec<_> = {
            let mut inner = self.inner();
            inner.touched.clear();
            inner.keys.keys().cloned().collect()
        };
        self.verify(config, &ids).await
    }

    async fn verify(&self, config: &ClientConfig, ids: &[String]) -> usize {
        let mut connection = ask::connect(config).await;
        for some in ids.chunks(KEYS_PER_MESSAGE) {
            self.verify_some(&mut connection, some).await;
        }
        let inner = self.inner();
        assert!(
            inner.broken.is_empty(),
            "{} broken promises:\n{}",
            inner.broken.len(),
            inner.broken.join("\n")
        );
        ids.len()
    }

    async fn verify_some(&self, connection: &mut Connection, ids: &[String]) {
        let payloads = ids.iter().flat_map(|id| [ask::get(id), ask::get_attributes(id)]);
        let mut request = RequestMessage::new(ProtocolVersion::V1_4, payloads);
        request.header.batch_error_continuation_option = Some(BatchErrorContinuationOption::Continue);
        let answer = connection.call(&request).await.unwrap_or_else(|error| panic!("verifying: {error}"));
        assert_eq!(answer.items.len(), 2 * ids.len(), "answers of a batch");
        let mut inner = self.inner();
        for (id, items) in ids.iter().zip(answer.items.chunks(2)) {
            let Some(key) = inner.keys.get_mut(id) else { continue };
            if let Err(why) = check(key, &items[0], &items[1]) {
                inner.broken.push(format!("{id}: {why}"));
            }
        }
    }
}

/// Holds two answers against what was told, and takes over what they tell.
fn check(key: &mut Key, get: &ResponseItem, attributes: &ResponseItem) -> Result<(), String> {
    let material = material(get)?;
    if key.material.get_or_insert_with(|| material.clone()) != &material {
        return Err("other bytes than before".to_owned());
    }
    let Some(ResponsePayload::GetAttributes(found)) = &attributes.payload else {
        return Err(format!("no attributes: {:?} {:?}", attributes.result_reason, attributes.result_message));
    };
    let value = |name: &str| {
        found
            .attributes
            .iter()
            .find(|attribute| attribute.name.as_str() == name)
            .map(|attribute| &attribute.value)
    };
    match (value("State"), key.activation) {
        (Some(Value::Enumeration(ACTIVE)), Some(_)) => key.activation = Some(Sure::Told),
        (Some(Value::Enumeration(PRE_ACTIVE)), None | Some(Sure::Asked)) => key.activation = None,
        (state, activation) => {
            return Err(format!("State {state:?}, though its activation was {activation:?}"));
        }
    }
    let mut gone = Vec::new();
    for (name, (text, sure)) in &mut key.attributes {
        match (value(name), *sure) {
            (Some(Value::TextString(found)), _) if found == text => *sure = Sure::Told,
            (None, Sure::Asked) => gone.push(name.clone()),
            (found, sure) => {
                return Err(format!("{name} is {found:?}, expected {text:?}, which was {sure:?}"));
            }
        }
    }
    gone.iter().for_each(|name| drop(key.attributes.remove(name)));
    Ok(())
}

fn material(item: &ResponseItem) -> Result<Vec<u8>, String> {
    if item.result_status != ResultStatus::Success {
        return Err(format!("lost: {:?} {:?}", item.result_reason, item.result_message));
    }
    match &item.payload {
        Some(ResponsePayload::Get(got)) => bytes_of(&got.object).ok_or_else(|| "no plain key".to_owned()),
        _ => Err("no answer to Get".to_owned()),
    }
}

/// The bytes of a plain key.
pub(crate) fn bytes_of(object: &ManagedObject) -> Option<Vec<u8>> {
    object.key_block()?.plain_bytes().map(|secret| secret.danger_bytes().to_owned())
}
