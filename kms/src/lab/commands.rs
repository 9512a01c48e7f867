//! `kms lab kill`, `stop`, `cut` and so on: what another terminal does to the nodes of a lab that runs.

use std::path::PathBuf;

use anyhow::bail;
use clap::Subcommand;

use super::control::{self, Action, Answer, Ask};
use super::place::Who;
use super::setup::NODES_MAX;
use super::view;
use crate::print::{self, Format};
use crate::{Outcome, node};

/// Longest delay of a slow link.
const SLOW_MS_MAX: u64 = 60_000;

/// What is done to a lab that runs.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the nodes and the fronts: role, term, what each has applied, and what is done to it
    Status {
        #[command(flatten)]
        at: At,
    },
    /// Kill nodes, as a power cut of their machine would (SIGKILL)
    Kill(Target),
    /// Start nodes again that were killed or ended
    Start(Target),
    /// Let nodes stand still, their connections open, as a machine that hangs (SIGSTOP)
    Stop(Target),
    /// Let stopped nodes go on (SIGCONT)
    Cont(Target),
    /// Cut the links between nodes and all others, where clients still reach them, or one of two fronts off from
    /// everything
    Cut(Target),
    /// Slow the links of nodes, or between one of two fronts and the nodes, each way
    Slow {
        /// By how many milliseconds
        #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SLOW_MS_MAX))]
        ms: u64,
        #[command(flatten)]
        target: Target,
    },
    /// Make the links of nodes or fronts whole and fast again
    Heal(Target),
}

/// Which lab.
#[derive(Debug, clap::Args)]
pub(super) struct At {
    /// The lab's directory
    #[arg(long, default_value = node::LAB, value_name = "DIR")]
    dir: PathBuf,
}

/// Which of its servers.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// Nodes: 1 or node1, and so on, or front; of two fronts front1, front2, keepalived1,
    /// keepalived2; several at once
    #[arg(required = true, value_name = "NODE", value_parser = parse_who)]
    to: Vec<Who>,
    #[command(flatten)]
    at: At,
}

fn parse_who(text: &str) -> Result<Who, String> {
    match text {
        "front" => return Ok(Who::Front(0)),
        "front1" => return Ok(Who::Front(1)),
        "front2" => return Ok(Who::Front(2)),
        "keepalived1" => return Ok(Who::Keepalived(1)),
        "keepalived2" => return Ok(Who::Keepalived(2)),
        _ => {}
    }
    let number = text.strip_prefix("node").unwrap_or(text).parse().ok();
    number.filter(|number| (1..=NODES_MAX).contains(number)).map(Who::Node).ok_or_else(|| {
        format!("a node is 1 to {NODES_MAX}; else front, front1, front2, keepalived1 or keepalived2")
    })
}

pub(super) async fn run(command: Command, format: Format) -> anyhow::Result<Outcome> {
    let (action, target) = match command {
        Command::Status { at } => {
            let Answer::States { nodes, fronts, pair } = control::ask(&at.dir, &Ask::Status).await? else {
                bail!("the lab answered something else. hint: it runs another version of kms");
            };
            view::print(
                &view::look(nodes).await,
                &view::look_at_fronts(fronts).await,
                pair.as_ref(),
                format,
            )?;
            return Ok(Outcome::Done);
        }
        Command::Kill(target) => (Action::Kill, target),
        Command::Start(target) => (Action::Start, target),
        Command::Stop(target) => (Action::Stop, target),
        Command::Cont(target) => (Action::Cont, target),
        Command::Cut(target) => (Action::Cut, target),
        Command::Slow { ms, target } => (Action::Slow { ms }, target),
        Command::Heal(target) => (Action::Heal, target),
    };
    let mut to = target.to;
    to.sort_unstable();
    to.dedup();
    let Answer::Done { done, failed } = control::ask(&target.at.dir, &Ask::Do { action, to }).await? else {
        bail!("the lab answered something else. hint: it runs another version of kms");
    };
    match format {
        Format::Json => print::json(&serde_json::json!({ "done": done }))?,
        Format::Table => done.iter().for_each(print::line),
    }
    match failed {
        Some(failed) => bail!(failed),
        None => Ok(Outcome::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_number_or_a_name_and_all_others_have_names() {
        assert_eq!((parse_who("2"), parse_who("node3")), (Ok(Who::Node(2)), Ok(Who::Node(3))));
        for who in [Who::Front(0), Who::Front(1), Who::Front(2), Who::Keepalived(1), Who::Keepalived(2)] {
            assert_eq!(parse_who(&who.to_string()), Ok(who));
            assert_eq!(who.argument(), who.to_string());
        }
        for bad in ["", "0", "front3", "front0", "keepalived", "6", "node", "-1", "node0"] {
            assert!(parse_who(bad).is_err(), "{bad:?}");
        }
    }
}
