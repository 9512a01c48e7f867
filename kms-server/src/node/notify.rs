//! Notify and Put: the server as a client of its tenants' listeners (KMIP 1.4 chapter 5).
//!
//! The node that leads tells; one task a listener, in the order of the log, one message at a time. What was told goes into
//! the log afterwards, so a listener hears everything at least once, and a part again where the leader changes in between.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kmip::client::{Client, ClientConfig, ClientError, Connection, ServerTrust};
use kmip::enumeration::{Operation, PutFunction, ResultStatus};
use kmip::operations::{get, get_attributes};
use kmip::{
    Attribute, ManagedObject, ProtocolVersion, RequestMessage, RequestPayload, ResponseMessage,
    ResponsePayload, StandardAttribute, tag,
};
use kms_core::{Draft, Event, Id, Rights, Tenant};
use tokio::time::sleep;
use tracing::{info, warn};
use ttlv::{Limits, Node, Value, Writer};
use zeroize::{Zeroize as _, Zeroizing};

use super::notices::{Changed, Notice, What};
use super::state::Asker;
use super::taker::{Cargo, Taker};
use crate::audit::{self, Audit};
use crate::config::Config;
use crate::cryptography::OpenSsl;
use crate::identity::read_file;

/// Notices that are told before the log hears of it; so many may be told again when the leader changes.
const TOLD_TOGETHER_MAX: usize = 64;

/// Before the second try; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a listener may take to connect, to shake hands and to answer, each.
const LISTENER_TIMEOUT: Duration = Duration::from_secs(10);

/// A tenant's listener, and how it is spoken to.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    pub(super) tenant: Tenant,
    /// host:port.
    pub(super) address: String,
    /// PEM certificates of the CAs that its certificate may come from.
    pub(super) ca: PathBuf,
    /// What the server shows: as to clients.
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Whether it is sent new objects.
    pub(super) put: bool,
    pub(super) version: ProtocolVersion,
    /// Tries, after which a notice is dropped.
    pub(super) attempts_max: u32,
}

/// The listeners that the configuration names.
pub(super) fn listeners(config: &Config) -> Vec<Listener> {
    let Some(notify) = &config.notify else { return Vec::new() };
    let listeners = notify.listeners.iter().map(|(tenant, address)| Listener {
        tenant: Tenant::new(tenant),
        address: address.clone(),
        ca: notify.ca.clone(),
        certificate: config.kmip.certificate.clone(),
        key: config.kmip.key.clone(),
        put: notify.put,
        version: notify.version,
        attempts_max: notify.attempts_max,
    });
    listeners.collect()
}

/// Why a notice was not taken.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error(transparent)]
    Listener(#[from] ClientError),
    #[error("{0}")]
    Ours(String),
}

/// Tells one listener, for as long as the node lives.
pub(super) async fn tell(taker: Taker, audit: Arc<Audit>, listener: Listener) {
    let notices = Arc::clone(&taker.state.notices);
    let (mut coming, mut roles) = (notices.coming(), taker.roles.clone());
    let mut teller = Teller { taker, audit, listener, connection: None };
    // What this process told, also where the log does not say so yet.
    let mut sent = 0;
    loop {
        coming.mark_unchanged();
        let mut unlogged = 0;
        while teller.leads() {
            let Some(notice) = notices.next(&teller.listener.tenant, sent) else { break };
            if !teller.told(&notice).await {
                break;
            }
            sent = notice.number;
            unlogged += 1;
            if unlogged == TOLD_TOGETHER_MAX {
                teller.log(sent).await;
                unlogged = 0;
            }
        }
        if unlogged > 0 {
            teller.log(sent).await;
        }
        let changed = tokio::select! {
            changed = coming.changed() => changed.is_ok(),
            changed = roles.changed() => changed.is_ok(),
        };
        if !changed {
            return;
        }
    }
}

struct Teller {
    taker: Taker,
    audit: Arc<Audit>,
    listener: Listener,
    connection: Option<Connection>,
}

impl Teller {
    fn leads(&self) -> bool {
        self.taker.roles.borrow().leads
    }

