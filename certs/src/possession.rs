//! Whether who presents a certificate in a TLS handshake holds its key. X.509 version 1 included, which vCenters have and
//! TLS libraries refuse to read.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};

use crate::spki;

/// Checks a handshake's signature in TLS 1.2, where a scheme may fit several curves.
///
/// # Errors
/// For a scheme that is not in `algorithms`, a key that is not the scheme's, and a signature that is not of that key.
pub fn tls12(
    algorithms: &WebPkiSupportedAlgorithms,
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    verify(algorithms, message, certificate, signed, false)
}

/// Checks a handshake's signature in TLS 1.3, where a scheme names one algorithm.
///
/// # Errors
/// As [`tls12`]; also for RSASSA-PKCS1, which RFC 8446 section 4.2.3 keeps for certificates.
pub fn tls13(
    algorithms: &WebPkiSupportedAlgorithms,
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    match signed.scheme {
        SignatureScheme::RSA_PKCS1_SHA256
        | SignatureScheme::RSA_PKCS1_SHA384
        | SignatureScheme::RSA_PKCS1_SHA512 => {
            Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
        }
        _ => verify(algorithms, message, certificate, signed, true),
    }
}

fn verify(
    algorithms: &WebPkiSupportedAlgorithms,
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
    one_algorithm: bool,
) -> Result<HandshakeSignatureValid, Error> {
    let unadvertised = || PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme;
    let mut of_scheme = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
    let (_, candidates) = of_scheme.next().ok_or_else(unadvertised)?;
    let key = spki(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let candidates = if one_algorithm { candidates.get(..1).unwrap_or_default() } else { candidates };
    let algorithm = candidates
        .iter()
        .find(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm_identifier_der_content)
        .ok_or_else(unadvertised)?;
    algorithm
        .verify_signature(key.key_bytes, message, signed.signature())
        .map_err(|_| CertificateError::BadSignature)?;
    Ok(HandshakeSignatureValid::assertion())
}
