//! `cargo run --release -p fronts -- faults | speed`: prints our front beside HAProxy and nginx.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fronts::{Fault, Make, faults, speed};

/// Our front beside HAProxy and nginx
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    table: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// What clients notice of faults
    Faults {
        /// Only fronts with this in their name
        #[arg(long, default_value = "")]
        front: String,
        /// Only faults with this in their name
        #[arg(long, default_value = "")]
        fault: String,
    },
    /// What each front costs
    Speed {
        /// Turns of each front
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
    },
}

#[allow(clippy::print_stdout)] // It is what this program is for.
fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().table {
        Which::Faults { front, fault } => {
            let makes: Vec<_> = Make::ALL.into_iter().filter(|make| make.name().contains(&front)).collect();
            let which: Vec<_> =
                Fault::ALL.into_iter().filter(|known| known.name().contains(&fault)).collect();
            let found = faults::run(&makes, &which)?;
            println!("{}", found.text());
            Ok(if found.wrong().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Which::Speed { rounds } => {
            // Built on all cores, measured on one.
            lab::programs();
            speed::stay_aside()?;
            let runtime = tokio::runtime::Runtime::new()?;
            println!("{}", runtime.block_on(speed::measure(usize::from(rounds)))?.text());
            Ok(ExitCode::SUCCESS)
        }
    }
}
