//! The trust pack: a directory with all that the other side needs to trust us and be trusted.

use std::path::Path;

use certs::{Existing, PrivateKeyPem};

use super::texts;
use crate::admin::{Client, Way};
use crate::node::KMIP_PORT;
use crate::{address, file};

/// What the texts of a pack say.
#[derive(Debug)]
pub(crate) struct Pack {
    pub(super) name: String,
    pub(super) tenant: String,
    pub(super) way: Way,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) server_sha1: String,
    pub(super) server_sha256: String,
    files: Vec<(&'static str, String, u32)>,
    key: Option<PrivateKeyPem>,
}

impl Pack {
    /// A pack for `client`, who connects to `address` (host and port), is shown `server_pem` (leaf first) and is known by
    /// `client_pem`.
    pub(crate) fn new(
        client: &Client,
        address: &str,
        server_pem: &str,
        ca_pem: &str,
        client_pem: &str,
        key: Option<&PrivateKeyPem>,
    ) -> anyhow::Result<Self> {
        let (host, port) = address::split(address, KMIP_PORT)?;
        let server = certs::inspect(server_pem.as_bytes())?;
        let mut pack = Pack {
            name: client.name.clone(),
            tenant: client.tenant.clone(),
            way: client.trust.kind,
            host,
            port,
            server_sha1: server.sha1,
            server_sha256: server.sha256,
            files: Vec::new(),
            key: key.cloned(),
        };
        let client_file = if pack.way == Way::Ca { "client-ca.pem" } else { "cert.pem" };
        pack.files = vec![
            ("server.pem", first_certificate(server_pem), file::PUBLIC),
            ("ca.pem", ca_pem.to_owned(), file::PUBLIC),
            (client_file, client_pem.to_owned(), file::PUBLIC),
            ("CLICKS.md", texts::clicks(&pack), file::PUBLIC),
            ("powercli.ps1", texts::powercli(&pack), file::PUBLIC),
            ("govc.sh", texts::govc(&pack), 0o755),
            ("ansible.yml", texts::ansible(&pack), file::PUBLIC),
        ];
        Ok(pack)
    }

    /// Writes the pack. The private key comes first and is its owner's alone, as is the directory; what is there is
    /// replaced.
    pub(crate) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        file::private_directory(dir)?;
        if let Some(key) = &self.key {
            certs::write_private_key(&dir.join("key.pem"), key, Existing::Replace)?;
        }
        for (name, content, mode) in &self.files {
            file::write(&dir.join(name), content.as_bytes(), *mode, Existing::Replace)?;
        }
        Ok(())
    }

    /// Host and port as one text.
    pub(crate) fn address(&self) -> String {
        address::join(&self.host, self.port)
    }

    /// The server's fingerprint as vCenter shows it.
    pub(crate) fn server_sha1(&self) -> &str {
        &self.server_sha1
    }
}

/// The first certificate of a chain: vCenter pins the leaf.
fn first_certificate(pem: &str) -> String {
    const END: &str = "-----END CERTIFICATE-----";
    match pem.find(END) {
        Some(at) => format!("{}\n", &pem[..at + END.len()]),
        None => pem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_leaf_of_a_chain_is_handed_out_for_pinning() {
        let chain = "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nB\n-----END CERTIFICATE-----\n";
        assert_eq!(first_certificate(chain), "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n");
    }
}
