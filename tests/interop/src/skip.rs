//! Why a test does not run on this machine.

use std::fmt;
use std::io::Write;

/// What is missing. Displays as one line, `skipped: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    missing: String,
}

impl Skip {
    pub(crate) fn new(missing: impl fmt::Display) -> Self {
        Self { missing: missing.to_string().replace('\n', " ") }
    }

    /// Writes the line to standard error, past the test harness, which would keep it to itself.
    pub fn announce(&self) {
        // Nothing is left to tell it to where standard error is closed.
        let _ = writeln!(std::io::stderr(), "{self}");
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {}", self.missing)
    }
}

impl std::error::Error for Skip {}
