//! Which part of TLS a port speaks: all that is safe, or what Suite B leaves of it (Suite B Profile 1.0, RFC 6460, RFC 5759).

use openssl::nid::Nid;
use openssl::x509::X509;
use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{SignatureScheme, SupportedProtocolVersion};

/// Which part of TLS is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// TLS 1.2 and 1.3, ECDHE with AES-GCM or ChaCha20-Poly1305.
    #[default]
    Default,
    /// Suite B with at least 128 bits: TLS 1.2, ECDHE-ECDSA with AES-GCM, P-256 or P-384 on both sides.
    SuiteB128,
    /// Suite B with at least 192 bits: TLS 1.2, ECDHE-ECDSA with AES-256-GCM, P-384 on both sides.
    SuiteB192,
}

/// A certificate that Suite B does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{profile} wants a certificate with a key on {curves}, signed with ECDSA and {hashes}, and this is none ({found}); \
     hint: issue one, or set [kmip] tls"
)]
pub struct NotAllowed {
    profile: &'static str,
    curves: &'static str,
    hashes: &'static str,
    found: String,
}

impl Profile {
    /// Their names in the configuration.
    pub const NAMES: &[&str] = &["default", "suite-b-128", "suite-b-192"];

    /// The one with this name; the default for any other.
    pub fn of(name: Option<&str>) -> Self {
        match name {
            Some("suite-b-128") => Self::SuiteB128,
            Some("suite-b-192") => Self::SuiteB192,
            _ => Self::Default,
        }
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::SuiteB128 => "suite-b-128",
            Self::SuiteB192 => "suite-b-192",
        }
    }

    pub(super) fn provider(self) -> CryptoProvider {
        let mut provider = aws_lc_rs::default_provider();
        match self {
            Self::Default => {}
            Self::SuiteB128 => {
                provider.cipher_suites = vec![
                    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                ];
                provider.kx_groups = vec![kx_group::SECP256R1, kx_group::SECP384R1];
            }
            Self::SuiteB192 => {
                provider.cipher_suites = vec![cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384];
                provider.kx_groups = vec![kx_group::SECP384R1];
            }
        }
        provider
    }

    pub(super) fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            Self::Default => &BOTH,
            Self::SuiteB128 | Self::SuiteB192 => &BOTH[1..],
        }
    }

    /// Whether a client may sign with `scheme`.
    pub(super) fn allows(self, scheme: SignatureScheme) -> bool {
        match self {
            Self::Default => true,
            Self::SuiteB128 => {
                matches!(
                    scheme,
                    SignatureScheme::ECDSA_NISTP256_SHA256 | SignatureScheme::ECDSA_NISTP384_SHA384
                )
            }
            Self::SuiteB192 => scheme == SignatureScheme::ECDSA_NISTP384_SHA384,
        }
    }

    /// Whether a certificate, in DER, may be shown by either side.
    pub fn check(self, certificate: &[u8]) -> Result<(), NotAllowed> {
        let (curves, hashes): (&[Nid], &[Nid]) = match self {
            Self::Default => return Ok(()),
            Self::SuiteB128 => {
                (&[Nid::X9_62_PRIME256V1, Nid::SECP384R1], &[Nid::ECDSA_WITH_SHA256, Nid::ECDSA_WITH_SHA384])
            }
            Self::SuiteB192 => (&[Nid::SECP384R1], &[Nid::ECDSA_WITH_SHA384]),
        };
        let name = |nid: Option<Nid>| nid.and_then(|nid| nid.long_name().ok()).unwrap_or("no name");
        let (curve, hash) = match X509::from_der(certificate) {
            Ok(certificate) => {
                let key = certificate.public_key().and_then(|key| key.ec_key()).ok();
                let curve = key.and_then(|key| key.group().curve_name());
                (curve, Some(certificate.signature_algorithm().object().nid()))
            }
            Err(_) => (None, None),
        };
        if curve.is_some_and(|curve| curves.contains(&curve))
            && hash.is_some_and(|hash| hashes.contains(&hash))
        {
            return Ok(());
        }
        let wide = self == Self::SuiteB128;
        Err(NotAllowed {
            profile: self.name(),
            curves: if wide { "P-256 or P-384" } else { "P-384" },
            hashes: if wide { "SHA-256 or SHA-384" } else { "SHA-384" },
            found: format!("key on {}, signed with {}", name(curve), name(hash)),
        })
    }
}
