//! `health-proxy`: reads its configuration, opens its ports, serves until told to end.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use health_proxy::config::{Config, keys};
use health_proxy::{log, run};
use tracing::error;

/// The configuration has mistakes; they are on standard error.
const EXIT_CONFIGURATION: u8 = 1;
/// The front could not start, or ended badly. (2 is clap's, for a wrong command line.)
const EXIT_FAILED: u8 = 3;

/// The front: one address before several KMIP servers, which goes on when one of them does not.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "SIGTERM, SIGINT: take no more connections, let sessions end, then end.\n\
                  SIGHUP: read the configuration again; no session notices. One with mistakes is not taken over.\n\n\
                  Exit codes: 0 ended as told, 1 mistakes in the configuration, 2 wrong command line, 3 failed"
)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", required_unless_present = "config_reference")]
    config: Option<PathBuf>,
    /// Check the configuration and the files it names, print the result, and end with 0 or 1.
    #[arg(long)]
    check_config: bool,
    /// Print every configuration key with its default, and end.
    #[arg(long)]
    config_reference: bool,
    /// End as on SIGTERM when standard input closes: for a parent that must not be outlived.
    #[arg(long, conflicts_with_all = ["check_config", "config_reference"])]
    lifeline: bool,
}

// The answers of a command line that is no daemon.
#[allow(clippy::print_stdout)]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.config_reference {
        print!("{}", keys::reference());
        return ExitCode::SUCCESS;
    }
    let path = arguments.config.unwrap_or_default();
    let config = match Config::read(&path) {
        Ok(config) => config,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    if arguments.check_config {
        print!("{}", config.summary());
        return ExitCode::SUCCESS;
    }
    if let Err(error) = log::start(config.log.format, &config.log.level) {
        eprintln!("{error:#}");
        return ExitCode::from(EXIT_FAILED);
    }
    match serve(path, config, arguments.lifeline) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

#[tokio::main]
async fn serve(path: PathBuf, config: Config, lifeline: bool) -> anyhow::Result<()> {
    run::run(path, config, lifeline).await
}
