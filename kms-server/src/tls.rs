//! TLS as vCenter needs it: a client certificate is asked for but not demanded, and judged by our own trust.
//!
//! TLS 1.2 and 1.3, ECDHE with AES-GCM or ChaCha20-Poly1305. No session is resumed and no early data taken: rustls would not look
//! at the client certificate again. No CA names are hinted, because pinned leaves have none. [`Profile`] narrows it to Suite B.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerMisbehaved,
    ServerConfig, SignatureScheme,
};

pub use self::profile::{NotAllowed, Profile};
use crate::certificate::UnixSeconds;
use crate::trust::LiveTrust;

pub mod old;
mod profile;

/// The server's side of every KMIP handshake: `identity` is what it shows, `trust` whom it knows, `profile` what of TLS is
/// spoken.
///
/// Fails only when the cryptography provider supports none of the protocol versions.
pub fn server_config(
    identity: Arc<dyn ResolvesServerCert>,
    trust: Arc<LiveTrust>,
    profile: Profile,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(profile.provider());
    let verifier = ClientVerifier { profile, ..ClientVerifier::new(trust, &provider) };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(profile.versions())?
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
    profile: Profile,
}

impl ClientVerifier {
    /// A verifier that looks at what is in force in `trust` at each handshake.
    pub fn new(trust: Arc<LiveTrust>, provider: &CryptoProvider) -> Self {
        Self { trust, algorithms: provider.signature_verification_algorithms, profile: Profile::Default }
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
        if let Err(not_allowed) = self.profile.check(end_entity) {
            return Err(CertificateError::Other(OtherError(Arc::new(not_allowed))).into());
        }
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
        if !self.profile.allows(signed.scheme) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        certs::possession::tls12(&self.algorithms, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        certs::possession::tls13(&self.algorithms, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        schemes.retain(|scheme| self.profile.allows(*scheme));
        schemes
    }
}
