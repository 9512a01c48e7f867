//! The table of faults: every make of front, every fault, one after the other before the same three nodes.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cell::{CLIENT_TIMEOUT, Cell, Stand};
use crate::crowd::{Befell, CLIENTS, MACHINES_AT_ONCE};
use crate::fault::Fault;
use crate::front::Make;

/// What was found out.
#[derive(Debug, Default)]
pub struct Faults {
    cells: Vec<(Make, Fault, Cell)>,
    notes: Vec<String>,
}

/// Runs these makes through these faults, in a network of its own where packets are to be dropped and the machine lets it.
///
/// # Errors
/// Where the stand cannot be set up. What cannot be run is left out, and noted.
pub fn run(makes: &[Make], faults: &[Fault]) -> anyhow::Result<Faults> {
    let mut notes = Vec::new();
    let mut runnable = Vec::new();
    for make in makes {
        match make.look() {
            Ok(()) => runnable.push(*make),
            Err(why) => notes.push(format!("skipped: {}: {why}", make.name())),
        }
    }
    // Built before there is a network without the registry.
    lab::programs();
    let own = (runnable.clone(), faults.to_vec(), notes.clone());
    let run = lab::in_own_network(move || async move { all(&own.0, &own.1, own.2).await });
    run.unwrap_or_else(|why| {
        let kept: Vec<_> = faults.iter().copied().filter(|fault| !fault.needs_network()).collect();
        notes.push(format!("skipped: packets dropped: {why}"));
        tokio::runtime::Runtime::new()?.block_on(all(&runnable, &kept, notes))
    })
}

async fn all(makes: &[Make], faults: &[Fault], notes: Vec<String>) -> anyhow::Result<Faults> {
    let bar = progress(makes.len() * faults.len());
    let mut stand = Stand::start().await?;
    let mut found = Faults { cells: Vec::new(), notes };
    for fault in faults {
        for make in makes {
            bar.set_message(format!("{}: {}", make.name(), fault.name()));
            let cell = stand.cell(*make, *fault).await?;
            found.cells.push((*make, *fault, cell));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(found)
}

pub(crate) fn progress(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

impl Faults {
    /// What was found of each front in each fault.
    pub fn cells(&self) -> &[(Make, Fault, Cell)] {
        &self.cells
    }

    /// What was left out, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What is wrong: keys that were lost or doubled behind any front, and requests that failed in replay.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (make, fault, cell) in &self.cells {
            let place = format!("{}, {}", make.name(), fault.name());
            if !cell.keys.is_sound() {
                wrong.push(format!("{place}: {:?}", cell.keys));
            }
            for befell in [&cell.persistent, &cell.vcenter] {
                if *make == Make::Replay && befell.failed > 0 {
                    wrong.push(format!("{place}: {} failed: {:?}", befell.failed, befell.reasons));
                }
            }
        }
        wrong
    }

    /// Both tables, with what has to stand beside them.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut say = |line: &str| _ = writeln!(text, "{line}");
        say(&format!(
            "{CLIENTS} clients that keep their connection: worst client's gap in ms / requests that failed\n"
        ));
        say(&self.table(|cell| &cell.persistent));
        say(&format!(
            "\nvCenter's pattern, {MACHINES_AT_ONCE} machines at once, a new connection for each of 4 steps: longest machine in ms / \
             machines that failed\n"
        ));
        say(&self.table(|cell| &cell.vcenter));
        let answered: u64 =
            self.cells.iter().map(|(_, _, cell)| cell.persistent.answered + cell.vcenter.answered).sum();
        let keys: usize =
            self.cells.iter().map(|(_, _, cell)| cell.persistent.made.len() + cell.vcenter.made.len()).sum();
        let (lost, doubled) = self.cells.iter().fold((0, 0), |(lost, doubled), (_, _, cell)| {
            (lost + cell.keys.lost, doubled + cell.keys.doubled)
        });
        say("");
        for note in &self.notes {
            say(note);
        }
        say(&format!(
            "{answered} answers; {keys} keys acknowledged, {lost} of them lost, {doubled} made twice."
        ));
        say(&format!(
            "Both kinds of clients at the same time; they wait {} s for an answer. Three nodes, fronts and clients on {} cores.",
            CLIENT_TIMEOUT.as_secs(),
            std::thread::available_parallelism().map_or(1, usize::from)
        ));
        if cfg!(debug_assertions) {
            say("Profile dev, which is slow.");
        }
        say("Repeat: cargo run --release -p fronts -- faults");
        for wrong in self.wrong() {
            say(&format!("WRONG: {wrong}"));
        }
        text
    }

    fn table(&self, which: impl Fn(&Cell) -> &Befell) -> String {
        let mut makes: Vec<Make> = Vec::new();
        let mut faults: Vec<Fault> = Vec::new();
        for (make, fault, _) in &self.cells {
            if !makes.contains(make) {
                makes.push(*make);
            }
            if !faults.contains(fault) {
                faults.push(*fault);
            }
        }
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(std::iter::once("").chain(makes.iter().map(|make| make.name())));
        for fault in faults {
            let cells = makes.iter().map(|make| {
                let found = self.cells.iter().find(|(of, by, _)| of == make && *by == fault);
                found.map_or(String::new(), |(_, _, cell)| {
                    let befell = which(cell);
                    format!("{} / {}", befell.worst_gap.as_millis(), befell.failed)
                })
            });
            table.add_row(std::iter::once(fault.name().to_owned()).chain(cells));
        }
        table.to_string()
    }
}
