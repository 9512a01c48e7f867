//! What the server shows in TLS: its certificate to a client without one, as vCenter's probes have it, and the versions
//! and cipher suites that it agrees to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use certs::{AltName, Inspected};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::CONNECT_TIMEOUT;
use super::pair::DAYS_LEFT_MIN;
use super::report::Report;
use crate::time;

/// Longest wait for a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What vCenter must be offered in TLS 1.2; its TLS 1.3 is unproven.
const ECDHE_GCM: [CipherSuite; 4] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// The certificates that the server showed, its own first; at least one.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) chain: Vec<CertificateDer<'static>>,
    leaf: Inspected,
}

/// Looks at the server without a client certificate, as vCenter does before trust is set.
pub(super) async fn check_without_certificate(
    report: &mut Report,
    host: &str,
    address: SocketAddr,
) -> Option<Shown> {
    const NAME: &str = "TLS";
    let probe = probe(host, address, rustls::ALL_VERSIONS, None).await;
    let Some(first) = probe.chain.first() else {
        let why = probe.error.unwrap_or_else(|| "it shows no certificate".to_owned());
        report.bad(
            NAME,
            format!("no certificate came: {why}"),
            "is this a KMIP server's TLS port? vCenter reads the certificate this way, without one of its own",
        );
        return None;
    };
    match certs::inspect(first) {
        Ok(leaf) => {
            report
                .good(NAME, format!("a client without certificate is shown the server's, {}", leaf.subject));
            Some(Shown { chain: probe.chain, leaf })
        }
        Err(error) => {
            report.bad_error(NAME, &error, "the server's certificate must be X.509");
            None
        }
    }
}

/// Looks at the certificate itself.
pub(super) fn check_certificate(report: &mut Report, host: &str, shown: &Shown, ca_pem: Option<&str>) {
    let leaf = &shown.leaf;
    report.good("SHA-1", format!("{}  (vCenter shows this one)", leaf.sha1));
    report.good("SHA-256", leaf.sha256.clone());
    check_dates(report, leaf);
    let names = leaf.alt_names.iter().map(AltName::to_string).collect::<Vec<_>>().join(", ");
    match host.parse::<AltName>() {
        Ok(wanted) if leaf.is_for(&wanted) => report.good("names", format!("it is for {names}")),
        _ if names.is_empty() => report.warn(
            "names",
            "the certificate names no address (subjectAltName)",
            "vCenter pins it all the same; other clients want a certificate that names the address",
        ),
        _ => report.warn(
            "names",
            format!("the certificate is for {names}, not for {host}"),
            "vCenter pins it all the same; for others connect to one of those, or issue one that names this address too",
        ),
    }
    let weak = leaf.key_kind.strip_prefix("RSA-").and_then(|bits| bits.parse::<u32>().ok());
    match weak.filter(|bits| *bits < certs::RSA_BITS_MIN) {
        Some(bits) => report.bad(
            "key",
            format!("RSA with {bits} bits"),
            format!("issue a certificate with at least {} bits, or P-256", certs::RSA_BITS_MIN),
        ),
        None => report.good("key", leaf.key_kind.clone()),
    }
    check_chain(report, shown);
    if let Some(ca_pem) = ca_pem {
        check_ca(report, host, shown, ca_pem);
    }
}

fn check_dates(report: &mut Report, leaf: &Inspected) {
    let now = time::now_s();
    let days = leaf.days_left(now);
    let range = format!("{} to {}", certs::utc_text(leaf.not_before), certs::utc_text(leaf.not_after));
    if now < leaf.not_before {
        report.bad("dates", format!("valid from {range}: not yet"), "compare the clocks of both machines");
    } else if days < 0 {
        report.bad(
            "dates",
            format!("valid from {range}: it has ended"),
            "renew the server certificate, then trust it anew in every vCenter",
        );
    } else if days < DAYS_LEFT_MIN {
        let fix = "renew the server certificate; every vCenter must trust the new one";
        report.warn("dates", format!("valid from {range}: {days} days left"), fix);
    } else {
        report.good("dates", format!("valid from {range}"));
    }
}

/// Each certificate must be signed by the one after it.
fn check_chain(report: &mut Report, shown: &Shown) {
    let chain: Result<Vec<_>, _> = shown.chain.iter().map(|der| certs::inspect(der)).collect();
    let chain = match chain {
        Ok(chain) => chain,
        Err(error) => {
            return report.bad_error("chain", &error, "the chain holds something that is no certificate");
        }
    };
    let broken = chain.windows(2).find(|pair| pair[0].issuer != pair[1].subject);
    match broken {
        Some(pair) => report.bad(
            "chain",
            format!("{} was issued by {}, but {} follows", pair[0].subject, pair[0].issuer, pair[1].subject),
            "in the server's certificate file put the leaf first, then each issuer in order",
        ),
        None => {
            let subjects: Vec<_> = chain.iter().map(|one| one.subject.as_str()).collect();
            report.good("chain", subjects.join(" < "));
        }
    }
}

