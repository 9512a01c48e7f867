//! TOML text against the table of keys: what is there, and every mistake in it.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::near::nearest;
use super::values::Value;
use super::{ANY_NAME, Absent, Entry, Key, Mistake, Table, Values};

impl Table {
    /// Reads `text`; relative paths start at `base`. What is wrong is added to `mistakes` and left out.
    pub fn parse(&self, text: &str, base: &Path, mistakes: &mut Vec<Mistake>) -> Values {
        let mut values = Values { base: base.to_owned(), ..self.defaults() };
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
            if self.of(section).next().is_none() {
                let near = self.hint(section, self.keys.iter().map(|key| key.section));
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
                if let Err(why) = self.take(section, name, value.get_ref(), line, &mut values) {
                    mistakes.push(Mistake::key(Some(line), section, name, why));
                }
            }
        }
        // The parser gives them by name.
        values.entries.sort_by_key(|(_, entry)| entry.line);
        // TOML that broke off may have had them in the part that is not seen.
        if errors.is_empty() {
            let section = |key: &Key| document.get_ref().get(key.section).map(|section| section.get_ref());
            mistakes.extend(self.keys.iter().filter_map(|key| missing(key, section(key))));
        }
        values
    }

    fn of(&self, section: &str) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().filter(move |key| key.section == section)
    }

    fn take(
        &self,
        section: &str,
        name: &str,
        value: &DeValue<'_>,
        line: usize,
        values: &mut Values,
    ) -> Result<(), String> {
        let Some(key) = self.of(section).find(|key| key.name == name || key.name == ANY_NAME) else {
            return Err(format!("is no key{}", self.hint(name, self.of(section).map(|key| key.name))));
        };
        match self.check(key, value)? {
            Value::Text(text) if key.name == ANY_NAME => {
                (self.check_name)(name).map_err(|why| format!("the name {why}"))?;
                values.entries.push((key.section, Entry { name: name.to_owned(), text, line }));
            }
            value => {
                values.found.insert((key.section, key.name), (value, line));
            }
        }
        Ok(())
    }

    fn hint<'a>(&self, word: &str, candidates: impl Iterator<Item = &'a str>) -> String {
        match nearest(word, candidates) {
            Some(candidate) => format!("; hint: did you mean {candidate}?"),
            None => format!("; hint: {} --config-reference lists all", self.program),
        }
    }
}

fn missing(key: &Key, section: Option<&DeValue<'_>>) -> Option<Mistake> {
    let lines = section.and_then(|section| section.as_table());
    match key.absent {
        Absent::Required if !lines.is_some_and(|lines| lines.contains_key(key.name)) => {
            Some(Mistake::key(None, key.section, key.name, format!("is missing: {}", key.about)))
        }
        // What is there and no section is a mistake already.
        Absent::OneAtLeast { what, example }
            if section.is_none() || lines.is_some_and(|lines| lines.is_empty()) =>
        {
            let why = format!("is empty: one {what} at least; hint: {example}");
            Some(Mistake::at(None, format!("[{}] {why}", key.section)))
        }
        _ => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
