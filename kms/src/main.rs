//! `kms`, the operator's command: a lab on one machine, nodes, clients, keys, and what is wrong with any of them.
//!
//! It speaks with a node over the operator's socket only, and with any KMIP server over the wire only: it never opens a
//! node's store. Certificates come from the `certs` crate; all printing is in `print`.

mod address;
mod admin;
mod backup;
mod bench;
mod client;
mod cluster;
mod completions;
mod config;
mod conform;
mod doctor;
mod file;
mod front;
mod http;
mod init;
mod join;
mod key;
mod lab;
mod node;
mod print;
mod program;
mod random;
mod salvage;
mod status;
mod time;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use print::Format;

/// The operator's command of a KMIP key server for vSphere.
///
/// Start with `kms lab`: it runs a whole key server on this machine and says what to try next.
#[derive(Debug, Parser)]
#[command(name = "kms", version, propagate_version = true, arg_required_else_help = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// For people (table), or one JSON document for programs (json)
    #[arg(
        short = 'o',
        long = "output",
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    #[arg(value_name = "FORMAT")]
    output: Format,

    /// The same as -o json
    #[arg(long, global = true)]
    json: bool,
}

impl Arguments {
    fn format(&self) -> Format {
        if self.json { Format::Json } else { self.output }
    }
}

/// One file or directory a command. A new command is a `mod` line above, a variant here and a line in `run`.
#[derive(Debug, Subcommand)]
enum Command {
    Lab(lab::Arguments),
    Init(init::Arguments),
    Join(join::Arguments),
    Cluster(cluster::Arguments),
    Front(front::Arguments),
    Status(status::Arguments),
    Client(client::Arguments),
    Key(key::Arguments),
    Backup(backup::Arguments),
    Salvage(salvage::Arguments),
    Doctor(doctor::Arguments),
    Conform(conform::Arguments),
    Bench(bench::Arguments),
    Completions(completions::Arguments),
}

/// What became of a command that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Done, and all is well.
    Done,
    /// It ran, and what it looked at is not well.
    ChecksFailed,
    /// It had kms-server do the work, which ended with this code and said why.
    Ended(u8),
}

/// The way the command ended, for scripts. Usage errors (2) are clap's.
const EXIT_FAILED: u8 = 1;
const EXIT_UNREACHABLE: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  kms lab                                        a whole key server here, until Ctrl-C
  kms doctor 127.0.0.1:5696                      what is wrong with a KMIP server, with a fix
  kms init /etc/kms-server --address 192.0.2.7   a real node, the first of its cluster
  kms cluster invite                             a token for `kms join` on the next machine
  kms cluster status                             who is there, who leads, who lags
  kms front status                               who answers at the one address
  kms client add vc01 --issue                    make a vCenter known
  kms key list                                   the keys, and which VM each is for
  kms backup create                              all keys, sealed, in one file
  kms bench --lab                                how fast the lab answers

Exit codes:
  0  done
  1  refused, failed, or a check did not pass
  2  the command line is wrong
  3  the node or server cannot be reached

Environment:
  KMS_NODE   the node's directory, instead of --node
  NO_COLOR   when set, no colours";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let format = arguments.format();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(format, &anyhow::Error::from(error).context("starting the runtime"));
            return ExitCode::from(EXIT_FAILED);
        }
    };
    match runtime.block_on(run(arguments)) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::ChecksFailed) => ExitCode::from(EXIT_FAILED),
        Ok(Outcome::Ended(code)) => ExitCode::from(code),
        Err(error) => {
            print::error(format, &error);
            ExitCode::from(exit_code(&error))
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let format = arguments.format();
    match arguments.command {
        Command::Lab(arguments) => lab::run(arguments, format).await,
        Command::Init(arguments) => init::run(arguments, format),
        Command::Join(arguments) => join::run(arguments, format).await,
        Command::Cluster(arguments) => cluster::run(arguments, format).await,
        Command::Front(arguments) => front::run(arguments, format).await,
        Command::Status(arguments) => status::run(arguments, format).await,
        Command::Client(arguments) => client::run(arguments, format).await,
        Command::Key(arguments) => key::run(arguments, format).await,
        Command::Backup(arguments) => backup::run(arguments, format).await,
        Command::Salvage(arguments) => salvage::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(arguments, format).await,
        Command::Conform(arguments) => conform::run(arguments, format).await,
        Command::Bench(arguments) => bench::run(arguments, format).await,
        Command::Completions(arguments) => completions::run(arguments),
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let unreachable = error.chain().any(|cause| {
        cause.downcast_ref::<admin::Error>().is_some_and(admin::Error::is_unreachable)
            || cause.downcast_ref::<front::Error>().is_some_and(front::Error::is_unreachable)
            || cause.is::<doctor::Unreachable>()
            || cause.is::<conform::Unreachable>()
            || bench::is_unreachable(cause)
    });
    if unreachable { EXIT_UNREACHABLE } else { EXIT_FAILED }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn examples_fit_a_terminal_of_100_columns() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines() {
                assert!(line.chars().count() <= 95, "{}: {line:?}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        for command in Arguments::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{} says nothing of itself", command.get_name());
            assert!(command.get_after_help().is_some(), "{} has no example", command.get_name());
        }
    }
}
