//! Who is let in, by each way of trust, in TLS 1.2 and 1.3; and who is not, and why.

use kms_server::trust::{RefusedReason, RegistrationError, Way};
use rustls::HandshakeKind;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::support::*;

/// Who the server takes this client for, or the failure that the client sees.
async fn heard(
    port: &Port,
    version: &'static rustls::SupportedProtocolVersion,
    chain: &[&Pair],
    key: &Pair,
) -> Result<String, String> {
    let presents = (!chain.is_empty()).then_some((chain, &key.key));
    let mut stream =
        connect(&client(version, presents), port.address).await.map_err(|error| error.to_string())?;
    stream.write_all(&message(16)).await.map_err(|error| error.to_string())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.map_err(|error| error.to_string())?;
    match line.split_once([' ', '\n']) {
        Some((name, _)) => Ok(name.to_owned()),
        None => Err(format!("closed after {line:?}")),
    }
}

async fn check(port: &Port, chain: &[&Pair], expected: &str) {
    for version in VERSIONS {
        let key = chain.first().copied();
        let key = key.cloned().unwrap_or_else(|| Make::default().make());
        assert_eq!(heard(port, version, chain, &key).await.as_deref(), Ok(expected), "{version:?}");
    }
}

async fn check_refused(port: &Port, chain: &[&Pair], key: &Pair) {
    for version in VERSIONS {
        let got = heard(port, version, chain, key).await;
        assert!(got.is_err(), "{version:?}: let in as {got:?}");
    }
}

#[tokio::test]
async fn a_pinned_leaf_needs_no_eku_san_or_chain() {
    let plain = Make::default().make();
    let with_ca_true = Make { name: "vc02", is_ca: true, ..Make::default() }.make();
    let version_1 = Make { name: "vc03", version_1: true, ..Make::default() }.make();
    let version_1_rsa = Make { name: "vc04", version_1: true, rsa: true, ..Make::default() }.make();
    let unknown_ca = Make { name: "ca", is_ca: true, ..Make::default() }.make();
    let under_unknown_ca = Make { name: "vc05", issuer: Some(&unknown_ca), ..Make::default() }.make();
    let port = open(
        &[
            registration("vc01", Way::Pinned, &plain),
            registration("vc02", Way::Pinned, &with_ca_true),
            registration("vc03", Way::Pinned, &version_1),
            registration("vc04", Way::Pinned, &version_1_rsa),
            registration("vc05", Way::Pinned, &under_unknown_ca),
        ],
        64,
    );
    check(&port, &[&plain], "vc01").await;
    check(&port, &[&with_ca_true], "vc02").await;
    check(&port, &[&version_1], "vc03").await;
    check(&port, &[&version_1_rsa], "vc04").await;
    check(&port, &[&under_unknown_ca], "vc05").await;
    check(&port, &[&under_unknown_ca, &unknown_ca], "vc05").await;
}

#[tokio::test]
async fn issued_and_signed_leaves_are_known_by_themselves_and_not_by_our_ca() {
    let ca = Make { name: "kms CA", is_ca: true, ..Make::default() }.make();
    let issued = Make { issuer: Some(&ca), rsa: true, ..Make::default() }.make();
    let signed = Make { issuer: Some(&ca), ..Make::default() }.make();
    let other = Make { issuer: Some(&ca), ..Make::default() }.make();
    let port =
        open(&[registration("vc01", Way::Issued, &issued), registration("vc02", Way::Csr, &signed)], 64);
    check(&port, &[&issued], "vc01").await;
    check(&port, &[&signed, &ca], "vc02").await;
    check_refused(&port, &[&other, &ca], &other).await;
}

#[tokio::test]
async fn every_leaf_under_a_registered_ca_is_its_client() {
    let root = Make { name: "root", is_ca: true, ..Make::default() }.make();
    let middle = Make { name: "middle", is_ca: true, issuer: Some(&root), ..Make::default() }.make();
    let direct = Make { issuer: Some(&root), ..Make::default() }.make();
    let below = Make { issuer: Some(&middle), rsa: true, ..Make::default() }.make();
    let port = open(&[registration("vcenter", Way::Ca, &root)], 64);
    check(&port, &[&direct], "vcenter").await;
    check(&port, &[&below, &middle], "vcenter").await;
    // Known from before, also without its chain.
    check(&port, &[&below], "vcenter").await;
    let fresh = Make { issuer: Some(&middle), ..Make::default() }.make();
    check_refused(&port, &[&fresh], &fresh).await;

    let port = open(&[registration("vcenter", Way::Ca, &middle)], 64);
    check(&port, &[&below], "vcenter").await;
    check_refused(&port, &[&direct], &direct).await;
}

