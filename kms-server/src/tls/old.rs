//! TLS for old clients, on OpenSSL: what rustls has given up, switched on one by one.
//!
//! TLS 1.2 with ECDHE and AES-GCM is always there. Whose certificate a client shows is judged by the same trust as on the
//! other ports, behind the handshake, which proves that it holds the key. No session is resumed: a client shows its
//! certificate each time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::identity::Identity;

/// What is switched on beside TLS 1.2 with ECDHE and AES-GCM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Old {
    /// TLS 1.0; needs `cbc`.
    pub tls_1_0: bool,
    /// TLS 1.1; needs `cbc`.
    pub tls_1_1: bool,
    /// Key exchange by the server's RSA key, with no forward secrecy.
    pub static_rsa: bool,
    /// AES-CBC with HMAC.
    pub cbc: bool,
}

impl Old {
    /// Each switch by its key, whether it is on, and what it costs.
    pub fn switches(self) -> [(&'static str, bool, &'static str); 4] {
        [
            ("tls_1_0", self.tls_1_0, "TLS 1.0: signs with MD5 and SHA-1, and its CBC is open to BEAST"),
            ("tls_1_1", self.tls_1_1, "TLS 1.1: signs with MD5 and SHA-1"),
            (
                "static_rsa",
                self.static_rsa,
                "static RSA: who gets the server's key reads all that was recorded",
            ),
            ("cbc", self.cbc, "AES-CBC: open to padding oracles of the kind of Lucky 13"),
        ]
    }

    fn cipher_list(self) -> String {
        let mut list = vec!["ECDHE+AESGCM"];
        if self.cbc {
            list.push("ECDHE+AES");
        }
        if self.static_rsa {
            list.push("kRSA+AESGCM");
        }
        if self.static_rsa && self.cbc {
            list.push("kRSA+AES");
        }
        let mut list = list.join(":") + ":!aNULL:!eNULL:!AESCCM:!AESCCM8:!PSK:!SRP";
        // Their signatures are of MD5 with SHA-1, which no level above 0 lets pass.
        list.push_str(if self.tls_1_0 || self.tls_1_1 { ":@SECLEVEL=0" } else { ":@SECLEVEL=1" });
        list
    }
}

/// Shakes hands with old clients.
pub struct Acceptor {
    context: SslContext,
    identity: Arc<Identity>,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Acceptor {
    /// Fails only where OpenSSL was built without what is switched on.
    pub fn new(identity: Arc<Identity>, old: Old) -> Result<Self, ErrorStack> {
        let mut context = SslContextBuilder::new(SslMethod::tls_server())?;
        context.set_options(
            SslOptions::NO_TICKET
                | SslOptions::NO_RENEGOTIATION
                | SslOptions::CIPHER_SERVER_PREFERENCE
                | SslOptions::NO_COMPRESSION,
        );
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_cipher_list(&old.cipher_list())?;
        context.set_max_proto_version(Some(SslVersion::TLS1_2))?;
        context.set_min_proto_version(Some(match (old.tls_1_0, old.tls_1_1) {
            (true, _) => SslVersion::TLS1,
            (false, true) => SslVersion::TLS1_1,
            (false, false) => SslVersion::TLS1_2,
        }))?;
        if old.tls_1_0 && !old.tls_1_1 {
            context.set_options(SslOptions::NO_TLSV1_1);
        }
        // Asked for and not judged here: a self-signed certificate may be a pinned one.
        context.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        Ok(Self { context: context.build(), identity })
    }

    /// Shakes hands; what the client showed, its own first.
    pub(crate) async fn accept(
        &self,
        tcp: TcpStream,
    ) -> io::Result<(SslStream<TcpStream>, Vec<CertificateDer<'static>>)> {
        let mut ssl = Ssl::new(&self.context)?;
        self.identity.show(&mut ssl)?;
        let mut stream = SslStream::new(ssl, tcp)?;
        Pin::new(&mut stream).accept().await.map_err(io::Error::other)?;
        let mut chain = Vec::new();
        if let Some(leaf) = stream.ssl().peer_certificate() {
            chain.push(CertificateDer::from(leaf.to_der()?));
        }
        for other in stream.ssl().peer_cert_chain().into_iter().flatten() {
            chain.push(CertificateDer::from(other.to_der()?));
        }
        Ok((stream, chain))
    }
}
