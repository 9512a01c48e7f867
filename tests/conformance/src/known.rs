//! The cases that do not pass, and why: `known.txt`. No other may fail, and none of these may be forgotten once it passes.

use std::collections::BTreeMap;

use conform::Report;
use conform::report::Outcome;

/// Names and reasons, as the file has them: a name, blanks, the reason; lines that begin with # are for people.
pub const KNOWN: &str = include_str!("../known.txt");

/// The cases of the list, each with its reason.
pub fn known() -> BTreeMap<&'static str, &'static str> {
    let lines = KNOWN.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(name, why)| (name, why.trim())).collect()
}

/// What is not as the list has it, a line each: a case that differs and is not listed, and one that is listed and passes.
///
/// `except`: listed cases that may go either way where this run is made.
pub fn surprises(report: &Report, except: &[&str]) -> Vec<String> {
    let known = known();
    let mut surprises = Vec::new();
    for row in &report.cases {
        let listed = known.contains_key(row.name.as_str());
        match &row.outcome {
            Outcome::Failed { .. } if !listed => {
                surprises.push(format!("{} differs: {}", row.label(), row.outcome.words()));
            }
            Outcome::Passed if listed && !except.contains(&row.name.as_str()) => {
                surprises.push(format!("{} passes, and known.txt says that it cannot", row.label()));
            }
            _ => {}
        }
    }
    for name in known.keys() {
        if !report.cases.iter().any(|row| row.name == *name) {
            surprises.push(format!("known.txt lists {name}, and there is no such case"));
        }
    }
    surprises
}
