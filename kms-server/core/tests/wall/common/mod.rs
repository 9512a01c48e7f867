//! A world to ask things of: objects, clients, a clock that the test moves, seeded entropy, and a vault that seals
//! nothing but knows what it was told.

pub mod certificates;
pub mod invariants;
pub mod text;
pub mod toy;

use std::cell::Cell;
use std::collections::BTreeMap;

use kmip::enumeration::{Operation, ResultReason, ResultStatus};
use kmip::{ProtocolVersion, RequestMessage, ResponseItem, ResponseMessage, tag};
use kms_core::{
    About, AuditItem, Client, Context, Correlation, Deferred, Draft, Entropy, Event, Id, Limits, Objects,
    Outcome, Rights, Tenant, Vault, VaultError, handle, settle,
};
use ttlv::{Node, Value};
use zeroize::Zeroizing;

use text::{Names, Source};

/// The time at which every world begins.
pub const NOW: i64 = 1_700_000_000;

/// splitmix64: the same bytes in every run.
pub struct Seeded(pub u64);

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)) as u8;
        }
    }
}

/// Seals by inverting bits behind a copy of what the material is about.
pub struct PlainVault {
    pub broken: bool,
    pub opened: Cell<u32>,
}

fn about_bytes(about: &About<'_>) -> Vec<u8> {
    let mut bytes = about.id.as_bytes().to_vec();
    bytes.extend(about.object_type.number().to_be_bytes());
    bytes.extend(about.tenant.as_str().as_bytes());
    bytes
}

impl Vault for PlainVault {
    fn seal(&self, about: &About<'_>, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        if self.broken {
            return Err(VaultError("the vault is broken".into()));
        }
        let mut sealed = about_bytes(about);
        sealed.extend(plain.iter().map(|byte| !byte));
        Ok(sealed)
    }

    fn open(&self, about: &About<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.opened.set(self.opened.get() + 1);
        let inside = sealed.strip_prefix(about_bytes(about).as_slice()).filter(|_| !self.broken);
        let inside = inside.ok_or_else(|| VaultError("sealed about something else".into()))?;
        Ok(Zeroizing::new(inside.iter().map(|byte| !byte).collect()))
    }
}

/// Everything that a decision depends on.
pub struct World {
    pub objects: Objects,
    pub clients: BTreeMap<&'static str, Client>,
    pub now: i64,
    pub entropy: Seeded,
    pub vault: PlainVault,
    pub limits: Limits,
    pub names: Names,
    /// Who asks, where a test does not say.
    pub client: &'static str,
    /// The version that is asked in, where a test does not say.
    pub version: ProtocolVersion,
}

/// What a request came to.
#[derive(Debug)]
pub struct Answer {
    pub response: ResponseMessage,
    pub bytes: Vec<u8>,
    pub audit: Vec<AuditItem>,
    pub served: Vec<Id>,
    pub correlation: Correlation,
    pub events: Vec<Event>,
}

