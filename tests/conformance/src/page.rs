//! `docs/conformance.md`: what the cases came to, as a page of the project. The test writes it with `CONFORMANCE=write`.

use std::fmt::Write as _;
use std::path::PathBuf;

use conform::Report;
use conform::report::Outcome;

use crate::known::known;

/// Where the page is.
pub fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md"))
}

const HEAD: &str = "\
# The published KMIP test cases

Every case of the OASIS profiles and test case documents of KMIP 1.0 to 1.4, sent to a server as it is published; whole
responses are compared, but for what the profiles permit to vary. Passed of those run, by family and version:

";

const COMMAND: &str = "
Run it against your own server, ours or another's:

```
kms conform CASES HOST:5696 --cert cert.pem --key key.pem --ca ca.pem
```

This page is written by `CONFORMANCE=write tests/run -p conformance`, and the same test fails when it is no longer true. The
cases are run four times there: against one node, against it again, against three nodes with each request of a case at
another of them, and against kms-core alone.
";

/// The page for a run.
pub fn page(report: &Report) -> String {
    let mut page = HEAD.to_owned();
    let (header, rows) = report.grid();
    row(&mut page, &header);
    row(&mut page, &header.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
    rows.iter().for_each(|cells| row(&mut page, cells));
    let failed: Vec<_> =
        report.cases.iter().filter(|case| matches!(case.outcome, Outcome::Failed { .. })).collect();
    page += COMMAND;
    list(
        &mut page,
        "Not passed",
        failed.iter().map(|case| {
            (case.name.as_str(), known().get(case.name.as_str()).copied().unwrap_or("not known"))
        }),
    );
    let skipped = report.cases.iter().filter_map(|case| match &case.outcome {
        Outcome::Skipped { reason } => Some((case.name.as_str(), reason.as_str())),
        _ => None,
    });
    list(&mut page, "Not run", skipped);
    page
}

fn row(page: &mut String, cells: &[String]) {
    // Writing into a string does not fail.
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

/// Cases by their reason, in the order in which reasons first come.
fn list<'a>(page: &mut String, title: &str, cases: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, why) in cases {
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((why, vec![name])),
        }
    }
    if reasons.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n## {title}\n");
    for (why, names) in reasons {
        let _ = writeln!(page, "- {why}: {}", names.join(", "));
    }
}
