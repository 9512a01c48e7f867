//! The TLS checks against servers that are right and wrong in known ways.

use certs::{Authority, KeyKind, Profile, Subject};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::print::{Format, Sign};

/// What the server presents, and what it asks for.
struct Case {
    alt_name: &'static str,
    made: i64,
    versions: Vec<&'static SupportedProtocolVersion>,
    chain_is_in_order: bool,
}

impl Default for Case {
    fn default() -> Self {
        Case {
            alt_name: "127.0.0.1",
            made: time::now_s(),
            versions: rustls::ALL_VERSIONS.to_vec(),
            chain_is_in_order: true,
        }
    }
}

/// Runs all checks against a server that refuses clients without a certificate.
async fn check(case: Case, ca: Option<&str>) -> Report {
    let authority = Authority::create("KMS CA", KeyKind::P256, case.made, 20_000).unwrap();
    let alt_names = vec![case.alt_name.parse().unwrap()];
    let subject = Subject { common_name: "kms".into(), alt_names };
    let issued = authority.issue(Profile::Server, &subject, KeyKind::P256, case.made).unwrap();
    let ca_pem = authority.cert_pem().unwrap();
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut chain = vec![der(&issued.cert_pem), der(&ca_pem)];
    if !case.chain_is_in_order {
        let other = Authority::create("Other CA", KeyKind::P256, case.made, 20_000).unwrap();
        chain.insert(1, der(&other.cert_pem().unwrap()));
    }
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.danger_expose().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(der(&ca_pem)).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&case.versions)
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = acceptor.accept(stream).await;
        }
    });
    let mut report = Report::new("test", Format::Json);
    let shown = check_without_certificate(&mut report, "127.0.0.1", address).await.unwrap();
    let ca = ca.unwrap_or(&ca_pem);
    check_certificate(&mut report, "127.0.0.1", &shown, Some(ca));
    check_versions(&mut report, "127.0.0.1", address).await;
    server.abort();
    report
}

fn signs(report: &Report, wanted: Sign) -> Vec<&'static str> {
    report.findings.iter().filter(|finding| finding.sign == wanted).map(|finding| finding.name).collect()
}

#[tokio::test]
async fn a_server_that_refuses_clients_without_certificate_still_shows_its_own() {
    let report = check(Case::default(), None).await;
    assert_eq!(signs(&report, Sign::Bad), Vec::<&str>::new(), "{report:?}");
    assert_eq!(signs(&report, Sign::Warning), Vec::<&str>::new(), "{report:?}");
}

#[tokio::test]
async fn a_certificate_for_another_address_is_a_warning_as_vcenter_pins_it() {
    let report = check(Case { alt_name: "192.0.2.7", ..Case::default() }, None).await;
    assert_eq!(signs(&report, Sign::Warning), ["names"]);
    assert!(report.is_good(), "{report:?}");
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_found_out() {
    let days = i64::from(Profile::Server.days());
    let report = check(Case { made: time::now_s() - (days + 2) * 86_400, ..Case::default() }, None).await;
    assert_eq!(signs(&report, Sign::Bad), ["dates", "CA"]);
}

#[tokio::test]
async fn a_server_of_tls_1_3_alone_is_not_enough_for_vcenter() {
    let report = check(Case { versions: vec![&rustls::version::TLS13], ..Case::default() }, None).await;
    assert_eq!(signs(&report, Sign::Bad), ["TLS 1.2"]);
}

#[tokio::test]
async fn a_server_of_tls_1_2_alone_is_a_warning() {
    let report = check(Case { versions: vec![&rustls::version::TLS12], ..Case::default() }, None).await;
    assert_eq!((signs(&report, Sign::Bad), signs(&report, Sign::Warning)), (vec![], vec!["TLS 1.3"]));
}

#[tokio::test]
async fn a_chain_out_of_order_is_found_out() {
    let report = check(Case { chain_is_in_order: false, ..Case::default() }, None).await;
    assert_eq!(signs(&report, Sign::Bad), ["chain"]);
}

#[tokio::test]
async fn a_server_of_another_ca_is_found_out() {
    let other = Authority::create("Other CA", KeyKind::P256, time::now_s(), 365).unwrap();
    let report = check(Case::default(), Some(&other.cert_pem().unwrap())).await;
    assert_eq!(signs(&report, Sign::Bad), ["CA"]);
}