impl World {
    /// Clients `vc01` (rights of a vCenter) and `admin` (all rights) of one tenant, `other` (all rights) of another.
    pub fn new() -> Self {
        let client = |name: &'static str, tenant, rights| {
            (name, Client { name: name.into(), tenant: Tenant::new(tenant), rights })
        };
        Self {
            objects: Objects::default(),
            clients: BTreeMap::from([
                client("vc01", "vsphere", Rights::default()),
                client("admin", "vsphere", Rights::ALL),
                client("other", "elsewhere", Rights::ALL),
            ]),
            now: NOW,
            entropy: Seeded(1),
            vault: PlainVault { broken: false, opened: Cell::new(0) },
            limits: Limits::default(),
            names: Names::default(),
            client: "admin",
            version: ProtocolVersion::V1_4,
        }
    }

    /// Asks as bytes do: encoded, decoded, decided, its events logged and read back, applied, and the whole state taken
    /// through a snapshot.
    pub fn send(&mut self, bytes: &[u8]) -> Answer {
        let request = RequestMessage::decode(bytes, ttlv::Limits::default()).unwrap();
        let objects = self.objects.clone();
        let mut draft = Draft::new(&objects);
        let outcome = self.decide(&request, &mut draft);
        let events = draft.into_events();
        self.apply(&events);
        let Outcome { encoded, audit, served, correlation } = outcome;
        let response = ResponseMessage::decode(&encoded, ttlv::Limits::default()).unwrap();
        assert_eq!(response.items.len(), audit.len(), "one audit entry an item");
        invariants::of_response(&request, &response, &encoded);
        for id in response.items.iter().flat_map(all_made) {
            if !self.names.0.contains(&id) {
                self.names.0.push(id);
            }
        }
        Answer { response, bytes: encoded.to_vec(), audit, served, correlation, events }
    }

    /// Decides alone, on a draft that may hold more.
    pub fn decide(&mut self, request: &RequestMessage, draft: &mut Draft<'_>) -> Outcome {
        let client = self.client;
        handle(request, &mut self.context(client), draft)
    }

    /// Carries out what was put off, as the client that asked for it.
    pub fn settle(&mut self, deferred: &Deferred, draft: &mut Draft<'_>) -> Outcome {
        settle(deferred, &mut self.context(&deferred.client), draft).unwrap()
    }

    fn context(&mut self, client: &str) -> Context<'_> {
        Context {
            now: self.now,
            client: &self.clients[client],
            entropy: &mut self.entropy,
            vault: &self.vault,
            cryptography: &toy::Toy,
            workshop: &toy::Toy,
            limits: &self.limits,
            vendor_identification: "test server",
        }
    }

    /// Carries events out as a node does: from their bytes.
    pub fn apply(&mut self, events: &[Event]) {
        let mut log = Vec::new();
        Event::encode_all(events, &mut log);
        let read = Event::decode_all(&log).unwrap();
        assert_eq!(read, events, "events survive the log");
        for event in &read {
            let before = event.object().and_then(|id| self.objects.object(id).cloned());
            self.objects.apply(event);
            invariants::of_step(before.as_deref(), event, &self.objects);
        }
        invariants::of_objects(&self.objects);
    }

    /// Asks in the text form; several items may follow one another.
    pub fn ask(&mut self, items: &str) -> Answer {
        let bytes = self.request("", items);
        self.send(&bytes)
    }

    /// Asks with header fields in front: `MaximumResponseSize=100 BatchOrderOption=true`.
    pub fn ask_with(&mut self, header: &str, items: &str) -> Answer {
        let bytes = self.request(header, items);
        self.send(&bytes)
    }

    /// Asks as another client.
    pub fn ask_as(&mut self, client: &'static str, items: &str) -> Answer {
        let before = std::mem::replace(&mut self.client, client);
        let answer = self.ask(items);
        self.client = before;
        answer
    }

    /// Asks in another version.
    pub fn ask_in(&mut self, version: ProtocolVersion, items: &str) -> Answer {
        let before = std::mem::replace(&mut self.version, version);
        let answer = self.ask(items);
        self.version = before;
        answer
    }

    /// One item that must succeed.
    pub fn done(&mut self, item: &str) -> ResponseItem {
        let mut answer = self.ask(item);
        let only = answer.response.items.remove(0);
        assert_eq!(only.result_status, ResultStatus::Success, "{item}: {:?}", only.result_message);
        only
    }

    /// One item that must be refused for this reason; gives the message.
    pub fn refused(&mut self, item: &str, reason: ResultReason) -> String {
        let before = self.objects.clone();
        let mut answer = self.ask(item);
        let only = answer.response.items.remove(0);
        assert_eq!(only.result_reason, Some(reason), "{item}: {only:?}");
        assert_eq!(only.result_status, ResultStatus::OperationFailed);
        // What was denied of a Check is said; nothing else has an answer though it failed.
        assert!(only.payload.is_none() || only.operation == Some(Operation::Check));
        assert!(answer.events.is_empty() && answer.served.is_empty());
        assert_eq!(self.objects, before, "a refused request changes nothing");
        only.result_message.expect("a refusal says why")
    }

    /// The request's bytes.
    pub fn request(&self, header: &str, items: &str) -> Vec<u8> {
        let integer = |tag, number| Node::new(tag, Value::Integer(number));
        let version = Value::Structure(vec![
            integer(tag::PROTOCOL_VERSION_MAJOR, self.version.major),
            integer(tag::PROTOCOL_VERSION_MINOR, self.version.minor),
        ]);
        let mut source = Source::new(items, &self.names);
        let mut batch = Vec::new();
        while !source.rest.is_empty() {
            batch.push(batch_item(&mut source));
        }
        let mut fields = vec![Node::new(tag::PROTOCOL_VERSION, version)];
        let text = format!("{header} }}");
        fields.extend(Source::new(&text, &self.names).nodes());
        if !fields.iter().any(|field| field.tag == tag::BATCH_COUNT) {
            fields.push(integer(tag::BATCH_COUNT, i32::try_from(batch.len()).unwrap()));
        }
        let mut message = vec![Node::new(tag::REQUEST_HEADER, Value::Structure(fields))];
        message.extend(batch);
        Node::new(tag::REQUEST_MESSAGE, Value::Structure(message)).encode()
    }

    /// A new AES-256 key, Pre-Active; gives its identifier.
    pub fn key(&mut self) -> String {
        self.key_with("")
    }

    /// A new key with more attributes; gives its identifier.
    pub fn key_with(&mut self, attributes: &str) -> String {
        made(&self.done(&create(attributes))).unwrap()
    }

    /// What stands in an attribute, in the text form; empty where there is none.
    pub fn attribute(&mut self, id: &str, name: &str) -> String {
        let item = self.done(&format!("GetAttributes {{ UniqueIdentifier={id:?} AttributeName={name:?} }}"));
        let mut names = self.names.clone();
        written(&item, self.version, &mut names).trim().to_owned()
    }

    /// The state's name.
    pub fn state(&mut self, id: &str) -> String {
        let text = self.attribute(id, "State");
        text.rsplit('=').next().unwrap().trim_end_matches(['}', '\n']).trim().to_owned()
    }
}

