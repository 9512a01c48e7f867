//! `kms front`: how the front before the nodes is, nodes taken out of it and back, the files of a pair of fronts, and the
//! certificates of one that replays requests.

pub(crate) mod api;
mod certificate;
mod files;
mod init;
mod words;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::print::{self, Format};
use crate::{Outcome, lab, node};
use api::{Front, Order, Status};

pub(crate) use api::Error;
pub(crate) use certificate::Folder;
pub(crate) use files::{Host, Mode, Pair, ROUTER_ID, keepalived};

/// Where an installed front takes orders: the unit's RuntimeDirectory.
const INSTALLED: &str = "/run/health-proxy/admin.sock";

/// Show the front before the nodes, take a node out of it and back; set up fronts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms front status                    the address, the nodes, the last failover
  kms front drain node2               no new connections go there, before its restart
  kms front ready node2               they do again
  kms front status --socket kms-lab/front/admin.sock
  kms front init --vip 192.0.2.10 --interface eth0 --peer 192.0.2.22 --out fronts
  kms front certificate edge1         what a front needs to answer clients itself

In CHECKS, the newest on the right: the higher, the slower the node answered; × is no answer.
`status` exits with 1 while clients are not fully served (Degraded, Down).")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what clients can count on, and each node with the reason for its state
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Give a node no new connections; those that it has may end, within the front's drain_time_max_ms
    Drain(Target),
    /// Give a drained node connections again
    Ready(Target),
    /// Write all that two hosts need to hold one address with keepalived
    Init(init::Arguments),
    /// Issue what a front in replay mode needs: its certificate for the nodes, and what clients see
    Certificate(certificate::Arguments),
}

#[derive(Debug, clap::Args)]
struct Target {
    /// The node's name, as kms front status shows it
    #[arg(value_name = "NODE")]
    node: String,
    #[command(flatten)]
    which: Which,
}

/// Which front.
#[derive(Debug, clap::Args)]
struct Which {
    /// The front's socket, as its configuration names it [default: ./kms-lab/front/admin.sock, else
    /// /run/health-proxy/admin.sock]
    #[arg(long, env = "KMS_FRONT_SOCKET", value_name = "PATH", hide_env_values = true)]
    socket: Option<PathBuf>,
}

impl Which {
    fn front(self) -> Front {
        let in_lab = || Some(lab::front_socket(Path::new(node::LAB))).filter(|path| path.exists());
        Front::at(self.socket.or_else(in_lab).unwrap_or_else(|| PathBuf::from(INSTALLED)))
    }
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    match arguments.command {
        Command::Status { which } => status(&which.front(), format).await,
        Command::Drain(target) => order(target, Order::Drain, format).await,
        Command::Ready(target) => order(target, Order::Ready, format).await,
        Command::Init(arguments) => init::run(arguments, format).await,
        Command::Certificate(arguments) => certificate::run(arguments, format).await,
    }
}

async fn status(front: &Front, format: Format) -> anyhow::Result<Outcome> {
    let (status, whole) = front.status().await?;
    match format {
        Format::Json => print::json(&whole)?,
        Format::Table => show(&status),
    }
    Ok(if status.service.is_whole() { Outcome::Done } else { Outcome::ChecksFailed })
}

/// Prints the front for people.
fn show(status: &Status) {
    print::heading(words::headline(status));
    for line in words::advice(status) {
        print::line(line);
    }
    print::line("");
    print::table(&words::HEADER, status.nodes.iter().map(|node| words::row(status, node)));
}

async fn order(target: Target, order: Order, format: Format) -> anyhow::Result<Outcome> {
    let front = target.which.front();
    front.order(&target.node, order).await?;
    let (status, _) = front.status().await?;
    match format {
        Format::Json => print::json(&serde_json::json!({ order.word(): target.node }))?,
        Format::Table => print::line(words::done(&status, &target.node, order)),
    }
    Ok(Outcome::Done)
}
