//! `kms-server`: reads its configuration, opens the node, serves until told to end.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use daemon::command::{Configured, EXIT_CONFIGURATION, EXIT_FAILED};
use daemon::log;
use kms_server::backup::Command;
use kms_server::clock::Clock;
use kms_server::config::{Config, JoinPaths, keys};
use kms_server::join::{self, JoinError, Token, TokenError};
use kms_server::node::Node;
use kms_server::run::{Shared, run};
use tracing::error;
use zeroize::Zeroizing;

/// What is logged of libraries: from warn on. Nothing of openraft: it calls each message lost while a neighbour restarts an
/// error, and what matters of it the engine says in its own words.
const QUIET: &str = "warn,openraft=off";

/// The key server: KMIP 1.0 to 1.4 over mutual TLS.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "SIGTERM, SIGINT: finish the requests in hand, then end.\n\
                  SIGHUP: read the server certificate again, reopen the audit file.\n\n\
                  Exit codes: 0 ended as told, 1 mistakes in the configuration, 2 wrong command line, 3 failed,\n\
                  4 the backup was refused, 5 the data directory holds what a restore would lose, 6 salvaged, but\n\
                  some objects are lost"
)]
struct Arguments {
    #[command(flatten)]
    configured: Configured,
    /// Read a backup to its end, open every key in it, print what it is, and end.
    #[arg(long, value_name = "FILE", group = "offline")]
    verify_backup: Option<PathBuf>,
    /// Make the data directory out of a backup, and end; the next start founds a new cluster from it.
    #[arg(long, value_name = "FILE", group = "offline")]
    restore: Option<PathBuf>,
    /// With --restore: move a node's data that is in the data directory aside.
    #[arg(long, requires = "restore")]
    lose_newer: bool,
    /// Make the data directory out of all that these damaged data folders and backups still hold, and end.
    #[arg(long, value_name = "PATH", num_args = 1.., group = "offline")]
    salvage: Vec<PathBuf>,
    /// Join the cluster that made this token: get certificates, root key and a number, write them where the
    /// configuration says, and end. The next start is that of a member. "-" reads the token from standard input, which
    /// no other user of the machine can see.
    #[arg(long, value_name = "TOKEN", requires = "name", conflicts_with_all = ["check_config", "lifeline"])]
    join: Option<String>,
    /// This node's name in the cluster it joins.
    #[arg(long, value_name = "NAME", requires = "join")]
    name: Option<String>,
    /// End as on SIGTERM when standard input closes: for a parent that must not be outlived.
    #[arg(long)]
    lifeline: bool,
}

impl Arguments {
    /// What is to be done with backups, if anything.
    fn offline(&self) -> Option<Command> {
        if let Some(path) = &self.verify_backup {
            return Some(Command::Verify(path.clone()));
        }
        if let Some(path) = &self.restore {
            return Some(Command::Restore { path: path.clone(), lose_newer: self.lose_newer });
        }
        (!self.salvage.is_empty()).then(|| Command::Salvage(self.salvage.clone()))
    }
}

// The answers of a command line that is no daemon.
#[allow(clippy::print_stdout)]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.configured.config_reference {
        print!("{}", keys::TABLE.reference());
        return ExitCode::SUCCESS;
    }
    let offline = arguments.offline();
    let path = arguments.configured.config.unwrap_or_default();
    if let (Some(token), Some(name)) = (arguments.join, arguments.name) {
        return join(&path, &token, &name);
    }
    let clock = Arc::new(Clock::new());
    let config = match Config::read(&path, clock.system_seconds()) {
        Ok(config) => config,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    if arguments.configured.check_config {
        print!("{}", config.summary());
        return ExitCode::SUCCESS;
    }
    if let Some(command) = offline {
        let ended = command.run(&config, clock.unix_seconds());
        match ended.is_done() {
            true => println!("{}", ended.text),
            false => eprintln!("{}", ended.text),
        }
        return ExitCode::from(ended.exit_code);
    }
    if let Err(error) = log::start(config.log.format, &config.log.level, &["kms_server", "kms_core"], QUIET) {
        eprintln!("{error:#}");
        return ExitCode::from(EXIT_FAILED);
    }
    match serve(config, clock, arguments.lifeline) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Joins a cluster, in the words of a command: a line on standard output, or an error.
#[allow(clippy::print_stdout)]
fn join(path: &std::path::Path, token: &str, name: &str) -> ExitCode {
    let paths = match JoinPaths::read(path) {
        Ok(paths) => paths,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    let token = match read_token(token) {
        Ok(token) => token,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    match joined(&token, name, &paths) {
        Ok(number) => {
            println!("joined as node {number}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn read_token(token: &str) -> Result<Token, TokenError> {
    if token != "-" {
        return Token::parse(token);
    }
    let mut line = Zeroizing::new(String::new());
    // What cannot be read is an empty line, which is no token.
    let _ = std::io::stdin().read_line(&mut line);
    Token::parse(&line)
}

#[tokio::main(flavor = "current_thread")]
async fn joined(token: &Token, name: &str, paths: &JoinPaths) -> Result<u64, JoinError> {
    join::join(token, name, paths).await
}

#[tokio::main]
async fn serve(config: Config, clock: Arc<Clock>, lifeline: bool) -> anyhow::Result<()> {
    let shared = Shared::new(config, clock, lifeline)?;
    let node = Node::open(shared.clone()).await?;
    let ended = run(shared, Arc::clone(&node)).await;
    node.close().await;
    ended
}
