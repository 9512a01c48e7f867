//! A client that behaves as vCenter 7.0.3 was seen to behave, and is as particular about the answers: one new
//! connection a step, KMIP 1.1 in every header, Discover Versions without a Unique Batch Item ID first, then ids of
//! `QLKC` and a little-endian counter, two connections at a time on one key.

mod check;
mod request;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustls::pki_types::CertificateDer;

use super::{Client, ClientConfig, ClientError, Connection};
use crate::enumeration::State;
use crate::message::Credential;
use crate::{RequestPayload, ResponsePayload, Secret};

use check::Exchange;
pub use check::Unexpected;

/// What vCenter knows of its key provider.
#[derive(Clone)]
pub struct VCenterConfig {
    /// How to connect. Its protocol version is not used: vCenter says 1.1 whatever it is offered.
    pub client: ClientConfig,
    /// Host and port of each node, when every connection is to go to one of them; the client's own address where
    /// empty. vCenter itself knows one address, behind which each connection may meet another node.
    pub addresses: Vec<String>,
    /// Chooses among `addresses`. The same seed chooses the same way, as long as steps are not made at the same time.
    pub seed: u64,
    /// User name and password, sent with Create, Get, Activate and the question for State, as vCenter does.
    pub credential: Option<Credential>,
    /// The attribute `x-Product_Version`.
    pub product_version: String,
}

impl VCenterConfig {
    /// vCenter 7.0.3 without a password, at the client's address.
    pub fn new(client: ClientConfig) -> Self {
        Self {
            client,
            addresses: Vec::new(),
            seed: 0,
            credential: None,
            product_version: "7.0.3 build-19480866".to_owned(),
        }
    }
}

/// What a key is for: the attribute `x-Component`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// A virtual machine that is encrypted.
    VirtualMachine,
    /// A host that keeps its core dumps encrypted.
    EsxiServer,
}

impl Component {
    /// As vCenter writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VirtualMachine => "Virtual Machine",
            Self::EsxiServer => "ESXi Server",
        }
    }
}

/// A key that was made, read, activated and marked.
#[derive(Clone, Debug)]
pub struct Encrypted {
    /// Its Unique Identifier.
    pub key_id: String,
    /// Its 32 bytes.
    pub key: Secret,
    /// Messages that it took: 16.
    pub messages: u32,
    /// Connections that it took: 4.
    pub connections: u32,
}

/// A key as it is read back when vCenter starts.
#[derive(Clone, Debug)]
pub struct Read {
    /// Its 32 bytes.
    pub key: Secret,
    /// Its State: a machine with a key that is not Active stays locked.
    pub state: State,
}

