//! Clients that do not take what they asked for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::bed::{Front, LIMIT, PATIENT, ask};
use crate::node::{Node, pattern};

/// Clients that read nothing.
const SLOW: usize = 24;

/// The smallest bound, so that it is met.
const HELD_MAX: u64 = 1 << 16;

/// What each of the front's threads may go beyond it, for any machine that tests run on.
const ABOVE_MAX: u64 = 64 * (64 << 10);

/// Bytes that a slow client takes in the end: more than all buffers between, so that all ways are gone.
const TAKEN: u64 = 20 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_cost_bounded_memory_harm_nobody_and_lose_no_byte() {
    let a = Node::start("a");
    let front = Front::start(&[&a], &format!("{PATIENT}[limits]\nheld_bytes_max = {HELD_MAX}\n")).await;
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        let mut client = front.connect().await;
        client.write_all(b">").await.unwrap();
        slow.push(client);
    }
    let full = |status: &serde_json::Value| status["connections"]["held_bytes"].as_u64().unwrap() >= HELD_MAX;
    let status = front.until("as much is held as may be", full).await;
    let held = status["connections"]["held_bytes"].as_u64().unwrap();
    assert!(held <= HELD_MAX + ABOVE_MAX, "{held} bytes held");
    for _ in 0..10 {
        let (mut client, _) = front.client().await;
        ask(&mut client).await.unwrap();
    }
    // One of them wakes up: everything is there, in order.
    let (mut client, mut buffer, mut place) = (slow.pop().unwrap(), vec![0; 64 << 10], 0);
    while place < TAKEN {
        let count = timeout(LIMIT, client.read(&mut buffer)).await.unwrap().unwrap();
        assert!(count > 0);
        for byte in &buffer[..count] {
            assert_eq!(*byte, pattern(place), "at {place}");
            place += 1;
        }
    }
    drop((client, slow));
    front.until("nothing is held", |status| status["connections"]["held_bytes"] == 0).await;
}
