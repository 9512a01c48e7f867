//! The command line that both have, and how they end.

use std::path::PathBuf;

use clap::Args;

/// The configuration has mistakes; they are on standard error.
pub const EXIT_CONFIGURATION: u8 = 1;

/// The program could not start, or ended badly. (2 is clap's, for a wrong command line.)
pub const EXIT_FAILED: u8 = 3;

// No doc comment of ours: clap would take it for what the program is.
#[allow(missing_docs)]
#[derive(Debug, Args)]
pub struct Configured {
    /// The configuration file.
    #[arg(long, value_name = "FILE", required_unless_present = "config_reference")]
    pub config: Option<PathBuf>,
    /// Check the configuration and the files it names, print the result, and end with 0 or 1.
    #[arg(long)]
    pub check_config: bool,
    /// Print every configuration key with its default, and end.
    #[arg(long)]
    pub config_reference: bool,
}
