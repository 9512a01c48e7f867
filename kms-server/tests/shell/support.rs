//! Certificates of every kind, a TLS client that presents them, and a service that says who it heard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kms_core::{Client, Rights, Tenant};
use kms_server::identity::{Identity, Loaded};
use kms_server::listener::{self, Kmip, Speaks, Tls};
use kms_server::metrics::Metrics;
use kms_server::session::{After, Bounds, Peer, Service};
use kms_server::tls::{self, Profile};
use kms_server::trust::{LiveTrust, Registration, Trust, Way};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) x509: X509,
    pub(crate) key: PKey<Private>,
}

/// What to make.
pub(crate) struct Make<'a> {
    pub(crate) name: &'a str,
    pub(crate) issuer: Option<&'a Pair>,
    pub(crate) is_ca: bool,
    pub(crate) version_1: bool,
    pub(crate) rsa: bool,
    /// On P-384, signed with SHA-384; on P-256 with SHA-256 otherwise.
    pub(crate) p384: bool,
    pub(crate) for_servers_only: bool,
    /// Days from now.
    pub(crate) dates: (i64, i64),
}

impl Default for Make<'_> {
    fn default() -> Self {
        Self {
            name: "vc01",
            issuer: None,
            is_ca: false,
            version_1: false,
            rsa: false,
            p384: false,
            for_servers_only: false,
            dates: (-1, 30),
        }
    }
}

pub(crate) fn now() -> i64 {
    i64::try_from(UnixTime::now().as_secs()).unwrap()
}

impl Make<'_> {
    pub(crate) fn make(self) -> Pair {
        let key = if self.rsa {
            PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
        } else {
            let curve = if self.p384 { Nid::SECP384R1 } else { Nid::X9_62_PRIME256V1 };
            let group = EcGroup::from_curve_name(curve).unwrap();
            PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
        };
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", self.name).unwrap();
        let name = name.build();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(if self.version_1 { 0 } else { 2 }).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial.rand(64, openssl::bn::MsbOption::MAYBE_ZERO, false).unwrap();
        builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(self.issuer.map_or(&name, |issuer| issuer.x509.subject_name())).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(now() + self.dates.0 * 86_400).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(now() + self.dates.1 * 86_400).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        if self.is_ca {
            builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
            let usage = KeyUsage::new().critical().key_cert_sign().digital_signature().build().unwrap();
            builder.append_extension(usage).unwrap();
        }
        if self.for_servers_only {
            builder.append_extension(ExtendedKeyUsage::new().server_auth().build().unwrap()).unwrap();
        }
        let digest = if self.p384 { MessageDigest::sha384() } else { MessageDigest::sha256() };
        builder.sign(self.issuer.map_or(&key, |issuer| &issuer.key), digest).unwrap();
        Pair { x509: builder.build(), key }
    }
}

