//! One row a fault.

use std::time::Duration;

use faults::{Tally, say};

/// What came of a fault.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) fault: String,
    pub(crate) rounds: usize,
    pub(crate) tally: Tally,
    /// The longest time that a client was without an answer, by round.
    pub(crate) gaps: Vec<Duration>,
    pub(crate) broken: Vec<String>,
}

/// Prints the table, in Markdown.
pub(crate) fn print(rows: &[Row]) {
    say("");
    say(
        "| fault | rounds | acknowledged | unknown | lost | not found | twice | backwards | longest gap, median | most |",
    );
    say("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let Tally { acknowledged, unknown, lost, not_found, twice, backwards } = row.tally;
        let mut gaps = row.gaps.clone();
        gaps.sort();
        let median = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
        let most = gaps.last().copied().unwrap_or_default();
        let (fault, rounds) = (&row.fault, row.rounds);
        let (median, most) = (median.as_millis(), most.as_millis());
        say(&format!(
            "| {fault} | {rounds} | {acknowledged} | {unknown} | {lost} | {not_found} | {twice} | {backwards} | {median} ms | {most} ms |"
        ));
    }
    say("");
}
