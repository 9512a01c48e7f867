//! Ten thousand clients that were answered once, and keep their connection.

use std::sync::Arc;

use kmip::client::Connection;
use nix::sys::signal::Signal;
use tokio::task::JoinSet;

use super::{Bed, UNHURRIED, ask, read};
use crate::bed::resident;
use crate::idle::{AT_ONCE, UNLIMITED, allowed};

/// Bytes of the front's memory for each; about 16,500 were seen in a build without optimisation.
const BYTES_MAX: u64 = 24 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_clients_cost_a_bounded_share_each_and_are_still_served() {
    let Some((connections, _turn)) = allowed().await else { return };
    let bed = Arc::new(Bed::new(&format!("{UNHURRIED}{UNLIMITED}")).await);
    // What a first few connections leave behind is not counted: buffers, threads' stacks.
    let mut clients = open(&bed, AT_ONCE).await;
    let before = resident(bed.front.pid());
    while clients.len() as u64 + (AT_ONCE as u64) <= connections {
        clients.append(&mut open(&bed, AT_ONCE).await);
    }
    let count = (clients.len() - AT_ONCE) as u64;
    assert_eq!(bed.front.status().await["connections"]["open"], clients.len());
    let each = (resident(bed.front.pid()) - before) / count;
    println!("{count} idle clients in replay: {each} bytes of resident memory each, {BYTES_MAX} is the most");
    assert!(each <= BYTES_MAX, "{each} bytes for each idle client");
    let names: Vec<_> = bed.nodes.iter().map(|node| node.name.to_owned()).collect();
    assert!(names.contains(&ask(&mut clients[0], read()).await));
    assert!(names.contains(&ask(&mut bed.connect().await, read()).await));
    // The front's end closes first: ten thousand of these in TIME_WAIT would take ports from other tests.
    let mut bed = Arc::into_inner(bed).unwrap();
    bed.front.signal(Signal::SIGKILL);
    bed.front.ended().await;
    drop(clients);
}

async fn open(bed: &Arc<Bed>, count: usize) -> Vec<Connection> {
    let one = |bed: Arc<Bed>| async move {
        let mut client = bed.connect().await;
        ask(&mut client, read()).await;
        client
    };
    (0..count).map(|_| one(Arc::clone(bed))).collect::<JoinSet<_>>().join_all().await
}
