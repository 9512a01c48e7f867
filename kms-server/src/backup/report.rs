//! What a restore or a salvage came to, for people.

use std::fmt;
use std::path::{Path, PathBuf};

use kms_core::Id;

use super::format::Manifest;

/// Identifiers and names that a message lists; the rest is counted.
pub(super) const LISTED_MAX: usize = 10;

/// What one source of a salvage gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    /// The folder or file.
    pub path: PathBuf,
    /// "data folder" or "backup".
    pub kind: &'static str,
    /// Objects that could be read from it, destroyed ones counted.
    pub objects: u64,
    /// Clients that could be read from it.
    pub clients: u64,
    /// Log entries that could be read from it.
    pub entries: u64,
    /// Entries, records and chunks of it that cannot be read.
    pub damaged: u64,
    /// What else is to be said of it, each in a sentence.
    pub notes: Vec<String>,
    missing: u64,
    parts: Vec<String>,
}

impl SourceReport {
    pub(super) fn new(path: &Path, kind: &'static str) -> SourceReport {
        SourceReport {
            path: path.to_owned(),
            kind,
            objects: 0,
            clients: 0,
            entries: 0,
            damaged: 0,
            notes: Vec::new(),
            missing: 0,
            parts: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, what: String) {
        self.notes.push(what);
    }

    pub(super) fn read(&mut self, what: String) {
        self.parts.push(what);
    }

    /// Notes log entries that are not there or damaged.
    pub(super) fn missing(&mut self, entries: u64) {
        self.missing += entries;
        self.damaged += entries;
    }
}

impl fmt::Display for SourceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {} objects, {} clients",
            self.kind,
            self.path.display(),
            self.objects,
            self.clients
        )?;
        for part in &self.parts {
            write!(f, "; {part}")?;
        }
        if self.entries > 0 {
            write!(f, "; {} log entries", self.entries)?;
        }
        match self.damaged {
            0 => write!(f, "; nothing damaged")?,
            damaged => write!(f, "; {damaged} damaged places")?,
        }
        if self.missing > 0 {
            write!(f, "\n    {} log entries cannot be read", self.missing)?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n    {note}"))
    }
}

/// What was put into a new data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The data directory; starting a server on it founds the new cluster.
    pub data_dir: PathBuf,
    /// The backup, for a restore.
    pub manifest: Option<Manifest>,
    /// Objects, destroyed ones counted.
    pub objects: u64,
    /// Clients.
    pub clients: u64,
    /// Keys whose material was opened once.
    pub opened: u64,
    /// Where what was there before now is.
    pub moved_aside: Option<PathBuf>,
    /// What each source gave, for a salvage.
    pub sources: Vec<SourceReport>,
    /// Objects whose material no data key opens; they are kept as they are.
    pub unopened: Vec<Id>,
    /// Objects that are known of, and that nothing readable makes.
    pub lost: Vec<Id>,
    /// Clients that some source that holds clients does not know: were they removed?
    pub doubtful_clients: Vec<String>,
}

impl Summary {
    pub(super) fn new(data_dir: &Path) -> Summary {
        Summary {
            data_dir: data_dir.to_owned(),
            manifest: None,
            objects: 0,
            clients: 0,
            opened: 0,
            moved_aside: None,
            sources: Vec::new(),
            unopened: Vec::new(),
            lost: Vec::new(),
            doubtful_clients: Vec::new(),
        }
    }

    /// Whether every key that is known of is there and opens.
    pub fn is_whole(&self) -> bool {
        self.unopened.is_empty() && self.lost.is_empty()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(manifest) = &self.manifest {
            writeln!(f, "backup: {manifest}")?;
        }
        for source in &self.sources {
            writeln!(f, "{source}")?;
        }
        writeln!(
            f,
            "{}: {} objects and {} clients; the material of {} keys was opened",
            self.data_dir.display(),
            self.objects,
            self.clients,
            self.opened
        )?;
        if let Some(aside) = &self.moved_aside {
            writeln!(f, "what was there before is now {}", aside.display())?;
        }
        if !self.unopened.is_empty() {
            let ids = listed(self.unopened.iter());
            writeln!(f, "LOST: {} keys whose material no data key opens: {ids}", self.unopened.len())?;
        }
        if !self.lost.is_empty() {
            let ids = listed(self.lost.iter());
            writeln!(f, "LOST: {} objects that nothing readable makes: {ids}", self.lost.len())?;
        }
        if !self.doubtful_clients.is_empty() {
            writeln!(
                f,
                "not every source knows these clients; remove those again that you had removed: {}",
                listed(self.doubtful_clients.iter())
            )?;
        }
        write!(
            f,
            "start the server on it to found the new cluster; other nodes join it with empty data directories"
        )
    }
}

/// Some of them, and how many more there are.
pub(super) fn listed<T: fmt::Display>(all: impl ExactSizeIterator<Item = T>) -> String {
    let more = all.len().saturating_sub(LISTED_MAX);
    let listed: Vec<String> = all.take(LISTED_MAX).map(|one| one.to_string()).collect();
    let and = if more > 0 { format!(" and {more} more") } else { String::new() };
    listed.join(", ") + &and
}
