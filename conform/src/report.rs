//! What a run found: a table of families by versions, the first difference of each case that failed, and why others
//! were not run.

use std::collections::{BTreeMap, BTreeSet};

use kmip::{Kmip, ProtocolVersion};
use serde::Serialize;
use ttlv::text;

use super::case::Case;
use super::compare::Difference;
use super::judge::Step;

/// A whole run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Who was asked.
    pub server: String,
    /// Cases that went as they expect.
    pub passed: usize,
    /// Cases with a difference.
    pub failed: usize,
    /// Cases that were not run.
    pub skipped: usize,
    /// By family and version.
    table: Vec<Cell>,
    /// In the order they were run.
    pub cases: Vec<Row>,
}

/// The cases of one family and version.
#[derive(Debug, Serialize)]
struct Cell {
    family: String,
    version: String,
    passed: usize,
    run: usize,
    skipped: usize,
}

/// One case.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The case's name.
    pub name: String,
    family: String,
    version: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Exchanges that were made.
    exchanges: usize,
    milliseconds: u128,
    /// The messages as text, key material masked; with `--show` only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
}

/// How a case ended.
#[derive(Debug, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum Outcome {
    /// As it expects.
    Passed,
    /// Its first difference.
    Failed {
        /// What differs.
        difference: Difference,
    },
    /// It was not run.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl Row {
    /// How a case ended, after how many exchanges and how long.
    pub fn new(case: &Case, outcome: Outcome, exchanges: usize, milliseconds: u128) -> Self {
        let (name, family, version) = (case.name.clone(), case.family.clone(), case.version.to_string());
        Self { name, family, version, outcome, exchanges, milliseconds, messages: Vec::new() }
    }

    /// Takes the messages too.
    pub(crate) fn showing(mut self, steps: &[Step]) -> Self {
        for step in steps {
            self.messages.push(text::node(&step.request, &Kmip).to_string());
            self.messages.extend(step.response.iter().map(|it| text::node(it, &Kmip).to_string()));
        }
        self
    }

    /// `1.4/SKLC/SKLC-M-1-14`.
    pub fn label(&self) -> String {
        format!("{}/{}/{}", self.version, self.family, self.name)
    }
}

impl Report {
    /// What `server` made of the cases.
    pub fn new(server: &str, cases: Vec<Row>) -> Self {
        let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|row| is(&row.outcome)).count();
        let mut cells: BTreeMap<(&str, &str), Cell> = BTreeMap::new();
        for row in &cases {
            let cell = cells.entry((&row.family, &row.version)).or_insert_with(|| Cell {
                family: row.family.clone(),
                version: row.version.clone(),
                passed: 0,
                run: 0,
                skipped: 0,
            });
            match row.outcome {
                Outcome::Passed => {
                    cell.passed += 1;
                    cell.run += 1;
                }
                Outcome::Failed { .. } => cell.run += 1,
                Outcome::Skipped { .. } => cell.skipped += 1,
            }
        }
        Self {
            server: server.to_owned(),
            passed: count(|outcome| matches!(outcome, Outcome::Passed)),
            failed: count(|outcome| matches!(outcome, Outcome::Failed { .. })),
            skipped: count(|outcome| matches!(outcome, Outcome::Skipped { .. })),
            table: cells.into_values().collect(),
            cases,
        }
    }

    /// Whether every case that was run passed. A run of none did not.
    pub fn all_passed(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// Families down, versions across, passed/run in each field.
    pub fn grid(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let versions: BTreeSet<&str> = self.table.iter().map(|cell| cell.version.as_str()).collect();
        let families: BTreeSet<&str> = self.table.iter().map(|cell| cell.family.as_str()).collect();
        let header = ["FAMILY"].into_iter().chain(versions.iter().copied()).map(str::to_owned).collect();
        let field = |take: &dyn Fn(&&Cell) -> bool| {
            let cells: Vec<_> = self.table.iter().filter(take).collect();
            let sum = |of: fn(&Cell) -> usize| cells.iter().map(|cell| of(cell)).sum::<usize>();
            match (cells.is_empty(), sum(|cell| cell.run)) {
                (true, _) => "–".to_owned(),
                (false, 0) => "not run".to_owned(),
                (false, run) => format!("{}/{run}", sum(|cell| cell.passed)),
            }
        };
        let mut rows: Vec<Vec<String>> = Vec::new();
        for family in families {
            let fields = versions
                .iter()
                .map(|version| field(&|cell: &&Cell| cell.family == family && cell.version == *version));
            rows.push([family.to_owned()].into_iter().chain(fields).collect());
        }
        let all = versions.iter().map(|version| field(&|cell: &&Cell| cell.version == *version));
        rows.push(["all".to_owned()].into_iter().chain(all).collect());
        (header, rows)
    }
}

impl Outcome {
    /// In one sentence; nothing for a case that passed.
    pub fn words(&self) -> String {
        match self {
            Outcome::Passed => String::new(),
            Outcome::Failed { difference: Difference { path, expected, got } } => {
                format!("{path}: expected {expected}, got {got}")
            }
            Outcome::Skipped { reason } => format!("not run: {reason}"),
        }
    }
}

/// Families and versions that there are, for a hint.
pub fn choices(cases: &[Case]) -> String {
    let families: BTreeSet<&str> = cases.iter().map(|case| case.family.as_str()).collect();
    let versions: BTreeSet<ProtocolVersion> = cases.iter().map(|case| case.version).collect();
    let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
    format!("{}; {}", families.into_iter().collect::<Vec<_>>().join(", "), versions.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Plan;

    fn report() -> Report {
        let case = |family: &str, minor, name: &str| Case {
            name: name.to_owned(),
            family: family.to_owned(),
            version: ProtocolVersion::new(1, minor),
            encoding: None,
            plan: Plan::Run(Vec::new()),
        };
        let difference = Difference {
            path: "response 7, item 1, Attribute \"State\"".to_owned(),
            expected: "Active".to_owned(),
            got: "PreActive".to_owned(),
        };
        let skipped = Outcome::Skipped { reason: "it is so".to_owned() };
        let rows = vec![
            Row::new(&case("SKLC", 0, "a"), Outcome::Passed, 3, 1),
            Row::new(&case("SKLC", 0, "b"), Outcome::Failed { difference }, 7, 1),
            Row::new(&case("TC", 4, "c"), skipped, 0, 0),
        ];
        Report::new("kms1:5696", rows)
    }

    #[test]
    fn families_stand_by_versions_with_passed_and_run() {
        let (header, rows) = report().grid();
        assert_eq!(header, ["FAMILY", "1.0", "1.4"]);
        assert_eq!(rows, [["SKLC", "1/2", "–"], ["TC", "–", "not run"], ["all", "1/2", "not run"]]);
    }

    #[test]
    fn one_failed_case_fails_the_run() {
        assert!(!report().all_passed());
        assert!(!Report::new("kms1:5696", Vec::new()).all_passed());
    }

    #[test]
    fn json_has_the_difference_of_each_failed_case() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["failed"], 1);
        assert_eq!(json["cases"][0]["result"], "passed");
        assert_eq!(json["cases"][1]["difference"]["got"], "PreActive");
        assert_eq!(json["cases"][2]["reason"], "it is so");
        assert_eq!(json["table"][0]["run"], 2);
    }

    #[test]
    fn a_failed_case_is_one_sentence() {
        assert_eq!(
            report().cases[1].outcome.words(),
            "response 7, item 1, Attribute \"State\": expected Active, got PreActive"
        );
    }
}
