//! The client against a server of a hundred lines that does one thing wrong at a time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a test's message")]

mod authority;
mod connection;
mod kms;
mod vcenter;

use authority::Pair;
use kmip::client::{ClientConfig, ClientConfigBuilder, ServerTrust};

/// An authority, a server under it with the name `kms.example.test`, and a client under it.
struct House {
    authority: Pair,
    server: Pair,
    client: Pair,
}

impl House {
    fn new() -> Self {
        let authority = authority::authority("test authority");
        let server = authority::leaf(&authority, "kms.example.test", authority::ec_key());
        let client = authority::leaf(&authority, "vc01", authority::ec_key());
        Self { authority, server, client }
    }

    fn trust(&self, verify_name: bool) -> ServerTrust {
        ServerTrust::Ca { pem: self.authority.pem(), verify_name }
    }

    fn builder(&self, address: &str) -> ClientConfigBuilder {
        ClientConfig::builder(address, self.trust(false))
            .identity_pem(self.client.pem(), self.client.key_pem())
    }
}
