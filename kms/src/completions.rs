//! `kms completions`: what a shell needs to complete this command.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Outcome;

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms completions bash > /etc/bash_completion.d/kms
  kms completions zsh > \"${fpath[1]}/_kms\"
  kms completions fish > ~/.config/fish/completions/kms.fish")]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::Arguments::command(), "kms", &mut script);
    match io::stdout().write_all(&script) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Outcome::Done),
    }
}
