//! What the front shows nodes on its links, and whom it takes for a node: a certificate of the cluster's CA whose common
//! name is a node's. Addresses in certificates are not looked at, as nodes may move; the CA signs nodes and fronts only.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::file;

/// The files of a front's links.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkFiles<'a> {
    pub(crate) certificate: &'a Path,
    pub(crate) key: &'a Path,
    pub(crate) ca: &'a Path,
}

/// A mistake in a file: the key of `[replay]`, and what is wrong in words.
pub(crate) type IdentityError = (&'static str, String);

/// TLS to nodes, and the certificate that it shows.
pub(crate) fn client_config(
    files: &LinkFiles<'_>,
) -> Result<(Arc<ClientConfig>, CertificateDer<'static>), Vec<IdentityError>> {
    let mut wrong = Vec::new();
    let chain = certificates("link_certificate", files.certificate).map_err(|error| wrong.push(error));
    let key = one_key("link_key", files.key).map_err(|error| wrong.push(error));
    let ca = certificates("link_ca", files.ca).map_err(|error| wrong.push(error));
    let (Ok(chain), Ok(key), Ok(ca)) = (chain, key, ca) else { return Err(wrong) };
    let leaf = chain[0].clone();
    let name = certs::common_name(&leaf).ok().flatten().unwrap_or_default();
    if certs::front_name(&name).is_none() {
        let why = format!(
            "{}: expected a front's certificate (common name front-<name>), got that of {name:?}; hint: kms front \
             certificate",
            files.certificate.display()
        );
        return Err(vec![("link_certificate", why)]);
    }
    let mut roots = RootCertStore::empty();
    for certificate in ca {
        let added = roots.add(certificate);
        added.map_err(|error| vec![("link_ca", format!("{}: {error}", files.ca.display()))])?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let nodes = NodeVerifier { roots, algorithms: provider.signature_verification_algorithms };
    let built = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map(|builder| builder.dangerous().with_custom_certificate_verifier(Arc::new(nodes)))
        .and_then(|builder| builder.with_client_auth_cert(chain, key));
    let mut config = built.map_err(|error| {
        let why = format!("{}: {error}; hint: are certificate and key a pair?", files.certificate.display());
        vec![("link_certificate", why)]
    })?;
    // The node would not look at the certificate again.
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok((Arc::new(config), leaf))
}

/// A file's certificates, one at least.
pub(crate) fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let pem = file::read(path).map_err(|error| (key, error.to_string()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err((key, format!("{} holds no certificate in PEM", path.display()))),
    }
}

/// A file's private key.
pub(crate) fn one_key(key: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let pem = file::read_secret(path).map_err(|error| (key, error.to_string()))?;
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| (key, format!("{} holds no private key in PEM", path.display())))
}

/// Takes nodes under the cluster's CA.
#[derive(Debug)]
struct NodeVerifier {
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The other end's certificate is good, but not a node's.
#[derive(Debug, thiserror::Error)]
#[error("a node was expected there, but the certificate is that of {0:?}")]
struct NotANode(String);

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let leaf = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, &self.roots, intermediates, now, algorithms)?;
        let name = certs::common_name(end_entity).ok().flatten().unwrap_or_default();
        match certs::node_number(&name) {
            Some(_) => Ok(ServerCertVerified::assertion()),
            None => Err(CertificateError::Other(OtherError(Arc::new(NotANode(name)))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
