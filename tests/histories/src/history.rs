//! Clients that work on a few registers and names at once, and the book of what they asked and were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize};

use tokio::task::JoinSet;

use crate::work::{Asked, Ground, NameText, Work};
use crate::{
    Answer, Caller, Id, Name, NameAsked, Operation, Random, Register, RegisterAsked, Unexplained, check,
};

/// Registers of a history: keys.
pub(crate) const REGISTERS: usize = 8;
/// Names of a history.
pub(crate) const NAMES: usize = 8;

/// Operations on each register.
pub type Registers = Vec<Vec<Operation<RegisterAsked>>>;
/// Operations on each name.
pub type Names = Vec<Vec<Operation<NameAsked>>>;

/// What was asked and answered, register by register and name by name.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Its seed, which decides what is asked of whom, not who comes first.
    pub seed: u64,
    /// By register.
    pub registers: Registers,
    /// By name.
    pub names: Names,
}

/// A history that is about to be recorded: its keys are made.
pub struct Prepared {
    seed: u64,
    ground: Arc<Ground>,
    callers: Vec<Caller>,
    random: Random,
}

impl History {
    /// Makes the keys of a history. `done` counts operations while it is recorded. Panics where no key can be made.
    pub async fn prepare(seed: u64, mut callers: Vec<Caller>, done: Arc<AtomicUsize>) -> Prepared {
        let mut random = Random::seeded(seed);
        let keys = callers[0].make_keys(REGISTERS, &mut random).await;
        // Of this run alone: a seed may come again.
        let names = (0..NAMES).map(|name| format!("{}-{name}", keys[0])).collect();
        let ground = Arc::new(Ground { keys, names, values: AtomicU32::new(1), done });
        Prepared { seed, ground, callers, random }
    }

    /// Whether an order of its operations explains every answer.
    pub fn check(&self) -> Result<(), Unexplained> {
        let of = |what: &str, number: usize, Unexplained(why): Unexplained| {
            Unexplained(format!("seed {}, {what} {number}: {why}", self.seed))
        };
        for (number, operations) in self.registers.iter().enumerate() {
            check::<Register>(operations).map_err(|why| of("register", number, why))?;
        }
        for (number, operations) in self.names.iter().enumerate() {
            check::<Name>(operations).map_err(|why| of("name", number, why))?;
        }
        Ok(())
    }

    /// Operations in it.
    pub fn operations(&self) -> usize {
        self.registers.iter().map(Vec::len).sum::<usize>() + self.names.iter().map(Vec::len).sum::<usize>()
    }

    /// Of them those whose outcome is unknown.
    pub fn unknown(&self) -> usize {
        let registers = self.registers.iter().flatten().filter(|operation| operation.returned.is_none());
        let names = self.names.iter().flatten().filter(|operation| operation.returned.is_none());
        registers.count() + names.count()
    }

    fn of(seed: u64, asked: Vec<Asked>) -> Self {
        let told: BTreeSet<String> = asked.iter().filter_map(Asked::told).collect();
        let mut numbers = BTreeMap::new();
        let mut id = |text: String| {
            let next = u32::try_from(numbers.len()).unwrap();
            let told = told.contains(&text);
            Id { number: *numbers.entry(text).or_insert(next), told }
        };
        let mut history = Self {
            seed,
            registers: (0..REGISTERS).map(|_| Vec::new()).collect(),
            names: (0..NAMES).map(|_| Vec::new()).collect(),
        };
        for asked in asked {
            match asked {
                Asked::Register(number, operation) => history.registers[number].push(operation),
                Asked::Name(number, Operation { client, node, called, returned, what }) => {
                    let what = match what {
                        NameText::Create(Answer::Done(made)) => NameAsked::Create(Answer::Done(id(made))),
                        NameText::Create(Answer::Refused) => NameAsked::Create(Answer::Refused),
                        NameText::Create(Answer::Unknown) => NameAsked::Create(Answer::Unknown),
                        NameText::Locate(found) => {
                            NameAsked::Locate(found.into_iter().map(&mut id).collect())
                        }
                        NameText::Destroy(gone, answer) => NameAsked::Destroy(id(gone), answer),
                        NameText::Lost => NameAsked::Lost,
                    };
                    history.names[number].push(Operation { client, node, called, returned, what });
                }
            }
        }
        history
    }
}

impl Prepared {
    /// Lets each client do so many operations, then looks at every register and name once more. Gives the clients back.
    pub async fn record(self, operations_per_client: usize) -> (History, Vec<Caller>) {
        let Self { seed, ground, callers, mut random } = self;
        let mut clients = JoinSet::new();
        for (client, caller) in callers.into_iter().enumerate() {
            let random = Random::seeded(random.number());
            let work = Work::new(client, caller, random, Arc::clone(&ground));
            clients.spawn(work.run(operations_per_client));
        }
        let mut works = clients.join_all().await;
        works.sort_by_key(|work| work.client);
        for register in 0..REGISTERS {
            works[0].read(register).await;
        }
        for name in 0..NAMES {
            works[0].locate(name).await;
        }
        let (mut asked, mut callers) = (Vec::new(), Vec::new());
        for work in works {
            asked.extend(work.asked);
            callers.push(work.caller);
        }
        (History::of(seed, asked), callers)
    }
}