/// Why vCenter would report a fault.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub struct VCenterError {
    /// What was being done.
    pub step: &'static str,
    /// Why it failed.
    pub source: VCenterErrorKind,
}

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum VCenterErrorKind {
    /// No answer, or none that is KMIP.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An answer that vCenter would not accept.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// vCenter, as its key provider sees it.
pub struct VCenter {
    config: VCenterConfig,
    /// The client of each address, made once.
    clients: Vec<ClientConfig>,
    connections: AtomicU64,
}

impl VCenter {
    /// Fails where an address is not host:port.
    pub fn new(config: VCenterConfig) -> Result<Self, ClientError> {
        let clients = if config.addresses.is_empty() {
            vec![config.client.clone()]
        } else {
            let one = |address: &String| config.client.with_address(address.as_str());
            config.addresses.iter().map(one).collect::<Result<_, _>>()?
        };
        Ok(Self { config, clients, connections: AtomicU64::new(0) })
    }

    /// Connections so far, probes with them.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Reads the server's certificates: TLS, then closing, without a byte of KMIP. A server that refuses our
    /// certificate has shown its own by then.
    pub async fn probe(&self) -> Result<Vec<CertificateDer<'static>>, VCenterError> {
        let connection = self.connect("probe").await?;
        let certificates = connection.peer_certificates().to_vec();
        // The server may be faster to close.
        drop(connection.close().await);
        Ok(certificates)
    }

    /// What happens every 300 seconds: a probe, and a connection with Discover Versions twice.
    pub async fn status_poll(&self) -> Result<(), VCenterError> {
        self.probe().await?;
        let mut steps = self.steps("status poll", None).await?;
        steps.ask(request::discover_versions()).await?;
        steps.close().await;
        Ok(())
    }

    /// What happens when the key provider is trusted: Query for the server's information. The vendor's name, where
    /// the server tells it.
    pub async fn trust(&self) -> Result<Option<String>, VCenterError> {
        let mut steps = self.steps("trust", None).await?;
        let answer = steps.ask(request::query_server_information()).await?;
        let ResponsePayload::Query(information) = answer else {
            return Err(steps.unexpected("Query's own answer", &answer));
        };
        steps.close().await;
        Ok(information.vendor_identification)
    }

    /// Makes the key of one machine or host, as vCenter does: 4 connections, 16 messages, of which the connection
    /// that reads and activates the key runs at the same time as those for the `x-` attributes.
    pub async fn encrypt_vm(
        &self,
        name: &str,
        component: Component,
        uuid: &str,
    ) -> Result<Encrypted, VCenterError> {
        let counted = Counted::default();
        let key_id = self.create(&counted).await?;
        let set_a = request::set_a(&self.config.product_version);
        let set_b = request::set_b(uuid, component.as_str(), name);
        let mark = async {
            self.mark("product attributes", &key_id, &set_a, &counted).await?;
            self.mark("machine attributes", &key_id, &set_b, &counted).await
        };
        let (key, marked) = tokio::join!(self.activate(&key_id, &counted), mark);
        marked?;
        Ok(Encrypted {
            key: key?,
            messages: counted.messages.load(Ordering::Relaxed),
            connections: counted.connections.load(Ordering::Relaxed),
            key_id,
        })
    }

    /// What happens for each key when vCenter, or a vSAN host, starts: Discover Versions, Get, and the State.
    pub async fn restart_read(&self, key_id: &str) -> Result<Read, VCenterError> {
        let mut steps = self.steps("restart", None).await?;
        let key = steps.key(key_id, self.config.credential.as_ref()).await?;
        let state = steps.state(key_id, self.config.credential.as_ref()).await?;
        steps.close().await;
        Ok(Read { key, state })
    }

    async fn create(&self, counted: &Counted) -> Result<String, VCenterError> {
        let mut steps = self.steps("create", Some(counted)).await?;
        let answer = steps.ask_as(self.config.credential.as_ref(), request::create()).await?;
        let key_id = steps.checked(check::created(&answer))?;
        steps.close().await;
        Ok(key_id)
    }

    async fn activate(&self, key_id: &str, counted: &Counted) -> Result<Secret, VCenterError> {
        let credential = self.config.credential.as_ref();
        let mut steps = self.steps("read and activate", Some(counted)).await?;
        let key = steps.key(key_id, credential).await?;
        let state = steps.state(key_id, credential).await?;
        steps.checked(check::state_is(state, State::PreActive))?;
        let answer = steps.ask_as(credential, request::activate(key_id)).await?;
        steps.checked(check::activated(&answer, key_id))?;
        steps.close().await;
        Ok(key)
    }

    /// Asks for three attributes, one at a time and none there yet, then adds them in one batch.
    async fn mark(
        &self,
        step: &'static str,
        key_id: &str,
        set: &[(&'static str, String); 3],
        counted: &Counted,
    ) -> Result<(), VCenterError> {
        let mut steps = self.steps(step, Some(counted)).await?;
        for (name, _) in set {
            let answer = steps.ask(request::get_attribute(key_id, name)).await?;
            steps.checked(check::absent(&answer, key_id, name))?;
        }
        let payloads = set.iter().map(|(name, text)| request::add_attribute(key_id, name, text)).collect();
        let answers = steps.batch(None, payloads).await?;
        for ((name, text), answer) in set.iter().zip(&answers) {
            steps.checked(check::added(answer, key_id, name, text))?;
        }
        steps.close().await;
        Ok(())
    }

    async fn connect(&self, step: &'static str) -> Result<Connection, VCenterError> {
        let nth = self.connections.fetch_add(1, Ordering::Relaxed);
        let chosen = mixed(self.config.seed.wrapping_add(nth)) % self.clients.len() as u64;
        let client = self.clients.get(chosen as usize).unwrap_or(&self.config.client);
        Client::connect(client).await.map_err(|error| VCenterError { step, source: error.into() })
    }

    /// A connection with vCenter's first question behind it.
    async fn steps<'a>(
        &self,
        step: &'static str,
        counted: Option<&'a Counted>,
    ) -> Result<Steps<'a>, VCenterError> {
        let connection = self.connect(step).await?;
        if let Some(counted) = counted {
            counted.connections.fetch_add(1, Ordering::Relaxed);
        }
        let mut steps = Steps { step, connection, counted };
        steps.exchange(Exchange::first()).await?;
        Ok(steps)
    }
}