#[tokio::test]
async fn a_certificate_made_for_servers_only_is_a_client_by_pin_and_by_ca() {
    let root = Make { name: "root", is_ca: true, ..Make::default() }.make();
    let machine = Make { issuer: Some(&root), for_servers_only: true, ..Make::default() }.make();
    check(&open(&[registration("ca", Way::Ca, &root)], 64), &[&machine], "ca").await;
    check(&open(&[registration("vc01", Way::Pinned, &machine)], 64), &[&machine], "vc01").await;
}

#[tokio::test]
async fn a_pinned_leaf_goes_before_a_ca_and_a_near_ca_before_a_far_one() {
    let root = Make { name: "root", is_ca: true, ..Make::default() }.make();
    let middle = Make { name: "middle", is_ca: true, issuer: Some(&root), ..Make::default() }.make();
    let leaf = Make { issuer: Some(&middle), ..Make::default() }.make();
    let pinned = Make { issuer: Some(&middle), ..Make::default() }.make();
    let far_first = [registration("far", Way::Ca, &root), registration("near", Way::Ca, &middle)];
    let near_first = [far_first[1].clone(), far_first[0].clone()];
    for cas in [far_first, near_first] {
        let port = open(&[&cas[..], &[registration("pinned", Way::Pinned, &pinned)]].concat(), 64);
        check(&port, &[&leaf, &middle], "near").await;
        check(&port, &[&pinned, &middle], "pinned").await;
    }
}

#[tokio::test]
async fn a_handshake_without_a_certificate_completes_and_its_message_is_a_strangers() {
    let port = open(&[], 64);
    check(&port, &[], "stranger").await;
    for version in VERSIONS {
        let mut stream = connect(&client(version, None), port.address).await.unwrap();
        assert!(stream.get_ref().1.peer_certificates().is_some_and(|chain| chain.len() == 1));
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "a clean close");
    }
}

#[tokio::test]
async fn unknown_expired_and_wrongly_signed_certificates_are_refused() {
    let ca = Make { name: "root", is_ca: true, ..Make::default() }.make();
    let same_name = Make { name: "root", is_ca: true, ..Make::default() }.make();
    let known = Make::default().make();
    let expired = Make { name: "vc02", dates: (-30, -1), ..Make::default() }.make();
    let early = Make { name: "vc03", dates: (1, 30), ..Make::default() }.make();
    let port = open(
        &[
            registration("vcenter", Way::Ca, &ca),
            registration("vc01", Way::Pinned, &known),
            registration("vc02", Way::Pinned, &expired),
            registration("vc03", Way::Pinned, &early),
        ],
        64,
    );
    let unknown = Make::default().make();
    check_refused(&port, &[&unknown], &unknown).await;
    let wrong_ca = Make { issuer: Some(&same_name), ..Make::default() }.make();
    check_refused(&port, &[&wrong_ca, &same_name], &wrong_ca).await;
    check_refused(&port, &[&expired], &expired).await;
    check_refused(&port, &[&early], &early).await;
    let expired_below = Make { issuer: Some(&ca), dates: (-30, -1), ..Make::default() }.make();
    check_refused(&port, &[&expired_below], &expired_below).await;
    // A client's own leaf is no CA, whoever signed it.
    let leaf = Make { name: "leaf", issuer: Some(&ca), ..Make::default() }.make();
    let under_leaf = Make { issuer: Some(&leaf), ..Make::default() }.make();
    check_refused(&port, &[&under_leaf, &leaf], &under_leaf).await;
    // Somebody who has the certificate, which is public, but not its key.
    check_refused(&port, &[&known], &unknown).await;
    // Nobody is locked out by all that.
    check(&port, &[&known], "vc01").await;
}

