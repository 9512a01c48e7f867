//! `kms join`: one more node for a cluster that is there.
//!
//! This command makes the directory and the configuration; the server itself asks the cluster, with the token, for
//! everything secret: root key, certificates, its number. A join that fails leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use certs::AltName;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::init::Ports;
use crate::node::{NewNode, Node};
use crate::print::{self, Format};
use crate::{Outcome, address, client, node, program};

/// Longest wait for the cluster to take the node in: a change of membership, and a few files.
const JOIN_TIMEOUT: Duration = Duration::from_secs(120);

/// Make this machine a node of a cluster that is there
///
/// The token comes from `kms cluster invite`, works once and expires. Nothing is started: the node catches up when its
/// server is, and then has a vote, unless it was invited as a learner.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms join TOKEN --dir /etc/kms-server --name node2 --address 192.0.2.8
  kms join TOKEN --dir /etc/kms-server --name node2 --link n2.example.test:5697

A node that lost its disk does not come back under its old number. Remove it on another node
(kms cluster remove N), invite it anew, and join it here.")]
#[command(group = clap::ArgGroup::new("reached").args(["address", "link"]).required(true).multiple(true))]
pub(crate) struct Arguments {
    /// What `kms cluster invite` printed
    token: String,

    /// The directory to make, such as /etc/kms-server
    #[arg(long)]
    dir: PathBuf,

    /// The node's name in logs and metrics, such as node2
    #[arg(long, value_parser = client::parse_name)]
    name: String,

    /// An address or host name of this machine, at which other nodes reach it on port 5697
    #[arg(long, value_name = "IP|NAME", value_parser = address::parse_host)]
    address: Option<AltName>,

    #[command(flatten)]
    ports: Ports,

    #[command(flatten)]
    program: program::Chosen,
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    let new = arguments.ports.of(arguments.name, arguments.address.as_slice())?;
    let program = arguments.program.find().await?;
    let node = join(&program, &arguments.dir, &new, arguments.token.trim()).await?;
    let dir = std::fs::canonicalize(&node.dir)?;
    match format {
        Format::Json => print::json(&serde_json::json!({
            "dir": dir,
            "config": dir.join("kms-server.toml"),
            "name": new.name,
            "link": new.link.advertise,
        }))?,
        Format::Table => explain(&dir, &new, node.server_pem().ok().as_deref()),
    }
    Ok(Outcome::Done)
}

fn explain(dir: &Path, new: &NewNode, server_pem: Option<&str>) {
    let shown = dir.display();
    print::heading(format!("{} has joined; it is in {shown}. Nothing runs yet.", new.name));
    let own = node::public_address_of(server_pem, new.kmip.port());
    print::facts(&[
        ("Other nodes connect to", new.link.advertise.clone()),
        ("Clients connect to", own.unwrap_or_else(|| "the addresses of the certificate".to_owned())),
    ]);
    print::line("");
    print::heading("Next");
    print::line(format!("  1. kms-server --config {shown}/kms-server.toml --check-config"));
    print::line(format!(
        "  2. systemctl enable --now kms-server      (as an installed service; {shown} belongs to its user)"
    ));
    print::line(format!("     or kms-server --config {shown}/kms-server.toml"));
    print::line(format!("  3. kms cluster status --node {shown}      (it catches up, then votes)"));
    print::line("");
    print::line(
        "It has the root key now, as every node has: keep its directory as safe as that of the first.",
    );
}

/// Makes the directory of a node that joins, and has the server join. When that fails nothing of it is left.
pub(crate) async fn join(program: &Path, dir: &Path, new: &NewNode, token: &str) -> anyhow::Result<Node> {
    let was_there = dir.exists();
    let node = Node::create_joining(dir, new)?;
    let Err(error) = ask(program, &node, &new.name, token).await else { return Ok(node) };
    clear(&node, was_there);
    Err(error)
}

