//! Rules about pages, scripts and dashboards.

use std::collections::BTreeSet;

use crate::Tree;

/// Relative links of Markdown pages that lead nowhere.
pub fn links(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.ending(".md") {
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        let mut fenced = false;
        for (number, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            if fenced {
                continue;
            }
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let file = link.split('#').next().unwrap_or_default();
                if file.is_empty() || link.contains("://") {
                    continue;
                }
                if !tree.has(&resolve(dir, file)) {
                    found.push(format!("{path}:{}: the link {link} leads nowhere", number + 1));
                }
            }
        }
    }
    found
}

fn resolve(dir: &str, link: &str) -> String {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Paths that only one machine has, and plans that are no part of the project, in any text file.
pub fn machine_paths(tree: &Tree) -> Vec<String> {
    // In pieces, so that this file does not break its own rule.
    let banned =
        [["/wo", "rk/"], ["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"], ["/tm", "p/bash"], ["DESI", "GN"]]
            .map(|parts| parts.concat());
    let mut found = Vec::new();
    for (path, text) in tree.files() {
        for (number, line) in text.lines().enumerate() {
            for word in banned.iter().filter(|word| names_path(line, word)) {
                found.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    found
}

/// Whether an absolute path begins so in the line; `docs/root/` does not.
fn names_path(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}$*".contains(c)))
}

/// Files that make rustup download another toolchain than the one that is there.
pub fn toolchain_files(tree: &Tree) -> Vec<String> {
    let named = |path: &str| path.ends_with("rust-toolchain") || path.ends_with("rust-toolchain.toml");
    tree.files().filter(|(path, _)| named(path)).map(|(path, _)| path.to_owned()).collect()
}

/// Names of metrics in pages, rules and dashboards that the server does not have. `exposition` is what its metrics
/// page says.
pub fn metric_names(tree: &Tree, exposition: &str) -> Vec<String> {
    let known: BTreeSet<&str> = exposition
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let is_known = |name: &str| {
        let suffixes = ["", "_total", "_bucket", "_sum", "_count", "_info"];
        suffixes.iter().any(|suffix| name.strip_suffix(suffix).is_some_and(|name| known.contains(name)))
    };
    let mut found = Vec::new();
    let ours = |path: &str| path.starts_with("deploy/") || path.starts_with("docs/") || path == "README.md";
    for (path, text) in tree.files().filter(|(path, _)| ours(path)) {
        for (number, line) in text.lines().enumerate() {
            let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            for word in words.filter(|word| word.starts_with("kms_") && !is_known(word)) {
                found.push(format!("{path}:{}: there is no metric {word}", number + 1));
            }
        }
    }
    found
}
