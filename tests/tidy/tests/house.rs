//! The house against its rules. Each rule is first held against an example that breaks it: a rule that sees nothing
//! there would see nothing here either.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use tidy::Tree;

/// Fails unless the rule objects to every broken example, to no sound one, and to nothing in the house.
fn check(rule: impl Fn(&Tree) -> Vec<String>, broken: &[&[(&str, &str)]], sound: &[&[(&str, &str)]]) {
    for example in broken {
        assert!(!rule(&Tree::of(example)).is_empty(), "the rule does not see what is wrong with {example:?}");
    }
    for example in sound {
        let found = rule(&Tree::of(example));
        assert!(found.is_empty(), "the rule objects to a sound example: {found:?}");
    }
    let found = rule(&Tree::house().unwrap());
    assert!(found.is_empty(), "{} places break this rule:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_rust_file_has_more_than_600_lines() {
    let (long, short) = ("\n".repeat(601), "\n".repeat(600));
    check(tidy::long_files, &[&[("a/src/lib.rs", &long)]], &[&[("a/src/lib.rs", &short)]]);
}

#[test]
fn every_rust_file_begins_with_what_it_is() {
    check(tidy::heads, &[&[("a.rs", "use std::fmt;\n")]], &[&[("a.rs", "//! Says it.\n")]]);
}

#[test]
fn nothing_is_half_built_or_switched_off() {
    check(
        tidy::unfinished,
        &[
            &[("a.rs", "fn a() { todo!() }")],
            &[("a.rs", "fn a() { unimplemented!(\"later\") }")],
            &[("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}")],
        ],
        &[&[("a.rs", "// todo!() is banned\nconst A: &str = \"todo!()\";")]],
    );
}

#[test]
fn a_test_that_sleeps_says_why() {
    check(
        tidy::sleeps_in_tests,
        &[
            &[("a/tests/wall.rs", "fn a() {\n    sleep(SECOND);\n}")],
            &[(
                "a/src/lib.rs",
                "#[cfg(test)]\nmod tests {\n    fn a() {\n        tokio::time::sleep(S).await;\n    }\n}",
            )],
        ],
        &[
            &[(
                "a/tests/wall.rs",
                "fn a() {\n    // The server must stay silent for this long.\n    sleep(SECOND);\n}",
            )],
            &[("a/tests/wall.rs", "while !done() {\n    sleep(LOOK_INTERVAL);\n}")],
            &[("a/src/lib.rs", "fn a() {\n    sleep(PAUSE);\n}")],
        ],
    );
}

#[test]
fn product_code_does_not_end_the_process_by_accident() {
    check(
        tidy::unwraps,
        &[
            &[("a/src/lib.rs", "fn a() { b.unwrap(); }")],
            &[("a/src/lib.rs", "fn a() { b.expect(\"it is there\"); }")],
            &[("a/src/lib.rs", "#[cfg(test)]\nmod tests {}\nfn a() { panic!(\"no\") }")],
        ],
        &[
            &[(
                "a/src/lib.rs",
                "fn a() { b.unwrap_or(0); }\n#[cfg(test)]\nmod tests {\n    fn a() { b.unwrap(); }\n}",
            )],
            &[("a/tests/wall.rs", "fn a() { b.unwrap(); }")],
            &[("a/src/lib.rs", "fn a() { reader.expect(tag::KEY); }")],
            &[(
                "a/src/lib.rs",
                "#[allow(clippy::expect_used, reason = \"ours\")]\nfn a() { b.expect(\"it\"); }",
            )],
            &[("a/src/lib.rs", "#[cfg(test)]\nmod b;"), ("a/src/b.rs", "fn a() { b.unwrap(); }")],
        ],
    );
}

#[test]
fn pure_rooms_fetch_nothing_from_the_world() {
    check(
        tidy::pure_rooms,
        &[
            &[("kms-server/core/src/a.rs", "use std::fs;")],
            &[("kms-server/core/src/a.rs", "use std::{net, fmt};")],
            &[("kms-server/core/src/a.rs", "let now = std::time::SystemTime::now();")],
            &[("kmip/src/message.rs", "use tokio::net::TcpStream;")],
            &[("ttlv/src/reader.rs", "let now = Instant::now();")],
            &[("certs/src/issue.rs", "std::fs::write(path, pem)")],
            &[("health-proxy/src/health/node.rs", "let now = Instant::now();")],
            &[("health-proxy/src/choose.rs", "use tokio::sync::watch;")],
        ],
        &[
            &[("kmip/src/client/connection.rs", "use tokio::net::TcpStream;")],
            &[("kms-server/src/disk/mod.rs", "use std::fs;")],
            &[("health-proxy/src/main.rs", "use tokio::net::TcpStream;")],
            &[("kms-server/core/src/a.rs", "// not std::fs\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}")],
        ],
    );
}

#[test]
fn a_tests_name_is_the_sentence_it_proves() {
    check(
        tidy::test_names,
        &[&[("a.rs", "#[test]\nfn roundtrip() {}")], &[("a.rs", "#[tokio::test]\nasync fn get_works() {}")]],
        &[&[("a.rs", "#[test]\nfn a_destroyed_key_is_never_returned() {}\nfn helper() {}")]],
    );
}

const ROOT: &str = "[workspace]\nmembers = [\"a\", \"b\"]\n";
const PAGE: &str = "## Who stands on whom\n\n| room | rooms | outside |\n|---|---|---|\n| `a` | `b` | `serde` |\n| `b` | nothing | any |\n\n## Next\n";
const B: &str = "[package]\nname = \"b\"\n[dependencies]\ntokio.workspace = true\n";

#[test]
fn rooms_stand_on_what_the_architecture_page_allows() {
    let house = |a: &'static str, page: &'static str| {
        [("Cargo.toml", ROOT), ("ARCHITECTURE.md", page), ("a/Cargo.toml", a), ("b/Cargo.toml", B)]
    };
    check(
        tidy::arrows,
        &[
            &house("[package]\nname = \"a\"\n[dependencies]\ntokio.workspace = true\n", PAGE),
            &house("[package]\nname = \"a\"\n", ""),
            &house("[package]\nname = \"c\"\n", PAGE),
            &[
                ("Cargo.toml", ROOT),
                ("ARCHITECTURE.md", PAGE),
                ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
                ("b/Cargo.toml", "[package]\nname = \"b\"\n[dev-dependencies]\na = { path = \"../a\" }\n"),
            ],
        ],
        &[&house(
            "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\nserde.workspace = true\ntokio = { workspace = true, optional = true }\n[dev-dependencies]\na = { path = \".\" }\n",
            PAGE,
        )],
    );
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let start = "[workspace.dependencies]\n";
    let [bare, second] = ["serde = \"1\"\n", "# Configuration.\nserde = \"1\"\ntoml = \"1\"\n"]
        .map(|text| format!("{start}{text}"));
    let sound = format!(
        "{start}ttlv = {{ path = \"ttlv\" }}\n# Configuration.\nserde = \"1\"\ntoml = \"1\" # the same\n[profile.dev]\nopt-level = 1\n"
    );
    check(
        tidy::dependency_comments,
        &[&[("Cargo.toml", &bare)], &[("Cargo.toml", &second)]],
        &[&[("Cargo.toml", &sound)]],
    );
}

#[test]
fn every_member_keeps_the_lints_and_facts_of_the_workspace() {
    let one = "[workspace]\nmembers = [\"a\"]\n";
    let whole = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n[lints]\nworkspace = true\n";
    let without = whole.replace("[lints]\nworkspace = true\n", "");
    let other = whole.replace("license.workspace = true", "license = \"MIT\"");
    check(
        tidy::member_manifests,
        &[
            &[("Cargo.toml", one), ("a/Cargo.toml", &without)],
            &[("Cargo.toml", one), ("a/Cargo.toml", &other)],
        ],
        &[&[("Cargo.toml", one), ("a/Cargo.toml", whole)]],
    );
}

#[test]
fn links_of_pages_lead_somewhere() {
    check(
        tidy::links,
        &[&[("docs/a.md", "see [b](b.md)")], &[("docs/a.md", "see [b](../b.md#part)")]],
        &[&[
            ("docs/a.md", "[b](../b.md#part) [c](https://example.test/c.md) [d](#d) [e](e/)"),
            ("b.md", ""),
            ("docs/e/f", ""),
        ]],
    );
}

#[test]
fn no_file_names_a_path_of_one_machine_or_a_plan_outside() {
    let paths =
        [["cd /wo", "rk/main"], ["\"/ho", "me/someone/x\""], ["/ro", "ot/.cargo"], ["as in DESI", "GN.md"]]
            .map(|parts| parts.concat());
    let broken = paths.each_ref().map(|path| [("a.md", path.as_str())]);
    check(
        tidy::machine_paths,
        &broken.each_ref().map(|example| example.as_slice()),
        &[&[("a.md", "docs/root/page and the work/home of it")]],
    );
}

#[test]
fn nothing_asks_for_another_toolchain() {
    check(tidy::toolchain_files, &[&[("rust-toolchain.toml", "")], &[("rust-toolchain", "1.90")]], &[]);
}

#[test]
fn pages_rules_and_dashboards_name_metrics_that_are_there() {
    let metrics = kms_server::metrics::Metrics::new("0", "node1");
    // A family appears with its first member.
    metrics.request("Get", "Success");
    metrics.request_took("Get", std::time::Duration::ZERO);
    metrics.handshake(kms_server::metrics::Handshake::Known);
    let exposition = metrics.text();
    check(
        |tree| tidy::metric_names(tree, &exposition),
        &[&[("deploy/prometheus/rules.yml", "expr: rate(kms_requets_total[5m]) > 0")]],
        &[&[("deploy/prometheus/rules.yml", "expr: rate(kms_requests_total[5m]) > kms_ready")]],
    );
}

#[test]
fn the_page_of_configuration_keys_is_what_the_server_says() {
    let page = |tree: &Tree| {
        let reference = kms_server::config::keys::TABLE.reference();
        let page = tree.file("docs/configuration.md").unwrap_or_default();
        let block = page.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```"));
        match block {
            Some((block, _)) if block == reference => Vec::new(),
            _ => vec![
                "docs/configuration.md: its block is not what kms-server --config-reference prints"
                    .to_owned(),
            ],
        }
    };
    check(page, &[&[("docs/configuration.md", "```toml\n[node]\n```\n")], &[]], &[]);
}
