//! `kms lab`: a whole cluster on this machine and the front before it, or two that hold one address, in the foreground, as
//! real processes in one directory.
//!
//! Started again on the same directory it keeps certificates, root key, keys and client. Whatever ends it, its servers
//! end too: they are told to, killed when they do not listen, and end by themselves when this process is gone. Another
//! terminal may kill, freeze, cut and slow its nodes meanwhile.

mod client;
mod commands;
mod control;
pub(crate) mod description;
mod front;
mod nodes;
mod pair;
mod place;
mod relay;
mod segment;
mod server;
mod setup;
mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::admin::Admin;
use crate::print::{self, Format};
use crate::{Outcome, file, node, program};
use description::{Description, States};
use front::PreparedFront;
use nodes::{Nodes, PreparedFronts, Programs};
use pair::PreparedPair;
use place::Who;

/// Longest wait for a node that joined to get its vote.
const VOTE_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks at whether it has.
const VOTE_INTERVAL: Duration = Duration::from_millis(50);

/// Run a whole key server of three nodes and the front before them on this machine, until Ctrl-C
///
/// Makes certificates and a root key, starts the servers and the front, makes a client known and says what to try next. Everything is
/// in one directory; started again there it keeps its keys.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  kms lab
  kms lab --nodes 1
  kms lab --dir ~/lab --port 15696   KMIP on 15696, 15706 and 15716
  kms lab --port 0                   any free ports; lab.json says which
  kms lab --fronts 0                 clients go to the nodes themselves
  kms lab --fronts 2                 two fronts hold one address with keepalived; as root

From another terminal, while it runs:
  kms lab status                     role, term, what is applied, lag
  kms lab kill 1                     and `start 1`: a power cut
  kms lab stop 2                     and `cont 2`: a machine that hangs
  kms lab cut 3                      and `heal 3`: a broken network
  kms lab slow 3 --ms 200            and `heal 3`
  kms lab kill 1 2 3                 all at once
  kms lab kill front                 also start, stop and cont
  kms lab stop front1                of two; also keepalived1, and cut front1

Once it serves, DIR/lab.json says where everything is, for scripts. The lab is for trying and
testing: its client may destroy keys, and its root key lies beside them. For a real node:
kms init."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<commands::Command>,

    #[command(flatten)]
    start: Start,
}

#[derive(Debug, clap::Args)]
struct Start {
    /// The lab's directory
    #[arg(long, default_value = node::LAB, value_name = "DIR")]
    dir: PathBuf,

    /// Nodes: 1, 3 or 5; a lab that is there may grow [default: the lab's own, else 3]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    nodes: Option<usize>,

    /// The first node's KMIP port, on 127.0.0.1; each further node's is 10 higher, the
    /// front's 100; 0 for any free ones [default: the
    /// lab's last ones, else 5696]
    #[arg(long, value_name = "N")]
    port: Option<u16>,

    #[command(flatten)]
    program: program::Chosen,

    #[command(flatten)]
    front: program::ChosenFront,
}

/// An odd number: with one node more, no more may be lost.
fn parse_count(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("a lab has 1, 3 or 5 nodes: of 2, or 4, no more may be lost than of 1, or 3".to_owned()),
    }
}

/// Where the front of the lab in `dir` takes orders.
pub(crate) fn front_socket(dir: &Path) -> PathBuf {
    front::socket_in(dir)
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    match arguments.command {
        Some(command) => commands::run(command, format).await,
        None => start(arguments.start, format).await,
    }
}

