//! The port for old clients: each switch lets in what it names and nothing else, and who a client is, is judged as elsewhere.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use kms_server::listener::{Speaks, Tls};
use kms_server::tls::old::{Acceptor, Old};
use kms_server::trust::{Registration, Way};
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode, SslVersion,
};

use crate::support::*;

/// What one old client can do: one version and one kind of suite.
struct Can {
    version: SslVersion,
    suites: &'static str,
    /// The switches without which it must be refused.
    needs: fn(Old) -> bool,
}

const CLIENTS: &[Can] = &[
    Can { version: SslVersion::TLS1_2, suites: "ECDHE-RSA-AES128-GCM-SHA256", needs: |_| true },
    Can { version: SslVersion::TLS1_2, suites: "ECDHE-RSA-AES256-SHA384", needs: |old| old.cbc },
    Can { version: SslVersion::TLS1_2, suites: "AES256-GCM-SHA384", needs: |old| old.static_rsa },
    Can { version: SslVersion::TLS1_2, suites: "AES128-SHA256", needs: |old| old.static_rsa && old.cbc },
    Can { version: SslVersion::TLS1_1, suites: "ECDHE-RSA-AES128-SHA", needs: |old| old.tls_1_1 },
    Can { version: SslVersion::TLS1_1, suites: "AES128-SHA", needs: |old| old.tls_1_1 && old.static_rsa },
    Can { version: SslVersion::TLS1, suites: "ECDHE-RSA-AES256-SHA", needs: |old| old.tls_1_0 },
    Can { version: SslVersion::TLS1, suites: "AES256-SHA", needs: |old| old.tls_1_0 && old.static_rsa },
    Can { version: SslVersion::TLS1_2, suites: "NULL-SHA256:aNULL:DES-CBC3-SHA", needs: |_| false },
];

fn context(can: &Can, presents: Option<&Pair>) -> SslContext {
    let mut context = SslContextBuilder::new(SslMethod::tls_client()).unwrap();
    context.set_verify(SslVerifyMode::NONE);
    context.set_min_proto_version(Some(can.version)).unwrap();
    context.set_max_proto_version(Some(can.version)).unwrap();
    context.set_cipher_list(&format!("{}:@SECLEVEL=0", can.suites)).unwrap();
    context.set_session_cache_mode(SslSessionCacheMode::CLIENT);
    context.clear_options(SslOptions::NO_TICKET);
    if let Some(pair) = presents {
        context.set_certificate(&pair.x509).unwrap();
        context.set_private_key(&pair.key).unwrap();
    }
    context.build()
}

/// What the server answers, and the bytes of the session's identifier; none where it refuses.
fn heard(port: &Port, context: &SslContext) -> Option<(String, usize)> {
    let ssl = Ssl::new(context).unwrap();
    let mut stream = ssl.connect(TcpStream::connect(port.address).unwrap()).ok()?;
    stream.write_all(&message(16)).ok()?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).ok()?;
    let identifier = stream.ssl().session()?.id().len();
    Some((String::from_utf8(answer.to_vec()).unwrap(), identifier))
}

fn open_old(old: Old, registrations: &[Registration]) -> Port {
    let server = Make { name: "kms.example.test", rsa: true, ..Make::default() }.make();
    let tls = |identity| Tls::Old(Arc::new(Acceptor::new(identity, old).unwrap()));
    open_by(Speaks::Ttlv, tls, &server, registrations, 16)
}

/// Every way to set the switches that the configuration takes.
fn all() -> impl Iterator<Item = Old> {
    let on = |bits: u8, bit: u8| bits & bit != 0;
    (0..16_u8)
        .map(move |bits| Old {
            tls_1_0: on(bits, 1),
            tls_1_1: on(bits, 2),
            static_rsa: on(bits, 4),
            cbc: on(bits, 8),
        })
        .filter(|old| old.cbc || !(old.tls_1_0 || old.tls_1_1))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_switch_lets_in_what_it_names_and_nothing_else() {
    let leaf = Make { rsa: true, ..Make::default() }.make();
    for old in all() {
        let port = open_old(old, &[registration("vc01", Way::Pinned, &leaf)]);
        for can in CLIENTS {
            let got = heard(&port, &context(can, Some(&leaf)));
            let expected = (can.needs)(old).then(|| "vc01 16\n".to_owned());
            let suites = can.suites;
            assert_eq!(got.map(|(answer, _)| answer), expected, "{:?} {suites} with {old:?}", can.version);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_a_client_is_comes_from_the_same_trust_and_no_session_stands_for_it() {
    let old = Old { tls_1_0: true, tls_1_1: true, static_rsa: true, cbc: true };
    let (leaf, other) = (Make::default().make(), Make { name: "vc02", ..Make::default() }.make());
    let expired = Make { name: "vc03", dates: (-30, -1), ..Make::default() }.make();
    let clients = [registration("vc01", Way::Pinned, &leaf), registration("vc03", Way::Pinned, &expired)];
    let port = open_old(old, &clients);
    let can = &CLIENTS[0];
    assert_eq!(heard(&port, &context(can, Some(&leaf))), Some(("vc01 16\n".to_owned(), 0)));
    assert_eq!(heard(&port, &context(can, Some(&other))), None);
    assert_eq!(heard(&port, &context(can, Some(&expired))), None);
    assert_eq!(heard(&port, &context(can, None)).map(|(answer, _)| answer).as_deref(), Some("stranger"));
    // Removed while it was away.
    port.trust.replace(trust(&[]));
    assert_eq!(heard(&port, &context(can, Some(&leaf))), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_3_and_what_is_no_tls_are_refused() {
    let leaf = Make::default().make();
    let port = open_old(Old::default(), &[registration("vc01", Way::Pinned, &leaf)]);
    let connector = client(&rustls::version::TLS13, Some((&[&leaf], &leaf.key)));
    assert!(connect(&connector, port.address).await.is_err());
    let connector = client(&rustls::version::TLS12, Some((&[&leaf], &leaf.key)));
    assert!(connect(&connector, port.address).await.is_ok(), "rustls speaks what is always there");
}
