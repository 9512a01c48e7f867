//! TLS as vCenter needs it: a client certificate is asked for but not demanded, and judged by our own trust.
//!
//! TLS 1.2 and 1.3, ECDHE with AES-GCM or ChaCha20-Poly1305. No session is resumed and no early data taken: rustls would not look
//! at the client certificate again. No CA names are hinted, because pinned leaves have none.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerMisbehaved,
    ServerConfig, SignatureScheme,
};

use crate::certificate::UnixSeconds;
use crate::trust::LiveTrust;

/// The server's side of every KMIP handshake: `identity` is what it shows, `trust` whom it knows.
///
/// Fails only when the cryptography provider supports none of the protocol versions.
pub fn server_config(
    identity: Arc<dyn ResolvesServerCert>,
    trust: Arc<LiveTrust>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = ClientVerifier::new(trust, &provider);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(identity);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// Seconds since 1970 of the time that rustls hands its verifiers.
pub(crate) fn seconds(now: UnixTime) -> UnixSeconds {
    UnixSeconds::try_from(now.as_secs()).unwrap_or(UnixSeconds::MAX)
}

/// Judges client certificates by [`LiveTrust`] and checks that the sender holds their key.
#[derive(Debug)]
pub struct ClientVerifier {
    trust: Arc<LiveTrust>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    /// A verifier that looks at what is in force in `trust` at each handshake.
    pub fn new(trust: Arc<LiveTrust>, provider: &CryptoProvider) -> Self {
        Self { trust, algorithms: provider.signature_verification_algorithms }
    }

    /// Checks a handshake signature with the certificate's key. In TLS 1.3 a scheme names one algorithm, in TLS 1.2
    /// it may fit several curves. webpki's own check reads the certificate, and refuses version 1.
    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        one_algorithm: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (_, algorithms) = self
            .algorithms
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let key = certs::spki(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let candidates = if one_algorithm { algorithms.get(..1).unwrap_or_default() } else { algorithms };
        let algorithm = candidates
            .iter()
            .find(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm_identifier_der_content)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        algorithm
            .verify_signature(key.key_bytes, message, signed.signature())
            .map_err(|_| CertificateError::BadSignature)?;
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let mut chain = Vec::with_capacity(1 + intermediates.len());
        chain.push(end_entity.clone());
        chain.extend_from_slice(intermediates);
        match self.trust.current().who(&chain, seconds(now)) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            // Carried whole to the listener, which knows the peer's address and writes the log line.
            Err(refused) => Err(CertificateError::Other(OtherError(Arc::new(refused))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // RFC 8446 section 4.2.3 keeps RSASSA-PKCS1 for certificates.
        match signed.scheme {
            SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512 => {
                Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
            }
            _ => self.verify_signature(message, certificate, signed, true),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