async fn ask(program: &Path, node: &Node, name: &str, token: &str) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    // By its standard input: a command line can be read by every user of the machine.
    command.arg("--config").arg(node.config()).args(["--join", "-", "--name", name]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let asked = async {
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A server that ends before it reads says why.
            let _ = input.write_all(format!("{token}\n").as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(JOIN_TIMEOUT, asked).await;
    let output = match output {
        Ok(output) => output.with_context(|| format!("running {}", program.display()))?,
        Err(_) => bail!(
            "the cluster did not take the node in within {} s. hint: kms cluster status on a node that is in it",
            JOIN_TIMEOUT.as_secs()
        ),
    };
    if output.status.success() {
        return Ok(());
    }
    let words: Vec<_> = [&output.stderr, &output.stdout]
        .into_iter()
        .map(|words| String::from_utf8_lossy(words).trim().to_owned())
        .filter(|words| !words.is_empty())
        .collect();
    let words = if words.is_empty() { "it said nothing".to_owned() } else { words.join("\n") };
    let (words, hint) = print::split_hint(&words);
    let hint = hint.unwrap_or_else(|| {
        "a token works once and expires: kms cluster invite makes another. If kms cluster status shows this node already, remove it there first".to_owned()
    });
    bail!("the node could not join ({}), and nothing of it is kept: {words}\nhint: {hint}", output.status)
}

/// Takes away what a join that failed has made: no server ran on it, so it holds nothing that is not elsewhere.
fn clear(node: &Node, was_there: bool) {
    let _ = std::fs::remove_dir_all(node.data(""));
    let _ = std::fs::remove_dir_all(node.tls(""));
    let _ = std::fs::remove_file(node.root_key());
    let _ = std::fs::remove_file(node.config());
    if !was_there {
        // Stays where someone put something else into it.
        let _ = std::fs::remove_dir(&node.dir);
    }
}

/// Takes away what a join has left that was broken off, and so keeps its directory from joining. Refuses a directory
/// that may hold a store: whoever has lost only its number has lost nothing else.
pub(crate) fn clear_half_made(node: &Node) -> anyhow::Result<()> {
    let mut in_data = std::fs::read_dir(node.data("")).into_iter().flatten().filter_map(Result::ok);
    if let Some(found) = in_data.find(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        bail!(
            "{} holds {}, but neither node.json nor birth.json says which node it is. hint: move the directory away, and take the node out of the cluster: kms cluster remove N",
            node.dir.display(),
            found.path().display()
        );
    }
    clear(node, true);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::node::{NewLink, admin_listen, kmip_listen, link_listen};

    /// A program that does what the script says, in place of the server.
    fn program(dir: &Path, script: &str) -> PathBuf {
        let program = dir.join("server");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    fn new() -> NewNode {
        NewNode {
            name: "node2".into(),
            kmip: kmip_listen(),
            admin: admin_listen(),
            link: NewLink { listen: link_listen(), advertise: "192.0.2.8:5697".into(), source: None },
        }
    }

    #[tokio::test]
    async fn the_server_is_told_the_token_and_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let program =
            program(dir.path(), r#"read token; echo "$3 $4 $5 $6 $token" > "$(dirname "$2")/asked""#);
        let node = join(&program, &dir.path().join("node2"), &new(), "TOKEN").await.unwrap();
        assert_eq!(fs::read_to_string(node.dir.join("asked")).unwrap(), "--join - --name node2 TOKEN\n");
        assert_eq!(node.settings().unwrap().cluster.unwrap().advertise, "192.0.2.8:5697");
    }

    #[tokio::test]
    async fn a_join_that_fails_says_why_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let script = r#"touch "$(dirname "$2")/root.key"; echo 'error: the token has expired. hint: ask for another' >&2; exit 3"#;
        let program = program(dir.path(), script);
        let node = dir.path().join("node2");
        let error = join(&program, &node, &new(), "TOKEN").await.unwrap_err().to_string();
        assert!(error.contains("token has expired") && error.ends_with("hint: ask for another"), "{error}");
        assert!(!node.exists());
    }

    #[test]
    fn only_a_directory_without_a_store_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::create_joining(dir.path(), &new()).unwrap();
        fs::write(node.root_key(), "x").unwrap();
        clear_half_made(&node).unwrap();
        assert!(!node.root_key().exists() && !node.config().exists());
        Node::create_joining(dir.path(), &new()).unwrap();
        fs::create_dir(node.data("log")).unwrap();
        assert!(clear_half_made(&node).unwrap_err().to_string().contains("node.json"));
        assert!(node.data("log").is_dir());
    }

    #[tokio::test]
    async fn a_directory_that_was_there_before_stays() {
        let dir = tempfile::tempdir().unwrap();
        let program = program(dir.path(), "exit 3");
        let node = dir.path().join("node2");
        fs::create_dir(&node).unwrap();
        fs::write(node.join("README"), "ours").unwrap();
        join(&program, &node, &new(), "TOKEN").await.unwrap_err();
        let left: Vec<_> = fs::read_dir(&node).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["README"]);
    }
}
