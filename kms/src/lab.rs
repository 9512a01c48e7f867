//! `kms lab`: a whole key server on this machine, in the foreground, as real processes in one directory.
//!
//! Started again on the same directory it keeps certificates, root key, keys and client. Whatever ends it, its servers
//! end too: they are told to, killed when they do not listen, and end by themselves when this process is gone.

mod build;
pub(crate) mod description;
mod server;
mod setup;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::Admin;
use crate::node::{self, Node};
use crate::print::{self, Format};
use crate::{Outcome, file};
use description::Description;
use server::{READY_TIMEOUT, Server};

/// Run a whole key server on this machine, until Ctrl-C
///
/// Makes certificates and a root key, starts the server, makes a client known and says what to try next. Everything is
/// in one directory; started again there it keeps its keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms lab
  kms lab --dir ~/lab --port 15696
  kms lab --port 0                   any free port; lab.json says which

Once it serves, DIR/lab.json says where everything is, for scripts. The lab is for trying and
testing: its client may destroy keys, and its root key lies beside them. For a real node:
kms init.")]
pub(crate) struct Arguments {
    /// The lab's directory
    #[arg(long, default_value = node::LAB, value_name = "DIR")]
    dir: PathBuf,

    /// The KMIP port, on 127.0.0.1; 0 for any free one [default: the lab's last one, else 5696]
    #[arg(long, value_name = "N")]
    port: Option<u16>,

    /// The kms-server program [default: the one beside this program, else the one on PATH]
    #[arg(long, env = "KMS_SERVER", value_name = "FILE", hide_env_values = true)]
    server: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    // From here on a signal is ours to answer, also while we prepare.
    let mut stop = Stop::new()?;
    let program = build::server_program(arguments.server).await?;
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

    let prepared = setup::prepare(&dir, arguments.port)?;
    let mut server = Server::start(&program, &prepared.node)?;
    let served = serve(&mut server, &mut stop, &prepared, &dir, format).await;
    let _ = std::fs::remove_file(&lab_json);
    if format == Format::Table && served.is_ok() {
        print::note("Stopping …");
    }
    server.stop(&mut stop).await?;
    served.map(|()| Outcome::Done)
}

/// From a started server to the end of the lab. Ends well when it was told to.
async fn serve(
    server: &mut Server,
    stop: &mut Stop,
    prepared: &setup::Prepared,
    dir: &std::path::Path,
    format: Format,
) -> anyhow::Result<()> {
    let spinner = spinner(format);
    spinner.set_message(format!("Waiting for kms-server to serve on {}", prepared.kmip));
    tokio::select! {
        ready = server::ready(prepared.admin) => {
            if let Err(reason) = ready {
                bail!(
                    "kms-server did not serve within {} s: {reason}; its last lines:\n{}\nhint: the whole log is {}",
                    READY_TIMEOUT.as_secs(), server.last_lines(), prepared.node.log().display()
                );
            }
        }
        ended = server.ended() => return Err(ended?),
        () = stop.asked() => return Ok(()),
    }
    spinner.set_message("Making the client known");
    let admin = Admin::at(&prepared.node.socket()?);
    let client = tokio::select! {
        client = setup::client(&admin, prepared, dir) => client?,
        ended = server.ended() => return Err(ended?),
        () = stop.asked() => return Ok(()),
    };
    let description = Description::new(prepared, server.pid(), &client);
    description.write(&dir.join("lab.json"))?;
    spinner.finish_and_clear();
    description.print(&admin.status().await?, format)?;
    tokio::select! {
        ended = server.ended() => Err(ended?),
        () = stop.asked() => Ok(()),
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
fn lock(dir: &std::path::Path) -> anyhow::Result<Flock<std::fs::File>> {
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

/// The lab's only node, for now.
fn node_in(dir: &std::path::Path) -> Node {
    Node { dir: dir.join("node1") }
}