/// SplitMix64: spreads neighbouring numbers, so that a seed and a count give a choice.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[derive(Default)]
struct Counted {
    messages: AtomicU32,
    connections: AtomicU32,
}

/// One connection, on its way through the questions of a step.
struct Steps<'a> {
    step: &'static str,
    connection: Connection,
    counted: Option<&'a Counted>,
}

impl Steps<'_> {
    async fn ask(&mut self, payload: RequestPayload) -> Result<ResponsePayload, VCenterError> {
        self.ask_as(None, payload).await
    }

    async fn ask_as(
        &mut self,
        credential: Option<&Credential>,
        payload: RequestPayload,
    ) -> Result<ResponsePayload, VCenterError> {
        let mut answers = self.batch(credential, vec![payload]).await?;
        // As many answers as questions, or `batch` had failed.
        answers.pop().ok_or_else(|| self.error(Unexpected::new("an answer", "none")))
    }

    async fn batch(
        &mut self,
        credential: Option<&Credential>,
        payloads: Vec<RequestPayload>,
    ) -> Result<Vec<ResponsePayload>, VCenterError> {
        self.exchange(Exchange::with_ids(credential, payloads)).await
    }

    async fn exchange(&mut self, exchange: Exchange) -> Result<Vec<ResponsePayload>, VCenterError> {
        if let Some(counted) = self.counted {
            counted.messages.fetch_add(1, Ordering::Relaxed);
        }
        let mut request = zeroize::Zeroizing::new(Vec::new());
        exchange.request.encode(&mut request);
        let answer = match self.connection.call_raw(&request).await {
            Ok(answer) => zeroize::Zeroizing::new(answer),
            Err(error) => return Err(VCenterError { step: self.step, source: error.into() }),
        };
        exchange.accept(&answer).map_err(|unexpected| self.error(unexpected))
    }

    async fn key(&mut self, key_id: &str, credential: Option<&Credential>) -> Result<Secret, VCenterError> {
        let answer = self.ask_as(credential, request::get(key_id)).await?;
        self.checked(check::key(&answer, key_id))
    }

    async fn state(&mut self, key_id: &str, credential: Option<&Credential>) -> Result<State, VCenterError> {
        let answer = self.ask_as(credential, request::get_attribute(key_id, "State")).await?;
        self.checked(check::state(&answer, key_id))
    }

    /// vCenter closes; that the server is gone by then is no fault.
    async fn close(self) {
        drop(self.connection.close().await);
    }

    fn checked<T>(&self, checked: Result<T, Unexpected>) -> Result<T, VCenterError> {
        checked.map_err(|unexpected| self.error(unexpected))
    }

    fn unexpected(&self, expected: &str, got: &ResponsePayload) -> VCenterError {
        self.error(Unexpected::new(expected, format!("{:?}", got.operation())))
    }

    fn error(&self, unexpected: Unexpected) -> VCenterError {
        VCenterError { step: self.step, source: unexpected.into() }
    }
}
