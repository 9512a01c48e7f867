//! The doctor's findings, printed as they come or as one JSON document.

use serde::Serialize;

use super::conclude;
use crate::print::{self, Format, Sign};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    pub(super) sign: Sign,
    pub(super) words: String,
    pub(super) fix: Option<String>,
}

/// All that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    server: String,
    good: bool,
    pub(super) findings: Vec<Finding>,
    #[serde(skip)]
    format: Format,
}

impl Report {
    pub(super) fn new(server: &str, format: Format) -> Self {
        Report { server: server.to_owned(), good: true, findings: Vec::new(), format }
    }

    /// As it should be.
    pub(super) fn good(&mut self, name: &'static str, words: impl Into<String>) {
        self.add(name, Sign::Good, words.into(), None);
    }

    /// It works, and someone should know.
    pub(super) fn warn(&mut self, name: &'static str, words: impl Into<String>, fix: impl Into<String>) {
        self.add(name, Sign::Warning, words.into(), Some(fix.into()));
    }

    /// Not as it should be.
    pub(super) fn bad(&mut self, name: &'static str, words: impl Into<String>, fix: impl Into<String>) {
        self.good = false;
        self.add(name, Sign::Bad, words.into(), Some(fix.into()));
    }

    /// Not as it should be, said by an error that may carry its own hint.
    pub(super) fn bad_error(&mut self, name: &'static str, error: &dyn std::fmt::Display, fix: &str) {
        let (words, hint) = print::split_hint(&error.to_string());
        self.bad(name, words, hint.unwrap_or_else(|| fix.to_owned()));
    }

    /// Not looked at, and why.
    pub(super) fn skip(&mut self, name: &'static str, why: impl Into<String>) {
        self.add(name, Sign::Skipped, why.into(), None);
    }

    /// Whether nothing was bad.
    pub(super) fn is_good(&self) -> bool {
        self.good
    }

    /// Prints what is left to print.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        if self.format == Format::Json {
            return print::json(self);
        }
        let count = |sign| self.findings.iter().filter(|finding| finding.sign == sign).count();
        conclude(count(Sign::Bad), count(Sign::Warning));
        Ok(())
    }

    fn add(&mut self, name: &'static str, sign: Sign, words: String, fix: Option<String>) {
        if self.format == Format::Table {
            print::finding(sign, name, &words, fix.as_deref());
        }
        self.findings.push(Finding { name, sign, words, fix });
    }
}

#[cfg(test)]
impl Report {
    /// The sign of the finding with this name.
    pub(super) fn sign_of(&self, name: &str) -> Option<Sign> {
        self.findings.iter().find(|finding| finding.name == name).map(|finding| finding.sign)
    }
}
