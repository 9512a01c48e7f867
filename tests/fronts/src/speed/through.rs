//! One node of ours and clients of it over TLS: what a front costs that ends TLS, beside the same front that does not.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kmip::client::{Client, ClientConfig, Connection};
use kmip::enumeration::ObjectType;
use kmip::operations::{create, get};
use kmip::{
    Attribute, ProtocolVersion, RequestMessage, ResponsePayload, StandardAttribute, TemplateAttribute,
};
use lab::Lab;
use tokio::task::JoinSet;
use ttlv::Value;

use crate::files::{Probe, front_certificates};
use crate::front::{Front, Make, Server, Wanted};

/// A cluster of one node, so that reads wait for no other, and a key in it.
pub(super) struct Node {
    lab: Lab,
    probe: Probe,
    certificates: PathBuf,
    /// A Get as bytes, the same each time, so that clients cost little.
    get: Vec<u8>,
}

impl Node {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let lab = Lab::builder().nodes(1).cluster().start().await;
        let probe = Probe::write(lab.client(), lab.dir())?;
        let certificates = front_certificates(&lab).await?;
        let mut connection = Client::connect(&lab.client_config()).await?;
        let attributes = vec![
            Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(3)),
            Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(0x0c)),
            Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
        ];
        let template_attribute = TemplateAttribute { names: Vec::new(), attributes };
        let new = create::Request { object_type: ObjectType::SymmetricKey, template_attribute };
        let ResponsePayload::Create(made) = connection.one(new).await? else { bail!("no answer to Create") };
        let read =
            get::Request { unique_identifier: Some(made.unique_identifier), ..get::Request::default() };
        let mut get = Vec::new();
        RequestMessage::new(ProtocolVersion::V1_1, [read.into()]).encode(&mut get);
        Ok(Self { lab, probe, certificates, get })
    }

    pub(super) async fn front(&self, make: Make, core: usize) -> anyhow::Result<Front> {
        let node = self.lab.node(0);
        let link = node.link_address.context("a node of a cluster has links")?;
        let servers = [Server { name: node.name.clone(), kmip: node.kmip_address, link }];
        let (probe, certificates) = (Some(&self.probe), Some(self.certificates.as_path()));
        Front::start(&Wanted { make, servers: &servers, probe, certificates, core: Some(core) }).await
    }

    /// A client at the front, or at the node itself.
    pub(super) fn at(&self, front: Option<&Front>) -> anyhow::Result<ClientConfig> {
        let config = self.lab.client_config();
        Ok(match front {
            Some(front) => config.with_address(front.address.to_string())?,
            None => config,
        })
    }

    pub(super) async fn requests(
        &self,
        config: &ClientConfig,
        connections: usize,
        each: usize,
    ) -> anyhow::Result<()> {
        let mut askers = JoinSet::new();
        for _ in 0..connections {
            let (config, get) = (config.clone(), self.get.clone());
            askers.spawn(async move {
                let mut connection = Client::connect(&config).await?;
                for _ in 0..each {
                    connection.call_raw(&get).await?;
                }
                connection.close().await
            });
        }
        while let Some(asked) = askers.join_next().await {
            asked??;
        }
        Ok(())
    }

    pub(super) async fn p50(&self, config: &ClientConfig, count: usize) -> anyhow::Result<Duration> {
        let mut connection: Connection = Client::connect(config).await?;
        let mut took = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            connection.call_raw(&self.get).await?;
            took.push(began.elapsed());
        }
        connection.close().await?;
        took.sort_unstable();
        Ok(took[count / 2])
    }
}
