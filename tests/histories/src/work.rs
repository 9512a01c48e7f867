//! One client at work: what it asks of registers and names, and what the answers mean to the checker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use kmip::client::Failure;
use kmip::enumeration::ResultReason;
use kmip::{RequestPayload, ResponsePayload};

use crate::caller::{Told, Untold};
use crate::history::{NAMES, REGISTERS};
use crate::{Answer, Caller, Operation, Random, RegisterAsked, ask};

/// What one client asked, before it is sorted.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// Of a register.
    Register(usize, Operation<RegisterAsked>),
    /// Of a name. Identifiers are told apart only when all are known.
    Name(usize, Operation<NameText>),
}

/// What [`NameAsked`](crate::NameAsked) is, with identifiers as they came.
#[derive(Clone, Debug)]
pub(crate) enum NameText {
    /// Create.
    Create(Answer<String>),
    /// Locate.
    Locate(Vec<String>),
    /// Destroy.
    Destroy(String, Answer<()>),
    /// Not there.
    Lost,
}

/// What the clients of a history share.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) keys: Vec<String>,
    pub(crate) names: Vec<String>,
    /// No value is written twice.
    pub(crate) values: AtomicU32,
    /// Over several histories: operations that ended.
    pub(crate) done: Arc<AtomicUsize>,
}

impl Asked {
    /// The object that a Create was answered with.
    pub(crate) fn told(&self) -> Option<String> {
        match self {
            Self::Name(_, Operation { what: NameText::Create(Answer::Done(id)), .. }) => Some(id.clone()),
            _ => None,
        }
    }
}

/// What a client saw last, so that what it changes is likely to be there.
#[derive(Debug, Default)]
struct Seen {
    indexes: BTreeMap<usize, Vec<i32>>,
    objects: BTreeMap<usize, String>,
}

/// One client at work.
pub(crate) struct Work {
    pub(crate) client: usize,
    pub(crate) caller: Caller,
    random: Random,
    ground: Arc<Ground>,
    seen: Seen,
    pub(crate) asked: Vec<Asked>,
}

impl Work {
    pub(crate) fn new(client: usize, caller: Caller, random: Random, ground: Arc<Ground>) -> Self {
        Self { client, caller, random, ground, seen: Seen::default(), asked: Vec::new() }
    }

    /// Does so many operations.
    pub(crate) async fn run(mut self, operations: usize) -> Self {
        for _ in 0..operations {
            let place = self.random.below(REGISTERS + NAMES);
            match place.checked_sub(REGISTERS) {
                None => self.register(place).await,
                Some(name) => self.name(name).await,
            }
            self.ground.done.fetch_add(1, Ordering::Relaxed);
        }
        self
    }

    async fn register(&mut self, register: usize) {
        match self.random.below(100) {
            0..45 => self.read(register).await,
            45..75 => self.modify(register).await,
            75..88 => self.add(register).await,
            _ => self.delete(register).await,
        }
    }

    async fn name(&mut self, name: usize) {
        match self.random.below(100) {
            0..45 => self.locate(name).await,
            45..72 => self.create(name).await,
            _ => self.destroy(name).await,
        }
    }

    async fn ask(&mut self, payload: RequestPayload) -> Told {
        self.caller.ask(payload, &mut self.random).await
    }

    pub(crate) async fn read(&mut self, register: usize) {
        let told = self.ask(ask::read(&self.ground.keys[register])).await;
        let what = match &told.result {
            Ok(ResponsePayload::GetAttributes(got)) => {
                let mut seen: Vec<_> = got.attributes.iter().map(ask::instance).collect();
                seen.sort_unstable();
                self.seen.indexes.insert(register, seen.iter().map(|(index, _)| *index).collect());
                RegisterAsked::Read(seen)
            }
            Ok(other) => panic!("Get Attributes was answered with {other:?}"),
            Err(Untold::Refused(failure)) => lost_key(failure),
            // What was not read says nothing.
            Err(Untold::Failed | Untold::Unknown) => return,
        };
        self.note_register(register, told, what);
    }

    async fn add(&mut self, register: usize) {
        let value = self.value();
        let told = self.ask(ask::add(&self.ground.keys[register], value)).await;
        let answer = match &told.result {
            Ok(ResponsePayload::AddAttribute(added)) => Answer::Done(ask::instance(&added.attribute).0),
            Ok(other) => panic!("Add Attribute was answered with {other:?}"),
            Err(Untold::Refused(failure)) => {
                let what = lost_key(failure);
                return self.note_register(register, told, what);
            }
            Err(Untold::Failed) => return,
            Err(Untold::Unknown) => Answer::Unknown,
        };
        self.note_register(register, told, RegisterAsked::Add(value, answer));
    }

