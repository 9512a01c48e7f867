//! What clients were told, and so what must be true for ever: a key's bytes, its attributes, that it is active.
//!
//! A change that was asked for and never answered may have happened or not. Once a read has shown it, it has. A single
//! server has settled that when it is back; in a cluster, a node that stood still may carry it out later yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// How sure a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sure {
    /// Asked for, not answered.
    Asked,
    /// Answered, or seen.
    Told,
}

/// In which way a promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Broken {
    /// A key or an attribute is gone, or is another.
    Lost,
    /// What was acknowledged was answered with Item Not Found.
    NotFound,
    /// A change was carried out more than once.
    Twice,
    /// State is earlier in a key's life than it was.
    Backwards,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    pub(crate) material: Option<Vec<u8>>,
    pub(crate) attributes: BTreeMap<String, (String, Sure)>,
    pub(crate) activation: Option<Sure>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) keys: BTreeMap<String, Key>,
    /// The same keys in the order in which they were acknowledged.
    order: Vec<String>,
    /// Creates by the mark that each carries, with the identifier once it is known.
    pub(crate) creates: BTreeMap<String, Option<String>>,
    /// Keys that something happened to since they were last verified.
    pub(crate) touched: BTreeSet<String>,
    acknowledged: u64,
    unknown: u64,
    longest_gap: Duration,
    failures_running: u32,
    /// Answers come too late to count: the power is gone.
    frozen: bool,
    /// Reads may be answered by a node that reaches no majority, from what it holds.
    pub(crate) stale: bool,
    pub(crate) broken: Vec<(Broken, String)>,
}

/// The book of answers; shared by all clients.
#[derive(Debug, Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
    /// Whether a change without an answer may still be carried out after it was seen not to be.
    pub(crate) late: bool,
}

/// What came of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answers to changes and reads.
    pub acknowledged: u64,
    /// Changes that were asked for and not answered, or with a failure that leaves open what happened.
    pub unknown: u64,
    /// Keys and attributes that are gone or others.
    pub lost: usize,
    /// Times that Item Not Found was answered for what was acknowledged.
    pub not_found: usize,
    /// Changes that were carried out more than once.
    pub twice: usize,
    /// Keys that went back in their life.
    pub backwards: usize,
}

