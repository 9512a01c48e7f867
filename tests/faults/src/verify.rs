//! The ledger held against a server: every key that was acknowledged, and every create that was asked for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kmip::client::{ClientConfig, Connection};
use kmip::enumeration::{BatchErrorContinuationOption, ResultReason, ResultStatus};
use kmip::{
    Attribute, ManagedObject, ProtocolVersion, RequestMessage, ResponseItem, ResponseMessage, ResponsePayload,
};
use ttlv::Value;

use crate::ledger::{Broken, Key, Sure};
use crate::{Ledger, ask};

/// Keys that one message asks for.
const KEYS_PER_MESSAGE: usize = 32;

/// Identifiers that one Locate asks for.
const KEYS_PER_PAGE: usize = 1000;

/// Longest wait for a node to be sure of what it holds.
const SURE_TIMEOUT: Duration = Duration::from_secs(20);

/// Between two questions to a node that is not.
const ASK_INTERVAL: Duration = Duration::from_millis(50);

/// State's values (KMIP 1.4 section 9.1.3.2.18).
const PRE_ACTIVE: u32 = 1;
const ACTIVE: u32 = 2;

type Wrong = (Broken, String);

impl Ledger {
    /// Holds the server to what it told of every key that was touched since the last time. Says how many keys, and
    /// panics where one is not as it must be.
    pub async fn verify_touched(&self, config: &ClientConfig) -> usize {
        let checked = self.check_touched(config).await;
        self.assert_kept();
        checked
    }

    /// The same for every key.
    pub async fn verify_all(&self, config: &ClientConfig) -> usize {
        let checked = self.check_all(config).await;
        self.assert_kept();
        checked
    }

    /// As [`Ledger::verify_touched`], and only notes what is wrong.
    pub async fn check_touched(&self, config: &ClientConfig) -> usize {
        let ids: Vec<_> = {
            let mut inner = self.inner();
            let touched = std::mem::take(&mut inner.touched);
            // A key whose create was answered too late to count may be there or not.
            touched.into_iter().filter(|id| inner.keys.contains_key(id)).collect()
        };
        self.check(config, &ids).await
    }

    /// As [`Ledger::verify_all`], and only notes what is wrong.
    pub async fn check_all(&self, config: &ClientConfig) -> usize {
        let ids: Vec<_> = {
            let mut inner = self.inner();
            inner.touched.clear();
            inner.keys.keys().cloned().collect()
        };
        self.check(config, &ids).await
    }

    async fn check(&self, config: &ClientConfig, ids: &[String]) -> usize {
        let mut connection = ask::connect(config).await;
        for some in ids.chunks(KEYS_PER_MESSAGE) {
            self.check_some(&mut connection, some).await;
        }
        ids.len()
    }

    async fn check_some(&self, connection: &mut Connection, ids: &[String]) {
        // As they were when they were asked for: clients may be at work, and be told more in the meantime.
        let before: Vec<_> = {
            let inner = self.inner();
            ids.iter().map(|id| inner.keys.get(id).cloned().unwrap_or_default()).collect()
        };
        let payloads = ids.iter().flat_map(|id| [ask::get(id), ask::get_attributes(id)]);
        let mut request = RequestMessage::new(ProtocolVersion::V1_4, payloads);
        request.header.batch_error_continuation_option = Some(BatchErrorContinuationOption::Continue);
        let answer = answered(connection, &request).await;
        assert_eq!(answer.items.len(), 2 * ids.len(), "answers of a batch");
        let mut inner = self.inner();
        for ((id, mut key), items) in ids.iter().zip(before).zip(answer.items.chunks(2)) {
            let asked_since = inner.keys.get(id).is_some_and(|now| now.activation.is_some());
            if asked_since && key.activation.is_none() {
                key.activation = Some(Sure::Asked);
            }
            // A node that is cut off gives the bytes that it holds, and may not know the rest.
            let checked = match inner.stale {
                true => check_material(&mut key, &items[0]),
                false => check(&mut key, &items[0], &items[1], self.late),
            };
            match checked {
                Ok(()) => inner.learn(id, key, self.late),
                Err((kind, why)) => {
                    inner.break_promise(kind, id, &format!("{why}, from {}", connection.address()));
                }
            }
        }
    }

    /// Looks at every object of the client's tenant, of which nobody else makes any: each create that was answered is
    /// there once, each that was not is there once or not at all, and there are no others. Those that turn up are kept
    /// to from here on. Only notes what is wrong.
    pub async fn resolve_creates(&self, config: &ClientConfig) {
        let mut connection = ask::connect(config).await;
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let ids = located(&mut connection).await;
        for some in ids.chunks(KEYS_PER_MESSAGE) {
            let payloads = some.iter().map(|id| ask::get_attributes(id));
            let request = RequestMessage::new(ProtocolVersion::V1_4, payloads);
            let answer = answered(&mut connection, &request).await;
            for (id, item) in some.iter().zip(&answer.items) {
                let attributes = match &item.payload {
                    Some(ResponsePayload::GetAttributes(found)) => found.attributes.as_slice(),
                    _ => panic!("resolving {id}: {:?} {:?}", item.result_reason, item.result_message),
                };
                let mark = texts(attributes).remove(ask::MARK).unwrap_or_default();
                found.entry(mark).or_default().push(id.clone());
            }
        }
        let mut inner = self.inner();
        for (mark, ids) in found {
            let known = inner.creates.get(&mark).cloned();
            match (known, ids.as_slice()) {
                (Some(Some(known)), [id]) if known == *id => {}
                (Some(None), [id]) => {
                    inner.creates.insert(mark, Some(id.clone()));
                    inner.adopt(id);
                    // Whoever had the answer when it did not count any more may have gone on with the key.
                    inner.keys.entry(id.clone()).or_default().activation = Some(Sure::Asked);
                }
                (known, ids) => {
                    let why = format!("create {mark:?}, known as {known:?}, is there as {ids:?}");
                    inner.break_promise(Broken::Twice, &mark, &why);
                }
            }
        }
    }
}

