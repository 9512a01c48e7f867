//! MongoDB's client-side encryption against the server: pymongocrypt, which is libmongocrypt, whose KMIP provider speaks
//! 1.0 for master keys that it fetches and 1.2 for those that stay on the server, both on one server.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

mod client_files;
mod steps;

use interop::{Packages, Python};
use lab::Lab;

#[tokio::test]
async fn mongodbs_client_side_encryption_wraps_and_unwraps_its_data_keys() {
    let python = match Python::with(Packages::Mongocrypt) {
        Ok(python) => python,
        Err(skip) => return skip.announce(),
    };
    let lab = Lab::start().await;
    let node = lab.node(0).kmip_address;
    steps::all_work(
        "pymongocrypt",
        python.command(),
        "mongocrypt_client.py",
        node,
        &lab.dir().join("mongocrypt"),
        lab.client(),
    );
}
