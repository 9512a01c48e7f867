//! What one client does, a request at a time.

use std::sync::Arc;

use kmip::client::{ClientError, Connection};
use kmip::enumeration::ResultReason;
use kmip::{RequestPayload, ResponsePayload};

use crate::verify::{bytes_of, is_active, texts};
use crate::{Ledger, Random, ask};

/// Keys that a client goes on working with; older ones are read now and then, and changed no more.
const KEYS_AT_HAND: usize = 8;

/// A client's memory.
#[derive(Debug)]
pub(crate) struct Worker {
    ledger: Arc<Ledger>,
    pub(crate) random: Random,
    keys: Vec<String>,
}

impl Worker {
    pub(crate) fn new(ledger: &Arc<Ledger>, random: Random) -> Self {
        Self { ledger: Arc::clone(ledger), random, keys: Vec::new() }
    }

    /// Makes, reads, activates or marks a key. What the server refuses with words is an error too.
    pub(crate) async fn turn(&mut self, connection: &mut Connection) -> Result<(), ClientError> {
        if self.keys.is_empty() || self.random.below(4) == 0 {
            return self.create(connection).await;
        }
        let own = self.keys[self.random.below(self.keys.len())].clone();
        let any = self.ledger.chosen_key(self.random.number()).unwrap_or_else(|| own.clone());
        match self.random.below(6) {
            0 => self.add_attribute(connection, &own).await,
            1 => self.activate(connection, &own).await,
            2 => self.get(connection, &any).await,
            3 => self.get_attributes(connection, &any).await,
            4 => self.get_attributes(connection, &own).await,
            _ => self.get(connection, &own).await,
        }
    }

    async fn create(&mut self, connection: &mut Connection) -> Result<(), ClientError> {
        let mark = format!("{:016x}", self.random.number());
        self.ledger.creates(&mark);
        let answer = self.change(connection, ask::create_marked(&mark)).await?;
        let ResponsePayload::Create(created) = answer else {
            panic!("Create was answered with something else")
        };
        self.ledger.created(&mark, &created.unique_identifier);
        self.keys.push(created.unique_identifier);
        if self.keys.len() > KEYS_AT_HAND {
            self.keys.remove(0);
        }
        Ok(())
    }

    async fn add_attribute(&mut self, connection: &mut Connection, id: &str) -> Result<(), ClientError> {
        let name = format!("x-{:016x}", self.random.number());
        let text = format!("{:x}", self.random.number());
        self.ledger.adds(id, &name, &text);
        match self.change(connection, ask::add_attribute(id, &name, &text)).await {
            Ok(_) => self.ledger.added(id, &name),
            Err(error) => {
                self.note(id, &error);
                // Nobody else adds an attribute of this name, and it was asked for once.
                if !is_unsure(&error) && !is_missing(&error) {
                    self.ledger.was_done_already(id, &format!("adding {name}: {error}"));
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn activate(&mut self, connection: &mut Connection, id: &str) -> Result<(), ClientError> {
        self.ledger.activates(id);
        match self.change(connection, ask::activate(id)).await {
            Ok(_) => self.ledger.activated(id),
            Err(error) if is_unsure(&error) || is_missing(&error) => {
                self.note(id, &error);
                return Err(error);
            }
            // It is active already: no key leaves Active here.
            Err(_) => {}
        }
        Ok(())
    }

    async fn get(&mut self, connection: &mut Connection, id: &str) -> Result<(), ClientError> {
        match connection.one(ask::get(id)).await {
            Ok(ResponsePayload::Get(got)) => self.ledger.read(id, &bytes_of(&got.object).unwrap()),
            Ok(_) => panic!("Get was answered with something else"),
            Err(error) => {
                self.note(id, &error);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn get_attributes(&mut self, connection: &mut Connection, id: &str) -> Result<(), ClientError> {
        let told = self.ledger.told(id);
        match connection.one(ask::get_attributes(id)).await {
            Ok(ResponsePayload::GetAttributes(got)) => {
                self.ledger.saw(id, &told, is_active(&got.attributes), &texts(&got.attributes));
            }
            Ok(_) => panic!("Get Attributes was answered with something else"),
            Err(error) => {
                self.note(id, &error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Asks for a change, and counts it where nobody can say what came of it.
    async fn change(
        &mut self,
        connection: &mut Connection,
        payload: RequestPayload,
    ) -> Result<ResponsePayload, ClientError> {
        let answer = connection.one(payload).await;
        if answer.as_ref().is_err_and(is_unsure) {
            self.ledger.unanswered();
        }
        answer
    }

    fn note(&self, id: &str, error: &ClientError) {
        if is_missing(error) {
            self.ledger.missed(id);
        }
    }
}

/// No answer, or one that does not say what is so.
pub(crate) fn is_unsure(error: &ClientError) -> bool {
    error.failure().is_none_or(|failure| failure.reason == Some(ResultReason::GeneralFailure))
}

fn is_missing(error: &ClientError) -> bool {
    error.failure().is_some_and(|failure| failure.reason == Some(ResultReason::ItemNotFound))
}