/// `Create` with the attributes of vCenter's keys, and these.
pub fn create(attributes: &str) -> String {
    format!(
        "Create {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Algorithm\"=AES \
         \"Cryptographic Length\"=256 \"Cryptographic Usage Mask\"=12 {attributes} }} }}"
    )
}

/// An item of the operation whose name is next, or of the number after `#`, with an identifier where one follows `#`.
fn batch_item(source: &mut Source<'_>) -> Node {
    let operation = if source.takes("#") {
        u32::from_str_radix(source.word(), 16).unwrap()
    } else {
        let name = source.word();
        Operation::from_name(name).unwrap_or_else(|| panic!("no operation {name}")).number()
    };
    let mut nodes = vec![Node::new(tag::OPERATION, Value::Enumeration(operation))];
    if source.takes("#") {
        nodes.push(Node::new(tag::UNIQUE_BATCH_ITEM_ID, Value::ByteString(text::unhex(source.word()))));
    }
    assert!(source.takes("{"), "expected a payload at {:?}", source.rest);
    nodes.push(Node::new(tag::REQUEST_PAYLOAD, Value::Structure(source.nodes())));
    if source.takes("MessageExtension") {
        assert!(source.takes("{"));
        nodes.push(Node::new(tag::MESSAGE_EXTENSION, Value::Structure(source.nodes())));
    }
    Node::new(tag::BATCH_ITEM, Value::Structure(nodes))
}

/// The identifier of the one object that an item made.
pub fn made(item: &ResponseItem) -> Option<String> {
    use kmip::ResponsePayload as P;
    match item.payload.as_ref()? {
        P::Create(response) => Some(response.unique_identifier.clone()),
        P::Register(response) => Some(response.unique_identifier.clone()),
        P::ReKey(response) => Some(response.unique_identifier.clone()),
        P::Certify(response) => Some(response.unique_identifier.clone()),
        P::ReCertify(response) => Some(response.unique_identifier.clone()),
        P::JoinSplitKey(response) => Some(response.unique_identifier.clone()),
        P::DeriveKey(response) => Some(response.unique_identifier.clone()),
        P::Import(response) => Some(response.unique_identifier.clone()),
        _ => None,
    }
}

/// The identifiers of all objects that an item made: of a pair, the private key's first.
fn all_made(item: &ResponseItem) -> Vec<String> {
    use kmip::ResponsePayload as P;
    let pair = match item.payload.as_ref() {
        Some(P::CreateKeyPair(response)) => &response.pair,
        Some(P::ReKeyKeyPair(response)) => &response.pair,
        Some(P::CreateSplitKey(response)) => return response.unique_identifiers.clone(),
        _ => return made(item).into_iter().collect(),
    };
    vec![pair.private_key_unique_identifier.clone(), pair.public_key_unique_identifier.clone()]
}

/// A payload in the text form.
pub fn written(item: &ResponseItem, version: ProtocolVersion, names: &mut Names) -> String {
    let mut out = String::new();
    if let Some(payload) = &item.payload {
        let mut bytes = Vec::new();
        ttlv::Writer::new(&mut bytes)
            .structure(tag::RESPONSE_PAYLOAD, |writer| payload.write(writer, version));
        let node = Node::decode(&bytes, ttlv::Limits::default()).unwrap();
        text::write(node.value.children(), 1, names, &mut out);
    }
    out
}