impl Pair {
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.x509.to_der().unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        String::from_utf8(self.x509.to_pem().unwrap()).unwrap()
    }

    /// Writes `NAME.pem` and `NAME.key` (0600).
    pub(crate) fn write(&self, dir: &std::path::Path, name: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(dir.join(format!("{name}.pem")), self.x509.to_pem().unwrap()).unwrap();
        let key = dir.join(format!("{name}.key"));
        std::fs::write(&key, self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

pub(crate) fn registration(name: &str, way: Way, pair: &Pair) -> Registration {
    let client = Client { name: name.into(), tenant: Tenant::new("lab"), rights: Rights::default() };
    Registration { client: Arc::new(client), way, certificate: pair.der() }
}

pub(crate) fn trust(registrations: &[Registration]) -> Trust {
    let mut trust = Trust::default();
    for registration in registrations {
        trust.add(registration).unwrap();
    }
    trust
}

/// Answers with the client's name and the length of what it sent.
#[derive(Debug, Default)]
pub(crate) struct Named;

impl Service for Named {
    async fn answer(&self, peer: &Peer, request: &[u8], answer: &mut Vec<u8>) -> After {
        answer.extend(format!("{} {}\n", peer.client.name, request.len()).bytes());
        After::KeepOpen
    }

    fn refuse_unreadable(&self, peer: &Peer, bytes: usize, why: &str, answer: &mut Vec<u8>) {
        answer.extend(format!("{} {bytes} {why}\n", peer.client.name).bytes());
    }

    fn answer_stranger(&self, _: SocketAddr, _: &[u8], answer: &mut Vec<u8>) -> After {
        answer.extend(b"stranger\n");
        After::Close
    }

    fn refuse_oversized(&self, _: SocketAddr, _: &[u8; 8], answer: &mut Vec<u8>) {
        answer.extend(b"oversized\n");
    }
}

pub(crate) fn bounds() -> Bounds {
    Bounds {
        request_bytes_max: 1024,
        pipelined_requests_max: 4,
        idle_timeout: Duration::from_secs(300),
        request_timeout: Duration::from_secs(30),
        write_timeout: Duration::from_secs(30),
    }
}

/// A message of this many bytes in all.
pub(crate) fn message(bytes: usize) -> Vec<u8> {
    let mut message = vec![0x42, 0x00, 0x78, 0x01];
    message.extend(u32::try_from(bytes - 8).unwrap().to_be_bytes());
    message.resize(bytes, 0);
    message
}

/// A running KMIP port.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    pub(crate) trust: Arc<LiveTrust>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) drain: watch::Sender<bool>,
    pub(crate) served: tokio::task::JoinHandle<usize>,
}

pub(crate) fn identity(dir: &std::path::Path) -> Identity {
    identity_of(dir, &Make { name: "kms.example.test", ..Make::default() }.make())
}

fn identity_of(dir: &std::path::Path, pair: &Pair) -> Identity {
    pair.write(dir, "server");
    let (certificate, key) = (dir.join("server.pem"), dir.join("server.key"));
    let loaded = Loaded::read(&certificate, &key, now()).unwrap();
    Identity::new(certificate, key, loaded)
}

pub(crate) fn open(registrations: &[Registration], connections_max: usize) -> Port {
    open_for(Speaks::Ttlv, registrations, connections_max)
}

pub(crate) fn open_for(speaks: Speaks, registrations: &[Registration], connections_max: usize) -> Port {
    let server = Make { name: "kms.example.test", ..Make::default() }.make();
    open_with(speaks, Profile::Default, &server, registrations, connections_max)
}

pub(crate) fn open_with(
    speaks: Speaks,
    profile: Profile,
    server: &Pair,
    registrations: &[Registration],
    connections_max: usize,
) -> Port {
    let live = Arc::new(LiveTrust::default());
    let its = Arc::clone(&live);
    let tls = move |identity: Arc<Identity>| {
        Tls::Modern(Arc::new(tls::server_config(identity, its, profile).unwrap()))
    };
    open_trusting(live, speaks, tls, server, registrations, connections_max)
}

/// A port with TLS of another make.
pub(crate) fn open_by(
    speaks: Speaks,
    tls: impl FnOnce(Arc<Identity>) -> Tls,
    server: &Pair,
    registrations: &[Registration],
    connections_max: usize,
) -> Port {
    open_trusting(Arc::default(), speaks, tls, server, registrations, connections_max)
}

fn open_trusting(
    live: Arc<LiveTrust>,
    speaks: Speaks,
    tls: impl FnOnce(Arc<Identity>) -> Tls,
    server: &Pair,
    registrations: &[Registration],
    connections_max: usize,
) -> Port {
    let dir = tempfile::tempdir().unwrap();
    live.replace(trust(registrations));
    let metrics = Arc::new(Metrics::new("0", "node1"));
    let kmip = Kmip {
        service: Arc::new(Named),
        tls: tls(Arc::new(identity_of(dir.path(), server))),
        trust: live.clone(),
        clock: Arc::default(),
        metrics: metrics.clone(),
        connections_max,
        handshake_timeout: Duration::from_secs(10),
        drain_timeout: Duration::from_secs(10),
        bounds: bounds(),
        limits: ttlv::Limits { message_bytes_max: bounds().request_bytes_max, ..ttlv::Limits::default() },
        speaks,
    };
    let listener = listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let (drain, draining) = watch::channel(false);
    let served = tokio::spawn(listener::serve(listener, Arc::new(kmip), draining));
    Port { address, trust: live, metrics, drain, served }
}

/// Presents exactly what it is given, whatever the server hints.
#[derive(Debug)]
struct Presents(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

#[derive(Debug)]
struct TrustsAll;

impl ServerCertVerifier for TrustsAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS12, &rustls::version::TLS13];

/// A client that presents `chain` and signs with `key`.
pub(crate) fn client(
    version: &'static SupportedProtocolVersion,
    presents: Option<(&[&Pair], &PKey<Private>)>,
) -> TlsConnector {
    let provider = aws_lc_rs::default_provider();
    let certified = presents.map(|(chain, key)| {
        let der = PrivateKeyDer::try_from(key.private_key_to_pkcs8().unwrap()).unwrap();
        let signing = aws_lc_rs::sign::any_supported_type(&der).unwrap();
        Arc::new(CertifiedKey::new(chain.iter().map(|pair| pair.der()).collect(), signing))
    });
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAll))
        .with_client_cert_resolver(Arc::new(Presents(certified)));
    TlsConnector::from(Arc::new(config))
}

pub(crate) async fn connect(
    connector: &TlsConnector,
    address: SocketAddr,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    connector.connect(ServerName::try_from("kms.example.test").unwrap(), tcp).await
}
