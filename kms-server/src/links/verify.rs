//! Whether a certificate is one of the cluster: TLS verifiers for both ends of a link, and for a node that joins.
//!
//! Names and addresses in certificates are not compared with where one connected to: the cluster's CA signs nodes only,
//! and a node may move. What counts is its number.

use std::sync::Arc;

use openssl::sha::sha256;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use super::Caller;

fn refused(why: impl std::error::Error + Send + Sync + 'static) -> Error {
    CertificateError::Other(OtherError(Arc::new(why))).into()
}

/// Takes nodes and fronts under the cluster's CA, and those without any certificate.
#[derive(Debug)]
pub(super) struct CallerVerifier {
    chain: Arc<dyn ClientCertVerifier>,
}

impl CallerVerifier {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, VerifierBuilderError> {
        let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
        Ok(Self { chain: builder.allow_unauthenticated().build()? })
    }
}

impl ClientCertVerifier for CallerVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        Caller::of(end_entity).map(|_| verified).map_err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// The CA that a node must be under.
#[derive(Debug)]
pub(super) enum Anchor {
    /// The cluster's, from its file; more than one while it is exchanged.
    Roots(Arc<RootCertStore>),
    /// The one with this SHA-256 among the certificates that the node presents.
    Pinned([u8; 32]),
}

/// A node that presents no certificate with the SHA-256 that was expected.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected a cluster CA with SHA-256 {}, got {got}; hint: is the token of this cluster, and is that address \
     one of its nodes?",
    hex::encode(expected)
)]
struct NotPinned {
    expected: [u8; 32],
    got: String,
}

/// The other end's certificate is good, but not a node's.
#[derive(Debug, thiserror::Error)]
#[error("a node was expected there, but the certificate is that of {0}")]
struct NotANode(Caller);

/// Takes nodes under the cluster's CA.
#[derive(Debug)]
pub(super) struct NodeVerifier {
    anchor: Anchor,
    algorithms: WebPkiSupportedAlgorithms,
}

impl NodeVerifier {
    pub(super) fn new(anchor: Anchor, provider: &CryptoProvider) -> Self {
        Self { anchor, algorithms: provider.signature_verification_algorithms }
    }
}

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
        let pinned;
        let roots = match &self.anchor {
            Anchor::Roots(roots) => roots,
            Anchor::Pinned(expected) => {
                pinned = Arc::new(pinned_root(expected, intermediates)?);
                &pinned
            }
        };
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, roots, intermediates, now, algorithms)?;
        match Caller::of(end_entity).map_err(refused)? {
            Caller::Node(_) => Ok(ServerCertVerified::assertion()),
            other @ (Caller::Front(_) | Caller::Stranger) => Err(refused(NotANode(other))),
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

fn pinned_root(expected: &[u8; 32], presented: &[CertificateDer<'_>]) -> Result<RootCertStore, Error> {
    let Some(ca) = presented.iter().find(|certificate| sha256(certificate) == *expected) else {
        let got = presented.last().map_or("none".to_owned(), |last| hex::encode(sha256(last)));
        return Err(refused(NotPinned { expected: *expected, got }));
    };
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone().into_owned())?;
    Ok(roots)
}
