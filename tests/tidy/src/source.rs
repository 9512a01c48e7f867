//! Rust source, line by line: what is code, what is comment, and what only tests compile. A small lexer, no parser: it
//! knows comments, strings, characters and braces.

use crate::Tree;

/// One line.
#[derive(Debug, Default, Clone)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: usize,
    /// The code, with the inside of strings and all comments left out.
    pub(crate) code: String,
    /// Whether a comment stands on it.
    pub(crate) comment: bool,
    /// Whether only tests compile it.
    pub(crate) test: bool,
}

enum Inside {
    Code,
    BlockComment(usize),
    String,
    RawString(usize),
}

/// The lines of a file; `test` says that all of it is for tests.
pub(crate) fn lines(text: &str, test: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut inside = Inside::Code;
    for (number, text) in text.lines().enumerate() {
        let mut line = Line { number: number + 1, test, ..Line::default() };
        lex(text, &mut inside, &mut line);
        lines.push(line);
    }
    if !test {
        mark_tests(&mut lines);
    }
    lines
}

fn lex(text: &str, inside: &mut Inside, line: &mut Line) {
    let chars: Vec<char> = text.chars().collect();
    let at = |place: usize| chars.get(place).copied().unwrap_or('\n');
    let mut place = 0;
    while place < chars.len() {
        let (now, next) = (at(place), at(place + 1));
        match inside {
            Inside::BlockComment(depth) => {
                line.comment = true;
                match (now, next) {
                    ('/', '*') => (*depth, place) = (*depth + 1, place + 1),
                    ('*', '/') => {
                        place += 1;
                        match depth {
                            0 | 1 => *inside = Inside::Code,
                            _ => *depth -= 1,
                        }
                    }
                    _ => {}
                }
            }
            Inside::String => match now {
                '\\' => place += 1,
                '"' => {
                    line.code.push('"');
                    *inside = Inside::Code;
                }
                _ => {}
            },
            Inside::RawString(hashes) => {
                let closes = now == '"' && (1..=*hashes).all(|ahead| at(place + ahead) == '#');
                if closes {
                    place += *hashes;
                    line.code.push('"');
                    *inside = Inside::Code;
                }
            }
            Inside::Code => match (now, next) {
                ('/', '/') => {
                    line.comment = true;
                    return;
                }
                ('/', '*') => {
                    *inside = Inside::BlockComment(1);
                    place += 1;
                }
                ('r', '"' | '#') if !ends_in_word(&line.code) => {
                    let hashes = (1..).take_while(|ahead| at(place + ahead) == '#').count();
                    if at(place + 1 + hashes) == '"' {
                        *inside = Inside::RawString(hashes);
                        line.code.push('"');
                        place += 1 + hashes;
                    } else {
                        line.code.push(now);
                    }
                }
                ('"', _) => {
                    *inside = Inside::String;
                    line.code.push('"');
                }
                // A character, not a lifetime: its end follows at once, or it is escaped.
                ('\'', '\\') => {
                    place += 2;
                    while place < chars.len() && at(place) != '\'' {
                        place += 1;
                    }
                }
                ('\'', _) if at(place + 2) == '\'' => place += 2,
                _ => line.code.push(now),
            },
        }
        place += 1;
    }
}

fn ends_in_word(code: &str) -> bool {
    // `br"` and `cr"` are raw strings too.
    let code = code.strip_suffix(['b', 'c']).unwrap_or(code);
    code.ends_with(|last: char| last.is_alphanumeric() || last == '_')
}

/// Marks what stands under `#[cfg(test)]` or `#[test]`: to the end of the block that follows, or to the semicolon.
fn mark_tests(lines: &mut [Line]) {
    let mut place = 0;
    while place < lines.len() {
        if !is_test_attribute(&lines[place].code) {
            place += 1;
            continue;
        }
        let mut depth = 0_usize;
        let mut opened = false;
        while place < lines.len() {
            lines[place].test = true;
            let code = lines[place].code.clone();
            place += 1;
            let mut ended = false;
            for char in code.chars() {
                match char {
                    '{' => (depth, opened) = (depth + 1, true),
                    '}' => depth = depth.saturating_sub(1),
                    ';' if depth == 0 => ended = true,
                    _ => {}
                }
            }
            if ended || (opened && depth == 0) {
                break;
            }
        }
    }
}

