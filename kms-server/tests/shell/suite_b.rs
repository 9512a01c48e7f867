//! Suite B: what a port that is held to it agrees to, with whom, and which certificate it may show.

use kms_server::listener::Speaks;
use kms_server::tls::Profile;
use kms_server::trust::Way;
use rustls::CipherSuite;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

fn p256(name: &str) -> Pair {
    Make { name, ..Make::default() }.make()
}

fn p384(name: &str) -> Pair {
    Make { name, p384: true, ..Make::default() }.make()
}

fn rsa(name: &str) -> Pair {
    Make { name, rsa: true, ..Make::default() }.make()
}

/// The suite that was agreed on and what the server answers, or none where it does not let this client in. A client that
/// sees that its RSA key is not asked for sends no certificate, and is a stranger.
async fn served(
    port: &Port,
    version: &'static rustls::SupportedProtocolVersion,
    client_pair: &Pair,
) -> Option<(CipherSuite, String)> {
    let connector = client(version, Some((&[client_pair], &client_pair.key)));
    let mut stream = connect(&connector, port.address).await.ok()?;
    let suite = stream.get_ref().1.negotiated_cipher_suite().unwrap().suite();
    stream.write_all(&message(16)).await.ok()?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer.to_vec()).unwrap();
    (answer != "stranger").then_some((suite, answer))
}

#[tokio::test]
async fn suite_b_is_tls_1_2_with_the_suites_and_certificates_of_its_profile() {
    use CipherSuite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 as AES_128,
        TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 as AES_256,
    };
    for (profile, server, suites, lets_p256_in) in [
        (Profile::SuiteB128, p256("kms"), &[AES_128, AES_256][..], true),
        (Profile::SuiteB128, p384("kms"), &[AES_128, AES_256], true),
        (Profile::SuiteB192, p384("kms"), &[AES_256], false),
    ] {
        let (small, large, other) = (p256("vc02"), p384("vc03"), rsa("vc04"));
        let clients = [
            registration("vc02", Way::Pinned, &small),
            registration("vc03", Way::Pinned, &large),
            registration("vc04", Way::Pinned, &other),
        ];
        let port = open_with(Speaks::Ttlv, profile, &server, &clients, 16);
        for (pair, expected) in [(&small, lets_p256_in), (&large, true), (&other, false)] {
            let got = served(&port, &rustls::version::TLS12, pair).await;
            assert_eq!(got.is_some(), expected, "{profile:?}: {got:?}");
            assert!(got.is_none_or(|(suite, _)| suites.contains(&suite)), "{profile:?}");
            assert_eq!(served(&port, &rustls::version::TLS13, pair).await, None, "{profile:?}");
        }
    }
}

#[test]
fn each_profile_says_which_certificates_it_allows() {
    let der = |pair: &Pair| pair.x509.to_der().unwrap();
    let (small, large, other) = (der(&p256("a")), der(&p384("b")), der(&rsa("c")));
    for (profile, allowed) in [
        (Profile::Default, [true, true, true]),
        (Profile::SuiteB128, [true, true, false]),
        (Profile::SuiteB192, [false, true, false]),
    ] {
        let got = [&small, &large, &other].map(|certificate| profile.check(certificate).is_ok());
        assert_eq!(got, allowed, "{profile:?}");
        assert_eq!(Profile::of(Some(profile.name())), profile);
    }
    let why = Profile::SuiteB192.check(&small).unwrap_err().to_string();
    assert!(why.contains("P-384") && why.contains("prime256v1") && why.contains("hint:"), "{why}");
    assert!(Profile::SuiteB128.check(b"no certificate").is_err());
}