    /// Whether a notice is done with: taken, of no more use, or tried often enough. Not, where another node leads by now.
    async fn told(&mut self, notice: &Notice) -> bool {
        let (tenant, address) = (self.listener.tenant.clone(), self.listener.address.clone());
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=self.listener.attempts_max {
            if !self.leads() {
                return false;
            }
            let error = match self.send(notice).await {
                Ok(()) => return true,
                Err(error) => error,
            };
            self.connection = None;
            if attempt == 1 {
                info!(%tenant, listener = address, "not told, and tried again: {error}");
            }
            if attempt == self.listener.attempts_max {
                warn!(
                    %tenant, listener = address, object = %notice.id,
                    "dropped what was tried {attempt} times: {error}; hint: is the listener there? [listeners], [notify]"
                );
                break;
            }
            // A listener that is down is not asked more often than this.
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
        true
    }

    async fn send(&mut self, notice: &Notice) -> Result<(), Untold> {
        let (operation, fields) = match &notice.what {
            What::Made if !self.listener.put => return Ok(()),
            What::Made => match self.put(notice.id)? {
                Some(fields) => (Operation::Put, fields),
                // It is gone already, or must not leave the server.
                None => return Ok(()),
            },
            What::Changed { at, attributes } => {
                (Operation::Notify, notify(notice.id, *at, attributes, self.listener.version))
            }
        };
        if operation == Operation::Put {
            self.audited(notice.id)?;
        }
        let payload = RequestPayload::Other { operation, fields };
        let mut message = RequestMessage::new(self.listener.version, [payload]);
        let answer = self.exchange(&message).await;
        for item in &mut message.items {
            if let RequestPayload::Other { fields, .. } = &mut item.payload {
                fields.iter_mut().for_each(|node| node.value.zeroize());
            }
        }
        let answer = answer?;
        if let Some(item) = answer.items.first().filter(|item| item.result_status != ResultStatus::Success) {
            warn!(
                tenant = %self.listener.tenant, listener = self.listener.address, object = %notice.id,
                "the listener refuses {operation}: {}", item.result_message.as_deref().unwrap_or("it does not say why")
            );
        }
        Ok(())
    }

    async fn exchange(&mut self, message: &RequestMessage) -> Result<ResponseMessage, Untold> {
        let quiet =
            self.connection.take().and_then(|mut connection| connection.is_quiet().then_some(connection));
        let mut connection = match quiet {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = connection.call(message).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Connection, Untold> {
        let read = |path| read_file(path).map_err(|error| Untold::Ours(error.to_string()));
        let listener = &self.listener;
        // Read anew each time: all three may have been renewed.
        let trust = ServerTrust::Ca { pem: read(&listener.ca)?.to_vec(), verify_name: true };
        let config = ClientConfig::builder(&listener.address, trust)
            .identity_pem(read(&listener.certificate)?.to_vec(), read(&listener.key)?.to_vec())
            .connect_timeout(LISTENER_TIMEOUT)
            .handshake_timeout(LISTENER_TIMEOUT)
            .request_timeout(LISTENER_TIMEOUT)
            .protocol_version(listener.version)
            .build()?;
        Ok(Client::connect(&config).await?)
    }

    /// The fields of a Put (KMIP 1.4 table 256): what a client of the tenant would be given. None where it would be given
    /// nothing.
    fn put(&self, id: Id) -> Result<Option<Vec<Node>>, Untold> {
        let version = self.listener.version;
        let unique_identifier = Some(id.to_string());
        let attributes = get_attributes::Request {
            unique_identifier: unique_identifier.clone(),
            ..get_attributes::Request::default()
        };
        let get = get::Request { unique_identifier, ..get::Request::default() };
        // The attributes first: behind a Get the object would no longer be fresh.
        let payloads = [RequestPayload::from(attributes), get.into()];
        let request = RequestMessage::new(version, payloads);
        let client = kms_core::Client {
            name: "listener".into(),
            tenant: self.listener.tenant.clone(),
            rights: Rights { read: true, create: false, change: false, destroy: false },
        };
        let outcome = {
            let held = self.taker.state.held();
            // What reading would change is dropped with the draft: a listener is not the first who reads.
            let mut draft = Draft::new(&held.objects);
            self.taker.state.decide(&request, &Asker::trusted(&Arc::new(client)), &OpenSsl, &mut draft)
        };
        let limits = Limits { message_bytes_max: outcome.encoded.len(), ..Limits::default() };
        let answer = ResponseMessage::decode(&outcome.encoded, limits)
            .map_err(|error| Untold::Ours(format!("what is to be put cannot be read: {error}")))?;
        let mut object = None;
        let mut attributes = Vec::new();
        for item in answer.items {
            match item.payload {
                Some(ResponsePayload::Get(got)) => object = Some(got.object),
                Some(ResponsePayload::GetAttributes(got)) => attributes = got.attributes,
                _ => {}
            }
        }
        let Some(object) = object else { return Ok(None) };
        let mut fields = vec![
            Node::new(tag::UNIQUE_IDENTIFIER, Value::TextString(id.to_string())),
            Node::new(tag::PUT_FUNCTION, Value::Enumeration(PutFunction::New.number())),
        ];
        fields.extend(node(|writer| ManagedObject::write(&object, writer, version)));
        for attribute in &attributes {
            fields.extend(node(|writer| attribute.write(writer, version)));
        }
        Ok(Some(fields))
    }

    /// A key that leaves is in the audit before it does.
    fn audited(&self, id: Id) -> Result<(), Untold> {
        let id = id.to_string();
        let line = audit::Line {
            time: self.taker.state.clock.unix_seconds(),
            client: &self.listener.address,
            tenant: self.listener.tenant.as_str(),
            address: None,
            client_correlation: None,
            server_correlation: None,
            operation: "Put",
            unique_identifier: Some(&id),
            result_status: "Success",
            result_reason: None,
            message_bytes: 0,
            without_quorum: false,
        };
        self.audit.write(&[line]).map_err(|error| Untold::Ours(error.to_string()))
    }

    /// Has the log say what was told. Where it cannot, the next leader tells it again.
    async fn log(&self, number: u64) {
        let told = Event::Told { tenant: self.listener.tenant.clone(), number };
        // A failure is no news: what was told is told once more.
        let _ = self.taker.carry(&Cargo::Change(&told), None).await;
    }
}

/// The fields of a Notify (KMIP 1.4 table 255).
fn notify(id: Id, at: i64, attributes: &[Changed], version: ProtocolVersion) -> Vec<Node> {
    let mut fields = vec![Node::new(tag::UNIQUE_IDENTIFIER, Value::TextString(id.to_string()))];
    for changed in attributes {
        match changed {
            Changed::Set(attribute) => {
                // The first needs no number, and a peer of 1.0 does not look for one.
                let index = attribute.index.filter(|index| *index != 0);
                let told = Attribute { index, ..attribute.clone() };
                fields.extend(node(|writer| told.write(writer, version)));
            }
            Changed::Gone(name, _) if !name.known_in(version) => {}
            // "Attribute Value: Yes, except for the Notify operation" (KMIP 1.4 table 2): one without a value is gone.
            Changed::Gone(name, index) => {
                let mut inside =
                    vec![Node::new(tag::ATTRIBUTE_NAME, Value::TextString(name.as_str().to_owned()))];
                if *index != 0 {
                    inside.push(Node::new(tag::ATTRIBUTE_INDEX, Value::Integer(*index)));
                }
                fields.push(Node::new(tag::ATTRIBUTE, Value::Structure(inside)));
            }
        }
    }
    let date = Attribute::new(StandardAttribute::LastChangeDate, Value::DateTime(at));
    fields.extend(node(|writer| date.write(writer, version)));
    fields
}

/// What `write` appends as a node; none where the version has no words for it.
fn node(write: impl FnOnce(&mut Writer<'_>)) -> Option<Node> {
    let mut bytes = Zeroizing::new(Vec::new());
    write(&mut Writer::new(&mut bytes));
    Node::decode(&bytes, Limits { message_bytes_max: usize::MAX, ..Limits::default() }).ok()
}
