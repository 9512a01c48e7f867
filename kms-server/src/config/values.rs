//! TOML text against the table of keys: what is there, and every mistake in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Mistake;
use super::keys::{Absent, KEYS, Key, Kind};
use crate::operator::check_name;

/// Values that passed the table's checks, and where they stand.
#[derive(Debug, Default)]
pub(super) struct Values {
    found: BTreeMap<(&'static str, &'static str), (Value, usize)>,
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
        let mut values = Self { found: BTreeMap::new(), base: base.to_owned() };
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
            let mut keys = KEYS.iter().filter(|key| key.section == section).peekable();
            if keys.peek().is_none() {
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
                match keys.clone().find(|key| key.name == name) {
                    Some(key) => match check(key, value) {
                        Ok(value) => {
                            values.found.insert((key.section, key.name), (value, line));
                        }
                        Err(why) => mistakes.push(Mistake::key(Some(line), section, name, why)),
                    },
                    None => {
                        let near = nearest(name, keys.clone().map(|key| key.name));
                        mistakes.push(Mistake::key(Some(line), section, name, format!("is no key{near}")));
                    }
                }
            }
        }
        if errors.is_empty() {
            for key in KEYS.iter().filter(|key| key.absent == Absent::Required) {
                let has =
                    document.get_ref().get(key.section).and_then(|section| section.get_ref().as_table());
                if !has.is_some_and(|section| section.contains_key(key.name)) {
                    mistakes.push(Mistake::key(
                        None,
                        key.section,
                        key.name,
                        format!("is missing: {}", key.about),
                    ));
                }
            }
        }
        values
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
            Absent::Text(text) => Some(Value::Text(text.to_owned())),
            Absent::Number(number) => Some(Value::Number(number)),
            Absent::Switch(switch) => Some(Value::Switch(switch)),
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
            check_name("the value", text).map_err(|error| error.to_string())?;
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
                    "is an IP address and a port, got \"{text}\"; hint: \"0.0.0.0:5696\" or \"[::]:5696\""
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
        Kind::HostPort => {
            let text = text()?;
            let parts =
                text.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            match parts {
                Some(_) => Ok(Value::Text(text.to_owned())),
                None => Err(format!(
                    "is a host and a port, got \"{text}\"; hint: \"kms1.example.test:5697\" or \"192.0.2.7:5697\""
                )),
            }
        }
        Kind::Ip => {
            let text = text()?;
            match text.parse::<std::net::IpAddr>() {
                Ok(_) => Ok(Value::Text(text.to_owned())),
                Err(_) => Err(format!("is an IP address, got \"{text}\"")),
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
        _ => "; hint: kms-server --config-reference lists all".to_owned(),
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
