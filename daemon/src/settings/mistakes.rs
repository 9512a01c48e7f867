//! What is wrong with a configuration file.

use std::fmt;
use std::path::PathBuf;

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line in the file, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong, with a hint.
    pub message: String,
}

impl Mistake {
    /// One on this line, if on any.
    pub fn at(line: Option<usize>, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }

    /// One of a key.
    pub fn key(line: Option<usize>, section: &str, name: &str, why: impl fmt::Display) -> Self {
        Self::at(line, format!("[{section}] {name}: {why}"))
    }
}

/// Every mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The file.
    pub path: PathBuf,
    /// The mistakes, in the order in which they are told.
    pub list: Vec<Mistake>,
}

impl Mistakes {
    /// By line; those that stand on none come last.
    pub fn by_line(path: impl Into<PathBuf>, mut list: Vec<Mistake>) -> Self {
        list.sort_by_key(|mistake| mistake.line.unwrap_or(usize::MAX));
        Self { path: path.into(), list }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, count) = (self.path.display(), self.list.len());
        write!(f, "{path} has {count} mistake{}:", if count == 1 { "" } else { "s" })?;
        for mistake in &self.list {
            match mistake.line {
                Some(line) => write!(f, "\n  line {line}: {}", mistake.message)?,
                None => write!(f, "\n  {}", mistake.message)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
