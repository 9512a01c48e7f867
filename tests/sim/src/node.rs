//! A node of the simulated cluster: the real one, on a simulated disk and network.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kmip::RequestMessage;
use kms_core::{Client, Rights, Tenant};
use kms_server::clock::Clock;
use kms_server::engine::{ChangeError, EngineError, Member, NodeId, Timing, Witness, Writing};
use kms_server::metrics::Metrics;
use kms_server::node::{Patience, Taker, TakerParts};
use kms_server::seal::Keyring;
use kms_server::trust::LiveTrust;
use rand::RngExt;
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream};

use crate::disk::Watched;
use crate::invariants;
use crate::network::{
    CLIENT, Links, PING, PORT, REFUSED, TAKEN, TAKEN_ALONE, host, read_question, write_answer,
};
use crate::plan::generator;
use crate::world::{Phase, World};

/// How long a request waits for a leader.
pub(crate) const LEADER_WAIT: Duration = Duration::from_secs(3);

/// Between two looks at whether the next node can be taken in.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

type Ended = Result<(), Box<dyn std::error::Error>>;

/// Makes the data keys that all nodes share.
pub(crate) fn make_keyrings(world: &World) -> Result<(), Box<dyn std::error::Error>> {
    let first = Keyring::create(world.root.clone(), &keyring_path(world, 1))?;
    let keys = first.export()?;
    for node in world.nodes().skip(1) {
        Keyring::import(world.root.clone(), &keyring_path(world, node), &keys)?;
    }
    Ok(())
}

fn keyring_path(world: &World, node: NodeId) -> PathBuf {
    world.keyrings.join(format!("keyring{node}"))
}

/// Runs a node until it is crashed; `start` counts its starts.
pub(crate) async fn run(world: Arc<World>, me: NodeId, start: u64) -> Ended {
    world.note(format_args!("n{me} starts"));
    let taker = match begin(&world, me, start).await {
        Ok(taker) => taker,
        Err(error) => {
            world.hold(invariants::a_node_that_lost_power_starts_again(me, &error.to_string()));
            return Ok(());
        }
    };
    world.set_taker(me, Some(taker.clone()));
    if me == 1 && taker.engine().is_pristine() {
        let (world, taker) = (Arc::clone(&world), taker.clone());
        tokio::spawn(async move { gather(&world, &taker).await });
    }
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(Arc::clone(&world), me, taker.clone(), stream));
    }
}

async fn begin(world: &Arc<World>, me: NodeId, start: u64) -> Result<Taker, Box<dyn std::error::Error>> {
    let plan = &world.plan;
    let store = world.store(me);
    let keyring = Keyring::open(world.root.clone(), &keyring_path(world, me))?;
    let mut rng = generator(plan.seed, &format!("election {me} {start}"));
    let taker = Taker::start(TakerParts {
        me,
        keyring,
        clock: Arc::new(Clock::new()),
        trust: Arc::new(LiveTrust::default()),
        notices: Arc::default(),
        metrics: Arc::new(Metrics::new("sim", &host(me))),
        core_limits: kms_core::Limits::default(),
        message_limits: ttlv::Limits::default(),
        peers: Arc::new(Links::new(me, Arc::clone(world))),
        patience: Patience { leader_wait: LEADER_WAIT, reads_without_quorum: plan.reads_without_quorum },
        timing: Timing::default(),
        log: Box::new(Watched::new(store.disk.open(), Arc::clone(&store.shadow))),
        writing: Writing::Inline,
        snapshots: Arc::new(store.snapshots.clone()),
        snapshot_every: plan.snapshot_every,
        election_seed: rng.random(),
    })
    .await?;
    let vote = taker.engine().witness().map_or((0, 0), Witness::term_and_leader);
    world.hold(world.votes.found(me, vote));
    Ok(taker)
}

fn member(node: NodeId) -> Member {
    Member { name: host(node), link: format!("{}:{PORT}", host(node)), kmip: format!("{}:5696", host(node)) }
}

/// Founds the cluster and takes the other nodes in, one by one, as an operator would.
async fn gather(world: &World, taker: &Taker) {
    let engine = taker.engine();
    if let Err(EngineError::Ended(_)) = engine.found(member(1)).await {
        return;
    }
    for node in world.nodes().skip(1) {
        while !matches!(engine.add_learner(node, member(node)).await, Ok(()) | Err(ChangeError::Ended(_))) {
            sleep(LOOK_INTERVAL).await;
        }
        while !matches!(engine.promote(node).await, Ok(()) | Err(ChangeError::Ended(_))) {
            sleep(LOOK_INTERVAL).await;
        }
        world.note(format_args!("n{node} votes"));
    }
    world.enter(Phase::Whole);
}

/// Answers one question of a node or a client.
async fn serve(world: Arc<World>, me: NodeId, taker: Taker, mut stream: TcpStream) {
    let Ok((kind, from, question)) = read_question(&mut stream).await else { return };
    let (status, answer) = match kind {
        PING => (TAKEN, Vec::new()),
        CLIENT => answer_client(&world, me, &taker, from, &question).await,
        _ => match taker.answer_node(from, kind, &question).await {
            Ok(answer) => {
                world.hold(world.votes.see(me, kind, &answer));
                (TAKEN, answer)
            }
            Err(why) => (REFUSED, why.into_bytes()),
        },
    };
    // An error is a caller that has gone.
    let _ = write_answer(&mut stream, status, &answer).await;
}

async fn answer_client(
    world: &World,
    me: NodeId,
    taker: &Taker,
    from: u64,
    question: &[u8],
) -> (u8, Vec<u8>) {
    let Ok(request) = RequestMessage::decode(question, ttlv::Limits::default()) else {
        return (REFUSED, b"not KMIP".to_vec());
    };
    let name = format!("client{from}");
    let client = Client { name: name.into(), tenant: Tenant::new("sim"), rights: Rights::ALL };
    let (outcome, alone) = taker.outcome(&Arc::new(request), question, &Arc::new(client)).await;
    world.note(format_args!("n{me} answers c{from} {} bytes, alone: {alone}", outcome.encoded.len()));
    (if alone { TAKEN_ALONE } else { TAKEN }, outcome.encoded.to_vec())
}
