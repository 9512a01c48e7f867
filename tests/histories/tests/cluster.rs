//! Histories of a real cluster of three, with leaders that are killed and frozen under them, are linearizable.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use histories::{Answer, Caller, Fault, History, Id, NameAsked, Operation, Random, RegisterAsked};
use lab::Lab;
use tokio::task::JoinSet;

/// Histories, unless `HISTORIES` says how many.
const HISTORIES_DEFAULT: usize = 200;
/// Histories that are recorded at the same time, so that one fault is in all of them. Their keys are their own.
const AT_ONCE: usize = 8;
const CLIENTS: usize = 8;
const OPERATIONS_PER_CLIENT: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_with_leaders_killed_and_frozen_under_them_are_linearizable() {
    let began = Instant::now();
    let (count, seed) = (histories_wanted(), seed());
    let last = seed.wrapping_add(u64::try_from(count).unwrap()).wrapping_sub(1);
    say(&format!("histories: seeds {seed} to {last}; again with HISTORIES_SEED={seed} HISTORIES={count}"));
    let lab = cluster().await;
    let mut random = Random::seeded(seed);
    let mut groups: Vec<Vec<Caller>> = (0..AT_ONCE).map(|_| callers(&lab)).collect();
    let mut checks = JoinSet::new();
    let mut struck = [0; 4];
    for (round, first) in (0..count).step_by(AT_ONCE).enumerate() {
        let fault = Fault::of_round(round);
        let seeds: Vec<u64> = (first..count.min(first + AT_ONCE))
            .map(|nth| seed.wrapping_add(u64::try_from(nth).unwrap()))
            .collect();
        let recorded = record(&lab, fault, &seeds, &mut groups, &mut random).await;
        struck[fault as usize] += recorded.len();
        for history in recorded {
            let [operations, unknown] = [history.operations(), history.unknown()];
            checks.spawn_blocking(move || (history.check(), operations, unknown));
        }
    }
    let recorded = began.elapsed();
    let (mut operations, mut unknown) = (0, 0);
    while let Some(checked) = checks.join_next().await {
        let (explained, some, of_them) = checked.unwrap();
        explained.unwrap_or_else(|why| panic!("not linearizable: {}", why.0));
        (operations, unknown) = (operations + some, unknown + of_them);
    }
    let failed: u64 = groups.iter().flatten().map(Caller::failed).sum();
    let [none, killed_and_started, killed, paused] = struck;
    say(&format!(
        "histories: {count} of {CLIENTS} clients x {OPERATIONS_PER_CLIENT} operations are linearizable ({none} without \
         a fault, leader kill -9 and back at once {killed_and_started}, kill -9 and back later {killed}, SIGSTOP \
         {paused}): {operations} operations, {unknown} of unknown outcome, {failed} refused unchanged; recorded in \
         {:.1} s, checked after {:.1} s more",
        recorded.as_secs_f64(),
        (began.elapsed() - recorded).as_secs_f64()
    ));
    assert!(operations >= count * CLIENTS * OPERATIONS_PER_CLIENT * 9 / 10, "too few to tell: {operations}");
}

/// Without this, a checker that believes everything would pass the other test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_history_with_one_change_made_up_is_found_out() {
    let lab = cluster().await;
    let prepared = History::prepare(seed(), callers(&lab), Arc::default()).await;
    let (history, _) = prepared.record(OPERATIONS_PER_CLIENT).await;
    history.check().unwrap();

    // A change that is answered before the last look at its register, which does not show it.
    let mut doctored = history.clone();
    let register = &mut doctored.registers[3];
    let look = register.iter().max_by_key(|operation| operation.called).unwrap().clone();
    let RegisterAsked::Read(seen) = &look.what else { panic!("the last thing done is a look") };
    let index = seen.last().map_or(0, |(highest, _)| highest + 1);
    register.push(before(&look, RegisterAsked::Add(u32::MAX, Answer::Done(index))));
    let why = doctored.check().unwrap_err().0;
    assert!(why.contains("register 3: no order explains"), "{why}");

    let mut doctored = history.clone();
    let name = &mut doctored.names[5];
    let look = name.iter().max_by_key(|operation| operation.called).unwrap().clone();
    let NameAsked::Locate(found) = &look.what else { panic!("the last thing done is a look") };
    let made_up = match found.first() {
        Some(id) => NameAsked::Destroy(*id, Answer::Done(())),
        None => NameAsked::Create(Answer::Done(Id { number: u32::MAX, told: true })),
    };
    name.push(before(&look, made_up));
    let why = doctored.check().unwrap_err().0;
    assert!(why.contains("name 5: no order explains"), "{why}");
}

/// Called and answered just before the other was called, and after all before it.
fn before<T, U>(other: &Operation<U>, what: T) -> Operation<T> {
    let at = other.called - Duration::from_nanos(1);
    Operation { client: 0, node: 0, called: at, returned: Some(at), what }
}

async fn cluster() -> Lab {
    // What a node without quorum reads from what it holds is old by design, and says so elsewhere.
    Lab::builder().nodes(3).set("cluster", "reads_without_quorum", "false").start().await
}

fn callers(lab: &Lab) -> Vec<Caller> {
    (0..CLIENTS).map(|_| Caller::new(lab)).collect()
}

/// One history of each seed, all at once, and the fault when a part of them is done.
async fn record(
    lab: &Lab,
    fault: Fault,
    seeds: &[u64],
    groups: &mut Vec<Vec<Caller>>,
    random: &mut Random,
) -> Vec<History> {
    let done = Arc::new(AtomicUsize::new(0));
    let mut recordings = JoinSet::new();
    let mut prepared = Vec::new();
    for seed in seeds {
        let callers = groups.pop().unwrap_or_else(|| callers(lab));
        prepared.push(History::prepare(*seed, callers, Arc::clone(&done)).await);
    }
    for one in prepared {
        recordings.spawn(one.record(OPERATIONS_PER_CLIENT));
    }
    let total = seeds.len() * CLIENTS * OPERATIONS_PER_CLIENT;
    // Between a tenth and six tenths, so that much follows.
    let at = total / 10 + random.below(total / 2);
    let (recorded, ()) = tokio::join!(recordings.join_all(), fault.strike(lab, &done, at, random));
    let (histories, back): (Vec<_>, Vec<_>) = recorded.into_iter().unzip();
    groups.extend(back);
    histories
}

fn histories_wanted() -> usize {
    match std::env::var("HISTORIES") {
        Ok(count) => count.parse().expect("HISTORIES is a number"),
        Err(_) => HISTORIES_DEFAULT,
    }
}

fn seed() -> u64 {
    match std::env::var("HISTORIES_SEED") {
        Ok(seed) => seed.parse().expect("HISTORIES_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into(),
    }
}

/// Prints a line although the harness captures what tests print.
fn say(line: &str) {
    // A closed standard output is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}
