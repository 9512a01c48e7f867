//! What another node or a front may send: read as it was written, or refused in words.

use std::net::SocketAddr;
use std::sync::Arc;

use fuzz::Answer;
use kms_core::{Client, Rights, Tenant};
use rustls::pki_types::CertificateDer;

use super::ask::{self, CHANGE, REQUEST, Ticket};
use super::front_ask::{self, HandedOver, as_a_front};
use super::state::Asker;

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn what_is_fed_as_a_fronts_request_is_read_as_it_was_written_or_refused() {
    let handed = |certificates: Vec<CertificateDer<'static>>| {
        let address = SocketAddr::from(([192, 0, 2, 7], 40000));
        as_a_front::write(&HandedOver {
            token: [7; 16],
            again: true,
            seen: 9,
            alone: false,
            address,
            certificates,
            message: b"a message",
        })
    };
    let leaf = CertificateDer::from(vec![0x30; 40]);
    let seeds = vec![handed(Vec::new()), handed(vec![leaf.clone()]), handed(vec![leaf; 3])];
    let fed = fuzz::feed(PACKAGE, "front-request", seeds, |bytes| match front_ask::read(bytes) {
        Ok(read) => {
            let again = as_a_front::write(&read);
            let address = |bytes: &[u8]| front_ask::read(bytes).map(|read| read.address).ok();
            assert_eq!(address(&again), Some(read.address));
            Answer::of((read.certificates.len(), read.again, read.alone, read.message.is_empty()))
        }
        Err(why) => Answer::of_text(&why),
    });
    assert!(fed.answers > 4, "{fed:?}");
}

#[test]
fn what_is_fed_as_another_nodes_question_or_answer_is_read_or_refused() {
    let client = Client { name: "vc01".into(), tenant: Tenant::new("vsphere"), rights: Rights::ALL };
    let asker = Asker { client: Arc::new(client), looked_up: true };
    let ticket = Ticket { token: [7; 16], again: true, seen: 9, hops: 1 };
    let seeds = vec![ask::request(&ticket, &asker, b"a message"), ask::Reply::Outrun(3).write()];
    let fed = fuzz::feed(PACKAGE, "node-question", seeds, |bytes| {
        let question = |kind| match ask::read(kind, bytes) {
            Ok((ticket, _)) => format!("read {}", ticket.again),
            Err(why) => why,
        };
        let answer = ask::Reply::read(bytes).map_or_else(|why| why, |_| "read".to_owned());
        Answer::of_text(&format!("{} {} {answer}", question(REQUEST), question(CHANGE)))
    });
    assert!(fed.answers > 4, "{fed:?}");
}
