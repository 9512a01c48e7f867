//! The one table, and what has to stand beside figures: the machine, and how to get them again.

use comfy_table::{Table as Lines, presets};

/// Load of the machine from which its figures are of little worth, per core.
const BUSY_LOAD_PER_CORE: f64 = 0.5;

/// One figure, and what it is held against.
#[derive(Clone, Debug)]
pub struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    rival: Option<(String, f64)>,
    /// Least and greatest ratio of one turn.
    spread: Option<(f64, f64)>,
    target: Option<Target>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    AtLeast(f64),
    RatioAtLeast(f64),
    AtMost(f64),
}

impl Row {
    /// So many in a second.
    pub fn rate(what: &str, value: f64, unit: &'static str) -> Self {
        Self { what: what.to_owned(), value, unit, rival: None, spread: None, target: None }
    }

    /// A value that should be large.
    pub fn more_is_better(what: &str, value: f64, unit: &'static str, least: f64) -> Self {
        Self { target: Some(Target::AtLeast(least)), ..Self::rate(what, value, unit) }
    }

    /// A value that should be small.
    pub fn less_is_better(what: &str, value: f64, unit: &'static str, most: Option<f64>) -> Self {
        Self { target: most.map(Target::AtMost), ..Self::rate(what, value, unit) }
    }

    /// The same of another server.
    pub fn beside(mut self, rival: &str, value: f64) -> Self {
        self.rival = Some((rival.to_owned(), value));
        self
    }

    /// The ratios turn by turn.
    pub fn spread(mut self, ratios: &[f64]) -> Self {
        let least = ratios.iter().copied().min_by(f64::total_cmp);
        let greatest = ratios.iter().copied().max_by(f64::total_cmp);
        self.spread = least.zip(greatest);
        self
    }

    /// What the ratio is to be at least.
    pub fn target(mut self, ratio: f64) -> Self {
        self.target = Some(Target::RatioAtLeast(ratio));
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.rival.as_ref().map(|(_, rival)| self.value / rival)
    }

    fn is_met(&self) -> Option<bool> {
        Some(match self.target? {
            Target::AtLeast(least) => self.value >= least,
            Target::RatioAtLeast(least) => self.ratio()? >= least,
            Target::AtMost(most) => self.value < most,
        })
    }

    fn cells(&self) -> Vec<String> {
        let shown = |value: f64| format!("{} {}", digits(value), self.unit).trim().replace(" /s", "/s");
        let rival = match &self.rival {
            Some((name, value)) => format!("{} ({name})", shown(*value)),
            None => String::new(),
        };
        let ratio = match (self.ratio(), self.spread) {
            (Some(ratio), Some((least, greatest))) => {
                format!("{} ({}–{})", digits(ratio), digits(least), digits(greatest))
            }
            (Some(ratio), None) => digits(ratio),
            (None, _) => String::new(),
        };
        let target = match self.target {
            Some(Target::AtLeast(least) | Target::RatioAtLeast(least)) => format!("≥ {}", digits(least)),
            Some(Target::AtMost(most)) => format!("< {} {}", digits(most), self.unit),
            None => String::new(),
        };
        let met = match self.is_met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        vec![self.what.clone(), shown(self.value), rival, ratio, target, met.to_owned()]
    }
}

/// Three digits or more.
fn digits(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// All rows, and what could not be measured.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
    load: f64,
    repeat: &'static str,
}

impl Table {
    /// `repeat` is how to get the figures again.
    pub(crate) fn new(repeat: &'static str) -> Self {
        Self { rows: Vec::new(), notes: Vec::new(), load: load_average(), repeat }
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Prints it.
    #[allow(clippy::print_stdout)] // It is what this program is for.
    pub fn print(&self) {
        let mut lines = Lines::new();
        lines.load_style(presets::ASCII_MARKDOWN);
        lines.set_header(["what", "kms-server", "beside", "ratio", "target", ""]);
        for row in &self.rows {
            lines.add_row(row.cells());
        }
        println!("{lines}");
        println!();
        for note in &self.notes {
            println!("{note}");
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let profile = if cfg!(debug_assertions) { "dev, which says nothing of speed" } else { "release" };
        println!("{cores} cores, shared by client and server, all on loopback; profile {profile}.");
        if self.load > BUSY_LOAD_PER_CORE * cores as f64 {
            println!("The machine was busy before (load average {:.1}): preliminary.", self.load);
        }
        println!(
            "Medians of turns taken one after the other, A B A B; in brackets the ratios of single turns."
        );
        println!("Repeat: {}", self.repeat);
    }
}

/// Of the last minute; 0 where the system does not tell.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_by_the_ratio_or_by_the_value() {
        let row = Row::rate("Get", 80.0, "/s").beside("echo server", 100.0);
        assert_eq!(row.clone().target(0.7).is_met(), Some(true));
        assert_eq!(row.clone().target(0.9).is_met(), Some(false));
        assert_eq!(row.is_met(), None);
        assert_eq!(Row::less_is_better("idle", 30.0, "MiB", Some(30.0)).is_met(), Some(false));
        assert_eq!(Row::more_is_better("per sync", 4.0, "", 4.0).is_met(), Some(true));
    }

    #[test]
    fn a_row_says_what_beside_what_and_how_far_turns_differ() {
        let row = Row::rate("Get", 12345.6, "/s").beside("echo server", 15000.0).spread(&[0.9, 0.75]);
        assert_eq!(
            row.target(0.7).cells(),
            ["Get", "12346/s", "15000/s (echo server)", "0.82 (0.75–0.90)", "≥ 0.70", "met"]
        );
    }
}
