//! One seed, from its plan to its verdict.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use kms_server::root_key::RootKey;
use mad_turmoil::time::SimClocksGuard;
use rand::RngExt;
use turmoil::Sim;

use crate::client::Client;
use crate::faults::Faults;
use crate::invariants::Broken;
use crate::network::host;
use crate::plan::{CLIENTS, Plan, STEP, generator};
use crate::watch::Watch;
use crate::world::{Phase, World};
use crate::{judge, node};

/// The longest that a simulation may take, in its own time.
const LASTS_MAX: Duration = Duration::from_secs(120);

/// The host that all clients are on.
const CLIENTS_HOST: &str = "clients";

type Failed = Box<dyn std::error::Error>;

/// `sim SEED`.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "what it says is what it is for")]
pub(crate) fn main() -> ExitCode {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok());
    let Some(seed) = seed else {
        eprintln!("error: a seed is a number; hint: sim 17");
        return ExitCode::from(2);
    };
    // Before anything draws: maps of the standard library hash by it, and keys are made of it.
    mad_turmoil::rand::set_rng(generator(seed, "system"));
    let aloud = std::env::var_os("SIM_LOG").is_some();
    if let Ok(filter) = std::env::var("RUST_LOG") {
        let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        logs.without_time().init();
    }
    match run(Plan::of(seed), aloud) {
        Ok(line) => {
            println!("seed {seed}: {line}");
            ExitCode::SUCCESS
        }
        Err(broken) => {
            println!("seed {seed}: BROKEN {broken}");
            ExitCode::FAILURE
        }
    }
}

fn run(plan: Plan, aloud: bool) -> Result<String, Broken> {
    let failed = |error: Failed| Broken { sentence: "the_simulation_runs", detail: error.to_string() };
    let mut rng = generator(plan.seed, "root key");
    // In memory where the system has such a place: keyrings are synced, and the disk's time is not the simulation's.
    let memory = std::path::Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let keyrings = tempfile::tempdir_in(place).map_err(|error| failed(error.into()))?;
    let world = World::new(plan, keyrings.path().to_owned(), RootKey::new(&rng.random()), aloud);
    node::make_keyrings(&world).map_err(failed)?;
    world.note(format_args!("{:?}", world.plan));

    let _clock = SimClocksGuard::init();
    let mut sim = build(&world);
    let mut watch = Watch::default();
    let mut faults = Faults::new(&world);
    let mut storm_over = None;
    while !world.is_in(Phase::Over) {
        let stepped = sim.step();
        world.stepped(sim.elapsed());
        if let Some(broken) = world.broken() {
            return Err(broken);
        }
        if let Err(error) = stepped {
            let phase = if world.is_in(Phase::Calm) { "after the storm: " } else { "" };
            return Err(failed(format!("{phase}{error}").into()));
        }
        let seen = watch.look(&world);
        if !world.is_in(Phase::Storm) || world.is_in(Phase::Calm) {
            continue;
        }
        let over = *storm_over.get_or_insert(sim.elapsed() + world.plan.storm);
        if sim.elapsed() < over {
            faults.step(&mut sim, &world, &seen);
        } else {
            faults.mend(&mut sim, &world);
            world.enter(Phase::Calm);
        }
    }
    if let Some(broken) = world.broken() {
        return Err(broken);
    }
    Ok(summary(&world, &sim, &watch, &faults))
}

fn build<'a>(world: &Arc<World>) -> Sim<'a> {
    let plan = &world.plan;
    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(plan.seed)
        .epoch(UNIX_EPOCH)
        .simulation_duration(LASTS_MAX)
        .tick_duration(STEP)
        .tcp_capacity(4096)
        .enable_random_order()
        .min_message_latency(Duration::from_micros(300))
        .max_message_latency(plan.latency_max);
    let mut sim = builder.build();
    for id in world.nodes() {
        let (world, starts) = (Arc::clone(world), AtomicU64::new(0));
        sim.host(host(id), move || {
            let start = starts.fetch_add(1, Ordering::Relaxed);
            node::run(Arc::clone(&world), id, start)
        });
    }
    let world = Arc::clone(world);
    sim.client(CLIENTS_HOST, async move {
        for me in 0..CLIENTS {
            tokio::spawn(Client::new(Arc::clone(&world), me).work());
        }
        judge::preside(world).await;
        Ok(())
    });
    sim
}

fn summary(world: &World, sim: &Sim<'_>, watch: &Watch, faults: &Faults) -> String {
    let tally = world.oracle().tally;
    let trace = world.trace();
    format!(
        "ok nodes {} seconds {:.1} faults {} elections {} acknowledged {} failed {} unknown {} reads {} stale {} unread {} \
         keys {} events {} trace {:016x}",
        world.plan.nodes,
        sim.elapsed().as_secs_f64(),
        faults.made(),
        watch.elections(),
        tally.acknowledged,
        tally.failed,
        tally.unknown,
        tally.reads,
        tally.stale,
        tally.unread,
        world.oracle().keys.len(),
        trace.events(),
        trace.hash(),
    )
}
