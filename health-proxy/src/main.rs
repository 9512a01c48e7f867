//! `health-proxy`: reads its configuration, opens its ports, serves until told to end.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use daemon::command::{Configured, EXIT_CONFIGURATION, EXIT_FAILED};
use daemon::{log, port};
use health_proxy::config::{Config, keys};
use health_proxy::run;
use health_proxy::vip::guard;
use tracing::error;

/// The front: one address before several KMIP servers, which goes on when one of them does not.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "SIGTERM, SIGINT: take no more connections, let sessions end, then end.\n\
                  SIGHUP: read the configuration again; no session notices. One with mistakes is not taken over.\n\n\
                  Exit codes: 0 ended as told, 1 mistakes in the configuration, 2 wrong command line, 3 failed"
)]
struct Arguments {
    #[command(flatten)]
    configured: Configured,
    /// End as on SIGTERM when standard input closes: for a parent that must not be outlived.
    #[arg(long, conflicts_with_all = ["check_config", "config_reference"])]
    lifeline: bool,
}

// The answers of a command line that is no daemon.
#[allow(clippy::print_stdout)]
fn main() -> ExitCode {
    if let Some(path) = guard::file_of(std::env::args_os().skip(1)) {
        return guard::run(Path::new(&path));
    }
    let arguments = Arguments::parse();
    let configured = arguments.configured;
    if configured.config_reference {
        print!("{}", keys::TABLE.reference());
        return ExitCode::SUCCESS;
    }
    let path = configured.config.unwrap_or_default();
    let config = match Config::read(&path) {
        Ok(config) => config,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    if configured.check_config {
        print!("{}", config.summary());
        return ExitCode::SUCCESS;
    }
    if let Err(error) = log::start(config.log.format, &config.log.level, &["health_proxy"], "warn") {
        eprintln!("{error:#}");
        return ExitCode::from(EXIT_FAILED);
    }
    // Before the runtime, which begins with threads.
    let served = port::handed_over(&["clients", "the admin port"])
        .and_then(|handed| serve(path, config, arguments.lifeline, handed));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

#[tokio::main]
async fn serve(
    path: PathBuf,
    config: Config,
    lifeline: bool,
    handed: Vec<TcpListener>,
) -> anyhow::Result<()> {
    run::run(path, config, lifeline, handed).await
}
