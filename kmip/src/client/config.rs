//! Who the server is, how it is trusted, who we are, and how long we wait.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use ttlv::Limits;

use super::{ClientError, ServerTrust};
use crate::ProtocolVersion;

/// How long TCP may take.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// How long the TLS handshake may take.
pub const HANDSHAKE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// How long sending a request and receiving its answer may take together.
pub const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// Bytes of the largest answer that is taken.
pub const RESPONSE_BYTES_MAX_DEFAULT: usize = 4 << 20;

/// Which TLS versions the client offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// 1.2 only: what vCenter was seen to speak.
    Only12,
    /// 1.3 only.
    Only13,
}

/// All that a client knows before it connects. Cheap to clone: what is costly to make is shared.
#[derive(Clone)]
pub struct ClientConfig {
    pub(super) address: String,
    /// The name that was set, for when the address changes; otherwise the address is the name.
    named: Option<ServerName<'static>>,
    pub(super) server_name: ServerName<'static>,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) connect_timeout: Duration,
    pub(super) handshake_timeout: Duration,
    pub(super) request_timeout: Duration,
    pub(super) limits: Limits,
    pub(super) protocol_version: ProtocolVersion,
}

/// What makes a [`ClientConfig`]; all but address and trust has a default.
#[derive(Clone)]
pub struct ClientConfigBuilder {
    address: String,
    trust: ServerTrust,
    server_name: Option<String>,
    identity: Option<(Vec<u8>, zeroize::Zeroizing<Vec<u8>>)>,
    tls_versions: TlsVersions,
    connect_timeout: Duration,
    handshake_timeout: Duration,
    request_timeout: Duration,
    response_bytes_max: usize,
    protocol_version: ProtocolVersion,
}

impl ClientConfig {
    /// A client of the server at `address` (host:port, `[v6]:port`), recognised by `trust`.
    pub fn builder(address: impl Into<String>, trust: ServerTrust) -> ClientConfigBuilder {
        ClientConfigBuilder {
            address: address.into(),
            trust,
            server_name: None,
            identity: None,
            tls_versions: TlsVersions::default(),
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
            handshake_timeout: HANDSHAKE_TIMEOUT_DEFAULT,
            request_timeout: REQUEST_TIMEOUT_DEFAULT,
            response_bytes_max: RESPONSE_BYTES_MAX_DEFAULT,
            protocol_version: ProtocolVersion::V1_4,
        }
    }

    /// The same client with another server of the same trust, such as another node.
    ///
    /// Fails where `address` is not host:port.
    pub fn with_address(&self, address: impl Into<String>) -> Result<Self, ClientError> {
        let address = address.into();
        let server_name = match &self.named {
            Some(name) => name.clone(),
            None => name_of(host(&address)?)?,
        };
        Ok(Self { address, server_name, ..self.clone() })
    }

    /// The same client speaking another version of KMIP.
    pub fn with_protocol_version(&self, protocol_version: ProtocolVersion) -> Self {
        Self { protocol_version, ..self.clone() }
    }

    /// Host and port of the server.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl ClientConfigBuilder {
    /// The name that the server's certificate is to carry and that SNI tells. Default: the host of the address.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Our certificate with its chain, leaf first, and its private key (PKCS#8, PKCS#1 or SEC1), both PEM. Default:
    /// none, which a key server answers at most with its own certificate.
    pub fn identity_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((chain.into(), zeroize::Zeroizing::new(key.into())));
        self
    }

    /// Default: 1.2 and 1.3.
    pub fn tls_versions(mut self, versions: TlsVersions) -> Self {
        self.tls_versions = versions;
        self
    }

    /// Default: [`CONNECT_TIMEOUT_DEFAULT`].
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Default: [`HANDSHAKE_TIMEOUT_DEFAULT`].
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// For one question with its answer. Default: [`REQUEST_TIMEOUT_DEFAULT`].
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// A larger answer is [`ClientError::Malformed`]. Default: [`RESPONSE_BYTES_MAX_DEFAULT`].
    pub fn response_bytes_max(mut self, bytes: usize) -> Self {
        self.response_bytes_max = bytes;
        self
    }

    /// The version that [`Connection::one`](super::Connection::one) speaks. Default: 1.4.
    pub fn protocol_version(mut self, version: ProtocolVersion) -> Self {
        self.protocol_version = version;
        self
    }

    /// Fails where the address, the name, a certificate or the key cannot be read, or the key is not the
    /// certificate's.
    pub fn build(self) -> Result<ClientConfig, ClientError> {
        let host = host(&self.address)?;
        let named = self.server_name.as_deref().map(name_of).transpose()?;
        let server_name = match &named {
            Some(name) => name.clone(),
            None => name_of(host)?,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions: &[&rustls::SupportedProtocolVersion] = match self.tls_versions {
            TlsVersions::Both => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersions::Only12 => &[&rustls::version::TLS12],
            TlsVersions::Only13 => &[&rustls::version::TLS13],
        };
        let verifier = self.trust.verifier(provider.clone())?;
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| wrong_identity(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut tls = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_slice_iter(chain)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|error| wrong_identity(error.to_string()))?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| wrong_identity(format!("no private key: {error}")))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| wrong_identity(error.to_string()))?
            }
        };
        // A resumed session would not show the client's certificate again, and each step of vCenter is a new one.
        tls.resumption = Resumption::disabled();
        Ok(ClientConfig {
            address: self.address,
            named,
            server_name,
            tls: Arc::new(tls),
            connect_timeout: self.connect_timeout,
            handshake_timeout: self.handshake_timeout,
            request_timeout: self.request_timeout,
            limits: Limits { message_bytes_max: self.response_bytes_max, ..Limits::default() },
            protocol_version: self.protocol_version,
        })
    }
}

fn wrong_identity(why: String) -> ClientError {
    ClientError::Configuration {
        what: "the client's certificate and key",
        why,
        hint: "both as PEM, leaf first, and the key unencrypted and the certificate's own",
    }
}

fn host(address: &str) -> Result<&str, ClientError> {
    let wrong = || ClientError::Configuration {
        what: "the server's address",
        why: format!("{address:?} is not host:port"),
        hint: "as in kms.example.test:5696 or [2001:db8::1]:5696",
    };
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    port.parse::<u16>().map_err(|_| wrong())?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if bare.is_empty() || (bare.contains(':') && bare.len() == host.len()) {
        return Err(wrong());
    }
    Ok(bare)
}

fn name_of(host: &str) -> Result<ServerName<'static>, ClientError> {
    ServerName::try_from(host.to_owned()).map_err(|error| ClientError::Configuration {
        what: "the server's name",
        why: format!("{host:?}: {error}"),
        hint: "a DNS name or an IP address",
    })
}
