//! Two fronts with keepalived before three nodes, while clients create keys through their one address: each thing that
//! may happen to the host that has it, how long nobody answers, and that every key is there once.
//!
//! ADDRESS_ROUNDS=10 cargo test -p address -- --nocapture   prints the table of docs/front.md

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use address::{Callers, Running, Watch, can_run, configuration, creates, ip, namespaces, say, until};
use faults::Ledger;
use kmip::client::ClientConfig;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::Mutex;

/// One lab at a time: two on one machine make each other late.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What a client may have to wait, whatever happens that keepalived can see.
const GAP_MAX: Duration = Duration::from_secs(1);

/// A round in which the machine stood still for longer says nothing and is done again.
const STANDSTILL_MAX: Duration = Duration::from_millis(100);

/// Rounds for each that counts.
const TRIES_MAX: usize = 10;

/// Requests that each client has answered before what happened is taken to be over.
const ANSWERED_AFTER: u64 = 15;

/// Keys that are made through each front while both have the address.
const KEYS_OF_BOTH: u64 = 150;

/// What is done to the host with the address, `N`.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// A command of another terminal.
    Lab(&'static str),
    /// SIGTERM to a server, as systemd does.
    Ends(&'static str),
    /// The state of its link.
    Link(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    name: &'static str,
    does: Does,
    undoes: Does,
    /// Whether its host keeps the address although the other takes it; none: until its front sees that no node can be
    /// reached.
    stays: Option<bool>,
}

const FAULTS: [Fault; 9] = [
    Fault {
        name: "front ended in order",
        does: Does::Ends("frontN"),
        undoes: Does::Lab("start frontN"),
        stays: Some(false),
    },
    Fault {
        name: "front killed",
        does: Does::Lab("kill frontN"),
        undoes: Does::Lab("start frontN"),
        stays: Some(false),
    },
    Fault {
        name: "front frozen",
        does: Does::Lab("stop frontN"),
        undoes: Does::Lab("cont frontN"),
        stays: Some(false),
    },
    Fault {
        name: "keepalived ended in order",
        does: Does::Ends("keepalivedN"),
        undoes: Does::Lab("start keepalivedN"),
        stays: Some(false),
    },
    Fault {
        name: "keepalived killed",
        does: Does::Lab("kill keepalivedN"),
        undoes: Does::Lab("start keepalivedN"),
        stays: Some(true),
    },
    Fault {
        name: "keepalived frozen",
        does: Does::Lab("stop keepalivedN"),
        undoes: Does::Lab("cont keepalivedN"),
        stays: Some(true),
    },
    Fault {
        name: "host frozen",
        does: Does::Lab("stop frontN keepalivedN"),
        undoes: Does::Lab("cont frontN keepalivedN"),
        stays: Some(true),
    },
    Fault { name: "host unplugged", does: Does::Link("down"), undoes: Does::Link("up"), stays: Some(false) },
    Fault {
        name: "network cut, link up",
        does: Does::Lab("cut frontN"),
        undoes: Does::Lab("heal frontN"),
        stays: None,
    },
];

/// How long clients waited in one round.
#[derive(Clone, Copy, Debug)]
struct Waits {
    /// The one that keeps its connection, and the one that renews it.
    gaps: [Duration; 2],
    /// The longer of the two when it was undone.
    undone: Duration,
    /// Whether the host kept the address although the other took it.
    stays: bool,
    standstill: Duration,
}

/// A lab whose clients are at work.
struct Bed {
    lab: Running,
    config: ClientConfig,
    ledger: Arc<Ledger>,
    watch: Watch,
}

impl Bed {
    async fn start() -> Self {
        let lab = Running::start("3").await;
        let config = configuration(lab.description());
        Bed { lab, config, ledger: Arc::new(Ledger::of_a_cluster()), watch: Watch::start() }
    }

    async fn do_to(&self, does: Does, holder: usize) {
        let named = |words: &str| words.replace('N', &holder.to_string());
        match does {
            Does::Lab(words) => drop(self.lab.lab(&named(words)).await),
            Does::Link(state) => {
                let switch = format!("{}-switch", self.lab.network());
                ip(&format!("-n {switch} link set front{holder} {state}")).unwrap();
            }
            Does::Ends(who) => {
                let (status, name) = (self.lab.status().await, named(who));
                let kind = if name.starts_with("front") { "fronts" } else { "keepaliveds" };
                let pid = status["pair"][kind][holder - 1]["pid"].as_i64().unwrap();
                kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGTERM).unwrap();
                let ended = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_err();
                until(&format!("{name} has ended"), async || ended()).await;
            }
        }
    }

    async fn round(&self, fault: &Fault, callers: &Callers) -> Waits {
        let holder = self.lab.whole().await;
        callers.more(ANSWERED_AFTER).await;
        callers.take_gaps();
        self.watch.take();
        self.do_to(fault.does, holder).await;
        let other = 3 - holder;
        until(&format!("front{other} takes the address"), async || self.lab.holders().contains(&other)).await;
        callers.more(ANSWERED_AFTER).await;
        let gaps = callers.take_gaps();
        let stays = self.lab.holders().contains(&holder);
        self.do_to(fault.undoes, holder).await;
        self.lab.whole().await;
        callers.more(ANSWERED_AFTER).await;
        let [kept, renewed] = callers.take_gaps();
        Waits { gaps, undone: kept.max(renewed), stays, standstill: self.watch.take() }
    }

    /// Has both hosts have the address, by a keepalived that stands still, and says whose. Where the address had moved by
    /// itself in that moment, as it does on a machine that stands still, it is tried again.
    async fn give_to_both(&self) -> usize {
        loop {
            let holder = self.lab.whole().await;
            self.do_to(Does::Lab("stop keepalivedN"), holder).await;
            let other = 3 - holder;
            until("the other takes it too", async || self.lab.holders().contains(&other)).await;
            if self.lab.holders().contains(&holder) {
                return holder;
            }
            self.do_to(Does::Lab("cont keepalivedN"), holder).await;
        }
    }

    /// Every key that a client was told of is there once, and its bytes are the same from every node.
    async fn verify(&self) {
        for index in 0..3 {
            let config = self.lab.at_node(index, &patient(&self.lab));
            self.ledger.resolve_creates(&config).await;
            self.ledger.verify_all(&config).await;
        }
        let tally = self.ledger.tally();
        say(&format!("{} answers, {} keys, each there once", tally.acknowledged, self.ledger.keys()));
        assert!(self.ledger.keys() as u64 >= tally.acknowledged);
    }
}

/// The same client with the patience of the default, at a node.
fn patient(lab: &Running) -> ClientConfig {
    let read = |what: &str| std::fs::read(lab.description()["client"][what].as_str().unwrap()).unwrap();
    let trust = kmip::client::ServerTrust::Ca { pem: read("ca"), verify_name: true };
    ClientConfig::builder("127.0.0.1:1", trust).identity_pem(read("cert"), read("key")).build().unwrap()
}

fn rounds() -> usize {
    std::env::var("ADDRESS_ROUNDS").map_or(1, |rounds| rounds.parse().expect("ADDRESS_ROUNDS is a number"))
}

fn median_and_most(waits: &[Waits], of: impl Fn(&Waits) -> Duration) -> String {
    let mut all: Vec<_> = waits.iter().map(of).collect();
    all.sort();
    let median = all[(all.len() - 1) / 2];
    let most = all[all.len() - 1];
    format!("{} ms, {} ms", median.as_millis(), most.as_millis())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_the_host_with_the_address_clients_are_served_within_a_second() {
    if !can_run() {
        return;
    }
    let _alone = ALONE.lock().await;
    let bed = Bed::start().await;
    let callers = Callers::start(bed.lab.client_namespace(), &bed.config, &bed.ledger);
    let mut rows = Vec::new();
    for fault in &FAULTS {
        let mut waits = Vec::new();
        for _ in 0..rounds() * TRIES_MAX {
            let of_round = bed.round(fault, &callers).await;
            if of_round.standstill < STANDSTILL_MAX {
                waits.push(of_round);
            } else {
                say(&format!(
                    "{}: the machine stood still for {} ms, once more",
                    fault.name,
                    of_round.standstill.as_millis()
                ));
            }
            if waits.len() == rounds() {
                break;
            }
        }
        assert!(!waits.is_empty(), "the machine stood still in every round of {}", fault.name);
        rows.push((fault, waits));
    }
    callers.end();
    say(
        "| what happens to the host with the address | rounds | a kept connection: median, most | new connections: median, most | when it is over: median, most | meanwhile the address is on |",
    );
    say("|---|---|---|---|---|---|");
    for (fault, waits) in &rows {
        say(&format!(
            "| {} | {} | {} | {} | {} | {} |",
            fault.name,
            waits.len(),
            median_and_most(waits, |waits| waits.gaps[0]),
            median_and_most(waits, |waits| waits.gaps[1]),
            median_and_most(waits, |waits| waits.undone),
            match fault.stays {
                Some(true) => "both",
                Some(false) => "the other",
                None => "both, until the front there sees no node",
            }
        ));
    }
    bed.verify().await;
    let worst = |waits: &[Waits]| waits.iter().map(|of| of.gaps[0].max(of.gaps[1])).max().unwrap();
    for (fault, waits) in &rows {
        assert!(worst(waits) < GAP_MAX, "{}: {:?}", fault.name, worst(waits));
        if let Some(stays) = fault.stays {
            assert!(waits.iter().all(|waits| waits.stays == stays), "{}: {waits:?}", fault.name);
        }
    }
    bed.lab.end(Signal::SIGTERM).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_that_both_have_the_address_do_no_harm() {
    if !can_run() {
        return;
    }
    let _alone = ALONE.lock().await;
    let bed = Bed::start().await;
    let holder = bed.give_to_both().await;
    let client = format!("{}-client", bed.lab.network());
    bed.lab.pin(Some(&client), 1);
    bed.lab.pin(None, 2);
    // Nobody goes, so nobody need be impatient.
    let config = patient(&bed.lab).with_address(bed.config.address()).unwrap();
    let first = {
        let (namespace, config, ledger) =
            (bed.lab.client_namespace(), config.clone(), Arc::clone(&bed.ledger));
        thread::spawn(move || {
            in_namespace(namespace, async move {
                creates("through-front1", KEYS_OF_BOTH, &config, &ledger).await.unwrap();
            })
        })
    };
    creates("through-front2", KEYS_OF_BOTH, &config, &bed.ledger).await.unwrap();
    first.join().unwrap();
    for front in 1..=2 {
        assert!(created_through(&bed.lab, front).await >= KEYS_OF_BOTH, "front{front} had its clients");
    }
    bed.do_to(Does::Lab("cont keepalivedN"), holder).await;
    bed.lab.whole().await;
    bed.verify().await;
    assert_eq!(bed.ledger.keys() as u64, 2 * KEYS_OF_BOTH);
    bed.lab.end(Signal::SIGTERM).await;
}

/// Runs it on this thread, in this network.
fn in_namespace(namespace: PathBuf, work: impl Future<Output = ()>) {
    setns(std::fs::File::open(namespace).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

/// Creates that a front has carried.
async fn created_through(lab: &Running, front: usize) -> u64 {
    let front = lab.front(front).await;
    let mut stream = std::net::TcpStream::connect(front["admin"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    let lines = metrics.lines().filter(|line| line.contains("operation=\"Create\""));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_labs_do_not_meet_and_what_a_killed_one_leaves_goes_with_the_next() {
    if !can_run() {
        return;
    }
    let _alone = ALONE.lock().await;
    let (first, second) = (Running::start("1").await, Running::start("1").await);
    let (killed, other) = (first.network(), second.network());
    assert_ne!(killed, other);
    assert_ne!(first.description()["vip"], second.description()["vip"]);
    for lab in [&first, &second] {
        creates("one", 1, &configuration(lab.description()), &Ledger::default()).await.unwrap();
    }
    first.end(Signal::SIGKILL).await;
    assert_eq!(namespaces(&killed).len(), 4, "a killed lab cannot clear up");
    let third = Running::start("1").await;
    assert_eq!(third.network(), killed, "what it left is gone, and so its network is free");
    creates("two", 1, &configuration(second.description()), &Ledger::default()).await.unwrap();
    for lab in [second, third] {
        lab.end(Signal::SIGINT).await;
    }
    for network in [&killed, &other] {
        assert_eq!(namespaces(network), Vec::<String>::new());
        assert!(ip(&format!("link show {network}")).is_err(), "its interface is gone");
        let routes = ip("-4 route show").unwrap();
        assert!(!routes.contains(network.as_str()), "{routes}");
    }
}