fn check_ca(report: &mut Report, host: &str, shown: &Shown, ca_pem: &str) {
    const FIX: &str = "give the CA that made the server certificate (ca.pem of the trust pack), or see who answers at this address";
    let Some((leaf, intermediates)) = shown.chain.split_first() else { return };
    let given: Vec<_> = CertificateDer::pem_slice_iter(ca_pem.as_bytes()).filter_map(Result::ok).collect();
    if given.contains(leaf) {
        return report.good("CA", "the given certificate is the server's own");
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(given);
    if added == 0 {
        return report.bad("CA", "the file given with --ca holds no certificate", FIX);
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = match WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() {
        Ok(verifier) => verifier,
        Err(error) => return report.bad_error("CA", &error, FIX),
    };
    let Some(name) = server_name(host) else { return };
    match verifier.verify_server_cert(leaf, intermediates, &name, &[], UnixTime::now()) {
        Ok(_) => report.good("CA", format!("{} is of the given CA", shown.leaf.subject)),
        Err(rustls::Error::InvalidCertificate(
            rustls::CertificateError::NotValidForName
            | rustls::CertificateError::NotValidForNameContext { .. },
        )) => report.good("CA", format!("{} is of the given CA (the name: see above)", shown.leaf.subject)),
        Err(error) => {
            report.bad("CA", format!("{} is not of the given CA: {error}", shown.leaf.subject), FIX)
        }
    }
}

/// Looks at what the server agrees to: what vCenter needs, and TLS 1.3.
pub(super) async fn check_versions(report: &mut Report, host: &str, address: SocketAddr) {
    let tls12 = probe(host, address, &[&rustls::version::TLS12], Some(&ECDHE_GCM)).await;
    match tls12.chain.is_empty() {
        false => report.good("TLS 1.2", format!("ECDHE with AES-GCM{}", ms(&tls12))),
        true => report.bad(
            "TLS 1.2",
            format!("no ECDHE with AES-GCM: {}", tls12.error.unwrap_or_default()),
            "vCenter 7 needs TLS 1.2 with an ECDHE-AES-GCM suite: allow it on the server, or on what stands before it",
        ),
    }
    let tls13 = probe(host, address, &[&rustls::version::TLS13], None).await;
    match tls13.chain.is_empty() {
        false => report.good("TLS 1.3", format!("offered{}", ms(&tls13))),
        true => report.warn(
            "TLS 1.3",
            format!("not offered: {}", tls13.error.unwrap_or_default()),
            "vCenter 7 does without it; allow it for newer clients",
        ),
    }
}

fn ms(probe: &Probe) -> String {
    format!(" ({} ms)", probe.took.as_millis())
}

/// What one handshake brought, complete or not.
struct Probe {
    /// The certificates, when the handshake came so far.
    chain: Vec<CertificateDer<'static>>,
    /// Why it did not end well.
    error: Option<String>,
    took: Duration,
}

/// One handshake without a client certificate. The server's certificate counts as soon as it came, since a server may
/// refuse the rest for want of ours.
async fn probe(
    host: &str,
    address: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
    suites: Option<&[CipherSuite]>,
) -> Probe {
    let started = std::time::Instant::now();
    let seen = Arc::new(Seen::new(suites));
    let result = handshake(host, address, versions, &seen).await;
    let chain = std::mem::take(&mut *seen.chain.lock().unwrap_or_else(PoisonError::into_inner));
    Probe { chain, error: result.err(), took: started.elapsed() }
}

async fn handshake(
    host: &str,
    address: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
    seen: &Arc<Seen>,
) -> Result<(), String> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&seen.provider))
        .with_protocol_versions(versions)
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(seen) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let name = server_name(host).ok_or_else(|| format!("{host} is no name for TLS"))?;
    let connect = TcpStream::connect(address);
    let stream = timeout(CONNECT_TIMEOUT, connect).await.map_err(|_| "TCP took too long".to_owned())?;
    let stream = stream.map_err(|error| error.to_string())?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(done) => done.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", HANDSHAKE_TIMEOUT.as_secs())),
    }
}

fn server_name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).ok()
}

/// Takes any certificate and remembers it. It judges nothing: the checks do, afterwards.
#[derive(Debug)]
struct Seen {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl Seen {
    fn new(suites: Option<&[CipherSuite]>) -> Self {
        let mut provider = aws_lc_rs::default_provider();
        if let Some(suites) = suites {
            provider.cipher_suites.retain(|suite| suites.contains(&suite.suite()));
        }
        Seen { provider: Arc::new(provider), chain: Mutex::default() }
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(leaf).chain(intermediates).map(|der| der.clone().into_owned());
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain.collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