#[test]
fn a_refusal_says_why_with_subject_issuer_and_dates() {
    let ca = Make { name: "root", is_ca: true, ..Make::default() }.make();
    let expired = Make { name: "test01", issuer: Some(&ca), dates: (-30, -1), ..Make::default() }.make();
    let trust = trust(&[registration("vcenter", Way::Ca, &ca)]);
    let text = trust.who(&[expired.der()], now()).unwrap_err().to_string();
    for part in ["not valid after", "subject \"CN=test01\"", "issuer \"CN=root\"", "valid 20", "SHA-256"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    let refused = trust.who(&[Make::default().make().der()], now()).unwrap_err();
    assert_eq!(refused.reason, RefusedReason::Unknown);
    assert!(refused.to_string().contains("hint: "));
    let garbage = rustls::pki_types::CertificateDer::from(vec![1, 2, 3]);
    assert!(trust.who(&[garbage], now()).is_err());
    let many = vec![expired.der(); 9];
    assert_eq!(trust.who(&many, now()).unwrap_err().reason, RefusedReason::TooMany(9));
}

#[test]
fn dates_are_held_against_the_time_of_the_handshake() {
    let ca = Make { name: "root", is_ca: true, ..Make::default() }.make();
    let below = Make { issuer: Some(&ca), dates: (-1, 10), ..Make::default() }.make();
    let pinned = Make { dates: (-1, 10), ..Make::default() }.make();
    let trust = trust(&[registration("ca", Way::Ca, &ca), registration("vc01", Way::Pinned, &pinned)]);
    for leaf in [&below, &pinned] {
        assert!(trust.who(&[leaf.der()], now()).is_ok());
        assert!(trust.who(&[leaf.der()], now() + 11 * 86_400).is_err());
        assert!(trust.who(&[leaf.der()], now() - 2 * 86_400).is_err());
    }
}

#[test]
fn one_certificate_stands_for_one_client() {
    let leaf = Make::default().make();
    let ca = Make { is_ca: true, ..Make::default() }.make();
    let mut trust = trust(&[registration("vc01", Way::Pinned, &leaf), registration("vcenter", Way::Ca, &ca)]);
    let again = trust.add(&registration("vc02", Way::Issued, &leaf)).unwrap_err();
    assert!(
        matches!(&again, RegistrationError::AlreadyRegistered { client, .. } if client == "vc01"),
        "{again}"
    );
    assert!(trust.add(&registration("vc02", Way::Ca, &ca)).is_err());
    let no_ca = trust.add(&registration("vc02", Way::Ca, &leaf)).unwrap_err();
    assert!(matches!(no_ca, RegistrationError::NotACa(_)));
    assert!(trust.remove("vc01"));
    assert!(!trust.remove("vc01"));
    trust.add(&registration("vc02", Way::Issued, &leaf)).unwrap();
}

#[tokio::test]
async fn trust_is_live_at_once_also_on_open_connections() {
    let leaf = Make::default().make();
    let port = open(&[registration("vc01", Way::Pinned, &leaf)], 64);
    let connector = client(&rustls::version::TLS13, Some((&[&leaf], &leaf.key)));
    let mut stream = BufReader::new(connect(&connector, port.address).await.unwrap());
    for (name, expected) in [("vc01", "vc01 16\n"), ("renamed", "renamed 16\n")] {
        port.trust.replace(trust(&[registration(name, Way::Pinned, &leaf)]));
        stream.write_all(&message(16)).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, expected);
    }
    port.trust.replace(trust(&[]));
    stream.write_all(&message(16)).await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "stranger\n");
    check_refused(&port, &[&leaf], &leaf).await;
}

#[tokio::test]
async fn no_session_is_resumed() {
    let leaf = Make::default().make();
    let port = open(&[registration("vc01", Way::Pinned, &leaf)], 64);
    for version in VERSIONS {
        let connector = client(version, Some((&[&leaf], &leaf.key)));
        for _ in 0..3 {
            let mut stream = connect(&connector, port.address).await.unwrap();
            stream.write_all(&message(16)).await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            let (_, tls) = stream.get_ref();
            assert_ne!(tls.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}");
            assert_eq!(tls.tls13_tickets_received(), 0);
        }
    }
}
