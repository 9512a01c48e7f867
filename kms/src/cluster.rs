//! `kms cluster`: the nodes of a cluster, who is invited to it, who leaves it.

mod words;

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::admin::{Cluster, Invitation, Member, NewInvitation};
use crate::node::Which;
use crate::print::{self, Format};
use crate::{Outcome, time};

/// Show the nodes of the cluster, invite further ones, take one out
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms cluster status
  kms cluster invite                  a token for `kms join`, which works once, for an hour
  kms cluster invite --valid 10m --learner
  kms cluster promote 4               a learner gets a vote
  kms cluster remove 2                for good: its number is never given again

A cluster of 3 nodes goes on while 2 live, one of 5 while 3 do. To replace a dead node, remove
it and join another. `status` exits with 1 while changes cannot be made.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the nodes: who leads, who is reachable, who lags
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Print a token with which one further node can join
    Invite {
        /// How long it can be used: 10m, 1h, 2d; a minute to a week
        #[arg(long, default_value = "1h", value_name = "TIME", value_parser = parse_validity)]
        valid: Duration,
        /// The node stays without a vote until it is promoted
        #[arg(long)]
        learner: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Take a node out of the cluster, for good
    Remove {
        /// Its number, or its name
        #[arg(value_name = "NODE")]
        member: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Give a learner a vote
    Promote {
        /// Its number, or its name
        #[arg(value_name = "NODE")]
        member: String,
        #[command(flatten)]
        which: Which,
    },
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    match arguments.command {
        Command::Status { which } => status(&which, format).await,
        Command::Invite { valid, learner, which } => {
            let new = NewInvitation { valid_s: valid.as_secs(), learner };
            let invitation = which.admin()?.invite(new).await?;
            match format {
                Format::Json => print::json(&invitation)?,
                Format::Table => invited(&invitation, learner),
            }
            Ok(Outcome::Done)
        }
        Command::Remove { member, yes, which } => remove(&which, &member, yes, format).await,
        Command::Promote { member, which } => {
            let admin = which.admin()?;
            let member = find(&admin.cluster().await?, &member)?.clone();
            admin.promote(member.number).await?;
            match format {
                Format::Json => print::json(&serde_json::json!({ "promoted": member.number }))?,
                Format::Table => print::line(format!("{} has a vote now.", words::titled(&member))),
            }
            Ok(Outcome::Done)
        }
    }
}

async fn status(which: &Which, format: Format) -> anyhow::Result<Outcome> {
    let cluster = which.admin()?.cluster().await?;
    match format {
        Format::Json => print::json(&cluster)?,
        Format::Table => show(&cluster),
    }
    Ok(if cluster.quorum { Outcome::Done } else { Outcome::ChecksFailed })
}

fn show(cluster: &Cluster) {
    print::heading(words::state(cluster));
    if let Some(advice) = words::advice(cluster) {
        print::line(advice);
    }
    print::line("");
    let count = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let rows = cluster.nodes.iter().map(|node| {
        let reachable = match node.reachable {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        let here = if node.number == cluster.number { " (this one)" } else { "" };
        vec![
            node.number.to_string(),
            format!("{}{here}", node.name),
            node.role.to_string(),
            node.link.clone(),
            reachable.to_owned(),
            count(node.applied),
            count(node.lag),
        ]
    });
    print::table(&["NODE", "NAME", "ROLE", "LINK", "REACHABLE", "APPLIED", "LAG"], rows);
}

fn invited(invitation: &Invitation, learner: bool) {
    // The token alone on standard output, for scripts; what it is for beside it.
    print::line(&invitation.token);
    let what = if learner { "as a learner" } else { "and gets a vote once it has caught up" };
    print::note("");
    print::note(format!(
        "One node can join with it until {} UTC, {what}. It is given every key: hand the token on in secret.",
        time::short(&invitation.expires)
    ));
    print::note("On its machine:");
    print::note("  kms join TOKEN --dir /etc/kms-server --name node2 --address ITS_ADDRESS");
}

async fn remove(which: &Which, member: &str, yes: bool, format: Format) -> anyhow::Result<Outcome> {
    let admin = which.admin()?;
    let cluster = admin.cluster().await?;
    let member = find(&cluster, member)?.clone();
    let after = words::after_removal(&cluster, &member);
    if !yes {
        print::note(&after);
        if !confirmed(&format!("Take {} out of the cluster, for good?", words::titled(&member)))? {
            print::note("Nothing is changed.");
            return Ok(Outcome::ChecksFailed);
        }
    }
    admin.remove_node(member.number).await?;
    match format {
        Format::Json => print::json(&serde_json::json!({ "removed": member.number }))?,
        Format::Table => {
            print::line(format!(
                "{} is out of the cluster, and its number is never given again.",
                words::titled(&member)
            ));
            if yes {
                print::line(after);
            }
            print::line(
                "If its machine lives: stop its server, then wipe its directory; it holds the root key.",
            );
        }
    }
    Ok(Outcome::Done)
}

/// Asks a person. Fails where there is none.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{question} There is no terminal to ask on. hint: say so with --yes");
    }
    let mut error = anstream::stderr();
    // A closed standard error leaves nobody to ask; the answer below is then none.
    let _ = write!(error, "{question} [y/N] ").and_then(|()| error.flush());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("reading the answer")?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// The node of this number or name. Two may have one name: then only the number will do.
fn find<'a>(cluster: &'a Cluster, wanted: &str) -> anyhow::Result<&'a Member> {
    let by_number = cluster.nodes.iter().find(|node| node.number.to_string() == wanted);
    let mut by_name = cluster.nodes.iter().filter(|node| node.name == wanted);
    match (by_number, by_name.next(), by_name.next()) {
        (Some(node), _, _) | (None, Some(node), None) => Ok(node),
        (None, Some(_), Some(_)) => bail!(
            "several nodes are called {wanted}. hint: name it by its number, as kms cluster status shows it"
        ),
        (None, None, _) => bail!("no node {wanted} in the cluster. hint: kms cluster status shows them"),
    }
}

/// Shortest and longest time that an invitation may be good for.
const VALIDITY_S: std::ops::RangeInclusive<u64> = 60..=7 * 86_400;

/// A time such as 90s, 10m, 1h or 2d.
fn parse_validity(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is no time; say 90s, 10m, 1h or 2d");
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (count, unit) = text.split_at(unit_at);
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let seconds = count.parse().ok().and_then(|count: u64| count.checked_mul(unit_s)).ok_or_else(wrong)?;
    match VALIDITY_S.contains(&seconds) {
        true => Ok(Duration::from_secs(seconds)),
        false => Err("an invitation is good for a minute at least and a week at most".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::words::tests::cluster;
    use super::*;

    #[test]
    fn an_invitation_is_good_for_a_time_in_words() {
        assert_eq!(parse_validity("1h").unwrap(), Duration::from_secs(3_600));
        assert_eq!(parse_validity("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(parse_validity("7d").unwrap(), Duration::from_secs(604_800));
        for bad in ["", "1", "h", "1x", "-1h", "59s", "8d", "99999999999999999999d"] {
            assert!(parse_validity(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_node_is_named_by_number_or_name() {
        let mut cluster = cluster("1 leader yes; 2 voter yes; 3 voter no");
        assert_eq!(find(&cluster, "2").unwrap().number, 2);
        assert_eq!(find(&cluster, "node3").unwrap().number, 3);
        assert!(find(&cluster, "node4").is_err());
        cluster.nodes[1].name = "node3".to_owned();
        assert!(find(&cluster, "node3").unwrap_err().to_string().contains("by its number"));
    }
}
