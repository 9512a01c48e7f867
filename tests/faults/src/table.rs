//! One row a fault.

use std::time::Duration;

use crate::{Tally, say};

/// What came of a fault.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub fault: String,
    /// How often it was brought about.
    pub rounds: usize,
    /// What was counted.
    pub tally: Tally,
    /// The longest time that a client was without an answer, by round.
    pub gaps: Vec<Duration>,
    /// What is wrong, one line each.
    pub broken: Vec<String>,
}

impl Row {
    /// Panics where a promise was broken.
    pub fn assert_kept(&self) {
        assert!(self.broken.is_empty(), "{} broken promises:\n{:#?}", self.broken.len(), self.broken);
    }
}

/// Prints the table, in Markdown.
pub fn print_table(rows: &[Row]) {
    say("");
    say(
        "| fault | rounds | acknowledged | unknown | lost | not found | twice | backwards | longest gap, median | most |",
    );
    say("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let Tally { acknowledged, unknown, lost, not_found, twice, backwards } = row.tally;
        let mut gaps = row.gaps.clone();
        gaps.sort();
        let median = gaps.get(gaps.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        let most = gaps.last().copied().unwrap_or_default();
        let (fault, rounds) = (&row.fault, row.rounds);
        let (median, most) = (median.as_millis(), most.as_millis());
        say(&format!(
            "| {fault} | {rounds} | {acknowledged} | {unknown} | {lost} | {not_found} | {twice} | {backwards} | {median} ms | {most} ms |"
        ));
    }
    say("");
}
