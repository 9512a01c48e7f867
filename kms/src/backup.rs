//! `kms backup`: every key in one file, sealed, made while the node serves; checked and read back by the server.

mod create;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::node::{Node, Which};
use crate::print::Format;
use crate::{Outcome, program};

/// Make a backup of all keys, check one, put one back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms backup create                          kms-backup-NODE-TIME.backup, here
  kms backup create /mnt/safe/monday.backup
  kms backup verify /mnt/safe/monday.backup
  kms backup restore /mnt/safe/monday.backup --dir /etc/kms-server

A backup is whole, made without a pause, and sealed under the root key: without a copy of
root.key it is of no use to anyone, you included. Keep the two apart. Any node makes it, and it
holds the keys of the whole cluster.

To put one back on empty machines: kms init, then DIR/root.key replaced by your copy, then
kms backup restore; start the server, and join further nodes as usual.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a backup, while the node serves
    Create {
        /// The file to make [default: kms-backup-NODE-TIME.backup in this directory]
        file: Option<PathBuf>,
        #[command(flatten)]
        which: Which,
    },
    /// Check that a backup is whole and can be opened with a node's root key
    Verify {
        /// The backup
        file: PathBuf,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        program: program::Chosen,
    },
    /// Put a backup back into a node that is stopped
    Restore {
        /// The backup
        file: PathBuf,
        /// The node's directory, with its configuration and the root key of the backup
        #[arg(long)]
        dir: PathBuf,
        /// Go on where the node holds newer keys than the backup, which are then lost
        #[arg(long)]
        lose_newer: bool,
        #[command(flatten)]
        program: program::Chosen,
    },
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    match arguments.command {
        Command::Create { file, which } => create::run(file, &which, format).await,
        Command::Verify { file, which, program } => {
            let node = which.find()?;
            let words = words(node.config(), "--verify-backup", &file)?;
            program::run_through(&program.find().await?, words).await
        }
        Command::Restore { file, dir, lose_newer, program } => {
            let mut words = words(config_in(&dir)?, "--restore", &file)?;
            if lose_newer {
                words.push("--lose-newer".into());
            }
            program::run_through(&program.find().await?, words).await
        }
    }
}

/// The server's command line for a backup that is there.
fn words(config: PathBuf, what: &str, file: &Path) -> anyhow::Result<Vec<OsString>> {
    std::fs::metadata(file).with_context(|| format!("looking for the backup {}", file.display()))?;
    // Absolute, so that no name of a file is taken for an option.
    Ok(vec!["--config".into(), config.into(), what.into(), std::path::absolute(file)?.into()])
}

/// The configuration of the node in this directory.
pub(crate) fn config_in(dir: &Path) -> anyhow::Result<PathBuf> {
    let config = Node { dir: dir.to_owned() }.config();
    match config.is_file() {
        true => Ok(config),
        false => bail!(
            "{} is not there. hint: make the node with kms init {}, then put the root key in place that the keys were sealed under",
            config.display(),
            dir.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_node_cannot_take_a_backup() {
        let dir = tempfile::tempdir().unwrap();
        let error = config_in(dir.path()).unwrap_err().to_string();
        assert!(error.contains("kms init"), "{error}");
    }

    #[test]
    fn a_backup_is_named_so_that_it_is_no_option() {
        let words = words("c.toml".into(), "--restore", Path::new("Cargo.toml")).unwrap();
        assert!(Path::new(&words[3]).is_absolute());
        let missing = super::words("c.toml".into(), "--restore", Path::new("-x")).unwrap_err().to_string();
        assert!(missing.contains("looking for the backup"), "{missing}");
    }
}
