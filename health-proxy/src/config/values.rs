//! TOML text against the table of keys: what is there, and every mistake in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{ANY_NAME, Absent, KEYS, Key, Kind, NODES};
use super::{Mistake, NodeAt};

/// Characters of a name: it is a label of metrics and part of URLs.
const NAME_CHARS_MAX: usize = 64;

/// Values that passed the table's checks, and where they stand.
#[derive(Debug, Default)]
pub(super) struct Values {
    found: BTreeMap<(&'static str, &'static str), (Value, usize)>,
    nodes: Vec<NodeAt>,
    base: PathBuf,
}

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Number(i64),
    Switch(bool),
}

impl Values {
    /// Reads `text`; relative paths start at `base`. What is wrong is added to `mistakes` and left out.
    pub(super) fn parse(text: &str, base: &Path, mistakes: &mut Vec<Mistake>) -> Self {
        let mut values = Self { base: base.to_owned(), ..Self::default() };
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut broken = Vec::new();
        for error in &errors {
            let line = error.span().map(|span| line_of(text, span.start));
            broken.extend(line);
            mistakes.push(Mistake::at(line, format!("no TOML: {}", error.message().trim_end())));
        }
        for (section, content) in document.get_ref() {
            let line = line_of(text, section.span().start);
            let section = section.get_ref().as_ref();
            if !KEYS.iter().any(|key| key.section == section) {
                let near = nearest(section, KEYS.iter().map(|key| key.section));
                mistakes.push(Mistake::at(Some(line), format!("[{section}] is no section{near}")));
                continue;
            }
            let Some(table) = content.get_ref().as_table() else {
                let got = content.get_ref().type_str();
                mistakes.push(Mistake::at(Some(line), format!("[{section}] is a section, got {got}")));
                continue;
            };
            for (name, value) in table {
                let line = line_of(text, name.span().start);
                if broken.contains(&line) {
                    continue;
                }
                let name = name.get_ref().as_ref();
                if let Err(why) = values.take(section, name, value, line) {
                    mistakes.push(Mistake::key(Some(line), section, name, why));
                }
            }
        }
        // The parser gives them by name.
        values.nodes.sort_by_key(|node| node.line);
        // TOML that broke off may have had them in the part that is not seen.
        if errors.is_empty()
            && values.nodes.is_empty()
            && !mistakes.iter().any(|m| m.message.contains("[nodes]"))
        {
            let why = "is empty: one node at least; hint: kms1 = \"192.0.2.11:5696\"";
            mistakes.push(Mistake::at(None, format!("[{NODES}] {why}")));
        }
        values
    }

    fn take(
        &mut self,
        section: &str,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        line: usize,
    ) -> Result<(), String> {
        let keys = || KEYS.iter().filter(|key| key.section == section);
        let known = keys().find(|key| key.name == name || key.name == ANY_NAME);
        let Some(key) = known else {
            return Err(format!("is no key{}", nearest(name, keys().map(|key| key.name))));
        };
        let value = check(key, value)?;
        match value {
            Value::Text(text) if key.section == NODES => {
                check_name(name).map_err(|why| format!("the name {why}"))?;
                // It passed the check for addresses.
                let address = text.parse().map_err(|_| format!("is no address: {text}"))?;
                self.nodes.push(NodeAt { name: name.to_owned(), address, line });
            }
            value => {
                self.found.insert((key.section, key.name), (value, line));
            }
        }
        Ok(())
    }

    /// The nodes, in the file's order.
    pub(super) fn nodes(&self) -> &[NodeAt] {
        &self.nodes
    }

    /// The line a key stands on.
    pub(super) fn line(&self, section: &'static str, name: &'static str) -> Option<usize> {
        self.found.get(&(section, name)).map(|(_, line)| *line)
    }

    /// A number, or its default.
    pub(super) fn number<T: TryFrom<i64> + Default>(&self, section: &'static str, name: &'static str) -> T {
        let number = match self.value(section, name) {
            Some(Value::Number(number)) => number,
            Some(Value::Text(_) | Value::Switch(_)) | None => 0,
        };
        T::try_from(number).unwrap_or_default()
    }

