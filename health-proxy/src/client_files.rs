//! The files that make the front a client of nodes: for probes, and for requests before nodes of another make.

use std::path::{Path, PathBuf};

use kmip::client::{ClientConfig, ClientConfigBuilder, ClientError, ServerTrust};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::file::{self, FileError};

/// A mistake in a file: the key of its section, and what is wrong in words.
pub type Mistake = (&'static str, String);

/// `certificate`, `key`, `ca` and `server_name`, as `[probe]` and `[third_party]` have them.
#[derive(Clone, Debug, Default)]
pub struct ClientFiles {
    /// Our certificate with its chain.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Whose certificates the nodes must show.
    pub ca: Option<PathBuf>,
    /// The name in them.
    pub server_name: Option<String>,
}

/// What the files hold.
pub(crate) struct Pems<'a> {
    certificate: Option<Zeroizing<Vec<u8>>>,
    key: Option<Zeroizing<Vec<u8>>>,
    pub(crate) ca: Option<Zeroizing<Vec<u8>>>,
    server_name: Option<&'a str>,
}

impl ClientFiles {
    /// # Errors
    /// Every file that cannot be used.
    pub(crate) fn read(&self) -> Result<Pems<'_>, Vec<Mistake>> {
        let mut wrong = Vec::new();
        let mut take = |name, path: &Option<PathBuf>, read: fn(&Path) -> Result<_, FileError>| {
            let read = path.as_deref().map(read).transpose();
            read.map_err(|error| wrong.push((name, error.to_string()))).ok().flatten()
        };
        let certificate = take("certificate", &self.certificate, file::read);
        let key = take("key", &self.key, file::read_secret);
        let ca = take("ca", &self.ca, file::read);
        match wrong.is_empty() {
            true => Ok(Pems { certificate, key, ca, server_name: self.server_name.as_deref() }),
            false => Err(wrong),
        }
    }
}

impl Pems<'_> {
    /// Our certificate; none where there is none that can be read.
    pub(crate) fn leaf(&self) -> Option<CertificateDer<'static>> {
        self.certificate.as_ref().and_then(|pem| CertificateDer::from_pem_slice(pem).ok())
    }

    /// A client, with an address that is exchanged for the node's; it shows our certificate if `shown`.
    ///
    /// # Errors
    /// Where files and name do not fit together.
    pub(crate) fn client(
        &self,
        shown: bool,
        tune: impl FnOnce(ClientConfigBuilder) -> ClientConfigBuilder,
    ) -> Result<ClientConfig, Vec<Mistake>> {
        let trust = match &self.ca {
            Some(pem) => ServerTrust::Ca { pem: pem.to_vec(), verify_name: self.server_name.is_some() },
            // For probes alone. Nothing secret is said or believed: whether this is a key server of ours is the clients'
            // affair.
            None => ServerTrust::DangerAny,
        };
        let mut builder = tune(ClientConfig::builder("127.0.0.1:5696", trust));
        if let Some(name) = self.server_name {
            builder = builder.server_name(name);
        }
        if let (true, Some(certificate), Some(key)) = (shown, &self.certificate, &self.key) {
            builder = builder.identity_pem(certificate.to_vec(), key.to_vec());
        }
        builder.build().map_err(|error| {
            let name = match &error {
                ClientError::Configuration { what: "the CA certificates", .. } => "ca",
                ClientError::Configuration { what: "the server's name", .. } => "server_name",
                _ => "certificate",
            };
            vec![(name, error.to_string())]
        })
    }
}
