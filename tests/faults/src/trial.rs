//! One fault, over and over, on a cluster under load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kmip::client::ClientConfig;
use lab::{Lab, LabClient, NewClient};

use crate::{Crowd, Ledger, Random, Row, Targets, say};

const CLIENTS: usize = 8;

/// Longest wait for clients to be answered again.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(60);

/// A gap that is worth a line of its own.
const GAP_SAID: Duration = Duration::from_secs(5);

/// Broken promises of one check whose story is told, and how many lines of each node.
const OBJECTS_TOLD_MAX: usize = 3;
const LINES_TOLD_MAX: usize = 12;

/// Between two looks at the ledger.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// How long clients wait for a connection and for an answer, before they turn to another node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(12);

/// A load of clients in a tenant of its own, and the book of what they were told.
#[derive(Debug)]
pub struct Trial {
    fault: String,
    client: LabClient,
    /// What the clients were told.
    pub ledger: Arc<Ledger>,
    targets: Arc<Targets>,
    crowd: Crowd,
    /// Chance for the fault.
    pub random: Random,
    rounds: usize,
    gaps: Vec<Duration>,
    began: Instant,
    /// Broken promises whose story was told.
    told: usize,
}

impl Trial {
    /// Registers a client and sets the load to work.
    pub async fn begin(lab: &Lab, fault: &str, random: &mut Random) -> Self {
        let name: String = fault.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let client = lab.add_client(NewClient::named(name.trim_start_matches('-'))).await;
        let ledger = Arc::new(Ledger::of_a_cluster());
        let targets = Targets::new(configs(lab, &client));
        let mut random = random.fork();
        let crowd = Crowd::start(&targets, &ledger, CLIENTS, &mut random);
        let trial = Self {
            fault: fault.to_owned(),
            client,
            ledger,
            targets,
            crowd,
            random,
            rounds: 0,
            gaps: Vec::new(),
            began: Instant::now(),
            told: 0,
        };
        trial.progress(100).await;
        trial
    }

    /// Waits until the clients were given so many more answers.
    pub async fn progress(&self, answers: u64) {
        let (began, enough) = (Instant::now(), self.ledger.acknowledged() + answers);
        while self.ledger.acknowledged() < enough {
            assert!(
                began.elapsed() < PROGRESS_TIMEOUT,
                "{}: no {answers} answers in {PROGRESS_TIMEOUT:?}",
                self.fault
            );
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Lets up to so many milliseconds pass, so that the fault meets any moment.
    pub async fn any_moment(&mut self, ms_max: usize) {
        let ms = u64::try_from(self.random.below(ms_max)).unwrap();
        // The moment is the fault itself: there is nothing to wait for.
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    /// The load follows the members of the cluster.
    pub fn follow(&self, lab: &Lab) {
        self.targets.set(configs(lab, &self.client));
    }

    /// The fault is over: the cluster becomes whole again, and a node chosen at random is held to what was told.
    pub async fn end_round(&mut self, lab: &Lab) {
        lab.wait_whole().await;
        self.rounds += 1;
        let gap = self.ledger.take_longest_gap();
        if gap > GAP_SAID {
            say(&format!("{}, round {}: a client had no answer for {gap:.1?}", self.fault, self.rounds));
        }
        self.gaps.push(gap);
        let members = lab.members();
        let node = members[self.random.below(members.len())];
        self.ledger.check_touched(&config(lab, &self.client, node)).await;
        self.tell_what_broke(lab);
    }

    /// Prints what each node's audit says last of every object with which a promise was broken since this was last
    /// called: whether it answered without the others, for one.
    fn tell_what_broke(&mut self, lab: &Lab) {
        let broken = self.ledger.broken_since(self.told);
        self.told += broken.len();
        for about in broken.iter().take(OBJECTS_TOLD_MAX) {
            say(&format!("{}, round {}: a promise about {about} is broken", self.fault, self.rounds));
            for node in lab.nodes() {
                let log = node.log_text();
                let lines: Vec<_> = log.lines().filter(|line| line.contains(about.as_str())).collect();
                for line in lines.iter().skip(lines.len().saturating_sub(LINES_TOLD_MAX)) {
                    say(&format!("  {}: {line}", node.name));
                }
            }
        }
    }

    /// Ends the load, and holds every node to everything.
    pub async fn end(mut self, lab: &Lab) -> Row {
        self.crowd.stop().await;
        lab.wait_whole().await;
        self.ledger.allow_stale(false);
        self.ledger.resolve_creates(&config(lab, &self.client, lab.leader().await)).await;
        let mut checked = 0;
        for node in lab.members() {
            checked += self.ledger.check_all(&config(lab, &self.client, node)).await;
        }
        self.tell_what_broke(lab);
        let (tally, keys) = (self.ledger.tally(), self.ledger.keys());
        let (fault, took) = (&self.fault, self.began.elapsed());
        // Without it a load that does nothing would pass.
        assert!(keys > 0 && checked >= keys, "{fault}: no load");
        say(&format!(
            "{fault}: {} rounds, {keys} keys, {checked} readings at the end, {took:.1?}",
            self.rounds
        ));
        let broken = self.ledger.broken().into_iter().map(|why| format!("{fault}: {why}")).collect();
        Row { fault: self.fault, rounds: self.rounds, tally, gaps: self.gaps, broken }
    }
}

fn config(lab: &Lab, client: &LabClient, node: usize) -> ClientConfig {
    let builder = client.builder(lab.node(node).kmip_address.to_string());
    let builder = builder.connect_timeout(CONNECT_TIMEOUT).handshake_timeout(CONNECT_TIMEOUT);
    builder.request_timeout(REQUEST_TIMEOUT).build().unwrap()
}

fn configs(lab: &Lab, client: &LabClient) -> Vec<ClientConfig> {
    lab.members().into_iter().map(|node| config(lab, client, node)).collect()
}
