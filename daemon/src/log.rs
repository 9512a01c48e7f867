//! The log: events with fields on standard error, as text for people or JSON for machines.

use std::io::{self, IsTerminal};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line for people; coloured on a terminal unless NO_COLOR is set.
    Text,
    /// One JSON object.
    Json,
}

impl Format {
    /// What `[log] format` says: `json`, or anything else for text.
    pub fn of(word: Option<&str>) -> Self {
        match word {
            Some("json") => Self::Json,
            _ => Self::Text,
        }
    }
}

/// Starts the log. `level` is error, warn, info, debug or trace and holds for our own code: this crate, and those that
/// `ours` names. For all else the filter's directives in `others` hold, such as `warn,openraft=off`.
///
/// # Errors
/// When the level or a directive is none, or a log was started before.
pub fn start(format: Format, level: &str, ours: &[&str], others: &str) -> anyhow::Result<()> {
    let mut directives = format!("{others},daemon={level}");
    for name in ours {
        directives.push_str(&format!(",{name}={level}"));
    }
    let filter = EnvFilter::try_new(directives).with_context(|| format!("[log] level \"{level}\""))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match format {
        Format::Text => {
            let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            builder.with_ansi(io::stderr().is_terminal() && !no_color).try_init()
        }
        Format::Json => builder.json().flatten_event(true).with_ansi(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}
