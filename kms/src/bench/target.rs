//! The server that the load goes to, and who we are there.

use anyhow::Context;
use kmip::client::{Client, ClientConfig, ServerTrust, TlsVersions};
use zeroize::Zeroizing;

use super::{Arguments, Tls};
use crate::lab::description::Description;
use crate::node::KMIP_PORT;
use crate::{address, file};

/// Address, files and TLS versions, as the command line has them.
pub(super) struct Target {
    address: String,
    /// Certificate and private key, PEM.
    identity: Option<(String, Zeroizing<String>)>,
    trust: ServerTrust,
    tls: TlsVersions,
}

impl Target {
    /// Reads the files. Fails where one cannot be read.
    pub(super) fn read(arguments: &Arguments) -> anyhow::Result<Self> {
        let (server, cert, key, ca) = match &arguments.lab {
            Some(dir) => {
                let Description { vip, client, .. } = Description::read(dir)?;
                (vip, Some(client.cert), Some(client.key), Some(client.ca))
            }
            None => {
                let Arguments { server, cert, key, ca, .. } = arguments;
                (server.clone().unwrap_or_default(), cert.clone(), key.clone(), ca.clone())
            }
        };
        let (host, port) = address::split(&server, KMIP_PORT)?;
        let address = address::join(&host, port);
        let identity = match (cert, key) {
            (Some(cert), Some(key)) => {
                Some((file::read_text(&cert)?, Zeroizing::new(file::read_text(&key)?)))
            }
            _ => None,
        };
        let trust = match ca {
            // Names are the doctor's business: load is often sent to a node by an address of its own.
            Some(ca) => ServerTrust::Ca { pem: file::read_text(&ca)?.into_bytes(), verify_name: false },
            None => ServerTrust::DangerAny,
        };
        let tls = match arguments.tls {
            None => TlsVersions::Both,
            Some(Tls::V12) => TlsVersions::Only12,
            Some(Tls::V13) => TlsVersions::Only13,
        };
        Ok(Self { address, identity, trust, tls })
    }

    /// Fails where certificate, key or CA cannot be used.
    pub(super) fn config(&self) -> anyhow::Result<ClientConfig> {
        let mut builder =
            ClientConfig::builder(self.address.as_str(), self.trust.clone()).tls_versions(self.tls);
        if let Some((cert, key)) = &self.identity {
            builder = builder.identity_pem(cert.as_str(), key.as_bytes());
        }
        builder.build().context("preparing the client")
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

/// Connects once, so that what keeps every connection out is said once. The TLS version and cipher suite.
pub(super) async fn look(config: &ClientConfig) -> anyhow::Result<String> {
    let connection = Client::connect(config).await.context("connecting for the first time")?;
    let tls = connection.tls();
    // The server may be faster to close.
    drop(connection.close().await);
    Ok(tls)
}
