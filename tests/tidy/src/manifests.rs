//! Rules about Cargo.toml files: who stands on whom, and why.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::Tree;

/// The heading in ARCHITECTURE.md above the table of arrows.
const ARROWS: &str = "## Who stands on whom";

/// What a room may stand on, by ARCHITECTURE.md.
struct Allowed {
    rooms: BTreeSet<String>,
    /// None: whatever the workspace lists.
    outside: Option<BTreeSet<String>>,
}

/// Dependencies that ARCHITECTURE.md does not allow, rooms that it does not name, and rooms that are gone.
pub fn arrows(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    let table = allowed(tree.file("ARCHITECTURE.md").unwrap_or_default());
    let members = members(tree, &mut found);
    let rooms: BTreeSet<&str> = members.iter().map(|(name, _, _)| name.as_str()).collect();
    for gone in table.keys().filter(|name| !rooms.contains(name.as_str())) {
        found.push(format!("ARCHITECTURE.md: the room {gone} is not in the workspace"));
    }
    for (name, path, manifest) in &members {
        let Some(allowed) = table.get(name) else {
            found.push(format!("ARCHITECTURE.md: \"{ARROWS}\" has no row for {name} ({path})"));
            continue;
        };
        for (section, dependency, value) in dependencies(manifest) {
            let optional = value.get("optional").and_then(Value::as_bool).unwrap_or(false);
            let own_tests = section == "dev-dependencies";
            let fits = match rooms.contains(dependency) {
                true => allowed.rooms.contains(dependency) || (own_tests && dependency == name),
                // Optional ones come with a feature that says so; those of tests alone are in no program.
                false => {
                    own_tests
                        || optional
                        || allowed.outside.as_ref().is_none_or(|outside| outside.contains(dependency))
                }
            };
            if !fits {
                found.push(format!("{path}: {name} may not stand on {dependency}, by ARCHITECTURE.md"));
            }
        }
    }
    found
}

fn allowed(page: &str) -> BTreeMap<String, Allowed> {
    let after = page.split_once(ARROWS).map_or("", |(_, after)| after);
    let section = after.split("\n## ").next().unwrap_or_default();
    let names = |cell: &str| -> BTreeSet<String> {
        let quoted = cell.split('`').skip(1).step_by(2);
        quoted.map(str::to_owned).collect()
    };
    let mut table = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [who, rooms, outside, ..] = cells.as_slice() else { continue };
        let outside = (!outside.contains("any")).then(|| names(outside));
        for who in names(who) {
            table.insert(who, Allowed { rooms: names(rooms), outside: outside.clone() });
        }
    }
    table
}

/// The members of the workspace: name, path of the manifest, manifest.
fn members(tree: &Tree, found: &mut Vec<String>) -> Vec<(String, String, Table)> {
    let root = parse(tree, "Cargo.toml", found);
    let listed =
        root.get("workspace").and_then(|workspace| workspace.get("members")).and_then(Value::as_array);
    let mut members = Vec::new();
    for member in listed.into_iter().flatten().filter_map(Value::as_str) {
        let path = format!("{member}/Cargo.toml");
        let manifest = parse(tree, &path, found);
        let package = manifest.get("package");
        match package.and_then(|package| package.get("name")).and_then(Value::as_str) {
            Some(name) => members.push((name.to_owned(), path, manifest)),
            None => found.push(format!("{path}: no package")),
        }
    }
    members
}

fn parse(tree: &Tree, path: &str, found: &mut Vec<String>) -> Table {
    let parsed = tree.file(path).ok_or_else(|| "is not there".to_owned());
    match parsed.and_then(|text| text.parse::<Table>().map_err(|error| error.to_string())) {
        Ok(table) => table,
        Err(error) => {
            found.push(format!("{path}: {error}"));
            Table::new()
        }
    }
}

fn dependencies(manifest: &Table) -> impl Iterator<Item = (&str, &str, &Value)> {
    ["dependencies", "dev-dependencies", "build-dependencies"].into_iter().flat_map(|section| {
        let table = manifest.get(section).and_then(Value::as_table);
        table.into_iter().flatten().map(move |(name, value)| (section, name.as_str(), value))
    })
}

/// Dependencies of the workspace that do not say why they are there, on their line or right above it.
pub fn dependency_comments(tree: &Tree) -> Vec<String> {
    let text = tree.file("Cargo.toml").unwrap_or_default();
    let mut found = Vec::new();
    let (mut inside, mut explained) = (false, false);
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        } else if inside && line.starts_with('#') {
            explained = true;
        } else if inside && line.contains('=') {
            // Our own rooms are explained where they are members.
            if !explained && !line.contains(" # ") && !line.contains("path = ") {
                let name = line.split('=').next().unwrap_or_default().trim();
                found.push(format!("Cargo.toml:{}: {name} does not say why it is there", number + 1));
            }
            explained = false;
        }
    }
    found
}

/// Members that do not keep the workspace's lints, edition, Rust version and licence, or that could be published.
pub fn member_manifests(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (_, path, manifest) in members(tree, &mut Vec::new()) {
        let shared = |table: Option<&Value>| {
            table.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
        };
        if !shared(manifest.get("lints")) {
            found.push(format!("{path}: [lints] workspace = true is missing"));
        }
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !shared(manifest.get("package").and_then(|package| package.get(key))) {
                found.push(format!("{path}: {key}.workspace = true is missing"));
            }
        }
    }
    found
}
