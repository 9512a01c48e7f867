//! All that the command prints, and nothing else prints. Results go to standard output, the rest to standard error;
//! colours go where they are welcome (NO_COLOR, pipes).

use std::io::Write;

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, Table, presets};
use serde::Serialize;

/// How to print results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences.
    #[default]
    Table,
    /// One JSON document on standard output; errors as JSON on standard error.
    Json,
}

/// Whether something is well, as a sign and a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sign {
    /// ✓
    Good,
    /// !
    Warning,
    /// ✗
    Bad,
    /// –
    Skipped,
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

/// Blanks before a label of a list of facts.
const INDENT: usize = 2;

/// Columns for the name of a finding.
const NAME_WIDTH: usize = 18;

/// A line of the result.
pub(crate) fn line(text: impl AsRef<str>) {
    out(&format!("{}\n", text.as_ref()));
}

/// A line of the result that leads a paragraph.
pub(crate) fn heading(text: impl AsRef<str>) {
    out(&format!("{BOLD}{}{BOLD:#}\n", text.as_ref()));
}

/// A line beside the result, on standard error.
pub(crate) fn note(text: impl AsRef<str>) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(anstream::stderr(), "{}", text.as_ref());
}

/// Labels and values, aligned.
pub(crate) fn facts(rows: &[(&str, String)]) {
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    for (label, value) in rows {
        let pad = " ".repeat(width - label.chars().count());
        // Further lines of a value stand below its first.
        let below = format!("\n{:1$}", "", INDENT + width + 2);
        let value = value.lines().map(printable).collect::<Vec<_>>().join(&below);
        out(&format!("{:INDENT$}{DIM}{}{DIM:#}{pad}  {value}\n", "", printable(label)));
    }
}

/// A table with a header.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(Cell::new));
    rows.into_iter().for_each(|row| {
        table.add_row(row.iter().map(|cell| printable(cell)));
    });
    for (number, line) in table.to_string().lines().enumerate() {
        let line = line.trim_end();
        let line = line.strip_prefix(' ').unwrap_or(line);
        match number {
            0 => out(&format!("{BOLD}{line}{BOLD:#}\n")),
            _ => out(&format!("{line}\n")),
        }
    }
}

/// A result as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    out(&format!("{}\n", serde_json::to_string_pretty(value)?));
    Ok(())
}

/// One finding, with what to do about it.
pub(crate) fn finding(sign: Sign, name: &str, words: &str, fix: Option<&str>) {
    let (style, mark) = match sign {
        Sign::Good => (GREEN, "✓"),
        Sign::Warning => (YELLOW, "!"),
        Sign::Bad => (RED, "✗"),
        Sign::Skipped => (DIM, "–"),
    };
    out(&format!("{style}{mark}{style:#} {BOLD}{name:<NAME_WIDTH$}{BOLD:#}  {}\n", printable(words)));
    if let Some(fix) = fix {
        out(&format!("    {YELLOW}fix:{YELLOW:#} {}\n", printable(fix)));
    }
}

/// An error with its causes; what stands after "hint: " goes on a line of its own.
pub(crate) fn error(format: Format, error: &anyhow::Error) {
    let (text, hint) = chain(error);
    match format {
        Format::Table => {
            note(format!("{RED}error:{RED:#} {text}"));
            if let Some(hint) = hint {
                note(format!("{YELLOW}hint:{YELLOW:#} {hint}"));
            }
        }
        Format::Json => note(serde_json::json!({ "error": text, "hint": hint }).to_string()),
    }
}

/// The error and its causes in one sentence, and the first hint among them; a cause that the error before it already
/// says is left out.
fn chain(error: &anyhow::Error) -> (String, Option<String>) {
    let (mut text, mut hint) = (String::new(), None);
    for cause in error.chain() {
        let (cause, its_hint) = split_hint(&cause.to_string());
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        hint = hint.or(its_hint);
    }
    (text, hint)
}

/// What went wrong, and what to do about it.
pub(crate) fn split_hint(text: &str) -> (String, Option<String>) {
    match text.split_once("hint: ") {
        Some((error, hint)) => {
            (error.trim_end_matches([' ', '.', ';', '\n']).to_owned(), Some(hint.trim().to_owned()))
        }
        None => (text.to_owned(), None),
    }
}

/// Text from elsewhere without what a terminal would act on: clients write attributes, servers write certificates.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

fn out(text: &str) {
    // A reader that has seen enough (`kms key list | head`) is no failure of ours.
    let _ = anstream::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_stands_apart_from_its_error() {
        for error in [
            anyhow::anyhow!("it is gone. hint: look elsewhere").context("reading the file"),
            anyhow::anyhow!("it is gone").context("reading the file. hint: look elsewhere"),
        ] {
            let (text, hint) = chain(&error);
            assert_eq!(text, "reading the file: it is gone");
            assert_eq!(hint.as_deref(), Some("look elsewhere"));
        }
    }

    #[test]
    fn what_a_client_wrote_cannot_steer_the_terminal() {
        assert_eq!(printable("test01\x1b[2J\nü"), "test01\\u{1b}[2J\\nü");
    }

    #[test]
    fn a_cause_is_not_said_twice() {
        let error = anyhow::anyhow!("no such file").context("reading x: no such file");
        assert_eq!(chain(&error).0, "reading x: no such file");
    }
}