async fn start(arguments: Start, format: Format) -> anyhow::Result<Outcome> {
    // From here on a signal is ours to answer, also while we prepare.
    let mut stop = Stop::new()?;
    let server = arguments.program.find().await?;
    let fronts = arguments.front.count();
    let front = arguments.front.find().await?;
    file::private_directory(&arguments.dir)?;
    let dir = std::fs::canonicalize(&arguments.dir)?;
    let _lock = lock(&dir)?;
    let lab_json = dir.join("lab.json");
    if let Ok(killed) = Description::read(&dir) {
        // Its servers notice that it is gone, and may still be finishing.
        tokio::select! {
            gone = killed.servers_gone() => gone?,
            () = stop.asked() => return Ok(Outcome::Done),
        }
    }
    // It speaks of a lab that serves; this one does not yet.
    let _ = std::fs::remove_file(&lab_json);

    let segment = match fronts {
        2.. => Some(PreparedPair::segment(&dir)?),
        0 | 1 => None,
    };
    let vip = segment.as_ref().map(|(segment, _)| segment.vip());
    let mut prepared = setup::prepare(&dir, arguments.nodes, arguments.port, vip)?;
    let first = prepared.nodes.first().map(|node| node.new.kmip).context("a lab has one node at least")?;
    let fronts = match segment {
        Some(segment) => PreparedFronts::Two(PreparedPair::new(&dir, segment, &prepared.nodes)?),
        None => PreparedFronts::One(PreparedFront::new(&dir, &mut prepared.ports, first, arguments.port)?),
    };
    let front = front.map(|program| (program, fronts));
    let (nodes, mut ended) = Nodes::new(Programs { server, front }, prepared, &dir)?;
    let served = tokio::select! {
        served = serve(&nodes, &mut ended, &dir, format) => served,
        () = stop.asked() => Ok(()),
    };
    let _ = std::fs::remove_file(&lab_json);
    control::remove(&dir);
    if format == Format::Table && served.is_ok() {
        print::note("Stopping …");
    }
    nodes.stop(&mut stop).await?;
    served.map(|()| Outcome::Done)
}

/// From no server to too few: ends with why the lab cannot go on.
async fn serve(
    nodes: &Arc<Nodes>,
    ended: &mut mpsc::UnboundedReceiver<Who>,
    dir: &Path,
    format: Format,
) -> anyhow::Result<()> {
    let spinner = spinner(format);
    let admin = bring_up(nodes, &spinner).await?;
    spinner.set_message("Making the client known");
    let first = nodes.all().next().context("a lab has one node at least")?;
    let address = nodes.address().context("a lab has one node at least")?;
    let client = setup::client(&admin, &first.node, address, dir).await?;
    spinner.set_message(format!("Waiting for the address {address}"));
    start_fronts(nodes, &first.node, &client).await?;
    let states = {
        let nodes = Arc::clone(nodes);
        move || States { nodes: nodes.states(), fronts: nodes.front_states(), pair: nodes.pair_state() }
    };
    let description = Description::new(address.to_string(), states(), &client);
    let lab_json = dir.join("lab.json");
    let listener = control::bind(dir)?;
    description.write(&lab_json)?;
    let write = {
        let (states, description, lab_json) = (states.clone(), description.clone(), lab_json.clone());
        move || {
            // Programs that need the new process numbers read it again; those that do not are served all the same.
            if let Err(error) = description.with(states()).write(&lab_json) {
                print::note(format!("{error:#}"));
            }
        }
    };
    spinner.finish_and_clear();
    let (fronts, pair) = (view::look_at_fronts(nodes.front_states()).await, nodes.pair_state());
    let seen = view::look(nodes.states()).await;
    description.print(&admin.status().await?, &seen, (&fronts, pair.as_ref()), format)?;
    let control = control::serve(listener, Arc::clone(nodes), write.clone());
    tokio::select! {
        () = control => bail!("the control socket no longer answers"),
        error = watch(nodes, ended, write) => Err(error),
    }
}

/// Starts the fronts, and what holds the address of two. `node` is the first.
async fn start_fronts(
    nodes: &Arc<Nodes>,
    node: &node::Node,
    client: &setup::ClientFiles,
) -> anyhow::Result<()> {
    let links = nodes.links();
    for front in nodes.fronts() {
        front.write(node, &links)?;
        nodes.start_and_wait(Who::Front(front.number)).await?;
    }
    let Some(pair) = nodes.pair() else { return Ok(()) };
    pair.write()?;
    for number in [1, 2] {
        nodes.start_and_wait(Who::Keepalived(number)).await?;
    }
    pair.serve(client).await
}