fn is_test_attribute(code: &str) -> bool {
    let code = code.trim_start();
    ["#[cfg(test)]", "#[cfg(any(test", "#[test]", "#[tokio::test"].iter().any(|known| code.starts_with(known))
}

/// Whether the file is for tests alone: by its place, or because its module stands under `#[cfg(test)]`.
pub(crate) fn is_test_file(tree: &Tree, path: &str) -> bool {
    let by_place = |part: &str| path.starts_with(&format!("{part}/")) || path.contains(&format!("/{part}/"));
    if ["tests", "benches", "examples", "fuzz"].into_iter().any(by_place) {
        return true;
    }
    let Some((dir, name)) = path.rsplit_once('/') else { return false };
    let (module, parents) = match name {
        "lib.rs" | "main.rs" => return false,
        "mod.rs" => {
            let Some((above, module)) = dir.rsplit_once('/') else { return false };
            (module, parents(above))
        }
        _ => (name.trim_end_matches(".rs"), parents(dir)),
    };
    let declared = format!("mod {module};");
    let under = |parent: &str| {
        let text = tree.file(parent).filter(|text| text.contains(&declared))?;
        let line = lines(text, false).into_iter().find(|line| line.code.trim_end().ends_with(&declared))?;
        Some(line.test || is_test_file(tree, parent))
    };
    let named = || {
        // A neighbour may have it under another module's name. What is in quotes is left out of `lines`.
        let attribute = format!("#[path = \"{name}\"]");
        let mut beside =
            tree.files().filter(|(other, _)| other.rsplit_once('/').is_some_and(|(d, _)| d == dir));
        let (_, text) = beside.find(|(_, text)| text.contains(&attribute))?;
        let place = text.lines().position(|line| line.trim() == attribute)?;
        lines(text, false).get(place).map(|line| line.test)
    };
    parents.iter().find_map(|parent| under(parent)).or_else(named).unwrap_or(false)
}

/// The files that may declare a module that lies in `dir`.
fn parents(dir: &str) -> Vec<String> {
    let inside = ["mod.rs", "lib.rs", "main.rs"].map(|name| format!("{dir}/{name}"));
    let mut all = vec![format!("{dir}.rs")];
    all.extend(inside);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_no_code() {
        let text = "let a = \"x.unwrap() // no\"; // .unwrap()\nlet b = r#\"panic!(\"\"#; /* todo!() */ c\nlet d = '\"'; e\n'a: loop {}";
        let code: Vec<_> = lines(text, false).into_iter().map(|line| line.code).collect();
        assert_eq!(code, ["let a = \"\"; ", "let b = \"\";  c", "let d = ; e", "'a: loop {}"]);
    }

    #[test]
    fn what_stands_under_cfg_test_is_for_tests() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        let marks: Vec<_> = lines(text, false).iter().map(|line| line.test).collect();
        assert_eq!(marks, [false, true, true, true, true, false, true, true, false]);
    }

    #[test]
    fn a_file_whose_module_is_for_tests_is_for_tests() {
        let tree = Tree::of(&[
            ("a/src/lib.rs", "#[cfg(test)]\nmod proof;\nmod b;\n"),
            ("a/src/proof.rs", ""),
            ("a/src/b.rs", "#[cfg(test)]\nmod c;\nmod d;"),
            ("a/src/b/c.rs", ""),
            ("a/src/b/d.rs", "#[cfg(test)]\n#[path = \"d_tests.rs\"]\nmod tests;"),
            ("a/src/b/d_tests.rs", ""),
        ]);
        assert!(is_test_file(&tree, "a/src/b/d_tests.rs"));
        assert!(is_test_file(&tree, "a/src/proof.rs") && is_test_file(&tree, "a/src/b/c.rs"));
        assert!(!is_test_file(&tree, "a/src/b.rs") && !is_test_file(&tree, "a/src/b/d.rs"));
        assert!(is_test_file(&tree, "a/tests/wall.rs") && is_test_file(&tree, "tests/lab/src/lib.rs"));
    }
}
