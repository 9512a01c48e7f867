//! The leader dies while others hold requests for it: they wait for the next one, and nothing is done twice.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Instant;

use faults::{Ledger, Random, connect, create_marked, say};
use kmip::ResponsePayload;
use lab::Lab;

const ROUNDS: usize = 4;
const REQUESTS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_sent_to_followers_as_the_leader_dies_succeed_and_are_carried_out_once() {
    let mut random = Random::announced("the leader dies");
    let lab = Lab::builder().nodes(3).start().await;
    let ledger = Arc::new(Ledger::of_a_cluster());
    for _ in 0..ROUNDS {
        let leader = lab.leader().await;
        let followers: Vec<_> = lab.members().into_iter().filter(|index| *index != leader).collect();
        let mut requests = Vec::new();
        for request in 0..REQUESTS {
            let mut connection = connect(&lab.config_at(followers[request % 2])).await;
            let (mark, ledger) = (format!("{:016x}", random.number()), Arc::clone(&ledger));
            let ask = async move {
                ledger.creates(&mark);
                let asked = Instant::now();
                // No second try: the node waits for the next leader.
                let answer = connection.one(create_marked(&mark)).await;
                let Ok(ResponsePayload::Create(created)) = answer else {
                    panic!("at {} after {:?}: {answer:?}", connection.address(), asked.elapsed())
                };
                ledger.created(&mark, &created.unique_identifier);
                asked.elapsed()
            };
            requests.push(ask);
        }
        let requests: Vec<_> = requests.into_iter().map(tokio::spawn).collect();
        lab.node(leader).kill().await;
        let mut longest = std::time::Duration::ZERO;
        for request in requests {
            longest = longest.max(request.await.unwrap());
        }
        say(&format!("the leader dies: {REQUESTS} requests answered, the last after {longest:?}"));
        lab.start_all().await;
    }
    ledger.resolve_creates(&lab.client_config()).await;
    ledger.assert_kept();
    for node in lab.members() {
        assert_eq!(ledger.verify_all(&lab.config_at(node)).await, ROUNDS * REQUESTS);
    }
}