    /// A number of milliseconds, or its default.
    pub(super) fn time(&self, section: &'static str, name: &'static str) -> Duration {
        Duration::from_millis(self.number(section, name))
    }

    /// A text, or its default.
    pub(super) fn text(&self, section: &'static str, name: &'static str) -> Option<String> {
        match self.value(section, name)? {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Switch(_) => None,
        }
    }

    /// A path, made absolute by the configuration file's directory.
    pub(super) fn path(&self, section: &'static str, name: &'static str) -> Option<PathBuf> {
        self.text(section, name).map(|path| self.base.join(path))
    }

    /// An address, or its default.
    pub(super) fn address(&self, section: &'static str, name: &'static str) -> SocketAddr {
        let parsed = self.text(section, name).and_then(|text| text.parse().ok());
        parsed.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// `true` or `false`, or its default.
    pub(super) fn switch(&self, section: &'static str, name: &'static str) -> bool {
        matches!(self.value(section, name), Some(Value::Switch(true)))
    }

    fn value(&self, section: &'static str, name: &'static str) -> Option<Value> {
        if let Some((value, _)) = self.found.get(&(section, name)) {
            return Some(value.clone());
        }
        let key = KEYS.iter().find(|key| (key.section, key.name) == (section, name))?;
        match key.absent {
            Absent::Says(text) => Some(Value::Text(text.to_owned())),
            Absent::Is(number) => Some(Value::Number(number)),
            Absent::Stands(switch) => Some(Value::Switch(switch)),
            Absent::Required | Absent::Unset => None,
        }
    }
}

fn check(key: &Key, value: &Spanned<DeValue<'_>>) -> Result<Value, String> {
    let value = value.get_ref();
    let text = || value.as_str().ok_or_else(|| format!("is a text in quotes, got {}", value.type_str()));
    match key.kind {
        Kind::Name => {
            let text = text()?;
            check_name(text)?;
            Ok(Value::Text(text.to_owned()))
        }
        Kind::Path => match text()? {
            "" => Err("is a path, got an empty text".to_owned()),
            text => Ok(Value::Text(text.to_owned())),
        },
        Kind::Address => {
            let text = text()?;
            match text.parse::<SocketAddr>() {
                Ok(_) => Ok(Value::Text(text.to_owned())),
                Err(_) => Err(format!(
                    "is an IP address and a port, got \"{text}\"; hint: \"192.0.2.11:5696\" or \"[2001:db8::1]:5696\""
                )),
            }
        }
        Kind::Number(min, max) => {
            let number =
                value.as_integer().ok_or_else(|| format!("is an integer, got {}", value.type_str()))?;
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
            match number.filter(|number| (min..=max).contains(number)) {
                Some(number) => Ok(Value::Number(number)),
                None => Err(format!(
                    "is an integer from {min} to {max}, got {}",
                    number.map_or("a larger one".to_owned(), |number| number.to_string())
                )),
            }
        }
        Kind::Switch => match value.as_bool() {
            Some(switch) => Ok(Value::Switch(switch)),
            None => Err(format!("is true or false, got {}", value.type_str())),
        },
        Kind::Choice(words) => {
            let text = text()?;
            match words.contains(&text) {
                true => Ok(Value::Text(text.to_owned())),
                false => Err(format!("is one of {}, got \"{text}\"", words.join(", "))),
            }
        }
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    match (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(fits) {
        true => Ok(()),
        false => {
            Err(format!("has 1 to {NAME_CHARS_MAX} letters, digits, \".\", \"_\" and \"-\", got \"{name}\""))
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// A hint with the candidate that a misspelt word is nearest to, when one is near.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    // A name without its unit or bound is near, however long they are.
    let apart = |candidate: &str| match candidate.starts_with(word) && word.len() > 2 {
        true => 1,
        false => distance(word, candidate),
    };
    let near = candidates.map(|candidate| (apart(candidate), candidate)).min();
    match near {
        Some((distance, candidate)) if distance <= 2 + candidate.len() / 6 => {
            format!("; hint: did you mean {candidate}?")
        }
        _ => "; hint: health-proxy --config-reference lists all".to_owned(),
    }
}

/// Single-character edits between two words (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let change = corner + usize::from(l != *r);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[right.len()]
}