/// Asks until the node says what it holds: on a machine that is busy it may lose sight of the others for a moment, and
/// then says that it does not know. What it says at last is what counts.
async fn answered(connection: &mut Connection, request: &RequestMessage) -> ResponseMessage {
    let began = Instant::now();
    loop {
        let answer = connection.call(request).await.unwrap_or_else(|error| panic!("verifying: {error}"));
        let unsure = |item: &ResponseItem| item.result_reason == Some(ResultReason::GeneralFailure);
        if !answer.items.iter().any(unsure) || began.elapsed() > SURE_TIMEOUT {
            return answer;
        }
        // Nothing reports that it sees them again; it is asked again.
        tokio::time::sleep(ASK_INTERVAL).await;
    }
}

async fn located(connection: &mut Connection) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let answer = connection.one(ask::locate(KEYS_PER_PAGE, all.len())).await;
        let ResponsePayload::Locate(page) = answer.unwrap_or_else(|error| panic!("locating: {error}")) else {
            panic!("Locate was answered with something else")
        };
        let last = page.unique_identifiers.len() < KEYS_PER_PAGE;
        all.extend(page.unique_identifiers);
        if last {
            // The newest come first: one that was made late, between two pages, shows the last of a page once more.
            all.sort();
            all.dedup();
            return all;
        }
    }
}

fn check_material(key: &mut Key, get: &ResponseItem) -> Result<(), Wrong> {
    let material = material(get)?;
    match key.material.get_or_insert_with(|| material.clone()) == &material {
        true => Ok(()),
        false => Err((Broken::Lost, "other bytes than before".to_owned())),
    }
}

/// Holds two answers against what was told, and takes over what they tell.
fn check(key: &mut Key, get: &ResponseItem, attributes: &ResponseItem, late: bool) -> Result<(), Wrong> {
    check_material(key, get)?;
    let lost = |why: String| Err((Broken::Lost, why));
    let Some(ResponsePayload::GetAttributes(found)) = &attributes.payload else {
        return lost(format!(
            "no attributes: {:?} {:?}",
            attributes.result_reason, attributes.result_message
        ));
    };
    match (state(&found.attributes), key.activation) {
        (Some(ACTIVE), Some(_)) => key.activation = Some(Sure::Told),
        (Some(PRE_ACTIVE), None) => {}
        (Some(PRE_ACTIVE), Some(Sure::Asked)) if late => {}
        (Some(PRE_ACTIVE), Some(Sure::Asked)) => key.activation = None,
        (state, activation) => {
            let why = format!("State {state:?}, though its activation was {activation:?}");
            return Err((Broken::Backwards, why));
        }
    }
    let (texts, mut gone) = (texts(&found.attributes), Vec::new());
    for (name, (text, sure)) in &mut key.attributes {
        match (texts.get(name), *sure) {
            (Some(found), _) if found == text => *sure = Sure::Told,
            (None, Sure::Asked) if late => {}
            (None, Sure::Asked) => gone.push(name.clone()),
            (found, sure) => {
                return lost(format!("lost: {name} is {found:?}, expected {text:?}, which was {sure:?}"));
            }
        }
    }
    gone.iter().for_each(|name| drop(key.attributes.remove(name)));
    Ok(())
}

fn material(item: &ResponseItem) -> Result<Vec<u8>, Wrong> {
    if item.result_status != ResultStatus::Success {
        let missed = item.result_reason == Some(ResultReason::ItemNotFound);
        let kind = if missed { Broken::NotFound } else { Broken::Lost };
        return Err((kind, format!("lost: {:?} {:?}", item.result_reason, item.result_message)));
    }
    match &item.payload {
        Some(ResponsePayload::Get(got)) => {
            bytes_of(&got.object).ok_or_else(|| (Broken::Lost, "no plain key".to_owned()))
        }
        _ => Err((Broken::Lost, "no answer to Get".to_owned())),
    }
}

/// The bytes of a plain key.
pub(crate) fn bytes_of(object: &ManagedObject) -> Option<Vec<u8>> {
    object.key_block()?.plain_bytes().map(|secret| secret.danger_bytes().to_owned())
}

/// State, as its number.
fn state(attributes: &[Attribute]) -> Option<u32> {
    let found = attributes.iter().find(|attribute| attribute.name.as_str() == "State")?;
    match found.value {
        Value::Enumeration(number) => Some(number),
        _ => None,
    }
}

/// Whether State says Active.
pub(crate) fn is_active(attributes: &[Attribute]) -> bool {
    state(attributes) == Some(ACTIVE)
}

/// The attributes that are texts.
pub(crate) fn texts(attributes: &[Attribute]) -> BTreeMap<String, String> {
    let text = |attribute: &Attribute| match &attribute.value {
        Value::TextString(text) => Some((attribute.name.as_str().to_owned(), text.clone())),
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}