/// Says which servers end by themselves, and ends when too few are left.
async fn watch(nodes: &Nodes, ended: &mut mpsc::UnboundedReceiver<Who>, changed: impl Fn()) -> anyhow::Error {
    while let Some(who) = ended.recv().await {
        // Started again meanwhile?
        let Some(server) = nodes.dead(who) else { continue };
        if nodes.all().count() - nodes.ended_by_themselves() < nodes.majority() {
            return server.died().context(who.to_string());
        }
        changed();
        print::note(format!("{who} {}; again with: {}", server.died_line(), nodes.command("start", who)));
    }
    anyhow::anyhow!("nobody watches the servers any more")
}

/// Starts all nodes that are there, and has the others join, one after the other. Gives the API of one that serves.
async fn bring_up(nodes: &Arc<Nodes>, spinner: &ProgressBar) -> anyhow::Result<Admin> {
    let (there, new): (Vec<_>, Vec<_>) = nodes.all().partition(|node| node.is_there);
    spinner.set_message(match there.as_slice() {
        [one] => format!("Waiting for kms-server to serve on {}", one.new.kmip),
        many => format!("Waiting for {} nodes to serve", many.len()),
    });
    let mut starts = JoinSet::new();
    for node in &there {
        let (nodes, number) = (Arc::clone(nodes), node.number);
        starts.spawn(async move { (number, nodes.start_and_wait(Who::Node(number)).await) });
    }
    let mut results = starts.join_all().await;
    results.sort_by_key(|(number, _)| *number);
    let failed: Vec<_> =
        results.into_iter().filter_map(|(number, result)| Some((number, result.err()?))).collect();
    let serving = there.len() - failed.len();
    let down: Vec<_> = failed.iter().map(|(number, _)| *number).collect();
    let enough = serving > there.len() / 2;
    for (number, error) in failed {
        if !enough {
            return Err(error);
        }
        if nodes.dead(Who::Node(number)).is_some() {
            // Said when all the others serve, as of any that ends.
            continue;
        }
        let (line, _) = print::split_hint(&format!("{error:#}"));
        spinner.suspend(|| {
            print::note(format!(
                "{line}\nThe others go on; again with: {}",
                nodes.command("start", Who::Node(number))
            ))
        });
    }
    let first = there.iter().find(|node| !down.contains(&node.number)).context("no node serves")?;
    let admin = Admin::at(&first.node.socket()?);
    for node in new {
        let name = setup::name_of(node.number);
        spinner.set_message(format!("{name} joins"));
        nodes.join(node.number, &admin).await.context(name.clone())?;
        nodes.start_and_wait(Who::Node(node.number)).await?;
        spinner.set_message(format!("{name} catches up"));
        voted(&admin, &name).await?;
    }
    Ok(admin)
}

/// Waits until the newest node of this name has a vote: the cluster changes one member after the other.
async fn voted(admin: &Admin, name: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + VOTE_TIMEOUT;
    loop {
        // While members change there may be nobody to say.
        let nodes = admin.cluster().await.map(|cluster| cluster.nodes).unwrap_or_default();
        let newest = nodes.iter().filter(|node| node.name == name).max_by_key(|node| node.number);
        if newest.is_some_and(|node| node.role.votes()) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!(
                "{name} has joined and got no vote within {} s. hint: its log says how far it came",
                VOTE_TIMEOUT.as_secs()
            );
        }
        tokio::time::sleep(VOTE_INTERVAL).await;
    }
}

fn spinner(format: Format) -> ProgressBar {
    if format == Format::Json {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// The signals that end the lab: Ctrl-C, SIGTERM, and the terminal that goes away.
struct Stop {
    signals: [Signal; 3],
}

impl Stop {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(listen);
        Ok(Stop { signals: [interrupt?, terminate?, hangup?] })
    }

    /// Waits until one comes.
    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Keeps a second lab out of the directory for as long as it lives.
fn lock(dir: &Path) -> anyhow::Result<Flock<std::fs::File>> {
    let path = dir.join("lab.lock");
    let open = std::fs::File::options().create(true).truncate(false).write(true).open(&path);
    let open = open.with_context(|| format!("opening {}", path.display()))?;
    Flock::lock(open, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => anyhow::anyhow!(
            "another lab runs in {}. hint: stop it with Ctrl-C, or choose another directory with --dir",
            dir.display()
        ),
        error => anyhow::Error::from(error).context(format!("locking {}", path.display())),
    })
}
