//! OpenStack Barbican's KMIP secret store plugin against the server.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a test's message, in its helpers too")]

mod client_files;
mod steps;

use interop::{Packages, Python};
use lab::{Lab, NewClient};

#[tokio::test]
async fn barbicans_secret_store_stores_reads_generates_and_deletes() {
    let python = match Python::with(Packages::Barbican) {
        Ok(python) => python,
        Err(skip) => return skip.announce(),
    };
    let lab = Lab::start().await;
    let client = lab.add_client(NewClient::named("barbican")).await;
    let node = lab.node(0).kmip_address;
    steps::all_work(
        "Barbican",
        python.command(),
        "barbican_store.py",
        node,
        &lab.dir().join("barbican"),
        &client,
    );
}
