//! What is measured: our server in a laboratory, a client's files, keys that are there, and the echo server beside it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use kmip::client::Client;
use kmip::enumeration::ObjectType;
use kmip::operations::{create, get};
use kmip::{
    Attribute, ProtocolVersion, RequestMessage, ResponsePayload, StandardAttribute, TemplateAttribute,
};
use lab::Lab;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use ttlv::Value;

use crate::bench::Bench;

/// Our server, and all that a load on it needs.
pub struct Stand {
    /// The server.
    pub lab: Lab,
    /// Who we are there.
    pub client: ClientFiles,
}

/// Where a client's files are.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    /// Its certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority of the server's certificate.
    pub ca: PathBuf,
}

impl Stand {
    /// Starts a server with nothing in it. Panics where the laboratory does.
    pub async fn start() -> anyhow::Result<Self> {
        let lab = Lab::start().await;
        let at = |name: &str| lab.dir().join(name);
        let client = ClientFiles { cert: at("cert.pem"), key: at("key.pem"), ca: at("ca.pem") };
        let made = lab.client();
        let files =
            [(&client.cert, &made.cert_pem), (&client.key, &made.key_pem), (&client.ca, &made.ca_pem)];
        for (path, text) in files {
            std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(Self { lab, client })
    }

    /// Where it serves KMIP.
    pub fn address(&self) -> SocketAddr {
        self.lab.node(0).kmip_address
    }

    /// A load on it.
    pub fn bench<'a>(&'a self, operation: &'a str, connections: usize, words: &[String]) -> Bench<'a> {
        let server = self.address().to_string();
        Bench { server, client: &self.client, operation, connections, words: words.to_vec() }
    }

    /// Makes keys, and gives their identifiers.
    pub async fn make_keys(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let config = self.lab.client_config().with_protocol_version(ProtocolVersion::V1_1);
        make_keys(&config, count).await
    }

    /// The bytes of a Get's answer.
    pub async fn get_answer(&self, id: &str) -> anyhow::Result<Vec<u8>> {
        let request = get::Request { unique_identifier: Some(id.to_owned()), ..get::Request::default() };
        let mut bytes = Vec::new();
        RequestMessage::new(ProtocolVersion::V1_1, [request.into()]).encode(&mut bytes);
        let mut connection = Client::connect(&self.lab.client_config()).await?;
        Ok(connection.call_raw(&bytes).await?)
    }

    /// A counter of its `/metrics`; labels as they are written there.
    pub async fn counter(&self, series: &str) -> anyhow::Result<f64> {
        let text = self.lab.node(0).admin("/metrics").await?.body;
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or("0").parse().with_context(|| format!("reading the counter {series}"))
    }
}

/// Create an AES-256 key.
pub(crate) fn create_request() -> create::Request {
    let attributes = vec![
        Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(3)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(0x0c)),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
    ];
    create::Request {
        object_type: ObjectType::SymmetricKey,
        template_attribute: TemplateAttribute { names: Vec::new(), attributes },
    }
}

/// AES-256 keys, made one after the other.
pub(crate) async fn make_keys(
    config: &kmip::client::ClientConfig,
    count: usize,
) -> anyhow::Result<Vec<String>> {
    let request = create_request();
    let mut connection = Client::connect(config).await?;
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        let answer = connection.one(request.clone()).await?;
        let ResponsePayload::Create(created) = answer else { anyhow::bail!("Create was not answered") };
        ids.push(created.unique_identifier);
    }
    Ok(ids)
}

/// The words that name these keys to `kms bench`.
pub(crate) fn words_for(ids: &[String]) -> Vec<String> {
    ids.iter().flat_map(|id| ["--id".to_owned(), id.clone()]).collect()
}

/// The echo server as a process of its own, ended when this is dropped.
pub(crate) struct EchoServer {
    pub(crate) address: String,
    _child: Child,
}

impl EchoServer {
    /// Starts it with the certificate of our server, and what a Get is answered with.
    pub(crate) async fn start(stand: &Stand, answer: &Path) -> anyhow::Result<Self> {
        let tls = stand.lab.node(0).dir.join("tls");
        let mut child = Command::new(std::env::current_exe()?)
            .arg("echo")
            .arg("--cert")
            .arg(tls.join("server.pem"))
            .arg("--key")
            .arg(tls.join("server.key"))
            .arg("--ca")
            .arg(tls.join("ca.pem"))
            .arg("--answer")
            .arg(answer)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the echo server")?;
        let output = child.stdout.take().context("the echo server has no output")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address).await?;
        ensure!(!address.is_empty(), "the echo server ended before it served");
        Ok(Self { address: address.trim().to_owned(), _child: child })
    }
}
