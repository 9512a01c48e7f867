//! TLS as clients see it: the certificate that all nodes share, a client certificate asked for and not demanded. Whose it is
//! is for the node to say; here only that the client holds its key is made sure of. Before nodes of another make, which
//! cannot say it, one is demanded and must be [`Admitted`].

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::certificate::not_after;
use crate::links::{IdentityError, certificates, one_key};
use crate::third_party::Admitted;

/// The clients' side of TLS, and the end of the certificate that it shows.
pub(super) fn server_config(
    certificate: &Path,
    key: &Path,
    admitted: Option<Arc<Admitted>>,
) -> Result<(Arc<ServerConfig>, Option<i64>), Vec<IdentityError>> {
    let mut wrong = Vec::new();
    let chain = certificates("certificate", certificate).map_err(|error| wrong.push(error));
    let key = one_key("key", key).map_err(|error| wrong.push(error));
    let (Ok(chain), Ok(key)) = (chain, key) else { return Err(wrong) };
    let end = not_after(&chain[0]);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Holder { algorithms: provider.signature_verification_algorithms, admitted };
    let built = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map(|builder| builder.with_client_cert_verifier(Arc::new(verifier)))
        .and_then(|builder| builder.with_single_cert(chain, key));
    let mut config = built.map_err(|error| {
        let why = format!("{}: {error}; hint: are certificate and key a pair?", certificate.display());
        vec![("certificate", why)]
    })?;
    // rustls would not look at the client certificate again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok((Arc::new(config), end))
}

/// Takes every client that holds the key of the leaf it presents, and those that present none; or who is admitted alone.
#[derive(Debug)]
struct Holder {
    algorithms: WebPkiSupportedAlgorithms,
    admitted: Option<Arc<Admitted>>,
}

impl ClientCertVerifier for Holder {
    fn client_auth_mandatory(&self) -> bool {
        self.admitted.is_some()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(admitted) = &self.admitted {
            let checked = admitted.check(leaf, i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
            checked.map_err(|refused| CertificateError::Other(OtherError(Arc::new(refused))))?;
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
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
        self.algorithms.supported_schemes()
    }
}