    async fn modify(&mut self, register: usize) {
        let (index, value) = (self.index(register), self.value());
        let told = self.ask(ask::modify(&self.ground.keys[register], index, value)).await;
        let answer = match &told.result {
            Ok(_) => Answer::Done(()),
            Err(Untold::Refused(failure)) if is_lost(failure) => {
                return self.note_register(register, told, RegisterAsked::Lost);
            }
            Err(Untold::Refused(failure)) => {
                let reasons = [Some(ResultReason::InvalidField), Some(ResultReason::ItemNotFound)];
                assert!(reasons.contains(&failure.reason), "Modify Attribute: {failure}");
                Answer::Refused
            }
            Err(Untold::Failed) => return,
            Err(Untold::Unknown) => Answer::Unknown,
        };
        self.note_register(register, told, RegisterAsked::Modify(index, value, answer));
    }

    async fn delete(&mut self, register: usize) {
        let index = self.index(register);
        let told = self.ask(ask::delete(&self.ground.keys[register], index)).await;
        let answer = match &told.result {
            Ok(ResponsePayload::DeleteAttribute(gone)) => Answer::Done(ask::instance(&gone.attribute).1),
            Ok(other) => panic!("Delete Attribute was answered with {other:?}"),
            Err(Untold::Refused(failure)) if is_lost(failure) => {
                return self.note_register(register, told, RegisterAsked::Lost);
            }
            Err(Untold::Refused(failure)) => {
                assert_eq!(failure.reason, Some(ResultReason::ItemNotFound), "Delete Attribute: {failure}");
                Answer::Refused
            }
            Err(Untold::Failed) => return,
            Err(Untold::Unknown) => Answer::Unknown,
        };
        self.note_register(register, told, RegisterAsked::Delete(index, answer));
    }

    pub(crate) async fn locate(&mut self, name: usize) {
        let told = self.ask(ask::locate(&self.ground.names[name])).await;
        let found = match &told.result {
            Ok(ResponsePayload::Locate(located)) => located.unique_identifiers.clone(),
            Ok(other) => panic!("Locate was answered with {other:?}"),
            Err(Untold::Refused(failure)) => panic!("Locate: {failure}"),
            Err(Untold::Failed | Untold::Unknown) => return,
        };
        if let Some(first) = found.first() {
            self.seen.objects.insert(name, first.clone());
        }
        self.note_name(name, told, NameText::Locate(found));
    }

    async fn create(&mut self, name: usize) {
        let told = self.ask(ask::create(Some(&self.ground.names[name]))).await;
        let answer = match &told.result {
            Ok(ResponsePayload::Create(created)) => Answer::Done(created.unique_identifier.clone()),
            Ok(other) => panic!("Create was answered with {other:?}"),
            Err(Untold::Refused(failure)) => {
                assert_eq!(failure.reason, Some(ResultReason::InvalidField), "Create: {failure}");
                Answer::Refused
            }
            Err(Untold::Failed) => return,
            Err(Untold::Unknown) => Answer::Unknown,
        };
        if let Answer::Done(id) = &answer {
            self.seen.objects.insert(name, id.clone());
        }
        self.note_name(name, told, NameText::Create(answer));
    }

    /// Of the object seen last; where none was, it is looked for.
    async fn destroy(&mut self, name: usize) {
        let Some(id) = self.seen.objects.get(&name).cloned() else { return self.locate(name).await };
        let told = self.ask(ask::destroy(&id)).await;
        let answer = match &told.result {
            Ok(_) => Answer::Done(()),
            Err(Untold::Refused(failure)) if is_lost(failure) => {
                return self.note_name(name, told, NameText::Lost);
            }
            Err(Untold::Refused(failure)) => {
                assert_eq!(failure.reason, Some(ResultReason::PermissionDenied), "Destroy: {failure}");
                Answer::Refused
            }
            Err(Untold::Failed) => return,
            Err(Untold::Unknown) => Answer::Unknown,
        };
        self.note_name(name, told, NameText::Destroy(id, answer));
    }

    fn value(&self) -> u32 {
        self.ground.values.fetch_add(1, Ordering::Relaxed)
    }

    /// One that was seen, or 0.
    fn index(&mut self, register: usize) -> i32 {
        match self.seen.indexes.get(&register).map_or(&[] as &[i32], Vec::as_slice) {
            [] => 0,
            seen => seen[self.random.below(seen.len())],
        }
    }

    fn note_register(&mut self, register: usize, told: Told, what: RegisterAsked) {
        self.asked.push(Asked::Register(register, told.operation(self.client, what)));
    }

    fn note_name(&mut self, name: usize, told: Told, what: NameText) {
        self.asked.push(Asked::Name(name, told.operation(self.client, what)));
    }
}

impl Told {
    fn operation<T>(self, client: usize, what: T) -> Operation<T> {
        let Self { node, called, returned, result } = self;
        let returned = (!matches!(result, Err(Untold::Unknown))).then_some(returned);
        Operation { client, node, called, returned, what }
    }
}

/// Whether the object itself was not there.
fn is_lost(failure: &Failure) -> bool {
    let message = failure.message.as_deref().unwrap_or_default();
    failure.reason == Some(ResultReason::ItemNotFound) && message.starts_with("no object with")
}

fn lost_key(failure: &Failure) -> RegisterAsked {
    assert!(is_lost(failure), "a key that was made: {failure}");
    RegisterAsked::Lost
}