/// What a client was told of a key before it asks again.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) active: bool,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Ledger {
    /// A book about a cluster rather than one server.
    pub fn of_a_cluster() -> Self {
        Self { late: true, ..Self::default() }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Answers to changes and reads so far.
    pub fn acknowledged(&self) -> u64 {
        self.inner().acknowledged
    }

    /// All counts so far.
    pub fn tally(&self) -> Tally {
        let inner = self.inner();
        let of = |kind: Broken| inner.broken.iter().filter(|(broken, _)| *broken == kind).count();
        Tally {
            acknowledged: inner.acknowledged,
            unknown: inner.unknown,
            lost: of(Broken::Lost),
            not_found: of(Broken::NotFound),
            twice: of(Broken::Twice),
            backwards: of(Broken::Backwards),
        }
    }

    /// What is wrong, one line each.
    pub fn broken(&self) -> Vec<String> {
        self.inner().broken.iter().map(|(kind, why)| format!("{kind:?}: {why}")).collect()
    }

    /// What the promises that were broken since the `known` first ones are about: identifiers and marks.
    pub(crate) fn broken_since(&self, known: usize) -> Vec<String> {
        let inner = self.inner();
        let about = |why: &str| why.split(": ").next().unwrap_or_default().to_owned();
        inner.broken.iter().skip(known).map(|(_, why)| about(why)).collect()
    }

    /// Panics where a promise was broken.
    pub fn assert_kept(&self) {
        let broken = self.broken();
        assert!(broken.is_empty(), "{} broken promises:\n{}", broken.len(), broken.join("\n"));
    }

    /// The longest time that a client was without an answer, since this was last asked.
    pub fn take_longest_gap(&self) -> Duration {
        std::mem::take(&mut self.inner().longest_gap)
    }

    /// The most failures that a client had one after the other, since this was last asked.
    pub fn take_failures_running(&self) -> u32 {
        std::mem::take(&mut self.inner().failures_running)
    }

    /// Keys in the book.
    pub fn keys(&self) -> usize {
        self.inner().keys.len()
    }

    /// Any key's identifier.
    pub fn any_key(&self) -> Option<String> {
        self.inner().keys.keys().next().cloned()
    }

    /// A key's identifier, chosen by a number.
    pub(crate) fn chosen_key(&self, number: u64) -> Option<String> {
        let inner = self.inner();
        let count = u64::try_from(inner.order.len()).unwrap();
        let place = number.checked_rem(count)?;
        inner.order.get(usize::try_from(place).unwrap()).cloned()
    }

    /// From here on answers do not count; what they say may be so or not.
    pub fn freeze(&self) {
        self.inner().frozen = true;
    }

    /// Answers count again.
    pub fn thaw(&self) {
        self.inner().frozen = false;
    }

    /// Whether a read may miss what another client was told: a node that is cut off answers from what it holds.
    pub fn allow_stale(&self, stale: bool) {
        self.inner().stale = stale;
    }

    /// A client had its answer after so long, and so many failures.
    pub(crate) fn waited(&self, gap: Duration, failures: u32) {
        let mut inner = self.inner();
        inner.longest_gap = inner.longest_gap.max(gap);
        inner.failures_running = inner.failures_running.max(failures);
    }

    /// A change got no answer that says what happened.
    pub(crate) fn unanswered(&self) {
        self.inner().unknown += 1;
    }

    /// Create is sent, with this mark.
    pub fn creates(&self, mark: &str) {
        self.inner().creates.insert(mark.to_owned(), None);
    }

    /// Create with this mark was answered.
    pub fn created(&self, mark: &str, id: &str) {
        let mut inner = self.inner();
        if inner.frozen {
            return;
        }
        inner.acknowledged += 1;
        inner.creates.insert(mark.to_owned(), Some(id.to_owned()));
        inner.adopt(id);
    }

    /// Get was answered.
    pub(crate) fn read(&self, id: &str, material: &[u8]) {
        let mut inner = self.inner();
        if inner.frozen {
            return;
        }
        inner.acknowledged += 1;
        inner.touched.insert(id.to_owned());
        let Some(key) = inner.keys.get_mut(id) else { return };
        match &key.material {
            Some(known) if known != material => inner.break_promise(Broken::Lost, id, "its bytes changed"),
            Some(_) => {}
            None => key.material = Some(material.to_owned()),
        }
    }

    /// Add Attribute is sent.
    pub(crate) fn adds(&self, id: &str, name: &str, value: &str) {
        let mut inner = self.inner();
        inner.touched.insert(id.to_owned());
        if let Some(key) = inner.keys.get_mut(id) {
            key.attributes.insert(name.to_owned(), (value.to_owned(), Sure::Asked));
        }
    }

    /// Add Attribute was answered.
    pub(crate) fn added(&self, id: &str, name: &str) {
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
    pub(crate) fn activates(&self, id: &str) {
        let mut inner = self.inner();
        inner.touched.insert(id.to_owned());
        if let Some(key) = inner.keys.get_mut(id) {
            key.activation.get_or_insert(Sure::Asked);
        }
    }

    /// Activate was answered.
    pub(crate) fn activated(&self, id: &str) {
        let mut inner = self.inner();
        if inner.frozen {
            return;
        }
        inner.acknowledged += 1;
        if let Some(key) = inner.keys.get_mut(id) {
            key.activation = Some(Sure::Told);
        }
    }

    /// What is sure of a key, to hold the next answer against.
    pub(crate) fn told(&self, id: &str) -> Told {
        let inner = self.inner();
        let key = inner.keys.get(id).cloned().unwrap_or_default();
        let sure =
            |(name, (text, sure)): (String, (String, Sure))| (sure == Sure::Told).then_some((name, text));
        Told {
            active: key.activation == Some(Sure::Told),
            attributes: key.attributes.into_iter().filter_map(sure).collect(),
        }
    }

    /// Get Attributes was answered, with this State and these texts; `told` is what was sure when it was sent.
    pub(crate) fn saw(&self, id: &str, told: &Told, active: bool, texts: &BTreeMap<String, String>) {
        let mut inner = self.inner();
        if inner.frozen {
            return;
        }
        inner.acknowledged += 1;
        if inner.stale {
            return;
        }
        if told.active && !active {
            inner.break_promise(Broken::Backwards, id, "it was active, and a later read says that it is not");
        }
        for (name, text) in &told.attributes {
            if texts.get(name) != Some(text) {
                let why = format!("a later read does not show its {name}");
                inner.break_promise(Broken::Backwards, id, &why);
            }
        }
    }

    /// Item Not Found was answered for a key that was acknowledged.
    pub(crate) fn missed(&self, id: &str) {
        let mut inner = self.inner();
        if !inner.frozen && inner.keys.contains_key(id) {
            inner.break_promise(Broken::NotFound, id, "answered with Item Not Found");
        }
    }

    /// A change was refused in a way that shows it had been carried out before.
    pub(crate) fn was_done_already(&self, id: &str, why: &str) {
        self.inner().break_promise(Broken::Twice, id, why);
    }
}

impl Inner {
    /// A key is there, whoever was told.
    pub(crate) fn adopt(&mut self, id: &str) {
        if self.keys.insert(id.to_owned(), Key::default()).is_some() {
            self.break_promise(Broken::Twice, id, "the identifier was given twice");
        } else {
            self.order.push(id.to_owned());
        }
        self.touched.insert(id.to_owned());
    }

    /// Takes over what a verification showed of a key: all of it where nothing else happens to the key, else what is
    /// sure now and was not before.
    pub(crate) fn learn(&mut self, id: &str, seen: Key, late: bool) {
        let Some(key) = self.keys.get_mut(id) else { return };
        if !late {
            *key = seen;
            return;
        }
        if seen.activation == Some(Sure::Told) {
            key.activation = seen.activation;
        }
        for (name, (text, sure)) in seen.attributes {
            if sure == Sure::Told {
                key.attributes.insert(name, (text, sure));
            }
        }
        if key.material.is_none() {
            key.material = seen.material;
        }
    }

    pub(crate) fn break_promise(&mut self, kind: Broken, id: &str, why: &str) {
        self.broken.push((kind, format!("{id}: {why}")));
    }
}
