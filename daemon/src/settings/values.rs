//! What a configuration says, with defaults for what it does not say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Absent, Key, Table};

/// Values that passed the table's checks, and where they stand. A key is asked for by its section and name.
#[derive(Debug)]
pub struct Values {
    pub(super) keys: &'static [Key],
    pub(super) found: BTreeMap<(&'static str, &'static str), (Value, usize)>,
    pub(super) entries: Vec<(&'static str, Entry)>,
    pub(super) base: PathBuf,
}

/// A line whose name the operator gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What the key's kind allows, in quotes.
    pub text: String,
    /// The line in the file, from 1.
    pub line: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Switch(bool),
}

impl Table {
    /// What holds without a configuration.
    pub fn defaults(&self) -> Values {
        Values { keys: self.keys, found: BTreeMap::new(), entries: Vec::new(), base: PathBuf::new() }
    }
}

impl Values {
    /// The lines of a section whose names the operator gives, in the file's order.
    pub fn entries(&self, section: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |(of, _)| *of == section).map(|(_, entry)| entry)
    }

    /// The line a key stands on, from 1.
    pub fn line(&self, section: &'static str, name: &'static str) -> Option<usize> {
        self.found.get(&(section, name)).map(|(_, line)| *line)
    }

    /// A number, or its default.
    pub fn number<T: TryFrom<i64> + Default>(&self, section: &'static str, name: &'static str) -> T {
        let number = match self.value(section, name) {
            Some(Value::Number(number)) => number,
            Some(Value::Text(_) | Value::Switch(_)) | None => 0,
        };
        T::try_from(number).unwrap_or_default()
    }

    /// A number of milliseconds, or its default.
    pub fn time(&self, section: &'static str, name: &'static str) -> Duration {
        Duration::from_millis(self.number(section, name))
    }

    /// A text, or its default.
    pub fn text(&self, section: &'static str, name: &'static str) -> Option<String> {
        match self.value(section, name)? {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Switch(_) => None,
        }
    }

    /// A path, made absolute by the configuration file's directory.
    pub fn path(&self, section: &'static str, name: &'static str) -> Option<PathBuf> {
        self.text(section, name).map(|path| self.base.join(path))
    }

    /// An address, or its default.
    pub fn address(&self, section: &'static str, name: &'static str) -> SocketAddr {
        let parsed = self.text(section, name).and_then(|text| text.parse().ok());
        parsed.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// `true` or `false`, or its default.
    pub fn switch(&self, section: &'static str, name: &'static str) -> bool {
        matches!(self.value(section, name), Some(Value::Switch(true)))
    }

    fn value(&self, section: &'static str, name: &'static str) -> Option<Value> {
        if let Some((value, _)) = self.found.get(&(section, name)) {
            return Some(value.clone());
        }
        let key = self.keys.iter().find(|key| (key.section, key.name) == (section, name))?;
        match key.absent {
            Absent::Says(text) => Some(Value::Text(text.to_owned())),
            Absent::Is(number) => Some(Value::Number(number)),
            Absent::Stands(switch) => Some(Value::Switch(switch)),
            Absent::Required | Absent::OneAtLeast { .. } | Absent::Unset => None,
        }
    }
}
