//! `kms salvage`: one new cluster out of whatever damaged data directories and backups still hold.
//!
//! The server reads them, and it alone; this command starts it and passes its words on.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;

use crate::{Outcome, backup, program};

/// Gather what damaged data directories and backups still hold into one new node
///
/// Key material never changes and identifiers are unique, so whatever can be read from any of them may be put together.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms salvage /mnt/n1/data /mnt/n2/data kms-backup-node1.backup --dir /etc/kms-server

The new node's directory comes from kms init, and then gets the root key that the damaged ones
were sealed under: copy it to DIR/root.key first. Salvage reads the damaged directories and
changes nothing in them; stop their servers all the same. When all is lost but one node that
still runs, or one backup, this is not needed: kms join, kms backup restore.")]
pub(crate) struct Arguments {
    /// Data directories of nodes, and backups
    #[arg(required = true, value_name = "DIR|FILE")]
    from: Vec<PathBuf>,

    /// The new node's directory, which has its configuration and root key, and no keys yet
    #[arg(long)]
    dir: PathBuf,

    #[command(flatten)]
    program: program::Chosen,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let config = backup::config_in(&arguments.dir)?;
    let mut words: Vec<OsString> = vec!["--config".into(), config.into(), "--salvage".into()];
    for path in &arguments.from {
        std::fs::metadata(path).with_context(|| format!("looking for {}", path.display()))?;
        words.push(std::path::absolute(path)?.into());
    }
    program::run_through(&arguments.program.find().await?, words).await
}
