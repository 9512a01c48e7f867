//! Why the client believes that the server is the right one.

use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::ClientError;

/// How the server is recognised. In each case it proves that it has the key of the certificate it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerTrust {
    /// Its certificate is one of these authorities', and valid today.
    Ca {
        /// One or more CA certificates.
        pem: Vec<u8>,
        /// Whether the certificate must carry the name or address that was asked for. A key server is often asked
        /// for by an address that its certificate does not carry; with a CA of its own that is safe.
        verify_name: bool,
    },
    /// Its certificate is this very one. Dates and names are not looked at: who pins has decided.
    Fingerprint {
        /// SHA-256 of the certificate's DER.
        sha256: [u8; 32],
    },
    /// Anyone. Only for looking at what a server shows; never send a password or believe a key.
    DangerAny,
}

impl ServerTrust {
    /// The trust in one certificate, by its DER.
    pub fn pinned(certificate: &CertificateDer<'_>) -> Self {
        Self::Fingerprint { sha256: sha256(certificate) }
    }

    pub(super) fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<Verifier>, ClientError> {
        let rule = match self {
            Self::Ca { pem, verify_name } => {
                Rule::Ca { roots: Arc::new(roots(pem)?), verify_name: *verify_name }
            }
            Self::Fingerprint { sha256 } => Rule::Fingerprint(*sha256),
            Self::DangerAny => Rule::Any,
        };
        Ok(Arc::new(Verifier { rule, provider }))
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, ClientError> {
    let wrong = |why: String| ClientError::Configuration {
        what: "the CA certificates",
        why,
        hint: "one or more PEM blocks that begin with BEGIN CERTIFICATE",
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is none".to_owned()));
    }
    Ok(roots)
}

fn sha256(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, certificate).as_ref());
    out
}

#[derive(Debug)]
enum Rule {
    Ca { roots: Arc<RootCertStore>, verify_name: bool },
    Fingerprint([u8; 32]),
    Any,
}

/// rustls' question, answered by a [`ServerTrust`].
#[derive(Debug)]
pub(super) struct Verifier {
    rule: Rule,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.rule {
            Rule::Ca { roots, verify_name } => {
                let parsed = ParsedCertificate::try_from(end_entity)?;
                let algorithms = self.provider.signature_verification_algorithms.all;
                verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)?;
                if *verify_name {
                    verify_server_name(&parsed, server_name)?;
                }
            }
            Rule::Fingerprint(pinned) => {
                if sha256(end_entity) != *pinned {
                    return Err(CertificateError::ApplicationVerificationFailure.into());
                }
            }
            Rule::Any => {}
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
