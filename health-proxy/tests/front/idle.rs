//! Ten thousand connections that do nothing.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::SockRef;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};

use crate::bed::{Front, PATIENT, ask, resident};
use crate::node::Node;

/// Connections at once, where the system allows as many descriptors.
const CONNECTIONS: u64 = 10_000;

/// With fewer a connection's own memory is not told from what grows once.
const CONNECTIONS_MIN: u64 = 1000;

/// Descriptors for all else.
const DESCRIPTORS_ASIDE: u64 = 1000;

/// Bytes of the front's memory for each; about 2,100 were seen, in a build without optimisation too.
const BYTES_MAX: u64 = 4 << 10;

/// For all of them from one address.
pub(crate) const UNLIMITED: &str =
    "[limits]\nconnections_per_address_max = 20000\nidle_timeout_ms = 3600000\n";

/// Opened at the same time.
pub(crate) const AT_ONCE: usize = 64;

/// Takes the descriptors for [`CONNECTIONS`], whose two ends are both here as they are both in the front, or as many as
/// the system allows; says for how many connections that is enough, or nothing where it is for too few. They are the
/// caller's for as long as it keeps the turn.
pub(crate) async fn allowed() -> Option<(u64, MutexGuard<'static, ()>)> {
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let wanted = 2 * CONNECTIONS + DESCRIPTORS_ASIDE;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let granted = wanted.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, granted, hard).unwrap();
    let connections = granted.saturating_sub(DESCRIPTORS_ASIDE) / 2;
    if connections < CONNECTIONS_MIN {
        println!(
            "skipped: the hard limit of descriptors allows {connections} connections, {CONNECTIONS_MIN} are needed"
        );
        return None;
    }
    if connections < CONNECTIONS {
        println!(
            "{connections} connections instead of {CONNECTIONS}: the hard limit of descriptors allows no more"
        );
    }
    Some((connections, turn))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_cost_a_few_kilobytes_each() {
    let Some((connections, _turn)) = allowed().await else { return };
    let a = Node::start("a");
    let front = Front::start(&[&a], &format!("{PATIENT}{UNLIMITED}")).await;
    // What a first few connections leave behind is not counted: buffers, threads' stacks.
    let mut clients = open(&front, AT_ONCE).await;
    let before = resident(front.pid());
    while clients.len() as u64 + (AT_ONCE as u64) <= connections {
        clients.append(&mut open(&front, AT_ONCE).await);
    }
    let count = clients.len() as u64 - AT_ONCE as u64;
    assert_eq!(front.status().await["connections"]["open"], clients.len());
    let each = (resident(front.pid()) - before) / count;
    println!("{count} idle connections: {each} bytes of resident memory each, {BYTES_MAX} is the most");
    assert!(each <= BYTES_MAX, "{each} bytes for each idle connection");
    let last = clients.last_mut().unwrap();
    assert_eq!(ask(last).await.unwrap(), "a");
    for client in &clients {
        // Ten thousand connections in TIME_WAIT would take ports from other tests.
        SockRef::from(client).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

async fn open(front: &Front, count: usize) -> Vec<TcpStream> {
    let listen = front.listen;
    let one = move || async move {
        let mut client = TcpStream::connect(listen).await.unwrap();
        ask(&mut client).await.unwrap();
        client
    };
    let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(one())).collect();
    let mut clients = Vec::new();
    for task in tasks {
        clients.push(task.await.unwrap());
    }
    clients
}
